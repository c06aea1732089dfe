"""Which whitespace belongs between a text and its continuation, where neither of them has any."""

from __future__ import annotations

import re
import unicodedata

_ITEM = re.compile(r"(?P<number>\d{1,4})[.)] |[-*+] ")
_HEADING = re.compile(r"#{1,6} ")
_LINE_ITEM = re.compile(r"\s*(?:(?P<number>\d{1,4})[.)]|[-*+]) ")
_LAST = re.compile(r"[^\W\d_]+\Z")
_FIRST = re.compile(r"[^\W\d_]+")
_WORDS = re.compile(r"[^\W\d_]+")
_ENDS = ".!?\u2026\u061f\u0964"
_PAUSES = ",;:)\u060c\u061b"
_NO_SPACE = "\u2e80"
"""From here on are scripts that put no space between words; Hangul, which does, is told apart."""
_SHORT = 3


def missing_space(tail: str, begun: str, *, in_code: bool) -> str:
    """What to put between; nothing where the cut may be within a word, or where the text is code."""
    if not tail or not begun or in_code or tail[-1].isspace() or begun[0].isspace() or _clings(tail[-1], begun[0]):
        return ""
    line = tail[tail.rfind("\n") + 1 :]
    return _new_line(line, begun) or (" " if _is_between_words(tail, begun) else "")


def _clings(last: str, first: str) -> bool:
    """Parts of one character: marks and joiners."""
    return unicodedata.category(first)[0] == "M" or "\u200d" in (last, first)


def _new_line(line: str, begun: str) -> str:
    if _HEADING.match(begun) and line.rstrip()[-1:] not in ("", "#"):
        return "\n\n"
    row, item = line.lstrip().startswith("|"), _LINE_ITEM.match(line)
    if row:
        return "\n" if begun.startswith("| ") and line.rstrip().endswith("|") and line.count("|") > 2 else ""  # noqa: PLR2004 - a row with a cell
    found = _ITEM.match(begun)
    if item is None or found is None:
        return ""
    if found["number"] is None:
        return "\n" if item["number"] is None else ""
    follows = item["number"] is not None and int(found["number"]) == int(item["number"]) + 1
    return "\n" if follows else ""


def _is_between_words(tail: str, begun: str) -> bool:
    last, first = tail[-1], begun[0]
    if not first.isalnum() or _has_no_space(last) or _has_no_space(first):
        return False
    if last in _ENDS:
        return first.isupper() or (first.isalpha() and first.lower() == first.upper())
    if last in _PAUSES:
        return first.isalpha()
    if last.isdigit():
        return first.isalpha() and len(_FIRST.findall(begun)[0]) > _SHORT
    return last.isalpha() and _are_two(tail, begun)


def _has_no_space(character: str) -> bool:
    return character >= _NO_SPACE and not "\uac00" <= character <= "\ud7a3"


def _are_two(tail: str, begun: str) -> bool:
    """Two words, by what words the text has."""
    if begun[0].isdigit():
        return True
    last, first = _LAST.findall(tail)[0], _FIRST.findall(begun)[0]
    if last.islower() and first[0].isupper():
        return True
    known = {word.lower() for word in _WORDS.findall(tail[: -len(last)])}
    known.update(word.lower() for word in _WORDS.findall(begun)[1:])
    if (last + first).lower() in known:
        return False
    if last.lower() in known:
        return True
    return first.lower() in known and len(first) > _SHORT

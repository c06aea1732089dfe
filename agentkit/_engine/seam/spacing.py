"""Which whitespace belongs between a text and its continuation, where neither of them has any."""

from __future__ import annotations

import re

from agentkit._engine.seam.letters import LAST_WORD, WORD, is_letter, is_mark, is_unspaced

_ITEM = re.compile(r"(?P<number>\d{1,4})[.)] |[-*+] ")
_HEADING = re.compile(r"#{1,6} ")
_LINE_ITEM = re.compile(r"\s*(?:(?P<number>\d{1,4})[.)]|[-*+]) ")
_START = re.compile(r"\S{2,12}")
_BLANK = re.compile(r"\n\s*\n")
_ENDS = ".!?\u2026\u061f\u0964"
_QUOTES = "\"'\u201c\u201e\u2018\u00ab\u300c\u300e"
_PAUSES = ",;:)\u060c\u061b"
_SHORT = 3
_CELL = 2


def missing_space(tail: str, begun: str, *, in_code: bool) -> str:
    """What to put between; nothing where the cut may be within a word, or where the text is code."""
    if not tail or not begun or in_code or begun[0].isspace() or is_mark(begun[0]) or tail[-1] == "\u200d":
        return ""
    if tail[-1].isspace():
        starts = begun[0].isalnum() or (begun[0] in _QUOTES and begun[1:2].isalnum())
        return "\n" if starts and _wants_blank_line(tail) and not _ITEM.match(begun) else ""
    line = tail[tail.rfind("\n") + 1 :]
    if line.lstrip().startswith("|"):
        return _in_row(line, begun)
    return _new_line(tail, line, begun) or (" " if _is_between_words(tail, begun) else "")


def _wants_blank_line(tail: str) -> bool:
    """Cut between the two ends of line that part the paragraphs of this text."""
    if not tail.endswith("\n") or tail.endswith("\n\n"):
        return False
    return "\n\n" in tail and "\n" not in _BLANK.sub("", tail[:-1]).strip()


def _in_row(line: str, begun: str) -> str:
    if begun.startswith("|"):
        return "\n" if line.rstrip().endswith("|") and line.count("|") > _CELL and begun.startswith("| ") else ""
    return " " if (begun[0].isalnum() or begun.startswith("- ")) and (line.endswith(" |") or line == "|") else ""


def _new_line(tail: str, line: str, begun: str) -> str:
    if _HEADING.match(begun) and line.rstrip()[-1:] not in ("", "#"):
        return "\n\n"
    item, found = _LINE_ITEM.match(line), _ITEM.match(begun)
    if item is not None and found is not None:
        if found["number"] is None:
            return "\n" if item["number"] is None else ""
        return "\n" if item["number"] is not None and int(found["number"]) == int(item["number"]) + 1 else ""
    start = _START.match(begun)
    if start is None or not (begun[0].isupper() or begun[0] == ">"):
        return ""
    return "\n" if f"\n{start[0]}" in tail and f" {start[0]}" not in tail else ""


def _is_between_words(tail: str, begun: str) -> bool:
    last, first = tail[-1], begun[0]
    if not first.isalnum() or is_unspaced(last) or is_unspaced(first):
        return False
    if last in _ENDS:
        return first.isupper() or (first.isalpha() and first.lower() == first.upper())
    if last in _PAUSES:
        return first.isalpha()
    if last.isdigit():
        return first.isalpha() and len(_first_word(begun)) > _SHORT
    return is_letter(last) and _are_two(tail, begun)


def is_one_word(tail: str, begun: str) -> bool:
    """That letters meet within a word is certain: the text has that word, or the last one is a letter and no word."""
    last = LAST_WORD.findall(tail)[0]
    known = _known(tail, last, begun)
    return (last + _first_word(begun)).lower() in known or (len(last) == 1 and last not in known)


def _known(tail: str, last: str, begun: str) -> list[str]:
    """The words that are whole."""
    words = [*WORD.findall(tail[: -len(last)]), *WORD.findall(begun)[1:-1]]
    return [word.lower() for word in words]


def _first_word(begun: str) -> str:
    found = WORD.match(begun)
    return found[0] if found is not None else ""


def _are_two(tail: str, begun: str) -> bool:
    """Two words, by what words the text has."""
    last, first = LAST_WORD.findall(tail)[0], _first_word(begun)
    if not first:
        return True
    known = _known(tail, last, begun)
    is_last, is_first = last.lower() in known, first.lower() in known
    if (last + first).lower() in known or (len(first) == 1 and first.islower() and not is_first):
        return False  # one letter that is no word of this text is the end of one
    if first[0].isupper() and (last.islower() or (len(last) > 1 and last[1:].islower())):
        return True
    if is_last and (len(last) > _SHORT or is_first):
        return True
    if not is_first:
        return False
    return len(first) > _SHORT or (len(first) == _SHORT < len(last) and known.count(first.lower()) > 1)

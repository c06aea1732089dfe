"""How much of a continuation's beginning repeats the end of the text, and whether that is a repetition of the model's
or one that belongs to the text. Only the tail is searched, and only for a match that ends exactly at the cut.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from attrs import frozen

from agentkit._engine.seam.letters import NO_SPACES, TERM, is_letter, is_mark

Judgement: TypeAlias = Literal["chance", "text", "model"]
"""Whose repetition it is: nobody's, the text's own, or the model's."""

TAIL = 2000
"""Characters at the end of a text that a continuation can repeat."""
_UNIT = 160
"""What is longer is not said twice in a row on purpose."""
_SURE = 16
_SURE_IF_ASKED = 8
"""Weight at which nothing but a repetition can be meant."""
_LIKELY = 12
_LOOK = 4
"""Characters in step with the repetition, before or after it, that show that it belongs to the text."""
_TOKENS = re.compile(r"\w+|[^\w\s]")
_MARKER = re.compile(r"\s*(?:\d+[.)]|[-*+]|#{1,6}|>|`{3,}\w*|~{3,}\w*)\s*$")
_INDENT = 12
_FRAGMENT = 3
_LINE_BEGUN = 6
_FEW_WORDS = 3
_DISTINCT = 6
"""Characters, the blank counted, in what says anything."""
_WHOLE_WORD = 5


@frozen
class Setting:
    """What an overlap is judged by: the end of the text, and what it is the end of."""

    tail: str
    is_all: bool
    """The tail is the whole text."""
    in_code: bool = False
    in_json: bool = False
    is_asked: bool = False
    """The model was asked to repeat something."""


@frozen
class Found:
    """An overlap and whose it is; with nobody's, its length is that of the longest."""

    size: int
    whose: Judgement


def overlaps(tail: str, rest: str) -> list[int]:
    """Lengths of the beginnings of `rest` that are ends of `tail`, the longest first."""
    most = min(len(tail), len(rest))
    return [size for size in range(most, 0, -1) if tail.startswith(rest[:size], len(tail) - size)]


def find(setting: Setting, rest: str) -> Found:
    """The overlap that the model made, or the text. Where several lengths are possible, the least is dropped."""
    sizes = overlaps(setting.tail, rest)
    if not sizes:
        return Found(0, "chance")
    if sizes[0] == len(setting.tail) and is_whole_again(setting.tail, rest[sizes[0] :]) and setting.is_all:
        return Found(sizes[0], "model")
    whose: Judgement = "chance"
    strong = next((size for size in reversed(sizes) if _is_strong(setting, rest[:size])), 0)
    if strong and not _MARKER.match(rest[:strong]):
        if not _belongs(setting, rest[:strong], rest):
            return Found(strong, "model")
        whose = "text"
    for size in sizes:
        if (strong and size >= strong) or not _is_weak(setting, rest[:size], rest[size : size + 1]):
            continue
        if _MARKER.match(rest[:size]) or not _belongs(setting, rest[:size], rest):
            return Found(size, "model")
        whose = "text"
    return Found(sizes[0], whose)


def is_whole_again(text: str, rest: str) -> bool:
    """The whole of a short text came once more, before `rest`, and is not one thing that is said again and again."""
    setting = Setting(text, is_all=True)
    if not _is_strong(setting, text) and not _is_weak(setting, text, rest[:1]):
        return False
    return not _belongs(setting, text, text + rest)


def lookahead(rest: str, size: int) -> int:
    """Characters after an overlap that are needed to judge it: two lines where it has lines."""
    if "\n" not in rest[: min(size, _UNIT)]:
        return _LOOK + _INDENT
    end = rest.find("\n", rest.find("\n", size) + 1) if "\n" in rest[size:] else -1
    return 2 * _UNIT if end < 0 else max(_LOOK + _INDENT, end + 1 - size)


def weight(text: str) -> int:
    """Characters, where one that stands for a syllable or a word counts as three, and space between words as one."""
    return sum(3 if character >= NO_SPACES else 1 for character in " ".join(text.split()))


def _is_strong(setting: Setting, found: str) -> bool:
    """So long that it is no chance."""
    if is_mark(found[0]) or len(set(found)) < _DISTINCT:
        return False
    return weight(found) >= (_SURE_IF_ASKED if setting.is_asked else _SURE)


def _is_weak(setting: Setting, found: str, after: str) -> bool:
    """No chance because of where it begins, or of what it is."""
    before = setting.tail[: len(setting.tail) - len(found)]
    if is_mark(found[0]) or (before and _is_inside(before[-1], found[0])):
        return False
    if not before and setting.is_all and len(found.strip()) >= _WHOLE_WORD:
        return True
    starts_line = not before or before[-1] == "\n"
    if starts_line and _MARKER.match(found):
        return True
    if starts_line or setting.in_json:
        fewest = _FEW_WORDS + (not setting.in_code and not setting.in_json)
        if len(found) >= _LINE_BEGUN and len(set(_TOKENS.findall(found))) >= fewest:
            return True
    return _is_phrase(found) or _is_word(found, after)


def _is_inside(before: str, first: str) -> bool:
    """Between two characters of a word."""
    return (before.isalnum() or is_mark(before)) and first.isalnum() and first < NO_SPACES


def _is_phrase(found: str) -> bool:
    return weight(found) >= _LIKELY and len(set(TERM.findall(found))) >= _FEW_WORDS


def _is_word(found: str, after: str) -> bool:
    """The word that was cut, begun once more."""
    if not all(is_letter(character) for character in found) or found[-1] >= NO_SPACES:
        return False
    return len(found) >= (_FRAGMENT if after and is_letter(after) else _WHOLE_WORD)


def _belongs(setting: Setting, found: str, rest: str) -> bool:
    """Repetitions of this kind are in the text already, or go on after it."""
    tail, size = setting.tail, len(found)
    before = len(tail) - size
    if period(found) * 2 <= size:
        return True
    if before == 0 and setting.is_all:
        return False
    if weight(found) >= _SURE_IF_ASKED and tail.find(found) < before:
        return True
    if _has_lines_again(tail, found) and max(overlaps(found, found)[1:], default=0) >= _LINE_BEGUN:
        return True
    after = rest[size:]
    ahead = max(_common_start(after, rest), _common_start(after.lstrip(), rest.lstrip()))
    together = _common_end(tail[:before], tail) + ahead
    if size > _UNIT:
        return together * 2 >= size
    if together >= min(_LOOK, max(2, size // 2)) or _is_line_again(tail, found, rest[size : size + 1]):
        return True
    return _goes_on_alike(tail, rest, size)


def _goes_on_alike(tail: str, rest: str, size: int) -> bool:
    """A line that is repeated, or the one that was cut, is one of several that are the same."""
    inner, ahead = rest[:size].split("\n")[1:], rest.split("\n")
    if len(inner) == 1:
        line = _last_line(tail) + rest[size:].partition("\n")[0]
        return len(line) >= _LINE_BEGUN and (tail.split("\n") + ahead).count(line) > 1
    return len(inner) == 2 and len(inner[0].strip()) >= _LINE_BEGUN and ahead.count(inner[0]) > 1  # noqa: PLR2004 - one whole line


def _is_line_again(tail: str, found: str, after: str) -> bool:
    """Whole lines: the repetition begins at the place within its line at which the text was cut in its own.

    Of several lines, one has to be there elsewhere as well.
    """
    before, line = _last_line(tail[: len(tail) - len(found)]), _last_line(tail)
    if "\n" in found and before.rstrip() == line.rstrip():
        is_sure = before == line or bool(before.strip()) or not before or not line
        is_one = "\n" not in found.rstrip("\n").partition("\n")[2]
        return (is_sure and is_one) or _has_lines_again(tail, found)
    return after == "\n" and not before.strip() and _has_lines_again(tail, found)


def _has_lines_again(tail: str, found: str) -> bool:
    """A line of these is there more than once."""
    lines = (line.strip() for line in found.split("\n"))
    return any(tail.count(line) > 1 for line in lines if len(line) >= _LINE_BEGUN)


def _last_line(text: str) -> str:
    return text[text.rfind("\n") + 1 :]


def period(text: str) -> int:
    """The smallest distance at which a text repeats itself, where that is up to half of it."""
    at = text.find(text[: (len(text) + 1) // 2], 1)
    while at > 0:
        if text.startswith(text[at:]):
            return at
        at = text.find(text[: (len(text) + 1) // 2], at + 1)
    return len(text)


def _common_start(one: str, other: str) -> int:
    size = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        size += 1
    return size


def _common_end(one: str, other: str) -> int:
    return _common_start(one[: -_UNIT - 1 : -1], other[: -_UNIT - 1 : -1])

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
_FRAGMENT = 3
_LINE_BEGUN = 6
_FEW_WORDS = 3
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


def longest(tail: str, rest: str) -> int:
    """Length of the longest beginning of `rest` that is the end of `tail`."""
    for length in range(min(len(tail), len(rest)), 0, -1):
        if tail.startswith(rest[:length], len(tail) - length):
            return length
    return 0


def lookahead(length: int) -> int:
    """Characters after an overlap that are needed to judge it."""
    return _LOOK if length <= _UNIT else 1


def judge(setting: Setting, rest: str, length: int) -> Judgement:
    """Who repeats: the model the end of the text, or the text itself."""
    found = rest[:length]
    if not _is_credible(setting, found, rest[length : length + 1]):
        return "chance"
    return "text" if _belongs(setting, found, rest) else "model"


def weight(text: str) -> int:
    """Characters, where one that stands for a syllable or a word counts as three."""
    return sum(3 if character >= NO_SPACES else 1 for character in text if not character.isspace()) + text.count(" ")


def _is_credible(setting: Setting, found: str, after: str) -> bool:
    if is_mark(found[0]):
        return False
    if weight(found) >= (_SURE_IF_ASKED if setting.is_asked else _SURE):
        return True
    before = setting.tail[: len(setting.tail) - len(found)]
    if before and _is_inside(before[-1], found[0]):
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
    if before == 0 and setting.is_all:
        return period(found) * 2 <= size
    if period(found) * 2 <= size:
        return True
    back = _common_end(tail[:before], tail)
    ahead = _common_start(rest[size:], rest)
    if size > _UNIT:
        return (back + ahead) * 2 >= size
    return back + ahead >= min(_LOOK, max(2, size // 2)) or _is_line_again(tail, found)


def _is_line_again(tail: str, found: str) -> bool:
    """Whole lines: the repetition begins at the place within its line at which the text was cut in its own.

    Of several lines, one has to be there elsewhere as well.
    """
    if "\n" not in found:
        return False
    before = tail[: len(tail) - len(found)]
    if _last_line(before).strip() != _last_line(tail).strip():
        return False
    lines = [line for line in found.split("\n")[1:-1] if line.strip()]
    return not lines or any(tail.count(f"{line}\n") > 1 for line in lines)


def _last_line(text: str) -> str:
    return text[text.rfind("\n") + 1 :]


def of_this_line(tail: str, rest: str, size: int) -> int:
    """A shorter overlap where both are possible: there are several lines like this one, and it may be begun anew."""
    line, first = _last_line(tail), rest[:size].partition("\n")
    same = len(line) >= _FRAGMENT and bool(first[1]) and first[0].startswith(line)
    return len(line) if same and tail.count(f"{first[0]}\n") > 1 else size


def period(text: str) -> int:
    """The smallest distance at which a text repeats itself."""
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

"""A reply that is larger than the room for it: its beginning, a mark with the outline of what is left out, its end."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_MARKED = re.compile(
    r"\n(?:(?P<heading>#{1,6} [^\n]+|(?:Chapter|Part|Section) \w[^\n]*)"
    r"|[ \t]*(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*))"
)
"""Lines that say where a text is, and those that begin or end a block of code, in which none does."""
_HEAD_SHARE = 0.2
_OUTLINE_SHARE = 0.15
_MOST_HEADINGS = 60
_HEADING_SIZE = 100

Count = Callable[[str], int]


def excerpt(text: str, budget: int, count: Count) -> str:
    """The text within `budget` tokens. The end is kept word for word, as far as there is room for it.

    Where not even the mark finds room, it is the end alone; with room for nothing, nothing.
    """
    if _fits(text, budget, count):
        return text
    head = text[: _longest(text, int(budget * _HEAD_SHARE), count)]
    head = head[: _border(head)]
    left_out = len(text) - len(head)
    if budget - count(head + _mark(left_out, "")) < budget // 3:
        return _end(text, budget, count)
    headings = [each for each in _headings(text) if each[0] >= len(head)]
    share = int(budget * _OUTLINE_SHARE)
    room = budget - count(head + _mark(left_out, _outline(headings, share, count)))
    tail = _end(text, room, count)
    while tail:
        left_out = len(text) - len(head) - len(tail)
        outline = _outline([each for each in headings if each[0] < len(text) - len(tail)], share, count)
        made = head + _mark(left_out, outline) + tail
        if count(made) <= budget:
            return made
        tail = tail[len(tail) // 20 + 1 :]
    return _end(text, budget, count)


def _end(text: str, budget: int, count: Count) -> str:
    return text[len(text) - _longest(text, budget, count, at_end=True) :]


def _mark(left_out: int, outline: str) -> str:
    between = f"; in it:\n{outline}\n" if outline else ""
    return f"\n\n[... {left_out:,} characters of this reply are left out here{between}...]\n\n"


def _headings(text: str) -> list[tuple[int, str]]:
    """Where each begins, and its first characters; looks at each character once."""
    found: list[tuple[int, str]] = []
    fence: str | None = None
    for line in _MARKED.finditer(f"\n{text}"):
        mark: str | None = line["fence"]
        if mark is None:
            if fence is None:
                found.append((line.start(), line["heading"][:_HEADING_SIZE]))
        elif fence is None:
            fence = mark
        elif mark == fence and not line["info"].strip():
            fence = None
    return found


def _outline(headings: Sequence[tuple[int, str]], budget: int, count: Count) -> str:
    lines = [line for _, line in headings]
    if len(lines) > _MOST_HEADINGS:
        step = len(lines) / _MOST_HEADINGS
        lines = [lines[int(place * step)] for place in range(_MOST_HEADINGS)]
    while lines and count("\n".join(lines)) > budget:
        lines = lines[::2] if len(lines) > 1 else []
    return "\n".join(lines)


def _fits(text: str, budget: int, count: Count) -> bool:
    """Counted whole only where it may fit: no token holds a thousand characters."""
    return len(text) <= budget * 1000 and count(text) <= budget


def _longest(text: str, budget: int, count: Count, *, at_end: bool = False) -> int:
    """Characters at the beginning or at the end of a text that fit; counts pieces not much longer than what fits."""

    def fits(size: int) -> bool:
        return size == 0 or count(text[len(text) - size :] if at_end else text[:size]) <= budget

    low, high = 0, min(len(text), max(16, 2 * budget))
    while high < len(text) and fits(high):
        low, high = high, min(len(text), 2 * high)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _border(head: str) -> int:
    """Where a beginning is best left: after a paragraph, a line, a word."""
    for mark in ("\n\n", "\n", " "):
        place = head.rfind(mark)
        if place > len(head) // 2:
            return place
    return len(head)

"""A reply that is larger than the room for it: its beginning, a mark with the outline of what is left out, its end."""

from __future__ import annotations

import re
from collections.abc import Callable

_HEADING = re.compile(r"^(?:#{1,6} .+|(?:Chapter|Part|Section) \w+.*)$", re.MULTILINE)
_FENCED = re.compile(r"^[ \t]*(```+|~~~+).*?^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)
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
    rough = _mark(text[len(head) :], "")
    room = budget - count(head + rough)
    if room < budget // 3:
        return _end(text, budget, count)
    outline = _outline(text[len(head) :], int(budget * _OUTLINE_SHARE), count)
    room = budget - count(head + _mark(text[len(head) :], outline))
    tail = _end(text, room, count)
    while tail:
        left_out = text[len(head) : len(text) - len(tail)]
        made = head + _mark(left_out, _outline(left_out, int(budget * _OUTLINE_SHARE), count)) + tail
        if count(made) <= budget:
            return made
        tail = tail[len(tail) // 20 + 1 :]
    return _end(text, budget, count)


def _end(text: str, budget: int, count: Count) -> str:
    return text[len(text) - _longest(text, budget, count, at_end=True) :]


def _mark(left_out: str, outline: str) -> str:
    between = f"; in it:\n{outline}\n" if outline else ""
    return f"\n\n[... {len(left_out):,} characters of this reply are left out here{between}...]\n\n"


def _outline(text: str, budget: int, count: Count) -> str:
    lines = [found[0][:_HEADING_SIZE] for found in _HEADING.finditer(_FENCED.sub("", text))]
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

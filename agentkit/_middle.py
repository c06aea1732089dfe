"""Taking the middle out of a text that is too long: where it may be cut, and the mark that says so."""

from __future__ import annotations

_HIGH, _LOW, _END = "\ud800", "\udc00", "\udfff"


def without_middle(text: str, head: int, tail: int) -> str:
    """The first `head` characters, the mark, and what comes from place `tail` on; no character is parted."""
    if _splits(text, head):
        head -= 1
    if _splits(text, tail):
        tail += 1
    return f"{text[:head]}{mark(tail - head)}{text[tail:]}"


def mark(count: int) -> str:
    """What stands in place of so many characters."""
    return f"\n[... {count:,} characters left out ...]\n"


def _splits(text: str, place: int) -> bool:
    """A cut here would part two halves of one character, as texts from JSON may have them."""
    return 0 < place < len(text) and _HIGH <= text[place - 1] < _LOW <= text[place] <= _END

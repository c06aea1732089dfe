"""Making a message shorter: a piece is cut out of the middle of its texts, and a mark says so."""

from __future__ import annotations

from attrs import evolve

from agentkit.messages import Message, Part, Text, ToolResult
from agentkit.tokens import TokenCounter, cost

LEAST = 32
"""No text is cut to fewer tokens."""
_HIGH, _LOW, _END = "\ud800", "\udc00", "\udfff"


def shortened(counter: TokenCounter, message: Message, most: int) -> Message:
    """The message cut to about `most` tokens, its longest text first. Calls, thinking and media stay as they are."""
    parts = list(message.parts)
    excess = cost(counter, message) - most
    texts = {place: text for place, part in enumerate(parts) if (text := _text(part)) is not None}
    sizes = {place: counter.text(text) for place, text in texts.items()}
    for place in sorted(sizes, key=lambda place: -sizes[place]):
        if excess <= 0:
            break
        left = cut(counter, texts[place], max(sizes[place] - excess, LEAST))
        parts[place] = _with_text(parts[place], left)
        excess -= sizes[place] - counter.text(left)
    return evolve(message, parts=tuple(parts))


def _text(part: Part) -> str | None:
    match part:
        case Text():
            return part.text
        case ToolResult():
            return part.content
        case _:
            return None


def _with_text(part: Part, text: str) -> Part:
    return evolve(part, content=text) if isinstance(part, ToolResult) else Text(text)


def cut(counter: TokenCounter, text: str, most: int) -> str:
    """The beginning and the end of the text, at most `most` tokens with the mark between them, or the mark alone."""
    total = counter.text(text)
    if total <= most:
        return text
    room = max(most - counter.text(_mark(len(text))), 0)
    keep = len(text) * room // total
    while True:
        made = _ends(text, keep)
        tokens = counter.text(made)
        if keep == 0 or tokens <= most:
            return made
        keep = min(keep * most // tokens, keep * 31 // 32)


def _ends(text: str, keep: int) -> str:
    head, tail = keep // 2, len(text) - (keep - keep // 2)
    if _splits(text, head):
        head -= 1
    if _splits(text, tail):
        tail += 1
    return f"{text[:head]}{_mark(tail - head)}{text[tail:]}"


def _splits(text: str, place: int) -> bool:
    """A cut here would part two halves of one character, as texts from JSON may have them."""
    return 0 < place < len(text) and _HIGH <= text[place - 1] < _LOW <= text[place] <= _END


def _mark(count: int) -> str:
    return f"\n[... {count:,} characters left out ...]\n"

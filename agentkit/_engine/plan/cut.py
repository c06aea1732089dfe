"""Making a message shorter: a piece is cut out of the middle of its texts, and a mark says so."""

from __future__ import annotations

import re

from attrs import evolve

from agentkit._engine.plan.outline import sum_of
from agentkit._engine.seam.excerpt import excerpt
from agentkit._middle import mark, without_middle
from agentkit.messages import Message, Part, Text, ToolResult, assistant
from agentkit.tokens import TokenCounter, cost

LEAST = 32
"""No text is cut to fewer tokens."""
_LONG = 64
"""What has more characters for each token that there is room for does not fit, and is not counted."""
_USUAL = 8
"""Hardly any text has more of them."""
_SLACK, _SPARE = 8, 64
_PIECE = re.compile(r"(?<=[.,;:!?\n])(?=\w| \w)")


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


def reduced(counter: TokenCounter, reply: Message, most: int, *, live: bool = False) -> Message:
    """The reply under way within `most` tokens: as it is, or only its beginning, an outline and its end."""
    size = len(reply.text) + len(reply.reasoning)
    if size <= _LONG * most and sum_of(counter, reply, live=live).upper <= most:
        return reply
    return ends(counter, reply, most)


def ends(counter: TokenCounter, reply: Message, most: int) -> Message:
    """The reply's beginning, an outline and its end, within `most` tokens; counts about as much as it keeps."""
    frame = counter.message(assistant("x")) - counter.text("x") + _SLACK
    budget = max(0, int((most - frame) / (1 + counter.margin)))
    known: dict[str, int] = {}

    def tokens(text: str) -> int:
        """Counted piece by piece, since much the same text is counted many times."""
        if len(text) > _USUAL * budget:
            return budget + 1
        pieces = _PIECE.split(text)
        known.update((piece, counter.text(piece)) for piece in pieces if piece not in known)
        return sum(known[piece] for piece in pieces)

    size = budget - budget // _SPARE
    made = excerpt(reply.text, size, tokens)
    while (whole := counter.text(made)) > budget:
        size = min(size - 1, size * budget // whole)
        made = excerpt(reply.text, size, tokens)
    return evolve(reply, parts=(Text(made),))


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
    room = max(most - counter.text(mark(len(text))), 0)
    keep = len(text) * room // total
    while True:
        made = _ends(text, keep)
        tokens = counter.text(made)
        if keep == 0 or tokens <= most:
            return made
        keep = min(keep * most // tokens, keep * 31 // 32)


def _ends(text: str, keep: int) -> str:
    return without_middle(text, keep // 2, len(text) - (keep - keep // 2))

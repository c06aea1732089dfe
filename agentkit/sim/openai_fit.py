"""What becomes of a prompt that does not fit the window, and of a reply that does not fit beside it. Pure."""

from __future__ import annotations

import json

from attrs import evolve

from agentkit.sim.accent import Accent, overflow
from agentkit.sim.talk import Refused, Said, Tool
from agentkit.sim.text import count_tokens, tokens

__all__ = ["fitted", "overflow", "prompt_tokens"]

_PER_MESSAGE = 4
"""Tokens that frame a message."""


def prompt_tokens(messages: tuple[Said, ...], tools: tuple[Tool, ...]) -> int:
    """The tokens of a prompt: all its texts, and four for each message and tool."""
    return sum(map(_tokens_of, messages)) + sum(
        count_tokens(f"{tool.name} {json.dumps(tool.schema)}") + _PER_MESSAGE for tool in tools
    )


def _tokens_of(said: Said) -> int:
    texts = [said.text, said.reasoning]
    texts += [text for call in said.calls for text in (call.name, call.arguments)]
    return sum(map(count_tokens, texts)) + _PER_MESSAGE


def fitted(
    messages: tuple[Said, ...], tools: tuple[Tool, ...], *, accent: Accent, window: int, limit: int | None
) -> tuple[Said, ...]:
    """The messages that the model is given.

    Raises:
        Refused: they are too long, or leave too little room.
    """
    used = prompt_tokens(messages, tools)
    if used < window:
        if accent.crowded is not None and limit is not None and used + limit > window:
            raise Refused(accent.crowded(used, limit, window))
        return messages
    match accent.too_long:
        case "oldest dropped":
            return _without_oldest(messages, tools, window)
        case "left cut":
            return _from_left(messages, tools, window)
        case "ignored":
            return messages
        case how:
            raise Refused(accent.overflow(used, window), inside=how == "refused inside")


def _without_oldest(messages: tuple[Said, ...], tools: tuple[Tool, ...], window: int) -> tuple[Said, ...]:
    """The oldest that are no system messages go; the last one stays, and is cut in its middle where it must be."""
    kept = list(messages)
    while prompt_tokens(tuple(kept), tools) >= window:
        oldest = next((said for said in kept[:-1] if said.role != "system"), None)
        if oldest is None:
            break
        kept.remove(oldest)
    over = prompt_tokens(tuple(kept), tools) - window + 1
    if over > 0:
        words = list(tokens(kept[-1].text))
        left = max(0, len(words) - over)
        kept[-1] = evolve(kept[-1], text="".join(words[: left - left // 2] + words[len(words) - left // 2 :]))
    return tuple(kept)


def _from_left(messages: tuple[Said, ...], tools: tuple[Tool, ...], window: int) -> tuple[Said, ...]:
    """The last tokens stay, wherever a message begins."""
    kept = list(messages)
    over = prompt_tokens(messages, tools) - window + 1
    while over > 0 and len(kept) > 1 and _tokens_of(kept[0]) <= over:
        over -= _tokens_of(kept.pop(0))
    if over > 0:
        kept[0] = evolve(kept[0], text="".join(list(tokens(kept[0].text))[over:]))
    return tuple(kept)

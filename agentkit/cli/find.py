"""`agentkit show --find`, and `/find` in a chat: where words were said in a conversation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentkit.cli._safe import pieces
from agentkit.cli._screen import columns, one_line
from agentkit.messages import Message

if TYPE_CHECKING:
    from agentkit.conversation import Conversation

LEAST = 30
"""Columns of an excerpt on the narrowest terminal."""
AROUND = 3
"""The share of an excerpt that stands before the words: one in so many."""


def places(chat: Conversation, words: str) -> list[str]:
    """One line for each message that holds all of the words: its place in the history, who said it, an excerpt."""
    messages = chat.messages
    found = chat.search(words)
    heads = [f"{place}  {messages[place].role}: " for place in found]
    return [head + excerpt(messages[at], words, columns() - len(head)) for head, at in zip(heads, found, strict=True)]


def excerpt(message: Message, words: str, width: int) -> str:
    """One line of a message around the words, as many of them as stand close to each other."""
    text = "\n".join(filter(None, (*pieces(message), message.reasoning)))
    room = max(width, LEAST)
    starts = _starts(text, words.split())
    densest = max(starts, key=lambda start: sum(start <= other < start + room // 2 for other in starts), default=0)
    begin = max(0, densest - room // AROUND) if len(text) > room else 0
    before = "..." if begin else ""
    return before + one_line(text[begin : begin + 4 * room], room - len(before))


def _starts(text: str, words: Sequence[str]) -> list[int]:
    """Where each of the words stands first; what is written in another way in the text may be nowhere."""
    hits = (re.search(re.escape(word), text, re.IGNORECASE) for word in words)
    return [hit.start() for hit in hits if hit is not None]

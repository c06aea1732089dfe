"""What the seams of a reply left out and put in stays with its segments, over three runtimes."""

from __future__ import annotations

from typing import Any

import pytest
from scenarios import Opener, play

from agentkit import Continuation
from agentkit.stores.memory import MemoryStore
from agentkit.testing import Cut, ScriptedProvider

BEGUN = "The quick brown fox jumps over the lazy dog. Par"
REST = "the lazy dog. Paris is a city in France."


@pytest.mark.parametrize(
    ("said", "seam", "text"),
    [
        (
            (BEGUN, REST),
            (len("the lazy dog. Par"), ""),
            "The quick brown fox jumps over the lazy dog. Paris is a city in France.",
        ),
        (("Words and more words and", "more of them."), (0, " "), "Words and more words and more of them."),
        (("Words and more wo", "rds of them."), (0, ""), "Words and more words of them."),
    ],
)
def test_each_segment_says_how_it_was_joined(
    runtime: str, store: str, said: tuple[str, str], seam: tuple[int, str], text: str
) -> None:
    kept: Any = MemoryStore() if store == "memory" else store
    provider = ScriptedProvider([Cut(said[0]), said[1]])

    async def scenario(open_chat: Opener) -> None:
        way = Continuation(strategy="overlap")
        async with open_chat(provider, continuation=way, store=kept, name="talk") as chat:
            reply = await chat.send("tell me")
            assert reply.text == text
            assert [(each.dropped, each.inserted) for each in reply.segments] == [(0, ""), seam]
            turn = reply.turn_id
        async with open_chat(provider, store=kept, name="talk") as chat:
            again = await chat.send("tell me", turn_id=turn)
            assert again.segments == reply.segments

    play(runtime, scenario)

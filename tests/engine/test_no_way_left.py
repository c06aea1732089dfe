"""A model that begins anew, whatever it is asked: the ways of continuing come to an end, and so does the turn."""

from __future__ import annotations

import pytest

from agentkit import Continuation, Conversation, Outcome
from agentkit.testing import Cut, ScriptedProvider

HEAD = "Every silver workshop balanced their wooden saddle until the patient printer counted that distant harbour."
TABLE = "\n\n| Day | A | B | C |\n|---|---|---|---|\n" + "".join(
    f"| {day} | 0 | 0 | 0 |\n" * 3 + "| - | 0 | 0 | 0 |\n" * 2 + "| 0 | 0 | 0 | 0 |\n" * 4
    for day in ("Mon", "Tue", "Wed")
)
ANEW = HEAD.replace("the patient", "that patient") + TABLE + TABLE.splitlines()[-1]


@pytest.mark.parametrize("strategy", ["auto", "echo", "overlap"])
def test_no_way_is_tried_twice(strategy: str) -> None:
    """The end of this text cannot be quoted, so the echo is asked for in no words at all."""
    provider = ScriptedProvider([Cut(HEAD + TABLE), *[ANEW] * 9])
    with Conversation(provider, continuation=Continuation(strategy=strategy)) as chat:  # type: ignore[arg-type]
        reply = chat.send("Write it")
    assert (reply.outcome, reply.text) == (Outcome.TRUNCATED, HEAD + TABLE)
    assert reply.reason == "no way of continuing works with this backend"
    assert len(provider.requests) <= 3

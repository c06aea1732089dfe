"""A conversation that was begun on one backend goes on with any other, on the wire of each."""

from __future__ import annotations

from itertools import product

import pytest

from agentkit import Conversation, Options, Outcome, TextDelta, ToolResult
from agentkit.sim import Simulator
from agentkit.sim.profiles import PROFILES
from agentkit.stores.memory import MemoryStore

TOOLS = [{"type": "function", "function": {"name": "rain", "parameters": {"type": "object", "properties": {}}}}]
WITHOUT_TOOLS = {"gradient"}


def begun(chat: Conversation, *, tools: bool) -> None:
    """All that a history may hold: thinking, a call with its result, one without, a reply that was stopped."""
    chat.send("My name is Ada. Think 5 words")
    if tools:
        asking = Options(extra={"tools": TOOLS})
        reply = chat.send("Call a tool", options=asking)
        (call,) = reply.message.tool_calls
        chat.send(ToolResult(call.id, "wet"), options=asking)
        assert chat.send("Call a tool", options=asking).message.tool_calls, "left without a result"
    with chat.stream("Write 40 words") as turn:
        for event in turn:
            if isinstance(event, TextDelta):
                turn.stop()


@pytest.mark.parametrize(("first", "second"), list(product(PROFILES, PROFILES)))
def test_the_second_backend_knows_what_the_first_was_told(first: str, second: str) -> None:
    store = MemoryStore()
    with Conversation(Simulator(profile=first), store=store, name="trip", system="Be kind.") as chat:
        begun(chat, tools=first not in WITHOUT_TOOLS)
        before = chat.messages
    with Conversation(Simulator(profile=second), store=store, name="trip") as chat:
        reply = chat.send("What is my name?")
        assert (reply.text, reply.outcome) == ("Your name is Ada.", Outcome.COMPLETE)
        assert chat.messages[: len(before)] == before, "nothing that was said is changed for it"
        assert chat.send("And a last word").outcome is Outcome.COMPLETE

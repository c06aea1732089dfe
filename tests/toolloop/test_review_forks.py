"""A call that was begun and is tried again in a fork: for the services that it uses it is the same call."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from agentkit import Conversation, ToolCallStarted, ToolContext, tool


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_a_fork_tries_a_call_again_with_the_same_key(store: str, tmp_path: Path) -> None:
    keys: list[str] = []
    gate = threading.Event()

    @tool
    def pay(amount: int, context: ToolContext) -> str:
        keys.append(context.key)
        gate.wait(10)
        return "paid"

    where = f"sqlite:///{tmp_path}/chat.db" if store == "sqlite" else None
    with Conversation("sim", tools=[pay], store=where, name="shop") as chat:
        with chat.stream('call pay with {"amount": 5}') as turn:
            for event in turn:
                if isinstance(event, ToolCallStarted):
                    turn.stop()
        gate.set()
        chat.resume()
        with chat.fork() as fork:
            for each in (chat, fork):
                (pending,) = each.pending
                pending.approve()
                assert "paid" in each.resume().text
                each.send('call pay with {"amount": 5}')
    first, again, second, in_fork, third = keys
    assert first == again == in_fork
    assert len({first, second, third}) == 3

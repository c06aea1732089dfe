"""Conversations whose tools are those of a real server, in another process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from agentkit import AsyncConversation, Conversation, Message
from agentkit.errors import ConnectError
from agentkit.messages import ToolResult
from agentkit.toolbox import MCP

SERVER = str(Path(__file__).parent / "tools_server.py")
QUESTION = 'call add with {"a": 2, "b": 40}'


@pytest.fixture(scope="module")
def source() -> Iterator[MCP]:
    with MCP.stdio(sys.executable, SERVER) as made:
        yield made


def results(messages: tuple[Message, ...]) -> list[tuple[str, bool]]:
    return [
        (part.content, part.is_error) for message in messages for part in message.parts if isinstance(part, ToolResult)
    ]


def test_the_tools_of_a_server_in_a_conversation(source: MCP) -> None:
    with Conversation("sim", tools=[source]) as talk:
        assert "42" in talk.send(QUESTION).text
        talk.send("call fail")
        assert "42" in talk.send(QUESTION).text
        (first, failed, last) = results(talk.messages)
    assert first == last == ("42", False)
    assert failed[1]
    assert "it failed loudly" in failed[0]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_same_with_an_event_loop(source: MCP, backend: str) -> None:
    async def talk_to_it() -> list[tuple[str, bool]]:
        async with AsyncConversation("sim", tools=[source]) as talk:
            await talk.send(QUESTION)
            return results(talk.messages)

    assert anyio.run(talk_to_it, backend=backend) == [("42", False)]


def test_a_server_that_dies_does_not_end_the_conversation() -> None:
    with MCP.stdio(sys.executable, SERVER) as mortal, Conversation("sim", tools=[mortal]) as talk:
        talk.send("call die")
        assert "42" in talk.send(QUESTION).text
        (died, after) = results(talk.messages)
    assert died[1]
    assert "ConnectionLost" in died[0]
    assert after == ("42", False)


def test_a_server_that_does_not_start_is_an_error_of_the_turn() -> None:
    with MCP.stdio("no-such-program") as nobody, Conversation("sim", tools=[nobody]) as talk:
        for _ in range(2):
            with pytest.raises(ConnectError, match="there is no 'no-such-program'"):
                talk.send(QUESTION)

"""What a summary is asked for with, over three runtimes: the request before it, up to its last message."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from scenarios import Opener, play

from agentkit import ContextPolicy, Message, Options, ToolCall, ToolResult, assistant, tool, user
from agentkit.messages import Reasoning, Text
from agentkit.provider import Capabilities
from agentkit.testing import ScriptedProvider

POLICY = ContextPolicy(policy="summarize", max_pairs=3, keep=0.4)
GIST = "They counted from zero to three."
THOUGHT = Message("assistant", (Reasoning("Zero, then."), Text("zero")))


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"rain in {city}"


class Able(ScriptedProvider):
    """A backend that can do so much."""

    def __init__(self, able: dict[str, Any], answers: list[Any]) -> None:
        super().__init__(answers)
        self.able = able

    def capabilities(self, model: str, /) -> Capabilities:
        return evolve(super().capabilities(model), **self.able)


def answers() -> list[Any]:
    return [*(f"answer {number}" for number in range(1, 4)), GIST, "answer four"]


def earlier(reply: Message) -> tuple[Message, ...]:
    return (user("question 0"), reply)


async def summarised(open_chat: Opener, provider: Able, **settings: Any) -> None:
    async with open_chat(provider, context=settings.pop("context", POLICY), **settings) as chat:
        for number in range(1, 5):
            await chat.send(f"question {number}")
        assert GIST in [message.text for message in provider.requests[-1].messages]


@pytest.mark.parametrize("choice", [True, False])
def test_tools_and_effort_are_those_of_the_request_before(runtime: str, choice: bool) -> None:
    provider = Able({"tool_choice": choice}, answers())
    options = Options(reasoning_effort="high", temperature=0.2, stop=("END",))

    async def scenario(open_chat: Opener) -> None:
        await summarised(
            open_chat, provider, tools=[weather], options=options, messages=earlier(assistant("zero")), system="Brief."
        )
        before, asked = provider.requests[-3:-1]
        assert asked.tools == before.tools
        assert asked.messages[:-1] == before.messages[: len(asked.messages) - 1]
        expected = evolve(options, stop=(), max_tokens=512, tool_choice="none" if choice else None)
        assert asked.options == expected

    play(runtime, scenario)


def test_a_backend_without_tools_gets_the_calls_in_words(runtime: str) -> None:
    provider = Able({"tools": False}, answers())
    called = (
        user("question 0"),
        Message("assistant", (ToolCall("c1", "weather", {"city": "Oslo"}),)),
        Message("tool", (ToolResult("c1", "rain in Oslo"),)),
        assistant("rain"),
    )

    async def scenario(open_chat: Opener) -> None:
        await summarised(open_chat, provider, tools=[weather], messages=called)
        asked = provider.requests[-2]
        assert not any(message.tool_calls or message.role == "tool" for message in asked.messages)
        assert any("rain in Oslo" in message.text for message in asked.messages)

    play(runtime, scenario)


@pytest.mark.parametrize(
    ("reply", "window", "able", "most"),
    [
        (assistant("zero"), None, {}, 512),
        (THOUGHT, None, {}, 4608),
        (THOUGHT, None, {"max_output": 1000}, 1000),
        (THOUGHT, 8000, {}, 2512),
    ],
)
def test_a_model_that_thinks_has_room_for_it(
    runtime: str, reply: Message, window: int | None, able: dict[str, Any], most: int
) -> None:
    provider = Able(able, answers())

    async def scenario(open_chat: Opener) -> None:
        await summarised(open_chat, provider, messages=earlier(reply), context=evolve(POLICY, window=window))
        assert provider.requests[-2].options.max_tokens == most

    play(runtime, scenario)

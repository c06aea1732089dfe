"""A model that was asked to repeat its last words and did not: what came stands as it is, and one notice says so."""

from __future__ import annotations

from typing import Any

import pytest
from scenarios import Opener, collect, play

from agentkit import Continuation, Notice, TextDelta, assistant
from agentkit.messages import ToolCall
from agentkit.testing import Cut, ScriptedProvider

FIRST = "The keeper climbs the stair each evening, when the gulls are quiet, and lights the lamp"
ECHO = Continuation(strategy="echo")


def told(events: list[Any]) -> list[str]:
    return [event.message for event in events if isinstance(event, Notice)]


def shown(events: list[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_it_is_told_once_in_a_turn(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        provider = ScriptedProvider([Cut(FIRST), Cut(" at the top, and counts the ships"), " that pass by."] * 2)
        async with open_chat(provider, continuation=ECHO) as chat:
            for _ in range(2):
                events = await collect(chat.stream("go"))
                assert shown(events) == f"{FIRST} at the top, and counts the ships that pass by."
                notice, *others = told(events)
                assert notice.startswith("scripted/scripted did not repeat the words that it was asked to begin with")
                assert not others

    play(runtime, scenario)


def test_it_is_told_once_for_all_replies_of_a_turn(runtime: str) -> None:
    def count() -> str:
        """Count the ships."""
        return "seven"

    async def scenario(open_chat: Opener) -> None:
        call = ToolCall("a", "count", {})
        provider = ScriptedProvider([Cut(FIRST), assistant(" now.", call), Cut(FIRST), " again."])
        async with open_chat(provider, continuation=ECHO, tools=[count]) as chat:
            events = await collect(chat.stream("go"))
            assert shown(events) == f"{FIRST} now.{FIRST} again."
            assert len(told(events)) == 1

    play(runtime, scenario)


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("echo", f"{FIRST[40:]} at the top."),
        ("echo", f"Here is the rest:\n{FIRST[40:]} at the top."),
        ("echo", f"{FIRST[60:]} at the top."),
        ("echo", f"{FIRST} at the top."),
        ("overlap", " at the top."),
        ("native", " at the top."),
    ],
)
def test_what_was_repeated_or_not_asked_for_is_not_spoken_of(runtime: str, strategy: Any, said: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        provider = ScriptedProvider([Cut(FIRST), said])
        async with open_chat(provider, continuation=Continuation(strategy=strategy)) as chat:
            events = await collect(chat.stream("go"))
            assert shown(events) == f"{FIRST} at the top."
            assert told(events) == []

    play(runtime, scenario)


def test_an_answer_of_nothing_is_no_wrong_echo(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(ScriptedProvider([Cut(FIRST), Cut("")]), continuation=ECHO) as chat:
            events = await collect(chat.stream("go"))
            assert shown(events) == FIRST
            assert told(events) == []

    play(runtime, scenario)

"""What begins anew in a later attempt, over three runtimes: a thought, which is a new one, and a document."""

from __future__ import annotations

from typing import Any

from scenarios import Opener, collect, play

from agentkit import Notice, Options, ReasoningDelta, TextDelta
from agentkit.sim import Simulator
from agentkit.testing import Cut, ScriptedProvider


def said(events: list[Any], kind: type[TextDelta | ReasoningDelta]) -> str:
    return "".join(event.text for event in events if isinstance(event, kind))


def test_a_new_thought_stands_in_a_paragraph_of_its_own(runtime: str) -> None:
    simulator = Simulator(seed=5)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator, options=Options(max_tokens=8)) as chat:
            events = await collect(chat.stream("think for 12 words, count to 5"))
            reply = events[-1].reply
            first, again = reply.message.reasoning.split("\n\n")
            assert again.startswith(first)
            assert len(again.split()) == 12
            assert said(events, ReasoningDelta) == reply.message.reasoning
            assert said(events, TextDelta) == reply.text == "1, 2, 3, 4, 5"

    play(runtime, scenario)


def test_a_document_that_a_server_begins_anew_is_asked_for_in_another_way(runtime: str) -> None:
    begun = '{"name": "Ada", "works": [{"title": "Notes", "pages": 66}, {"title": "Let'

    async def scenario(open_chat: Opener) -> None:
        provider = ScriptedProvider([Cut(begun), '{"name": "Ada King", "works": []}', f'{begun}ters"}}]}}'])
        async with open_chat(provider) as chat:
            events = await collect(chat.stream("go"))
            reply = events[-1].reply
            assert said(events, TextDelta) == reply.text == f'{begun}ters"}}]}}'
            assert [segment.strategy for segment in reply.segments] == ["first", "native", "echo"]
            assert any("does not continue by native" in event.message for event in events if isinstance(event, Notice))
            assert len(provider.requests) == 3

    play(runtime, scenario)

"""What type checkers make of `ask` and `stream_ask`: read by them among the gates, and never run."""

from __future__ import annotations

from typing import Any, Literal, assert_type

from attrs import frozen

from agentkit import AsyncConversation, AsyncValueTurn, Conversation, Event, PartialValue, ValueTurn


@frozen
class Plan:
    title: str


def blocking(chat: Conversation) -> None:
    assert_type(chat.ask("", into=Plan), Plan)
    assert_type(chat.ask("", into=int), int)
    assert_type(chat.ask("", into=str, attempts=1, turn_id="t"), str)
    assert_type(chat.ask("", into=list[Plan]), list[Plan])
    assert_type(chat.ask("", into=dict[str, int]), dict[str, int])
    choice: Any = chat.ask("", into=Literal["a", "b"])
    either: Plan | int = chat.ask("", into=Plan | int)
    assert_type(chat.stream_ask("", into=Plan), ValueTurn[Plan])
    with chat.stream_ask("", into=Plan) as turn:
        assert_type(turn, ValueTurn[Plan])
        for event in turn:
            assert_type(event, Event)
            if isinstance(event, PartialValue):
                shown: Any = event.value
                print(shown)
        assert_type(turn.value, Plan)
    print(choice, either)


async def awaited(chat: AsyncConversation) -> None:
    assert_type(await chat.ask("", into=Plan), Plan)
    assert_type(await chat.ask("", into=list[str]), list[str])
    either: Plan | None = await chat.ask("", into=Plan | None)
    async with chat.stream_ask("", into=Plan) as turn:
        assert_type(turn, AsyncValueTurn[Plan])
        async for event in turn:
            assert_type(event, Event)
        assert_type(turn.value, Plan)
    print(either)

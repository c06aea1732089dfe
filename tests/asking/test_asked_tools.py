"""Asking for a value in a conversation with tools: they run first, and the answer is told from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from asked_bench import DAY, PLAN, Able, Plan, Rating, given, kinds, roles, said, texts
from attrs import frozen
from scenarios import Opener, collect, play

from agentkit import (
    Correcting,
    Fallback,
    IncompleteReply,
    InvalidReply,
    Options,
    Outcome,
    RetryPolicy,
    ServerError,
    ToolCall,
    ToolError,
    ToolUse,
    assistant,
    tool,
)
from agentkit.testing._scripted import Cut


def tide(place: str) -> str:
    """When it is high."""
    return f"noon at {place}"


TIDE = ToolCall("t1", "tide", {"place": "Oslo"})
WRITTEN = '<tool_call>\n{"name": "tide", "arguments": {"place": "Oslo"}}\n</tool_call>'


@pytest.mark.parametrize("how", ["call", "words", "bare"])
def test_tools_run_first_and_then_the_value_comes(runtime: str, how: str) -> None:
    first = WRITTEN if how == "bare" else assistant(TIDE)
    provider = Able([first, said(DAY, how)], how)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, tools=[tide]) as chat:
            turn = chat.stream_ask("Plan", into=Plan)
            events = await collect(turn)
            assert turn.value == PLAN
            assert turn.reply.tool_results[0].content == "noon at Oslo"
            assert kinds(events)[:2] == ["ToolCallStarted", "ToolCallFinished"]
            assert roles(chat.messages) == ("uatat" if how == "call" else "uata")

    play(runtime, scenario)
    demand = ["required"] * 2 if how == "call" else [None] * 2
    assert [request.options.tool_choice for request in provider.requests] == demand
    offered = [tool.name for tool in provider.requests[0].tools]
    assert offered == {"call": ["tide", "answer"], "words": ["tide"], "bare": []}[how]
    schema = "JSON schema" in texts(provider.requests[0])[0]
    assert schema == (how != "call")


def test_a_choice_of_the_caller_holds_until_it_is_done(runtime: str) -> None:
    provider = Able([assistant(TIDE), assistant(given(DAY)), assistant(given(DAY, place=2))], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, tools=[tide]) as chat:
            assert await chat.ask("Plan", into=Plan, options=Options(tool_choice="tide")) == PLAN
            assert await chat.ask("Plan", into=Plan, options=Options(tool_choice="none")) == PLAN

    play(runtime, scenario)
    assert [request.options.tool_choice for request in provider.requests] == ["tide", "required", "answer"]


def answer(text: str) -> str:
    """Answer the phone."""
    return f"said {text}"


class Late:
    """A source whose tools are known when the turn runs."""

    is_async = False

    def tools(self) -> Iterable[Any]:
        return [answer, tide]


@pytest.mark.parametrize("late", [False, True])
def test_the_answer_has_a_name_of_its_own(runtime: str, late: bool) -> None:
    phone = ToolCall("p1", "answer", {"text": "hello"})
    both = assistant(ToolCall("p2", "answer", {"text": "bye"}), given({"text": "x"}, place=9, name="answer_2"))
    provider = Able([assistant(phone), both], "call")

    @frozen
    class Said:
        text: str

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, tools=[Late()] if late else [answer, tide]) as chat:
            turn = chat.stream_ask("Call", into=Said, turn_id="t")
            await collect(turn)
            assert turn.value == Said("x")
            assert [result.content for result in turn.reply.tool_results] == ["said hello", "said bye", "Received."]
            assert await chat.ask("Call", into=Said, turn_id="t") == Said("x")

    play(runtime, scenario)
    assert [each.name for each in provider.requests[0].tools] == ["answer", "tide", "answer_2"]


def test_an_answer_with_invalid_arguments_is_told_and_mended(runtime: str) -> None:
    bad = [given({"title": 7, "steps": []}), given('{"title": "Da', place=2), given("[1]", place=3)]
    provider = Able([*map(assistant, bad), assistant(given(DAY, place=4))], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            turn = chat.stream_ask("Plan", into=Plan, attempts=4)
            told = [event for event in await collect(turn) if isinstance(event, Correcting)]
            assert turn.value == PLAN
            assert "$.title: expected a text, not 7" in told[0].problem
            assert [event.attempt for event in told] == list(range(1, len(told) + 1))

    play(runtime, scenario)
    results = [message for message in provider.requests[-1].messages if message.role == "tool"]
    assert "These arguments do not fit answer" in str(results[0].parts[0])


def test_words_in_place_of_the_call_are_taken_or_mended(runtime: str) -> None:
    provider = Able([said(DAY), "I have no idea.", assistant(given(DAY))], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            assert await chat.ask("Plan", into=Plan) == PLAN
            turn = chat.stream_ask("Again", into=Plan)
            assert "Correcting" in kinds(await collect(turn))
            assert turn.value == PLAN
            assert roles(chat.messages) == "uauat"

    play(runtime, scenario)


def test_what_was_told_is_done_with_once_something_else_was_done(runtime: str) -> None:
    provider = Able(["no", assistant(TIDE), said(DAY)], "words")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, tools=[tide]) as chat:
            assert await chat.ask("Plan", into=Plan) == PLAN

    play(runtime, scenario)
    assert [roles(request.messages) for request in provider.requests] == ["su", "suau", "suat"]


def test_other_calls_beside_the_answer_are_run(runtime: str) -> None:
    provider = Able([assistant(TIDE, given(DAY))], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, tools=[tide]) as chat:
            turn = chat.stream_ask("Plan", into=Plan)
            await collect(turn)
            assert turn.value == PLAN
            assert [result.content for result in turn.reply.tool_results] == ["noon at Oslo", "Received."]

    play(runtime, scenario)


def test_of_several_answers_the_first_that_fits_counts(runtime: str) -> None:
    wrong, right, other = given({"stars": 9}), given({"stars": 4}, place=2), given({"stars": 5}, place=3)
    provider = Able([assistant(wrong, given("{", place=7), right, other)], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            assert await chat.ask("Rate", into=Rating) == Rating(4)

    play(runtime, scenario)


@frozen
class Loose:
    note: str = "none"


def test_arguments_that_are_no_object_are_not_taken_for_an_empty_one(runtime: str) -> None:
    broken = ToolCall.parse("a1", "answer", "[1] oops")

    class Raw(Able):
        """Sends the arguments as they were written."""

        def next_answer(self) -> list[bytes | float]:
            return [
                line.replace(b'"{}"', b'"[1] oops"') if isinstance(line, bytes) else line
                for line in super().next_answer()
            ]

    provider = Raw([assistant(broken), assistant(broken)], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            with pytest.raises(InvalidReply, match="no JSON object") as caught:
                await chat.ask("Note", into=Loose, attempts=2)
            assert caught.value.text == "[1] oops"

    play(runtime, scenario)
    assert len(provider.requests) == 2


def test_limits_of_tools_do_not_count_the_answer(runtime: str) -> None:
    use = ToolUse(max_rounds=1, max_calls=1)
    two = assistant(ToolCall("t2", "tide", {"place": "Rome"}))
    provider = Able([assistant(TIDE), assistant(given({"title": 1})), assistant(given(DAY, place=2))], "call")
    over = Able([assistant(TIDE), two], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, tools=[tide], tool_use=use) as chat:
            assert await chat.ask("Plan", into=Plan) == PLAN
        async with open_chat(over, tools=[tide], tool_use=use) as chat:
            with pytest.raises(IncompleteReply, match="truncated: max_rounds=1") as caught:
                await chat.ask("Plan", into=Plan)
            assert caught.value.reply is not None
            assert caught.value.reply.outcome is Outcome.TRUNCATED

    play(runtime, scenario)


def test_a_tool_that_ends_the_turn_leaves_no_value(runtime: str) -> None:
    @tool(ends_turn=True)
    def leave() -> str:
        """Go."""
        return "gone"

    provider = Able([assistant(ToolCall("l1", "leave"))], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, tools=[leave]) as chat:
            with pytest.raises(InvalidReply, match="no JSON") as caught:
                await chat.ask("Plan", into=Plan)
            assert caught.value.reply is not None
            assert caught.value.reply.tool_results[0].content == "gone"

    play(runtime, scenario)


def test_a_tool_that_fails_may_end_the_turn(runtime: str) -> None:
    def broken() -> str:
        """Fails."""
        raise OSError("no")

    provider = Able([assistant(ToolCall("b1", "broken"))], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, tools=[broken], tool_use=ToolUse(on_error="raise")) as chat:
            with pytest.raises(ToolError, match="broken failed"):
                await chat.ask("Plan", into=Plan)

    play(runtime, scenario)


def test_a_call_that_waits_for_a_decision(runtime: str) -> None:
    provider = Able([assistant(TIDE), assistant(given(DAY))], "call")
    asks = tool(approve="ask")(tide)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, tools=[asks]) as chat:
            with pytest.raises(IncompleteReply, match="is awaiting approval"):
                await chat.ask("Plan", into=Plan, turn_id="t")
            for call in chat.pending:
                done = call.approve()
                if runtime != "blocking":
                    await done
            assert await chat.ask("Plan", into=Plan, turn_id="t") == PLAN

    play(runtime, scenario)
    assert len(provider.requests) == 2


def test_the_next_backend_is_asked_in_its_own_way(runtime: str) -> None:
    """One is asked for a call, the next one natively, the last one in words; a history with calls is no trouble."""
    down = ServerError("down", status=503)
    providers = [Able([down], "call"), Able([down], "native"), Able([said(DAY), "ok"], "bare")]
    half = [Able([Cut('{"title": "Day", "steps": [{"what"')], "native"), Able([': "swim", "minutes": 30}]}'], "words")]
    half[0]._answers.append(down)
    settings: dict[str, Any] = {"fallback": Fallback(), "retry": RetryPolicy(max_attempts=1)}

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(providers, **settings) as chat:
            assert await chat.ask("Plan", into=Plan) == PLAN
            assert (await chat.send("Thanks")).text
        async with open_chat(
            half, fallback=Fallback(after_output="continue"), retry=RetryPolicy(max_attempts=1)
        ) as chat:
            assert await chat.ask("Plan", into=Plan) == PLAN
            assert roles(chat.messages) == "ua"
        calls = [Able([assistant(TIDE), assistant(given(DAY)), down], "call"), Able(["fine"], "bare")]
        async with open_chat(calls, tools=[tide], **settings) as chat:
            assert await chat.ask("Plan", into=Plan) == PLAN
            assert (await chat.send("Thanks")).text == "fine"

    play(runtime, scenario)
    assert providers[0].requests[0].options.tool_choice == "answer"
    assert providers[1].requests[0].shape is not None
    assert "JSON schema" in texts(providers[2].requests[0])[0]


def test_a_text_is_asked_for_as_ever(runtime: str) -> None:
    provider = Able([assistant(TIDE), "noon"], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, tools=[tide], tool_use=ToolUse(max_seconds=60)) as chat:
            assert await chat.ask("When?", into=str) == "noon"

    play(runtime, scenario)
    assert [each.name for each in provider.requests[0].tools] == ["tide"]
    assert provider.requests[0].options.tool_choice is None


def test_broken_arguments_at_a_limit_are_no_call(runtime: str) -> None:
    class Limited(Able):
        """The first reply ends at its limit, with arguments that are wrong before that."""

        def next_answer(self) -> list[bytes | float]:
            call, end = super().next_answer()
            if len(self.requests) > 1 or not isinstance(call, bytes) or not isinstance(end, bytes):
                return [call, end]
            return [call.replace(b'"{}"', b'"{oops}, and so on"'), end.replace(b"tool_calls", b"length")]

    provider = Limited([assistant(ToolCall("a1", "answer", {})), assistant(given(DAY))], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            turn = chat.stream_ask("Plan", into=Plan)
            assert "Correcting" in kinds(await collect(turn))
            assert turn.value == PLAN

    play(runtime, scenario)

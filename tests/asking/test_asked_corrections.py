"""Replies that come to no value: what the model is told, what stays in history, and when it is enough."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asked_bench import DAY, PLAN, Able, Plan, Rating, discarded, given, kinds, roles, said, texts
from scenarios import Opener, collect, play

from agentkit import (
    Continuation,
    Correcting,
    IncompleteReply,
    InvalidInput,
    InvalidReply,
    Outcome,
    RetryPolicy,
    ServerError,
    TextDelta,
    Usage,
    assistant,
)
from agentkit.context import ContextPolicy
from agentkit.errors import ContextOverflow
from agentkit.messages import Reasoning, Text
from agentkit.stores.memory import MemoryStore
from agentkit.testing._scripted import Cut
from agentkit.usage import FinishReason

WRONG: dict[str, Any] = {"title": 7, "steps": []}
BAD = {
    "prose": ("I would rather not.", "there is no JSON"),
    "invalid": ('{"title": "Day" "steps": []}', "$: this is not valid JSON: "),
    "types": (json.dumps(WRONG), "$.title: expected a text, not 7"),
    "cut": ('{"title": "Da', "$: the JSON ends before it is whole"),
    "two": (json.dumps(DAY) * 2, "$: there is more than one JSON document"),
    "empty": ("", "$: there is no JSON in the reply"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_reply_that_does_not_fit_is_sent_back_and_forgotten(runtime: str, bad: str) -> None:
    text, problem = BAD[bad]
    provider, store = Able([text, said(DAY), "Sure."]), MemoryStore()

    async def scenario(open_chat: Opener) -> None:
        settings = {"store": store, "name": "c", "continuation": Continuation(detect=False)}
        async with open_chat(provider, system="Be brief.", **settings) as chat:
            turn = chat.stream_ask("Plan", into=Plan)
            events = await collect(turn)
            assert turn.value == PLAN
            told = [event for event in events if isinstance(event, Correcting)]
            assert [event.attempt for event in told] == [1]
            assert roles(chat.messages) == "ua"
            assert turn.reply.usage.requests == 2
            assert chat.usage.output_tokens == turn.reply.usage.output_tokens
            since = events[events.index(told[0]) :]
            assert "".join(event.text for event in since if isinstance(event, TextDelta)) == chat.messages[-1].text
            assert (await chat.send("Thanks")).text == "Sure."

    play(runtime, scenario)
    shown = text or "(nothing)"
    assert texts(provider.requests[1])[1:3] == ["Plan", shown]
    assert roles(provider.requests[1].messages) == "suau"
    told = texts(provider.requests[1])[3]
    assert told.startswith("This is not the JSON that was asked for:")
    assert texts(provider.requests[2]) == ["Be brief.", "Plan", json.dumps(DAY), "Thanks"]
    kept = discarded(store, "c")
    assert [(each.message.text, each.problem) for each in kept] == [(text, told)]
    assert problem in told


def test_attempts_are_bounded_and_the_conversation_goes_on(runtime: str, way: str) -> None:
    wrong = {"stars": 9}
    for attempts in (1, 3):
        provider = Able([*[said(wrong, way, place=place) for place in range(attempts)], "Well.", said(wrong, way)], way)

        async def scenario(open_chat: Opener, provider: Able = provider, attempts: int = attempts) -> None:
            async with open_chat(provider) as chat:
                with pytest.raises(InvalidReply, match="must be <= 5") as caught:
                    await chat.ask("Rate it", into=Rating, attempts=attempts)
                error = caught.value
                assert json.loads(error.text) == wrong
                assert [problem.path for problem in error.problems] == ["$"]
                assert error.reply is not None
                assert error.reply.outcome in (Outcome.FAILED, Outcome.INTERRUPTED)
                assert error.reply.usage.requests == attempts
                assert error.reply.error is error
                assert len(provider.requests) == attempts
                assert (await chat.send("Never mind")).text == "Well."
                assert roles(chat.messages)[-2:] == "ua"

        play(runtime, scenario)


@pytest.mark.parametrize("attempts", [0, -1, True, 1.5, "3", None])
def test_attempts_have_to_be_a_number(runtime: str, attempts: Any) -> None:
    provider = Able([])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            with pytest.raises(InvalidInput, match="attempts must be a whole number"):
                await chat.ask("Plan", into=Plan, attempts=attempts)
            with pytest.raises(InvalidInput, match=r"into=bytes"):
                await chat.ask("Plan", into=bytes)
            assert chat.messages == ()

    play(runtime, scenario)
    assert provider.requests == []


def test_only_the_last_correction_goes_along(runtime: str) -> None:
    provider = Able(["first", "second", said(DAY)])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            assert await chat.ask("Plan", into=Plan) == PLAN

    play(runtime, scenario)
    assert [texts(request)[1:2] for request in provider.requests] == [[], ["first"], ["second"]]
    assert [roles(request.messages) for request in provider.requests] == ["u", "uau", "uau"]


def test_an_error_after_a_correction_keeps_the_account(runtime: str) -> None:
    provider = Able(["no", ServerError("down", status=500), said(DAY)])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, retry=RetryPolicy(max_attempts=1)) as chat:
            with pytest.raises(ServerError) as caught:
                await chat.ask("Plan", into=Plan, turn_id="t")
            assert caught.value.reply is not None
            assert caught.value.reply.usage.requests >= 1
            assert roles(chat.messages) == "u"
            assert await chat.ask("Plan", into=Plan, turn_id="t") == PLAN
            assert roles(chat.messages) == "ua"

    play(runtime, scenario)
    assert roles(provider.requests[-1].messages) == "u"


def filtered(text: str) -> Any:
    class Filtering(Able):
        """Ends as a backend does that withholds what it was about to say."""

        def next_answer(self) -> list[bytes | float]:
            *lines, end = super().next_answer()
            assert isinstance(end, bytes)
            return [*lines, end.replace(b"stop", b"filtered").replace(b"tool_calls", b"filtered")]

    return Filtering


@pytest.mark.parametrize("text", ["", "I can", json.dumps(DAY)])
def test_what_is_withheld_is_not_asked_for_again(runtime: str, text: str) -> None:
    provider = filtered(text)([text])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            turn = chat.stream_ask("Plan", into=Plan)
            assert "Correcting" not in kinds(await collect(turn))
            assert turn.reply.finish_reason is FinishReason.FILTERED
            with pytest.raises(IncompleteReply, match="there is no value, for the reply is filtered") as caught:
                _ = turn.value
            assert caught.value.reply is turn.reply

    play(runtime, scenario)
    assert len(provider.requests) == 1


def test_a_call_that_is_withheld_is_not_run(runtime: str) -> None:
    provider = filtered("")([assistant(given(DAY))], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            with pytest.raises(IncompleteReply, match="filtered"):
                await chat.ask("Plan", into=Plan)

    play(runtime, scenario)
    assert len(provider.requests) == 1


def test_thinking_is_apart(runtime: str) -> None:
    thought = Reasoning('{"title": "not this", "steps": []}')
    provider = Able([assistant(thought, Text("Hm.")), assistant(thought, Text(json.dumps(DAY)))])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            turn = chat.stream_ask("Plan", into=Plan)
            assert kinds(await collect(turn)).count("PartialValue") == 1
            assert turn.value == PLAN
            assert chat.messages[-1].reasoning == thought.text

    play(runtime, scenario)


def test_a_long_bad_reply_is_shortened_where_there_is_no_room(runtime: str) -> None:
    """Two words of the question and its schema fit, and the reply, but not both and the reply once more."""
    long = "b" + "la " * 1500 + "e"
    provider = Able([long, said(DAY)], "words", window=2000)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            assert await chat.ask("Plan", into=Plan) == PLAN

    play(runtime, scenario)
    sent = texts(provider.requests[1])[2]
    assert sent.startswith("bla ")
    assert sent.endswith("la e")
    assert " [...] " in sent
    assert len(sent) < 1000


def test_corrections_count_in_the_window(runtime: str) -> None:
    """What is older goes first; where nothing is left to go, there is an error, and nothing was sent."""
    provider = Able(["word " * 300, "no " * 250, said(DAY)], "native", window=900)
    tight = Able(["word " * 190, said(DAY)], "words", window=450)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, context=ContextPolicy(policy="drop_oldest")) as chat:
            await chat.send("Hello " * 100)
            assert await chat.ask("Plan", into=Plan) == PLAN
        async with open_chat(tight) as chat:
            with pytest.raises(ContextOverflow):
                await chat.ask("Plan", into=Plan)

    play(runtime, scenario)
    assert [roles(request.messages) for request in provider.requests] == ["u", "uau", "uau"]
    assert len(tight.requests) == 1
    assert texts(provider.requests[2])[0] == "Plan"


def test_a_reply_that_stays_cut_is_no_value(runtime: str) -> None:
    provider = Able([Cut('{"title": "Da')])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, continuation=Continuation(max_attempts=0)) as chat:
            turn = chat.stream_ask("Plan", into=Plan)
            assert "Correcting" not in kinds(await collect(turn))
            with pytest.raises(IncompleteReply, match="is truncated: ") as caught:
                _ = turn.value
            assert caught.value.reply is turn.reply
            assert chat.messages[-1].text == '{"title": "Da'

    play(runtime, scenario)


def test_usage_counts_all_requests(runtime: str) -> None:
    provider = Able(["one two three", "four five", said(DAY)])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            turn = chat.stream_ask("Plan", into=Plan)
            await collect(turn)
            assert turn.reply.usage.output_tokens == 5 + len(json.dumps(DAY).split())
            assert turn.reply.usage.requests == 3
            assert turn.reply.segments[-1].usage != Usage()
            assert len(turn.reply.segments) == 1
            assert chat.usage == turn.reply.usage

    play(runtime, scenario)

"""Replies that are cut, over three runtimes: one whole reply comes of them, or a readable reason why not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from scenarios import Opener, collect, play

from agentkit import (
    ConnectionLost,
    Continuation,
    Continuing,
    Conversation,
    IncompleteReply,
    InvalidInput,
    Notice,
    Options,
    Outcome,
    Progress,
    RetryPolicy,
    ServerError,
    TextDelta,
    TurnFinished,
    Usage,
)
from agentkit.providers.openai_chat import SIM, OpenAIChat
from agentkit.sim import SimServer, Simulator
from agentkit.sim.profiles import PROFILES
from agentkit.testing import Cut, ScriptedProvider

STORY = "write 120 words"
CUT = Options(max_tokens=30)
ONCE = RetryPolicy(max_attempts=1)
TELLING = sorted(name for name in PROFILES if name != "gradient")
"""Gradient Chat never says that a reply was cut."""


def whole_story() -> str:
    with Conversation(Simulator(seed=5)) as chat:
        return chat.send(STORY).text


WHOLE = whole_story()


def said(events: list[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    made = Simulator(seed=5)
    yield made
    assert made.problems == ()


@pytest.mark.parametrize("profile", TELLING)
@pytest.mark.parametrize("model", ["gpt-oss-20b", "some-model"])
def test_a_cut_reply_becomes_whole_with_every_backend(runtime: str, profile: str, model: str) -> None:
    server = Simulator(seed=5, profile=profile, models=() if profile == "pixigpt" else (model,))
    options = Options(max_tokens=30, reasoning_effort="none" if profile == "pixigpt" else None)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, options=options) as chat:
            events = await collect(chat.stream(STORY))
            reply = events[-1].reply
            assert said(events) == reply.text == chat.messages[-1].text == WHOLE
            assert (reply.outcome, reply.reason, reply.error) == (Outcome.COMPLETE, None, None)
            tries = [event for event in events if isinstance(event, Continuing)]
            assert sorted({event.attempt for event in tries}) == list(range(1, tries[-1].attempt + 1))
            segments = reply.segments
            assert len(segments) > len(tries) >= 1
            assert [segment.start for segment in segments[1:]] == [segment.end for segment in segments[:-1]]
            assert (segments[0].start, segments[-1].end) == (0, len(WHOLE))
            assert sum((segment.usage for segment in segments), Usage()) == reply.usage
            assert [message.role for message in chat.messages] == ["user", "assistant"]
            await chat.send("say more")
            assert [each["role"] for each in server.requests[-1].json["messages"]][-3:] == ["user", "assistant", "user"]

    play(runtime, scenario)


def test_every_limit_gives_the_same_words(runtime: str, simulator: Simulator) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator, continuation=Continuation(max_attempts=200)) as chat:
            for limit in (1, 2, 3, 7, 11, 50):
                assert (await chat.send(STORY, options=Options(max_tokens=limit))).text == WHOLE

    play(runtime, scenario)


def test_the_ways_are_tried_in_their_order_and_a_failing_one_is_not_tried_again(runtime: str) -> None:
    first = "The keeper climbs the stair each evening, when the gulls are quiet, and lights the lamp at the top. "

    async def scenario(open_chat: Opener) -> None:
        provider = ScriptedProvider(
            [
                Cut(first),
                f"{first[:80]} in the tower, which is another way than before",
                f"{first}Then she rests.",
                Cut(first),
                f"{first}Then she sleeps.",
            ]
        )
        async with open_chat(provider) as chat:
            events = await collect(chat.stream("go"))
            assert said(events) == f"{first}Then she rests."
            assert any("does not continue by native" in event.message for event in events if isinstance(event, Notice))
            again = await collect(chat.stream("go"))
            assert [segment.strategy for segment in again[-1].reply.segments] == ["first", "echo"]

    play(runtime, scenario)


# --- limits and reasons


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"max_attempts": 2}, "max_attempts=2 continuations were made"),
        ({"max_tokens": 50}, "max_tokens=50 of the whole reply"),
        ({"max_cost": 0.5, "price": lambda usage: usage.output_tokens / 100}, "max_cost=0.5 is reached"),
        ({"max_seconds": 0}, "max_seconds=0 is reached"),
    ],
)
def test_a_reason_is_given_for_every_stop(runtime: str, simulator: Simulator, settings: Any, match: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator, options=CUT, continuation=Continuation(**settings)) as chat:
            reply = await chat.send(STORY)
            assert reply.outcome is Outcome.TRUNCATED
            assert match in reply.reason
            assert WHOLE.startswith(reply.text)
            assert len(reply.text) < len(WHOLE)
        async with open_chat(simulator, options=CUT, messages=chat.messages) as other:
            assert other.messages[-1].text == reply.text

    play(runtime, scenario)


def test_the_reason_is_stored_and_the_rest_can_be_had_later(runtime: str, simulator: Simulator, store: str) -> None:
    from agentkit.stores.memory import MemoryStore

    kept: Any = MemoryStore() if store == "memory" else store

    async def scenario(open_chat: Opener) -> None:
        settings = {"store": kept, "name": "story", "options": CUT}
        async with open_chat(simulator, continuation=Continuation(max_attempts=1), **settings) as chat:
            reply = await chat.send(STORY, turn_id="t1")
        async with open_chat(simulator, **settings) as chat:
            assert (await chat.send(STORY, turn_id="t1")).text == WHOLE
            assert reply.reason is not None

    play(runtime, scenario)


def test_an_incomplete_reply_is_an_error_where_that_is_asked_for(runtime: str, simulator: Simulator) -> None:
    async def scenario(open_chat: Opener) -> None:
        settings = Continuation(max_attempts=1, ensure_complete=True)
        async with open_chat(simulator, options=CUT, continuation=settings) as chat:
            with pytest.raises(IncompleteReply, match="max_attempts=1") as caught:
                await chat.send(STORY)
            kept = caught.value.reply
            assert kept is not None
            assert kept.outcome is Outcome.TRUNCATED
            assert kept.text == chat.messages[-1].text
            assert not chat.messages[-1].interrupted
            assert (await chat.send("say next")).text == "next"

    play(runtime, scenario)


def test_a_reply_that_repeats_itself_is_not_continued_for_ever(runtime: str) -> None:
    line = "All work and no play makes a dull lighthouse keeper, said the gull once more.\n"

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(ScriptedProvider([Cut(line * 30)] * 9), options=CUT) as chat:
            reply = await chat.send("go")
            assert reply.outcome is Outcome.TRUNCATED
            assert "repeats itself" in reply.reason or "no way" in reply.reason

    play(runtime, scenario)


def test_an_attempt_that_adds_nothing_is_the_last(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(ScriptedProvider([Cut("A good beginning of"), Cut(""), Cut("")]), options=CUT) as chat:
            reply = await chat.send("go")
            assert (reply.text, reply.outcome) == ("A good beginning of", Outcome.TRUNCATED)
            assert "added nothing" in reply.reason

    play(runtime, scenario)


# --- hooks


def test_progress_is_told_and_the_pause_is_kept(runtime: str, simulator: Simulator) -> None:
    seen: list[Progress] = []

    async def scenario(open_chat: Opener) -> None:
        settings = Continuation(on_progress=seen.append, delay=(0.01, 0.02))
        async with open_chat(simulator, options=CUT, continuation=settings) as chat:
            assert (await chat.send(STORY)).text == WHOLE

    play(runtime, scenario)
    assert [progress.attempt for progress in seen] == list(range(1, len(seen) + 1))
    assert all(WHOLE.startswith(progress.text) and progress.usage.output_tokens >= 30 for progress in seen)
    assert {(progress.strategy, progress.max_attempts) for progress in seen} == {("native", 8)}


@pytest.mark.parametrize("prompt", ["Go on, please.", lambda count, most, text, question: f"{count}/{most} {question}"])
def test_own_words_can_ask_for_more(runtime: str, prompt: Any) -> None:
    provider = ScriptedProvider([Cut("One, two, three and"), " then four."], prefix=False)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, continuation=Continuation(prompt=prompt)) as chat:
            assert (await chat.send("count")).text == "One, two, three and then four."

    play(runtime, scenario)
    asked = provider.requests[-1].messages[-1]
    assert asked.text == ("Go on, please." if isinstance(prompt, str) else "1/8 count")


def test_a_prompt_function_that_says_nothing_is_an_error(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        provider = ScriptedProvider([Cut("One, two"), "three"], prefix=False)
        async with open_chat(provider, continuation=Continuation(prompt=lambda *_: "")) as chat:
            with pytest.raises(InvalidInput, match="prompt function") as caught:
                await chat.send("count")
            assert caught.value.reply is not None
            assert caught.value.reply.text == "One, two"

    play(runtime, scenario)


# --- errors in a continuation, and connections that break


def judging(words: list[str]) -> Any:
    return lambda error, progress: words.pop(0)


@pytest.mark.parametrize("policy", ["raise", "return_partial", "callback raises", "callback returns", "retry"])
def test_an_error_in_a_continuation(runtime: str, policy: str) -> None:
    failing = ServerError("down", status=500)

    async def scenario(open_chat: Opener) -> None:
        answers = [Cut("One, two, three and"), failing, " four."]
        words = {"callback raises": ["raise"], "callback returns": ["return_partial"], "retry": ["retry"]}
        settings = Continuation(on_error=judging(words[policy]) if policy in words else policy)  # type: ignore[arg-type]
        async with open_chat(ScriptedProvider(answers), continuation=settings, retry=ONCE) as chat:
            if policy in ("raise", "callback raises"):
                with pytest.raises(ServerError) as caught:
                    await chat.send("count")
                assert caught.value.reply is not None
                assert caught.value.reply.text == "One, two, three and"
                assert caught.value.reply.outcome is Outcome.INTERRUPTED
                return
            reply = await chat.send("count")
            if policy == "retry":
                assert (reply.text, reply.outcome) == ("One, two, three and four.", Outcome.COMPLETE)
            else:
                assert (reply.text, reply.outcome) == ("One, two, three and", Outcome.TRUNCATED)
                assert reply.error is failing
                assert reply.reason == "down"

    play(runtime, scenario)


def test_an_error_of_the_first_request_is_always_raised(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        settings = Continuation(on_error="return_partial")
        async with open_chat(ScriptedProvider([ServerError("down")]), continuation=settings, retry=ONCE) as chat:
            with pytest.raises(ServerError):
                await chat.send("count")

    play(runtime, scenario)


def test_a_word_that_no_policy_knows_is_an_error(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        settings = Continuation(on_error=judging(["perhaps"]))
        provider = ScriptedProvider([Cut("One"), ServerError("down")])
        async with open_chat(provider, continuation=settings, retry=ONCE) as chat:
            with pytest.raises(InvalidInput, match="'perhaps'"):
                await chat.send("count")

    play(runtime, scenario)


@pytest.mark.parametrize("where", ["in process", "server"])
def test_a_broken_connection_is_gone_over_where_that_is_allowed(runtime: str, where: str) -> None:
    simulator = Simulator(seed=5)
    with SimServer(simulator) as server:
        local = OpenAIChat(name="sim", base_url=server.describe()["openai"], dialect=SIM)

        async def scenario(open_chat: Opener) -> None:
            model = simulator if where == "in process" else local
            settings = Continuation(on_disconnect="continue")
            async with open_chat(model, continuation=settings) as chat:
                simulator.script([f"drop after 40 words, {STORY}"])
                events = await collect(chat.stream(STORY))
                assert said(events) == chat.messages[-1].text == WHOLE
                assert [segment.strategy for segment in events[-1].reply.segments] == ["first", "native"]
            async with open_chat(model) as chat:
                simulator.script([f"drop after 40 words, {STORY}"])
                with pytest.raises(ConnectionLost):
                    await chat.send(STORY)
                assert (await chat.resume()).text == WHOLE

        play(runtime, scenario)


# --- what is cut before there are words


def test_thinking_that_takes_all_of_the_limit_gets_more_room(runtime: str, simulator: Simulator) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator, options=Options(max_tokens=10)) as chat:
            reply = await chat.send("think 100 words, say the answer")
            assert (reply.text, reply.outcome) == ("the answer", Outcome.COMPLETE)
            assert reply.usage.requests == 2
        assert simulator.requests[-1].json["max_tokens"] > 10

    play(runtime, scenario)


def test_thinking_without_end_is_an_error_that_carries_it(runtime: str, simulator: Simulator) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator) as chat:
            with pytest.raises(IncompleteReply, match="came to no answer") as caught:
                await chat.send("stop at 10 tokens, think 100 words, say the answer")
            kept = caught.value.reply
            assert kept is not None
            assert kept.reasoning
            assert (kept.text, kept.outcome) == ("", Outcome.TRUNCATED)
            assert (await chat.send("say next")).text == "next"
        assert simulator.received <= 4

    play(runtime, scenario)


TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def test_a_tool_call_that_was_cut_is_asked_for_again_with_more_room(runtime: str, simulator: Simulator) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator, options=Options(max_tokens=3, extra={"tools": [TOOL]})) as chat:
            reply = await chat.send('call weather with {"city": "Paris on the Seine in the spring"}')
            assert reply.outcome is Outcome.COMPLETE
            (call,) = reply.message.tool_calls
            assert call.arguments == {"city": "Paris on the Seine in the spring"}

    play(runtime, scenario)
    assert all(json.dumps(request.json) for request in simulator.requests)


def test_a_tool_call_that_stays_cut_is_no_part_of_the_history(runtime: str, simulator: Simulator) -> None:
    async def scenario(open_chat: Opener) -> None:
        order = 'stop at 3 tokens, call weather with {"city": "Paris on the Seine in the spring"}'
        async with open_chat(simulator, options=Options(extra={"tools": [TOOL]})) as chat:
            with pytest.raises(IncompleteReply, match="tool call"):
                await chat.send(order)
            assert all(not message.tool_calls for message in chat.messages)
            assert (await chat.send("say on")).text == "on"

    play(runtime, scenario)


# --- settings


async def answers_later(_: object) -> None: ...


class AnswersLater:
    async def __call__(self, _: object) -> None: ...


@pytest.mark.parametrize(
    "settings",
    [
        {"max_attempts": -1},
        {"max_attempts": 1.5},
        {"max_attempts": True},
        {"strategy": "magic"},
        {"on_disconnect": "maybe"},
        {"on_error": "retry"},
        {"on_error": 3},
        {"prompt": ""},
        {"prompt": 3},
        {"on_progress": "loud"},
        {"on_progress": answers_later},
        {"on_progress": AnswersLater()},
        {"on_error": answers_later},
        {"prompt": answers_later},
        {"delay": -1},
        {"delay": (2, 1)},
        {"delay": (1, 2, 3)},
        {"delay": "1"},
        {"delay": float("nan")},
        {"max_tokens": 0},
        {"max_seconds": float("nan")},
        {"max_cost": 1.0},
        {"price": 3},
    ],
)
def test_settings_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(settings))):
        Continuation(**settings)


def test_the_setting_is_checked_where_it_is_given() -> None:
    with pytest.raises(InvalidInput, match="Continuation"):
        Conversation("sim", continuation=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", ["native", "echo", "overlap"])
def test_a_way_can_be_demanded(runtime: str, simulator: Simulator, strategy: Any) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(
            simulator, options=Options(max_tokens=29), continuation=Continuation(strategy=strategy)
        ) as chat:
            reply = await chat.send(STORY)
            assert reply.text == WHOLE
            assert {segment.strategy for segment in reply.segments[1:]} == {strategy}

    play(runtime, scenario)


def test_a_way_that_the_backend_lacks_leaves_the_reply_cut(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        provider = ScriptedProvider([Cut("One, two")], prefix=False)
        async with open_chat(provider, continuation=Continuation(strategy="native")) as chat:
            reply = await chat.send("count")
            assert (reply.text, reply.outcome) == ("One, two", Outcome.TRUNCATED)
            assert reply.reason == "no way of continuing works with this backend"

    play(runtime, scenario)


def test_what_looks_cut_is_continued_although_the_backend_calls_it_done(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        for detect, text in ((True, "```python\nprint(1)\nprint(2)\n```\n"), (False, "```python\nprint(1)\n")):
            provider = ScriptedProvider(["```python\nprint(1)\n", "print(2)\n```\n"])
            async with open_chat(provider, continuation=Continuation(detect=detect)) as chat:
                assert (await chat.send("code")).text == text

    play(runtime, scenario)


def test_a_stop_between_attempts_keeps_everything(runtime: str, simulator: Simulator) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator, options=CUT) as chat:
            turn = chat.stream(STORY)
            shown = ""
            async with turn:
                async for event in turn:
                    shown += event.text if isinstance(event, TextDelta) else ""
                    if isinstance(event, Continuing) and event.attempt == 2:
                        turn.stop()
                    last = event
            assert isinstance(last, TurnFinished)
            assert last.reply.outcome is Outcome.INTERRUPTED
            assert last.reply.text == shown == chat.messages[-1].text
            assert chat.messages[-1].interrupted
            assert (await chat.resume()).text == WHOLE

    play(runtime, scenario)


def test_nothing_of_it_stays_in_the_history(simulator: Simulator) -> None:
    with Conversation(simulator, options=CUT, continuation=Continuation(strategy="echo")) as chat:
        reply = chat.send(STORY)
        assert chat.messages == (*chat.messages[:1], reply.message)
        assert not any("Continue your last reply" in message.text for message in chat.messages)

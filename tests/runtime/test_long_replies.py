"""Replies larger than the window, over three runtimes: they go on, and come to what an uncut one would be."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from scenarios import Opener, collect, play

from agentkit import (
    ContextOverflow,
    ContextPolicy,
    Continuation,
    Continuing,
    Conversation,
    Fallback,
    Notice,
    Options,
    Outcome,
    TextDelta,
)
from agentkit.sim import Simulator
from agentkit.sim.profiles import PROFILES
from agentkit.sim.text import count_tokens
from agentkit.testing import Cut, ScriptedProvider

STORY = "write 2000 words"
WINDOW = 700
MANY = Continuation(max_attempts=100)
TELLING = sorted(set(PROFILES) - {"gradient", "ollama", "parallax-2025", "pixigpt"})
"""The others do not say that a reply was cut, or write on beyond the window."""


@cache
def whole(order: str = STORY) -> str:
    with Conversation(Simulator(seed=5, window=1_000_000)) as chat:
        return chat.send(order).text


def said(events: list[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def prompts(server: Simulator) -> list[list[Any]]:
    return [request.json["messages"] for request in server.requests if request.path.endswith("/chat/completions")]


@pytest.mark.parametrize("profile", TELLING)
def test_a_reply_of_many_windows(runtime: str, profile: str) -> None:
    server = Simulator(seed=5, profile=profile, window=WINDOW)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, context=ContextPolicy(window=WINDOW), continuation=MANY) as chat:
            await chat.send("say hello")
            events: Any = await collect(chat.stream(STORY))
            reply = events[-1].reply
            assert said(events) == reply.text == chat.messages[-1].text == whole()
            assert (reply.outcome, reply.reason) == (Outcome.COMPLETE, None)
            told = [event for event in events if isinstance(event, Notice) and "outgrown" in event.message]
            assert len(told) == 1
            cut = chat.manifest.shortened[-1]
            assert (cut.index, chat.manifest.history) == (3, 3), "the reply under way has its place in the account"
            assert cut.before > WINDOW > cut.after > 0
            assert {segment.strategy for segment in reply.segments} >= {"first", "echo"}
            assert [segment.start for segment in reply.segments[1:]] == [each.end for each in reply.segments[:-1]]
            assert (await chat.send("say on")).text == "on"

    play(runtime, scenario)
    assert server.problems == ()
    for messages in prompts(server)[2:-1]:
        assert [
            messages[-3]["content"],
            *[m["role"] for m in messages[-2:]],
        ] == ["write 2000 words", "assistant", "user"]
        assert whole().startswith(messages[-2]["content"][:100])
        assert sum(count_tokens(str(message["content"])) for message in messages) < WINDOW
    assert any("characters of this reply are left out here" in str(messages) for messages in prompts(server))


@pytest.mark.parametrize("strategy", ["auto", "overlap"])
def test_a_limit_besides_the_window(runtime: str, strategy: Any) -> None:
    server = Simulator(seed=5, profile="vllm-0.33", window=WINDOW)
    settings = Continuation(max_attempts=200, strategy=strategy)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, options=Options(max_tokens=91), continuation=settings) as chat:
            assert (await chat.send("write 900 words")).text == whole("write 900 words")
        assert server.problems == ()

    play(runtime, scenario)


def test_a_window_that_is_learnt_in_the_middle_of_a_reply(runtime: str) -> None:
    server = Simulator(seed=5, profile="gravixlayer", window=WINDOW)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, options=Options(max_tokens=151), continuation=MANY) as chat:
            assert (await chat.send("write 900 words")).text == whole("write 900 words")
        assert server.problems == ()

    play(runtime, scenario)


def test_native_alone_cannot_go_beyond_the_window(runtime: str) -> None:
    server = Simulator(seed=5, window=WINDOW)

    async def scenario(open_chat: Opener) -> None:
        settings = Continuation(strategy="native")
        async with open_chat(server, context=ContextPolicy(window=WINDOW), continuation=settings) as chat:
            reply = await chat.send(STORY)
            assert reply.outcome is Outcome.TRUNCATED
            assert "the window" in reply.reason
            assert whole().startswith(reply.text)

    play(runtime, scenario)


@pytest.mark.parametrize("on_error", ["raise", "return_partial"])
def test_what_cannot_fit_ends_the_reply(runtime: str, on_error: Any) -> None:
    async def scenario(open_chat: Opener) -> None:
        settings = Continuation(prompt=lambda *_: "go on, please, " * 5000, on_error=on_error)
        provider = ScriptedProvider([Cut("One, two, three, and then"), "so on"], prefix=False)
        async with open_chat(provider, continuation=settings, context=ContextPolicy(window=2000)) as chat:
            if on_error == "raise":
                with pytest.raises(ContextOverflow) as caught:
                    await chat.send("count")
                reply: Any = caught.value.reply
            else:
                reply = await chat.send("count")
                assert isinstance(reply.error, ContextOverflow)
                assert "window" in reply.reason
            assert reply.text == "One, two, three, and then" == chat.messages[-1].text
            assert len(provider.requests) == 1
            assert (await chat.send("say")).text == "so on"

    play(runtime, scenario)


def test_what_cannot_fit_is_tried_again_where_the_caller_says_so(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        words = iter(["go on, please, " * 5000, "go on"])
        settings = Continuation(prompt=lambda *_: next(words), on_error=lambda error, progress: "retry")
        provider = ScriptedProvider([Cut("One, two, three, and then"), " so on"], prefix=False)
        async with open_chat(provider, continuation=settings, context=ContextPolicy(window=2000)) as chat:
            reply = await chat.send("count")
            assert (reply.text, reply.outcome) == ("One, two, three, and then so on", Outcome.COMPLETE)

    play(runtime, scenario)


def test_without_a_window_a_reply_goes_along_as_it_is(runtime: str) -> None:
    server = Simulator(seed=5)

    async def scenario(open_chat: Opener) -> None:
        few, brief = ContextPolicy(max_history=5), Options(max_tokens=90)
        async with open_chat(server, context=few, options=brief, continuation=MANY) as chat:
            reply = await chat.send(STORY)
            assert reply.text == whole()
            assert {segment.strategy for segment in reply.segments[1:]} == {"native"}

    play(runtime, scenario)


def test_a_summary_that_does_not_fit_a_smaller_window_is_left_out(runtime: str) -> None:
    from agentkit.stores.memory import MemoryStore

    kept: Any = {"store": MemoryStore(), "name": "talk"}
    summary = " ".join(f"fact number {number}" for number in range(120))

    async def scenario(open_chat: Opener) -> None:
        provider = ScriptedProvider(["a", "b", "c", "d", summary, *["e"] * 9])
        many = ContextPolicy(policy="summarize", max_pairs=3, window=4000)
        async with open_chat(provider, context=many, **kept) as chat:
            for number in range(5):
                await chat.send(f"question {number}")
        less = ContextPolicy(policy="summarize", window=400, reserve=100)
        async with open_chat(provider, context=less, **kept) as chat:
            assert (await chat.send("question 5")).text == "e"
            assert summary not in [message.text for message in provider.requests[-1].messages]

    play(runtime, scenario)


def test_the_rest_comes_from_a_backend_with_a_smaller_window(runtime: str) -> None:
    large = Simulator(seed=5, window=100_000)
    small = Simulator(seed=5, profile="vllm-0.33", window=WINDOW)

    async def scenario(open_chat: Opener) -> None:
        way = Fallback(after_output="continue")
        async with open_chat([large, small], fallback=way, continuation=MANY) as chat:
            large.script([f"drop after 1200 words, {STORY}"])
            events: Any = await collect(chat.stream(STORY))
            assert said(events) == events[-1].reply.text == whole()
        assert small.problems == ()

    play(runtime, scenario)


def test_a_reply_that_was_stopped_far_beyond_the_window_is_finished(runtime: str, store: str) -> None:
    from agentkit.stores.memory import MemoryStore

    kept: Any = MemoryStore() if store == "memory" else store
    settings = {"store": kept, "name": "long", "continuation": MANY}
    server = Simulator(seed=5, profile="llamacpp-2026", window=WINDOW)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, **settings) as chat:
            turn: Any = chat.stream(STORY)
            async with turn:
                async for event in turn:
                    if isinstance(event, Continuing) and event.attempt == 4:
                        turn.stop()
            text = chat.messages[-1].text
            assert len(text) > 6 * WINDOW
            assert whole().startswith(text)
        async with open_chat(server, **settings) as chat:
            reply = await chat.resume()
            assert reply.text == chat.messages[-1].text == whole()
            assert (reply.segments[0].start, reply.segments[-1].end) == (0, len(whole()))
            assert reply.usage.requests == len(reply.segments)
        assert server.problems == ()

    play(runtime, scenario)


def test_an_echo_takes_nothing_of_what_the_reply_may_take(runtime: str) -> None:
    server = Simulator(seed=5, profile="lmstudio")

    async def scenario(open_chat: Opener) -> None:
        settings = Continuation(max_attempts=200, strategy="echo")
        async with open_chat(server, options=Options(max_tokens=7), continuation=settings) as chat:
            assert (await chat.send("count to 120")).text == whole("count to 120")
        assert server.problems == ()

    play(runtime, scenario)


def test_room_for_an_answer_after_thinking_is_made_within_the_window_of_the_settings(runtime: str) -> None:
    server = Simulator(seed=5, profile="mlx", window=WINDOW)

    async def scenario(open_chat: Opener) -> None:
        window = ContextPolicy(window=WINDOW)
        async with open_chat(server, options=Options(max_tokens=20), context=window) as chat:
            assert (await chat.send("think 30 words, say yes")).text == "yes"
        assert server.problems == ()

    play(runtime, scenario)


@pytest.mark.parametrize("summary", ["They counted. " * 20_000, "", "They counted from zero on."])
def test_a_summary_that_is_too_long_or_empty_stops_nothing(runtime: str, summary: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        provider = ScriptedProvider(["a", "b", "c", "d", summary, *["e"] * 9])
        policy = ContextPolicy(policy="summarize", max_pairs=3, window=2000, reserve=100)
        async with open_chat(provider, context=policy, system="Be brief.") as chat:
            for number in range(6):
                await chat.send(f"question {number}")
            assert [message.text for message in chat.messages[1::2]] == ["a", "b", "c", "d", "e", "e"]
            assert all(len(str(request.messages)) < 6000 for request in provider.requests)

    play(runtime, scenario)

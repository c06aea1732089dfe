"""Tools that misbehave: what they raise, what they return, and those that never come back."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import attrs
import pytest
from loop_bench import LONG, Script, calls, until
from scenarios import Opener, play

from agentkit import AsyncConversation, Conversation, Outcome, ToolContext, ToolError, ToolUse
from agentkit.events import ToolCallStarted


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Mute:
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


@attrs.frozen
class Trap:
    @property
    def inner(self) -> int:
        raise KeyError("no")

    other: int = attrs.field(init=False)


class Changeling:
    def __getattribute__(self, name: str) -> Any:
        raise ValueError("what am I?")


class Model:
    def model_dump(self) -> Any:
        raise OSError("the disk is full")


RAISED: list[BaseException] = [
    KeyboardInterrupt(),
    SystemExit(3),
    asyncio.CancelledError(),
    GeneratorExit(),
    StopIteration(1),
    StopAsyncIteration(),
    ExceptionGroup("several", [ValueError("a"), TypeError("b")]),
    BaseExceptionGroup("worse", [KeyboardInterrupt()]),
    Unspeakable(),
    MemoryError(),
    RecursionError("deep"),
    ToolError("from within"),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_whatever_a_tool_raises_is_told_and_the_turn_goes_on(runtime: str, error: BaseException) -> None:
    def bad() -> None:
        raise error

    async def bad_async() -> None:
        await anyio.sleep(0)
        raise error

    tools: list[Callable[..., Any]] = [bad] if runtime == "blocking" else [bad, bad_async]
    script = Script(calls(*(made.__name__ for made in tools)), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=tools) as chat:
            reply = await chat.send("go")
            assert (reply.text, reply.outcome) == ("done", Outcome.COMPLETE)
            assert all(result.is_error and result.content for result in reply.tool_results)
            assert len(reply.tool_errors) == len(tools)
            assert reply.tool_errors[0].__cause__ is error

    play(runtime, scenario)
    assert all(said.startswith((type(error).__name__, "RuntimeError")) for said in script.told().values())


def itself() -> Any:
    made: list[Any] = []
    made.append(made)
    return made


def stream() -> Iterator[int]:
    return iter(range(3))


def deep() -> Any:
    made: Any = 1
    for _ in range(100_000):
        made = [made]
    return made


RETURNED: list[Callable[[], Any]] = [
    lambda: "x" * 100_000_000,
    lambda: b"x" * 10_000_000,
    lambda: list(range(1_000_000)),
    lambda: float("nan"),
    lambda: [float("inf"), {"a": float("-inf")}],
    lambda: 10**10_000,
    itself,
    stream,
    lambda: (number for number in range(3)),
    Mute,
    lambda: {Mute(): Mute()},
    Trap,
    Model,
    Changeling,
    deep,
    lambda: "\ud800 half",
    lambda: "",
    lambda: None,
    lambda: Exception("as a value"),
    threading.Lock,
    lambda: type,
]


@pytest.mark.parametrize("make", RETURNED)
def test_whatever_a_tool_returns_comes_to_a_text_of_bounded_length(make: Callable[[], Any]) -> None:
    def give() -> Any:
        return make()

    script = Script(calls("give"), "done")
    with Conversation(script.provider, tools=[give]) as chat:
        reply = chat.send("go")
        assert (reply.text, reply.outcome) == ("done", Outcome.COMPLETE)
    assert len(script.told()["c1"]) <= 32_000


def test_a_coroutine_from_a_plain_function_is_awaited_where_there_is_a_loop(runtime: str) -> None:
    async def inner() -> str:
        await anyio.sleep(0)
        return "inner"

    def outer() -> Any:
        return inner()

    script = Script(calls("outer"), "done")
    play(runtime, lambda open_chat: open_chat(script.provider, tools=[outer]).send("go"))
    told = script.told()["c1"]
    assert told == (
        "InvalidInput: the tool is async: use it with AsyncConversation" if runtime == "blocking" else "inner"
    )


@pytest.mark.parametrize("runtime", ["asyncio", "trio"])
def test_a_coroutine_that_comes_after_the_turn_is_closed_and_not_run(runtime: str) -> None:
    go, ran, ended = threading.Event(), list[str](), threading.Event()

    async def inner() -> None:
        ran.append("inner")

    def outer() -> Any:
        go.wait(LONG)
        ended.set()
        return inner()

    script = Script(calls("outer"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[outer]) as chat:
            async with chat.stream("go") as turn:
                async for event in turn:
                    if isinstance(event, ToolCallStarted):
                        break
            go.set()
            while not ended.is_set():
                await anyio.sleep(0.002)
            await anyio.sleep(0.05)

    play(runtime, scenario)
    assert ran == []


def test_a_tool_that_never_returns_does_not_hold_up_a_stop(runtime: str) -> None:
    let_go = threading.Event()

    def stuck(context: ToolContext) -> None:
        let_go.wait(LONG * 3)

    script = Script(calls("stuck"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[stuck]) as chat:
            begun = time.monotonic()
            async with chat.stream("go") as turn:
                async for event in turn:
                    if isinstance(event, ToolCallStarted):
                        threading.Timer(0.05, turn.stop).start() if runtime == "blocking" else turn.stop()
            assert turn.reply.outcome is Outcome.INTERRUPTED
            assert time.monotonic() - begun < LONG
            assert (await chat.send("on")).text == "done"
            assert script.told() == {"c1": "No result: the tool was not run to its end."}

    try:
        play(runtime, scenario)
    finally:
        let_go.set()


@pytest.mark.parametrize("runtime", ["asyncio", "trio"])
def test_a_tool_that_swallows_cancellation_is_left_alone_after_a_while(runtime: str) -> None:
    let_go = False

    async def deaf() -> None:
        while not let_go:
            try:
                await anyio.sleep(0.01)
            except BaseException:
                time.sleep(0.001)

    script = Script(calls("deaf"), calls("deaf"), "done")

    async def scenario(open_chat: Opener) -> None:
        nonlocal let_go
        async with open_chat(script.provider, tools=[deaf], tool_use=ToolUse(timeout=0.05)) as chat:
            begun = time.monotonic()
            async with chat.stream("go") as turn:
                async for event in turn:
                    if isinstance(event, ToolCallStarted):
                        turn.stop()
            assert turn.reply.outcome is Outcome.INTERRUPTED
            assert 0.5 < time.monotonic() - begun < LONG  # the wait for it is bounded
            let_go = True
            await anyio.sleep(0.05)

    play(runtime, scenario)


def test_a_loop_that_is_closed_in_the_middle_leaves_no_noise(recwarn: pytest.WarningsRecorder) -> None:
    async def slow() -> None:
        await asyncio.sleep(60)

    script = Script(calls("slow"), "done")
    chat = AsyncConversation(script.provider, tools=[slow], name="half")

    async def begin() -> Any:
        turn = chat.stream("go")
        assert isinstance(await anext(turn), ToolCallStarted)
        await asyncio.sleep(0)
        return turn

    left = asyncio.run(begin())
    del left
    gc.collect()
    assert [message.role for message in chat.messages] == ["user", "assistant"]
    assert asyncio.run(chat.send("on")).text == "done"
    assert not recwarn.list


def test_what_a_tool_reports_after_its_end_is_kept_by_nobody() -> None:
    contexts: list[ToolContext] = []

    def look(context: ToolContext) -> str:
        contexts.append(context)
        return "x"

    script = Script(calls("look", "look"), "done")
    with Conversation(script.provider, tools=[look]) as chat:
        assert not any(context.cancelled() for context in contexts)
        chat.send("go")
        assert all(context.cancelled() for context in contexts)
        before = sys.getallocatedblocks()
        for number in range(10_000):
            contexts[0].report(f"still here {number}")
        assert sys.getallocatedblocks() - before < 5_000


# --- conversations within tools


def test_a_tool_may_use_another_conversation(runtime: str) -> None:
    inner, outer = Script("the inner says"), Script(calls("ask"), "done")

    async def scenario(open_chat: Opener) -> None:
        other = open_chat(inner.provider)

        async def ask_async() -> str:
            return str((await other.send("inner question")).text)

        def ask() -> Any:
            return other.chat.send("inner question").text if runtime == "blocking" else ask_async()

        async with open_chat(outer.provider, tools=[ask]) as chat:
            assert (await chat.send("go")).text == "done"

    play(runtime, scenario)
    assert outer.told() == {"c1": "the inner says"}


def test_a_tool_that_uses_its_own_conversation_is_refused_and_nothing_waits_for_ever(
    runtime: str, tmp_path: Any
) -> None:
    for store in ("memory", f"sqlite:///{tmp_path}/{runtime}.db"):
        outer = Script(calls("ask", "ask_sync"), "done")

        async def scenario(open_chat: Opener, outer: Script = outer, store: str = store) -> None:
            chats: list[Any] = []

            async def ask_async() -> str:
                return str((await chats[0].send("me again")).text)

            def ask() -> Any:
                return chats[0].chat.send("me again").text if runtime == "blocking" else ask_async()

            def ask_sync() -> str:
                with Conversation(outer.provider, store=chats[1], name="self") as same:
                    return same.send("me again").text

            from agentkit.stores import open_store

            opened = open_store(store)
            async with open_chat(outer.provider, tools=[ask, ask_sync], store=opened, name="self") as chat:
                chats.extend((chat, opened))
                begun = time.monotonic()
                reply = await chat.send("go")
                assert reply.text == "done"
                assert time.monotonic() - begun < LONG
                assert all("in the middle of the turn that runs this tool" in r.content for r in reply.tool_results)
            opened.close()

        play(runtime, scenario)


def test_a_tool_that_uses_its_own_conversation_through_another_one_is_refused_as_well() -> None:
    first, second = Script(calls("ask_second"), "one"), Script(calls("ask_first"), "two")
    chats: dict[str, Conversation] = {}

    def ask_second() -> str:
        return chats["second"].send("hop").text

    def ask_first() -> str:
        return chats["first"].send("hop").text

    with (
        Conversation(first.provider, tools=[ask_second]) as chats["first"],
        Conversation(second.provider, tools=[ask_first]) as chats["second"],
    ):
        assert chats["first"].send("go").text == "one"
    assert "in the middle of the turn that runs this tool" in second.told()["c1"]
    assert first.told() == {"c1": "two"}


def test_a_tool_can_stop_its_own_turn(runtime: str) -> None:
    turns: list[Any] = []

    def enough() -> str:
        until(lambda: turns)
        turns[0].stop()
        return "stopped"

    async def enough_async() -> str:
        turns[0].stop()
        return "stopped"

    made = enough if runtime == "blocking" else enough_async
    script = Script(calls(made.__name__), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[made]) as chat:
            turn = chat.stream("go")
            turns.append(turn)
            reply = await turn.finish()
            assert reply.outcome is Outcome.INTERRUPTED
            assert len(script.requests) == 1

    play(runtime, scenario)

"""Ways to end a turn while its tools run: a stop, a break, a cancelled task, Ctrl-C, a turn that is dropped."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio
from loop_bench import LONG, Script, calls, check, results, until
from scenarios import Opener, play

from agentkit import AsyncConversation, Conversation, Outcome, ToolContext, tool
from agentkit.events import ToolCallFinished, ToolCallStarted, TurnFinished

pytestmark = pytest.mark.usefixtures("no_threads_left")


class Work:
    """One tool that is done at once, and one that runs until it is cancelled."""

    def __init__(self, runtime: str, rerun: Any = "rerun") -> None:
        self.ran: list[str] = []
        self.ended: list[str] = []
        self.begun = threading.Event()
        self.calm = False
        """The second one comes to its end, too."""

        @tool
        def quick() -> str:
            self.ran.append("quick")
            return "quick"

        @tool(rerun=rerun)
        def slow(context: ToolContext) -> str:
            self.ran.append("slow")
            self.begun.set()
            if not self.calm:
                until(context.cancelled)
                self.ended.append("cancelled")
            return "slow"

        @tool(name="slow", rerun=rerun)
        async def slow_async() -> str:
            self.ran.append("slow")
            self.begun.set()
            try:
                await anyio.sleep(0 if self.calm else 60)
            except BaseException:
                self.ended.append("cancelled")
                raise
            return "slow"

        self.tools = [quick, slow if runtime in ("blocking", "threads") else slow_async]


async def reached(turn: Any) -> None:
    """Both run, and the first one has ended."""
    async for event in turn:
        if isinstance(event, ToolCallFinished):
            return
    raise AssertionError("the turn ended before")


WAYS = ("stop", "break", "close", "raise")


@pytest.mark.parametrize("way", WAYS)
def test_a_turn_that_is_left_cancels_its_tools_and_keeps_what_finished(runtime: str, way: str) -> None:
    work, script = Work(runtime), Script(calls("quick", "slow"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=work.tools) as chat:
            turn = chat.stream("go")
            try:
                async with turn:
                    await reached(turn)
                    until(work.begun.is_set) if runtime == "blocking" else await begun(work)
                    if way == "stop":
                        turn.stop()
                        events = [event async for event in turn]
                        assert isinstance(events[-1], TurnFinished)
                    elif way == "raise":
                        raise LookupError
            except LookupError:
                assert way == "raise"
            assert turn.reply.outcome is Outcome.INTERRUPTED
            assert turn.reply.messages[-1].role == "tool"
            await go_on(chat, work, script)

    play(runtime, scenario)


async def begun(work: Work) -> None:
    deadline = time.monotonic() + LONG
    while not work.begun.is_set():
        assert time.monotonic() < deadline
        await anyio.sleep(0.002)


async def go_on(chat: Any, work: Work, script: Script) -> None:
    """What finished is there and is not run again; the rest is."""
    assert [message.role for message in chat.messages] == ["user", "assistant", "tool"]
    assert [result.content for result in results(chat.messages)] == ["quick"]
    work.calm = True
    reply = await chat.resume()
    assert (reply.text, reply.outcome) == ("done", Outcome.COMPLETE)
    assert [result.content for result in reply.tool_results] == ["quick", "slow"]
    assert (work.ran.count("quick"), work.ran.count("slow")) == (1, 2)
    until(lambda: work.ended)
    check(script.requests[-1].messages)


@pytest.mark.parametrize("runtime", ["asyncio", "trio"])
@pytest.mark.parametrize("kind", ["task", "threads"])
def test_a_cancelled_task_cancels_its_tools(runtime: str, kind: str) -> None:
    work, script = Work("threads" if kind == "threads" else runtime), Script(calls("quick", "slow"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=work.tools) as chat:
            with anyio.CancelScope() as scope:
                turn = chat.stream("go")
                await reached(turn)
                await begun(work)
                scope.cancel()
                await turn.finish()
            assert scope.cancelled_caught
            await go_on(chat, work, script)

    play(runtime, scenario)


def test_a_task_that_is_cancelled_over_and_over_loses_no_result() -> None:
    work, script = Work("asyncio"), Script(calls("quick", "slow"), "done")
    holding = threading.Event()

    @tool(name="slow", rerun="rerun")
    async def stubborn() -> str:
        work.ran.append("slow")
        work.begun.set()
        if work.calm:
            return "slow"
        try:
            await asyncio.sleep(60)
        finally:
            holding.set()
            for _ in range(20):  # takes its time to end
                try:
                    await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    continue
            work.ended.append("cancelled")
        return "never"

    work.tools[1] = stubborn

    async def scenario() -> None:
        async with AsyncConversation(script.provider, tools=work.tools) as chat:

            async def run() -> None:
                await chat.send("go")

            task = asyncio.ensure_future(run())
            await begun(work)
            until(lambda: "quick" in work.ran)
            await asyncio.sleep(0.05)
            for _ in range(5):
                task.cancel()
                await asyncio.sleep(0.005)
            with pytest.raises(asyncio.CancelledError):
                await task
            await go_on(chat, work, script)

    asyncio.run(scenario())


def test_a_time_limit_around_a_turn_ends_its_tools(runtime: str) -> None:
    if runtime == "blocking":
        return
    work, script = Work(runtime), Script(calls("quick", "slow"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=work.tools) as chat:
            with pytest.raises(TimeoutError):
                with anyio.fail_after(0.3):
                    await chat.send("go")
            await go_on(chat, work, script)

    play(runtime, scenario)


def test_a_turn_that_is_dropped_ends_its_tools(runtime: str) -> None:
    work, script = Work(runtime), Script(calls("quick", "slow"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=work.tools) as chat:
            turn = chat.stream("go")
            await reached(turn)
            until(work.begun.is_set) if runtime == "blocking" else await begun(work)
            cycle: list[Any] = [turn]
            cycle.append(cycle)
            del turn, cycle
            gc.collect()
            await go_on(chat, work, script)

    play(runtime, scenario)


@pytest.mark.parametrize("way", ["asyncio", "trio"])
def test_the_end_of_the_loop_ends_its_tools_and_leaves_no_task(way: str) -> None:
    work, script = Work(way), Script(calls("quick", "slow"), "done")
    chat = AsyncConversation(script.provider, tools=work.tools)
    turns: list[Any] = []

    async def half() -> None:
        turn = chat.stream("go")
        turns.append(turn)
        await reached(turn)
        await begun(work)

    async def rest() -> None:
        await go_on(chat, work, script)
        assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    if way == "asyncio":
        asyncio.run(half())
        turns.clear()
        gc.collect()
        asyncio.run(rest())
    else:
        trio.run(half)
        turns.clear()
        gc.collect()
        anyio.run(go_on, chat, work, script, backend="trio")


def test_no_tasks_are_left_after_turns_with_tools() -> None:
    async def later(number: int) -> int:
        await anyio.sleep(0)
        return number

    async def scenario() -> None:
        before = asyncio.all_tasks()
        for _ in range(5):
            script = Script(calls(*[("later", {"number": n}) for n in range(20)]), "done")
            async with AsyncConversation(script.provider, tools=[later]) as chat:
                await chat.send("go")
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before

    asyncio.run(scenario())


def test_a_stop_from_another_thread_wakes_the_wait_for_tools() -> None:
    work, script = Work("blocking"), Script(calls("quick", "slow"), "done")
    with Conversation(script.provider, tools=work.tools) as chat:
        turn = chat.stream("go")

        def stop() -> None:
            until(work.begun.is_set)
            turn.stop()

        stopper = threading.Thread(target=stop)
        stopper.start()
        reply = turn.finish()
        stopper.join()
        assert reply.outcome is Outcome.INTERRUPTED


CTRL_C = """
import signal, sys, threading, time
from collections import Counter
from agentkit import Conversation, Limits, Outcome, ToolContext, tool
from agentkit.messages import ToolCall, assistant
from agentkit.messages import ToolResult
from agentkit.stores import open_store
from agentkit.testing import ScriptedProvider

TURNS = 60
store = open_store("memory")
signal.signal(signal.SIGALRM, signal.default_int_handler)
interrupted = 0

def counting(ran):  # threads of the turn before may still run
    @tool(rerun="rerun")
    def act(name: str) -> str:
        ran[name] += 1
        time.sleep(0.0005 * len(name))
        return name

    return act

for number in range(TURNS):
    ran = Counter()
    act = counting(ran)
    called = assistant(*[ToolCall(f"c{n}", "act", {"name": "x" * n}) for n in range(1, 5)])
    answers = [called, "done", called, "done"]
    provider, name = ScriptedProvider(answers), f"k{number}"
    chat = Conversation(provider, tools=[act], store=store, name=name, limits=Limits(max_wait=5))
    try:
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0002 + number * 0.00012)
        with chat.stream("go", turn_id="t") as turn:
            for event in turn:
                pass
        time.sleep(1)
    except (KeyboardInterrupt, RuntimeError):  # Python's own locks may turn the one into the other
        interrupted += 1
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0)
    time.sleep(0.003)
    assert not [info.name for info in store.list() if info.busy]
    parts = [part for message in chat.messages for part in message.parts]
    kept = {part.content for part in parts if isinstance(part, ToolResult)}
    before = Counter(ran)
    provider._answers[:] = ["done"] if any(isinstance(part, ToolCall) for part in parts) else [called, "done"]
    reply = chat.send("go", turn_id="t")
    assert reply.outcome is Outcome.COMPLETE, reply
    assert reply.text.startswith("done"), reply  # what was said before may have been gone on with
    assert [result.content for result in reply.tool_results] == ["x", "xx", "xxx", "xxxx"], reply
    for name in kept:
        assert ran[name] == before[name], "what had finished was run again"
print(f"{interrupted} of {TURNS} interrupted")
assert interrupted > TURNS // 2
"""


def test_ctrl_c_at_any_moment_of_a_tool_round_leaves_a_conversation_that_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CTRL_C]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", timeout=100, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_break_at_the_first_event_finds_all_begun_calls_begun(runtime: str) -> None:
    """What the journal says was begun has begun, so that what is unknown is truly so."""
    work, script = Work(runtime, rerun="ask"), Script(calls("quick", "slow"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=work.tools) as chat:
            async with chat.stream("go") as turn:
                async for event in turn:
                    assert isinstance(event, ToolCallStarted)
                    break
            reply = await chat.resume()
            assert reply.outcome is Outcome.AWAITING_APPROVAL
            assert {pending.call.name for pending in chat.pending} <= {"quick", "slow"}
            assert "slow" in {pending.call.name for pending in chat.pending}
            assert (await chat.send("leave it")).text == "done"

    play(runtime, scenario)

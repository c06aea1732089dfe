"""Many at once: conversations, calls, threads. The numbers are printed; the limits are wide."""

from __future__ import annotations

import asyncio
import threading
import time

import anyio
import pytest
from loop_bench import LONG, Script, calls, until
from scenarios import Opener, play

from agentkit import AsyncConversation, Conversation, Outcome
from agentkit.testing import ScriptedProvider


def test_three_calls_of_a_third_of_a_second_take_hardly_longer_than_one(runtime: str) -> None:
    def nap() -> str:
        time.sleep(0.3)
        return "slept"

    async def nap_async() -> str:
        await anyio.sleep(0.3)
        return "slept"

    for made in (nap, nap_async) if runtime != "blocking" else (nap,):
        script = Script(calls(*[made.__name__] * 3), "done")
        took: list[float] = []

        async def scenario(open_chat: Opener, script: Script = script, took: list[float] = took) -> None:
            async with open_chat(script.provider, tools=[nap, nap_async] if runtime != "blocking" else [nap]) as chat:
                begun = time.monotonic()
                assert len((await chat.send("go")).tool_results) == 3
                took.append(time.monotonic() - begun)

        play(runtime, scenario)
        print(f"\n3 x 0.3 s, {runtime}, {made.__name__}: {took[0]:.3f} s")
        assert 0.3 <= took[0] < LONG / 2


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("kind", ["tasks", "threads"])
def test_a_thousand_conversations_with_tools_run_side_by_side(kind: str) -> None:
    count = 1000

    async def look(number: int) -> int:
        await anyio.sleep(0.01)
        return number

    def look_in_thread(number: int) -> int:
        return number

    made = look if kind == "tasks" else look_in_thread
    before = threading.active_count()

    async def one(number: int) -> None:
        called = calls((made.__name__, {"number": number}), (made.__name__, {"number": -number}))
        async with AsyncConversation(ScriptedProvider([called, f"done {number}"]), tools=[made]) as chat:
            reply = await chat.send("go")
            assert (reply.text, reply.outcome) == (f"done {number}", Outcome.COMPLETE)
            assert [result.content for result in reply.tool_results] == [str(number), str(-number)]

    async def all_of_them() -> None:
        await asyncio.gather(*(one(number) for number in range(count)))
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    begun = time.monotonic()
    asyncio.run(all_of_them())
    took = time.monotonic() - begun
    print(f"\n{count} conversations with two {kind} each: {took:.2f} s")
    assert took < 100
    until(lambda: threading.active_count() <= before + 5)


def test_no_threads_are_left_after_many_rounds() -> None:
    def look() -> str:
        return "x"

    before = {thread.ident for thread in threading.enumerate()}
    script = Script(*[calls(*["look"] * 10)] * 10, "done")
    with Conversation(script.provider, tools=[look]) as chat:
        assert len(chat.send("go").tool_results) == 100
    until(lambda: not [thread for thread in threading.enumerate() if thread.ident not in before])

"""An ask is a turn: cut and continued, stopped, sent twice, finished later, taken back, forked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asked_bench import DAY, PLAN, Able, Plan, discarded, given, kinds, roles, said
from scenarios import Opener, collect, play

from agentkit import (
    Continuation,
    Conversation,
    IncompleteReply,
    InvalidInput,
    InvalidReply,
    Options,
    Outcome,
    PartialValue,
    RetryPolicy,
    ServerError,
    TextDelta,
    ToolCall,
    ToolResult,
    assistant,
    tool,
)
from agentkit.messages import user
from agentkit.sim import Simulator
from agentkit.store import Discarded, PartialReply, Replied, ToolFinished, ToolStarted, TurnStarted
from agentkit.stores.memory import MemoryStore
from agentkit.testing._scripted import Cut

WHOLE = json.dumps(
    {"title": "A long day", "steps": [{"what": f"do {number}", "minutes": number} for number in range(8)]}
)

# --- cut and continued


@pytest.mark.parametrize("strategy", ["auto", "native", "echo", "overlap"])
@pytest.mark.parametrize("profile", ["openai", "vllm-0.33", "sglang", "ollama", "parallax-2026", "gradient"])
def test_a_document_that_a_limit_cuts_is_read_whole(profile: str, strategy: Any) -> None:
    into = list[dict[str, list[int]]]
    values = []
    for limit in (None, 4):
        simulator = Simulator(seed=5, profile=profile)
        with Conversation(simulator, continuation=Continuation(strategy=strategy, max_attempts=30)) as chat:
            turn = chat.stream_ask("Numbers", into=into, options=Options(max_tokens=limit))
            shown = [event.value for event in turn if isinstance(event, PartialValue)]
            values.append(turn.value)
            assert shown == [] or shown[-1] == turn.value
            assert roles(chat.messages) == "ua"
    assert values[0] == values[1]


@pytest.mark.parametrize(
    "habit",
    ["by repeating", "with a preamble", "by restarting the json", "in a fence", "by restarting", "with a changed echo"],
)
def test_a_document_is_gone_on_with_badly(runtime: str, habit: str) -> None:
    values = []

    async def scenario(open_chat: Opener) -> None:
        for orders in ([], ["cut@5"]):
            simulator = Simulator(seed=5)
            simulator.script(orders)
            async with open_chat(simulator, continuation=Continuation(strategy="echo")) as chat:
                values.append(await chat.ask(f"Plan, continue {habit}", into=Plan))
                assert simulator.received == 1 + len(orders)

    play(runtime, scenario)
    assert values[0] == values[1]


def test_pieces_are_joined_before_they_are_read(runtime: str) -> None:
    pieces = [Cut(WHOLE[:40]), Cut(WHOLE[40:100]), WHOLE[100:]]
    provider = Able(pieces)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            turn = chat.stream_ask("Plan", into=Plan)
            events = await collect(turn)
            assert "Correcting" not in kinds(events)
            assert len(turn.value.steps) == 8
            assert [event.value for event in events if isinstance(event, PartialValue)][-1] == json.loads(WHOLE)
            assert turn.reply.text == WHOLE

    play(runtime, scenario)


def test_a_call_that_is_cut_is_asked_for_again_and_shown_anew(runtime: str) -> None:
    class CutCalls(Able):
        """The first call ends at a limit."""

        def next_answer(self) -> list[bytes | float]:
            call, end = super().next_answer()
            if len(self.requests) > 1 or not isinstance(call, bytes) or not isinstance(end, bytes):
                return [call, end]
            index, call_id, name, arguments = json.loads(call)["call"]
            cut = json.dumps({"call": [index, call_id, name, arguments[:-9]]}).encode() + b"\n"
            return [cut, end.replace(b"tool_calls", b"length")]

    provider = CutCalls([assistant(given(DAY)), assistant(given(DAY))], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            turn = chat.stream_ask("Plan", into=Plan)
            shown = [event.value for event in await collect(turn) if isinstance(event, PartialValue)]
            assert turn.value == PLAN
            assert shown[-1] == DAY
            assert len(shown) == 2
            assert shown[0] is not shown[1]

    play(runtime, scenario)
    assert len(provider.requests) == 2


# --- stopped, interrupted


def test_an_ask_that_is_stopped_has_no_value(runtime: str) -> None:
    provider = Able([[WHOLE[:30], WHOLE[30:60], 0.01, WHOLE[60:]], WHOLE[30:], WHOLE[60:]])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            turn = chat.stream_ask("Plan", into=Plan, turn_id="t")
            with pytest.raises(InvalidInput, match="the turn is not over"):
                _ = turn.value
            await collect(turn, stop_after=2)
            assert turn.reply.outcome is Outcome.INTERRUPTED
            with pytest.raises(IncompleteReply, match="is interrupted"):
                _ = turn.value
            assert chat.messages[-1].text == WHOLE[:30]
            again = chat.stream_ask("Plan", into=Plan, turn_id="t")
            events = await collect(again)
            assert kinds(events)[:2] == ["TextDelta", "PartialValue"]
            assert isinstance(events[0], TextDelta)
            assert events[0].text == WHOLE[:30]
            assert len(again.value.steps) == 8
            assert roles(chat.messages) == "ua"

    play(runtime, scenario)
    assert len(provider.requests) == 2


def test_leaving_the_block_stops_it_in_the_middle_of_a_correction(runtime: str) -> None:
    provider, store = Able(["no", [WHOLE[:30], 0.01, WHOLE[30:]]]), MemoryStore()

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, store=store, name="c") as chat:
            async with chat.stream_ask("Plan", into=Plan) as turn:
                async for event in turn:
                    if isinstance(event, PartialValue):
                        break
            with pytest.raises(IncompleteReply):
                _ = turn.value
            assert roles(chat.messages) == "ua"
            assert chat.messages[-1].text == WHOLE[:30]
            assert chat.messages[-1].interrupted
            assert turn.reply.usage.requests == 2

    play(runtime, scenario)
    assert len(discarded(store, "c")) == 1


@pytest.mark.parametrize("runtime", ["asyncio", "trio"])
def test_a_cancelled_ask_keeps_what_came(runtime: str) -> None:
    import anyio

    provider = Able([[WHOLE[:30], 20.0, WHOLE[30:]]])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            with anyio.move_on_after(0.2) as scope:
                await chat.ask("Plan", into=Plan)
            assert scope.cancelled_caught
            assert chat.messages[-1].text == WHOLE[:30]
            assert chat.messages[-1].interrupted

    play(runtime, scenario)


def test_an_interruption_of_the_reader_keeps_what_came() -> None:
    provider = Able([[WHOLE[:30], WHOLE[30:]]])
    with Conversation(provider) as chat:
        with pytest.raises(KeyboardInterrupt), chat.stream_ask("Plan", into=Plan) as turn:
            for event in turn:
                if isinstance(event, PartialValue):
                    raise KeyboardInterrupt
        assert chat.messages[-1].text == WHOLE[:30]


# --- sent twice, finished later


def test_the_same_id_gives_the_same_value_without_a_request(runtime: str, way: str) -> None:
    provider, store = Able([said({"title": 1}, way), said(DAY, way, place=2)], way), MemoryStore()

    async def scenario(open_chat: Opener) -> None:
        for _ in range(2):
            async with open_chat(provider, store=store, name="c") as chat:
                assert await chat.ask("Plan", into=Plan, turn_id="t") == PLAN
                assert (await chat.ask("Plan", into=dict[str, Any], turn_id="t"))["title"] == "Day"
                with pytest.raises(InvalidReply) as caught:
                    await chat.ask("Plan", into=int, turn_id="t")
                assert caught.value.reply is not None
                with pytest.raises(InvalidInput, match="belongs to another question"):
                    await chat.ask("Another", into=Plan, turn_id="t")

    play(runtime, scenario)
    assert len(provider.requests) == 2


def test_what_failed_is_asked_again_under_the_same_id(runtime: str, way: str) -> None:
    bad = [said({"title": place}, way, place=place) for place in range(2)]
    provider = Able([*bad, said(DAY, way, place=3)], way)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            with pytest.raises(InvalidReply):
                await chat.ask("Plan", into=Plan, turn_id="t", attempts=2)
            assert await chat.ask("Plan", into=Plan, turn_id="t") == PLAN
            assert chat.usage.requests == 3

    play(runtime, scenario)


def test_a_process_that_died_in_the_middle_of_an_ask(runtime: str) -> None:
    """The journal as a killed process leaves it: a reply that was discarded, and half of another one."""

    async def scenario(open_chat: Opener) -> None:
        store = MemoryStore()
        lease = store.acquire("c", "gone")
        assert lease is not None
        left = [
            TurnStarted("t", user("Plan"), "m"),
            PartialReply("t", "no", ""),
            Discarded("t", assistant("no"), "because"),
            PartialReply("t", WHOLE[:25], ""),
        ]
        store.append("c", left, expect=0, lease=lease, durable=True)
        store.release(lease)
        provider = Able([WHOLE[25:]])
        async with open_chat(provider, store=store, name="c") as chat:
            assert chat.messages[-1].text == WHOLE[:25]
            assert len((await chat.ask("Plan", into=Plan, turn_id="t")).steps) == 8
            assert roles(chat.messages) == "ua"
        assert len(provider.requests) == 1

    play(runtime, scenario)


@pytest.mark.parametrize("results", [0, 1])
def test_a_process_that_died_when_the_answer_was_there(runtime: str, results: int) -> None:
    """The call was begun, or even done: nothing is asked again, and its arguments are the value."""

    async def scenario(open_chat: Opener) -> None:
        store = MemoryStore()
        lease = store.acquire("c", "gone")
        assert lease is not None
        done = [ToolFinished("t", ToolResult("a1", "Received."))]
        called = [TurnStarted("t", user("Plan"), "m"), Replied("t", assistant(given(DAY))), ToolStarted("t", "a1")]
        store.append("c", [*called, *done[:results]], expect=0, lease=lease, durable=True)
        store.release(lease)
        provider = Able([], "call")
        async with open_chat(provider, store=store, name="c") as chat:
            assert await chat.ask("Plan", into=Plan, turn_id="t") == PLAN
            assert roles(chat.messages) == "uat"
        assert provider.requests == []

    play(runtime, scenario)


def test_an_answer_beside_a_call_that_waits(runtime: str) -> None:
    def delete() -> str:
        """Remove all."""
        return "gone"

    provider = Able([assistant(given(DAY), ToolCall("d1", "delete"))], "call")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider, tools=[tool(approve="ask")(delete)]) as chat:
            with pytest.raises(IncompleteReply, match="is awaiting approval"):
                await chat.ask("Plan", into=Plan, turn_id="t")
            done = chat.pending[0].reject("No.")
            if runtime != "blocking":
                await done
            assert await chat.ask("Plan", into=Plan, turn_id="t") == PLAN

    play(runtime, scenario)
    assert len(provider.requests) == 1


def test_what_is_left_can_be_resumed_as_a_text(runtime: str) -> None:
    provider = Able([[WHOLE[:30], WHOLE[30:]], WHOLE[30:]])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            turn = chat.stream_ask("Plan", into=Plan, turn_id="t")
            await collect(turn, stop_after=1)
            assert (await chat.resume()).text == WHOLE
            assert len((await chat.ask("Plan", into=Plan, turn_id="t")).steps) == 8

    play(runtime, scenario)
    assert len(provider.requests) == 2


# --- taken back, forked


def test_going_back_after_an_ask(runtime: str, way: str) -> None:
    provider = Able([said(DAY, way), "a text", said(DAY, way, place=3), "edited", "forked"], way)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            await chat.ask("Plan", into=Plan)
            before = chat.messages
            fork = await chat.fork()
            assert (await chat.retry()).text == "a text"
            assert roles(chat.messages) == "ua"
            assert roles(await chat.undo()) == "ua"
            assert chat.messages == ()
            assert await chat.ask("Plan", into=Plan) == PLAN
            assert (await chat.edit(0, "Speak")).text == "edited"
            assert fork.messages == before
            assert (await fork.send("And?")).text == "forked"

    play(runtime, scenario)
    last = provider.requests[-1].messages
    assert roles(last) == ("uatau" if way == "call" else "uau").replace("uatau", "uatu")


def test_the_journal_of_an_ask(way: str) -> None:
    provider, store = Able([said({"title": 1}, "words"), said(DAY, way)], way), MemoryStore()
    with Conversation(provider, store=store, name="c") as chat:
        chat.ask("Plan", into=Plan)
    found = [type(entry.record).__name__ for entry in store.read("c")]
    end = ["Replied", "ToolStarted", "ToolFinished"] if way == "call" else ["Replied"]
    assert found == ["TurnStarted", "Discarded", *end, "TurnEnded"]


# --- many at once


def test_two_hundred_asks_at_once(runtime: str) -> None:
    simulator = Simulator(seed=1)
    simulator.script(["answer without json", "think 2 words"] * 20)

    async def scenario(open_chat: Opener) -> None:
        store = MemoryStore()
        count = 200 if runtime != "blocking" else 40
        chats = [open_chat(simulator, store=store) for _ in range(count)]
        values = await open_chat.together(
            *[lambda chat=chat: chat.ask("Plan", into=Plan, attempts=9) for chat in chats]
        )
        assert [value for value in values if not isinstance(value, Plan)] == []
        assert {roles(chat.messages) for chat in chats} == {"ua"}

    play(runtime, scenario)
    assert simulator.clean()


def test_a_server_error_in_the_middle_keeps_the_beginning(runtime: str) -> None:
    provider = Able([[WHOLE[:30]], ServerError("down", status=500), WHOLE[30:]])

    async def scenario(open_chat: Opener) -> None:
        settings = {"retry": RetryPolicy(max_attempts=1), "continuation": Continuation(on_error="raise")}
        async with open_chat(provider, **settings) as chat:
            with pytest.raises(ServerError) as caught:
                await chat.ask("Plan", into=Plan, turn_id="t")
            assert caught.value.reply is not None
            assert caught.value.reply.text == WHOLE[:30]
            assert len((await chat.ask("Plan", into=Plan, turn_id="t")).steps) == 8

    play(runtime, scenario)

"""History is never poisoned: whatever happened before, each call has exactly one result in each request that leaves.

The cases by the names that tests/runtime/test_misbehaviours.py explains, here with tools that run.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest
from loop_bench import Script, calls, check, results, until
from scenarios import Opener, play

from agentkit import (
    Continuation,
    Conversation,
    Message,
    Options,
    Outcome,
    StaleWriter,
    StoreError,
    TextDelta,
    ToolCall,
    ToolCallFinished,
    ToolCallStarted,
    ToolContext,
    ToolResult,
    assistant,
    tool,
    user,
)
from agentkit._runtime.keeper import KEEPER
from agentkit._runtime.session import holder_of
from agentkit.errors import ConnectionLost, ServerError
from agentkit.stores.memory import MemoryStore
from agentkit.stores.sqlite import SQLiteStore
from agentkit.testing import Cut, RecordingStore, ScriptedProvider

CUT = ToolCall("c1", "weather", raw='{"city": "Par')
WHOLE = ToolCall("c1", "weather", {"city": "Paris"})


class Town:
    """The weather, and how often it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

        @tool
        def weather(city: str) -> str:
            """The weather in a city."""
            self.asked.append(city)
            return f"sun in {city}"

        self.weather = weather


def test_t3_a_call_cut_at_the_limit_is_asked_for_again_with_more_room_and_never_run(runtime: str) -> None:
    town = Town()
    script = Script(calls(CUT), calls(WHOLE), "done", cut=[0])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[town.weather], options=Options(max_tokens=40)) as chat:
            reply = await chat.send("go")
            assert (reply.text, reply.outcome) == ("done", Outcome.COMPLETE)

    play(runtime, scenario)
    assert town.asked == ["Paris"]
    first, second, third = script.requests
    assert (first.options.max_tokens, third.options.max_tokens) == (40, 40)
    assert (second.options.max_tokens or 0) > 40
    assert script.told() == {"c1": "sun in Paris"}


def test_t3_a_call_that_is_cut_again_and_again_ends_the_turn_and_the_conversation_goes_on(runtime: str) -> None:
    town = Town()
    script = Script(calls(CUT), calls(CUT), "on", cut=[0, 1])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[town.weather]) as chat:
            with pytest.raises(Exception, match="cut") as caught:
                await chat.send("go")
            assert caught.value.reply.outcome is Outcome.TRUNCATED
            assert len(script.requests) == 2
            assert (await chat.send("on?")).text == "on"
            check(script.requests[-1].messages)

    play(runtime, scenario)
    assert town.asked == []


def test_t3_a_whole_call_beside_a_cut_one_does_not_run_half_of_the_reply(runtime: str) -> None:
    town = Town()
    cut = calls(WHOLE, ToolCall("c2", "weather", raw='{"city": '))
    script = Script(cut, calls(WHOLE, ToolCall("c2", "weather", {"city": "Rome"})), "done", cut=[0])
    play(runtime, lambda open_chat: open_chat(script.provider, tools=[town.weather]).send("go"))
    assert sorted(town.asked) == ["Paris", "Rome"]
    off = Script(cut, "on", cut=[0])

    async def scenario(open_chat: Opener) -> None:
        none = Continuation(max_attempts=0)
        async with open_chat(off.provider, tools=[town.weather], continuation=none) as chat:
            reply = await chat.send("go")
            assert reply.outcome is Outcome.TRUNCATED
            assert (await chat.send("on")).text == "on"
            assert len(off.requests) == 2

    play(runtime, scenario)
    assert len(town.asked) == 2


def test_t4_a_cut_call_that_is_said_to_be_whole_is_not_run_either(runtime: str) -> None:
    town = Town()
    script = Script(calls(CUT), calls(WHOLE), "done")
    play(runtime, lambda open_chat: open_chat(script.provider, tools=[town.weather]).send("go"))
    assert town.asked == ["Paris"]
    assert script.told() == {"c1": "sun in Paris"}


def test_a_malformed_call_is_told_to_the_model(runtime: str) -> None:
    town = Town()
    for raw in ('{"city": Paris}', '["Paris"]', '"Paris"', "null", '{"city": NaN}', "{'city': 'Paris'}"):
        script = Script(calls(ToolCall("c1", "weather", raw=raw)), calls(WHOLE), "done")
        play(runtime, lambda open_chat, s=script: open_chat(s.provider, tools=[town.weather]).send("go"))
        assert "so weather was not run" in script.told(1)["c1"], raw
        assert script.told()["c1-2"] == "sun in Paris"
    assert town.asked == ["Paris"] * 6


@pytest.mark.parametrize(
    "ids",
    [["", ""], ["x", "x"], ["x" * 300, "x" * 300], ["ä ö/ü", "ä ö/ü"], ["call_1", "call_1-2"], ["c", "c", "c-2"]],
)
def test_calls_with_missing_double_and_unfit_ids_keep_their_results(runtime: str, ids: list[str]) -> None:
    town = Town()
    made = [ToolCall(each, "weather", {"city": f"{place}"}) for place, each in enumerate(ids)]
    script = Script(calls(*made), calls(*made), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[town.weather]) as chat:
            reply = await chat.send("go")
            assert [r.content for r in reply.tool_results] == [f"sun in {n}" for n in range(len(ids))] * 2

    play(runtime, scenario)
    assert list(script.told().values()) == [f"sun in {n}" for n in range(len(ids))] * 2
    check(script.requests[-1].messages)


def imported(case: str) -> list[Message]:
    called = assistant(ToolCall("a", "weather", {"city": "X"}), ToolCall("b", "weather", {"city": "Y"}))
    one = Message("tool", (ToolResult("a", "rain"),))
    match case:
        case "h1":
            return [user("q"), called, one, assistant("well")]
        case "h2":
            return [user("q"), called]
        case "h3":
            return [one, user("q"), assistant("well")]
        case _:
            return [user("q"), called, one, one, Message("tool", (ToolResult("b", "x"), ToolResult("z", "?"))), called]


@pytest.mark.parametrize("case", ["h1", "h2", "h3", "mixed"])
def test_a_broken_history_is_repaired_before_a_turn_with_tools(runtime: str, case: str) -> None:
    town = Town()
    script = Script(calls(ToolCall("a", "weather", {"city": "Rome"})), "done", "again")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[town.weather], messages=imported(case)) as chat:
            assert (await chat.send("go")).text == "done"
            assert (await chat.send("once more")).text == "again"
        first, second, third = ([*request.messages] for request in script.requests)
        assert second[: len(first)] == first, "repair gives the same each time"
        assert third[: len(second)] == second
        assert "sun in Rome" in [result.content for result in results(third)]

    play(runtime, scenario)
    assert town.asked == ["Rome"]


def test_i1_a_stop_in_the_reply_after_tools_keeps_words_and_results(runtime: str) -> None:
    town = Town()
    script = Script(calls(WHOLE), ["one ", 0.01, "two ", 5.0, "three"], "two three", "on")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[town.weather]) as chat:
            said = ""
            async with chat.stream("go") as turn:
                async for event in turn:
                    said += event.text if isinstance(event, TextDelta) else ""
                    if said == "one two ":
                        turn.stop()
            assert turn.reply.text == said
            assert turn.reply.message.interrupted
            assert chat.messages[-1].text == said
            assert (await chat.send("on")).text == "two three"
            assert script.told() == {"c1": "sun in Paris"}

    play(runtime, scenario)
    assert town.asked == ["Paris"]


def test_k2_what_finished_before_the_turn_was_cut_off_is_not_run_again(runtime: str) -> None:
    """Three at a time, the third of which never ends in this life; a real kill is in test_loop_kill.py."""
    ran: list[str] = []
    go = threading.Event()

    @tool(rerun="rerun")
    def work(name: str, context: ToolContext) -> str:
        ran.append(name)
        if name == "third" and ran.count("third") == 1:
            go.wait(20)
            raise RuntimeError("this life is over")
        return f"{name} done"

    script = Script(calls(*[("work", {"name": name}) for name in ("first", "third", "second")]), "all done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[work]) as chat:
            finished = 0
            async with chat.stream("go") as turn:
                async for event in turn:
                    finished += isinstance(event, ToolCallFinished)
                    if finished == 2:
                        break
            assert [result.content for result in results(chat.messages)] == ["first done", "second done"]
            reply = await chat.resume()
            assert (reply.text, reply.outcome) == ("all done", Outcome.COMPLETE)
            # in the order of the calls, though one of them came days later
            assert [result.content for result in reply.tool_results] == ["first done", "third done", "second done"]

    try:
        play(runtime, scenario)
    finally:
        go.set()
    assert sorted(ran) == ["first", "second", "third", "third"]
    assert list(script.told()) == ["c1", "c2", "c3"]


def test_a_fork_in_the_middle_of_a_round_has_what_finished_and_asks_about_the_rest(runtime: str) -> None:
    begun, go = threading.Event(), threading.Event()
    ran: list[str] = []

    def quick() -> str:
        ran.append("quick")
        return "quick"

    def slow() -> str:
        ran.append("slow")
        begun.set()
        go.wait(20)
        return "slow"

    script = Script(calls("quick", "slow"), "done", "forked")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[quick, slow]) as chat:
            async with chat.stream("go") as turn:
                async for event in turn:
                    if isinstance(event, ToolCallFinished) and event.call.name == "quick":
                        until(begun.is_set)
                        other = await chat.fork()
                        go.set()
            assert turn.reply.text == "done"
            reply = await other.resume()
            assert reply.outcome is Outcome.AWAITING_APPROVAL
            assert [pending.call.name for pending in other.pending] == ["slow"]
            assert (await other.send("leave it")).text == "forked"
            assert script.told()["c1"] == "quick"
            await other.__aexit__(None, None, None)

    play(runtime, scenario)
    assert ran.count("quick") == 1


def test_the_tools_may_change_from_turn_to_turn(runtime: str) -> None:
    town = Town()
    script = Script(calls(WHOLE), "one", calls(WHOLE), "two", "three")

    async def scenario(open_chat: Opener) -> None:
        store = MemoryStore()

        def opened(*tools: Any) -> Any:
            return open_chat(script.provider, tools=tools, store=store, name="n")

        async with opened(town.weather) as chat:
            await chat.send("go")
        async with opened(tool(name="other")(lambda: "x")) as chat:
            assert (await chat.send("go")).text == "two"
        async with opened() as chat:
            assert (await chat.send("go")).text == "three"

    play(runtime, scenario)
    assert town.asked == ["Paris"]
    assert list(script.told().values()) == [
        "sun in Paris",
        "There is no tool 'weather', so nothing was run. The tools are: other.",
    ]


# --- several backends


def test_another_backend_goes_on_in_the_middle_of_the_loop(runtime: str) -> None:
    town = Town()
    first = ScriptedProvider([calls(WHOLE), ServerError("down", status=500), ServerError("down", status=500)])
    second = Script("sun, says the other")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat([first, second.provider], tools=[town.weather]) as chat:
            reply = await chat.send("go")
            assert (reply.text, reply.outcome) == ("sun, says the other", Outcome.COMPLETE)

    play(runtime, scenario)
    assert second.told() == {"c1": "sun in Paris"}
    assert town.asked == ["Paris"]


def test_a_text_that_was_cut_and_goes_on_with_a_call_is_one_reply(runtime: str) -> None:
    town = Town()
    script = Script(Cut("I will look at the weather "), assistant("in Paris.", WHOLE), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[town.weather]) as chat:
            turn = chat.stream("go")
            said = ""
            async for event in turn:
                said += event.text if isinstance(event, TextDelta) else ""
                if isinstance(event, ToolCallStarted):
                    assert said == "I will look at the weather in Paris."
                    said = ""
            assert said == turn.reply.text == "done"
            called = turn.reply.messages[1]
            assert called.text == "I will look at the weather in Paris."
            assert [segment.end for segment in turn.reply.segments] == [4]

    play(runtime, scenario)
    assert town.asked == ["Paris"]


def test_a_reply_that_was_cut_off_goes_on_and_calls_and_its_segments_stay_its_own(runtime: str) -> None:
    town = Town()
    script = Script(["I look", 5.0], assistant(" around.", WHOLE), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[town.weather]) as chat:
            async with chat.stream("go") as turn:
                async for event in turn:
                    if isinstance(event, TextDelta):
                        turn.stop()
            assert turn.reply.text == "I look"
            reply = await chat.resume()
            assert [message.text for message in reply.messages] == ["go", "I look around.", "", "done"]
            assert [(segment.start, segment.end) for segment in reply.segments] == [(0, 4)]

    play(runtime, scenario)


# --- a store that fails


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_store_that_fails_at_any_call_leaves_a_valid_history(kind: str, when: Any, tmp_path: Any) -> None:
    for number in range(1, 200):
        ran: list[str] = []

        @tool(rerun="fail")
        def act(name: str) -> str:
            ran.append(name)  # noqa: B023
            return f"{name} done"

        inner = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / f"{number}.db", lease_seconds=0.5)
        store = RecordingStore(inner, fail_at=number, when=when)
        answers = [calls(("act", {"name": "a"}), ("act", {"name": "b"})), "done"]
        script = Script(*answers, *answers, *answers)
        with Conversation(script.provider, tools=[act], store=store, name="n") as chat, suppress(StoreError):
            chat.send("go", turn_id="t")
        failed, store.fail_at = len(store.calls) >= number, None
        with Conversation(script.provider, tools=[act], store=store, name="n") as chat:
            script.provider._answers[:] = ["done"] if results(chat.messages) or ran else [*answers]
            reply = chat.send("go", turn_id="t")
            assert reply.text == "done"
            check(chat.messages)
            check(script.requests[-1].messages)
            kept = {result.call_id: result for result in results(chat.messages)}
        assert ran.count("a") <= 1
        assert ran.count("b") <= 1
        assert {f"{name} done" for name in ran} <= {result.content for result in kept.values()}, (
            "one failure loses nothing"
        )
        inner.close()
        if not failed:
            break
    assert 5 < number < 199


def test_a_writer_that_was_overtaken_in_the_middle_of_a_round_writes_nothing_more(tmp_path: Any) -> None:
    path = tmp_path / "chat.db"
    slow, fast = SQLiteStore(path, lease_seconds=0.2), SQLiteStore(path, lease_seconds=0.2)
    begun, go = threading.Event(), threading.Event()

    @tool(rerun="fail")
    def hang() -> str:
        begun.set()
        go.wait(20)
        return "too late"

    script = Script(calls("hang"), "taken over", "never")
    errors: list[BaseException] = []
    chat = Conversation(script.provider, tools=[hang], store=slow, name="n")

    def run() -> None:
        try:
            chat.send("go", turn_id="t")
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    until(begun.is_set)
    with Conversation(script.provider, tools=[hang], store=fast, name="n") as other:
        holder = holder_of(slow, "n")
        assert holder is not None
        KEEPER.remove(holder)  # as if this process slept for a while
        assert other.send("go", turn_id="t").text == "taken over"
        go.set()
        thread.join(20)
        assert isinstance(errors[0], StaleWriter)
        check(other.messages)
        assert "not known whether this call ran" in script.told(1)["c1"]
    chat.close()
    slow.close()
    fast.close()


def test_a_connection_that_breaks_between_rounds_loses_no_result(runtime: str) -> None:
    town = Town()
    script = Script(calls(WHOLE), ConnectionLost("gone"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[town.weather]) as chat:
            with pytest.raises(ConnectionLost) as caught:
                await chat.send("go")
            assert caught.value.reply is not None
            assert caught.value.reply.outcome is Outcome.INTERRUPTED
            assert (await chat.resume()).text == "done"
            assert script.told() == {"c1": "sun in Paris"}

    play(runtime, scenario)
    assert town.asked == ["Paris"]


def test_the_calls_of_a_filtered_reply_are_not_run() -> None:
    town = Town()
    with Conversation(Filtering([calls(WHOLE), "on"]), tools=[town.weather]) as chat:
        assert chat.send("go").outcome is Outcome.FILTERED
        assert chat.send("on").text == "on"
    assert town.asked == []


class Filtering(ScriptedProvider):
    """Its first answer is stopped by a filter."""

    def next_answer(self) -> list[bytes | float]:
        lines = super().next_answer()
        return [*lines[:-1], b'{"finish": "filtered"}\n'] if len(self.requests) == 1 else lines

"""What the tool loop does, without an event loop, on asyncio and on trio."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import Any

import anyio
import pytest
from loop_bench import Gate, Script, calls, names, until
from scenarios import Opener, collect, play

from agentkit import (
    ApprovalNeeded,
    Conversation,
    InvalidInput,
    Notice,
    Options,
    Outcome,
    TextDelta,
    ToolCall,
    ToolCallFinished,
    ToolCallStarted,
    ToolContext,
    ToolError,
    ToolProgress,
    ToolUse,
    TurnFinished,
    Usage,
    assistant,
    tool,
)
from agentkit.messages import Text
from agentkit.sim import Simulator
from agentkit.usage import FinishReason

pytestmark = pytest.mark.usefixtures("no_threads_left")


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sun in {city}"


def test_a_call_is_run_and_the_model_goes_on_with_its_result(runtime: str) -> None:
    script = Script(assistant("I look.", *calls(("weather", {"city": "Rome"})).parts), "It is sunny.")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[weather]) as chat:
            turn = chat.stream("How is the weather in Rome?")
            events = await collect(turn)
            reply = turn.reply
            kinds = ["TextDelta", "ToolCallStarted", "ToolCallFinished", "TextDelta", "TurnFinished"]
            assert names(events) == kinds
            assert (reply.text, reply.outcome) == ("It is sunny.", Outcome.COMPLETE)
            assert [message.role for message in reply.messages] == ["user", "assistant", "tool", "assistant"]
            assert [result.content for result in reply.tool_results] == ["sun in Rome"]
            assert reply.tool_errors == ()
            assert chat.messages == reply.messages
            assert [segment.end for segment in reply.segments] == [len("It is sunny.")]
            last = max(place for place, event in enumerate(events) if isinstance(event, ToolCallFinished))
            after = "".join(event.text for event in events[last:] if isinstance(event, TextDelta))
            assert after == reply.text
        assert script.told() == {"c1": "sun in Rome"}

    play(runtime, scenario)


def test_calls_run_at_the_same_time_and_no_more_than_the_cap(runtime: str) -> None:
    gate = Gate()

    def busy(number: int) -> int:
        with gate:
            time.sleep(0.01 * (number % 3))
            return number

    async def busy_async(number: int) -> int:
        with gate:
            await anyio.sleep(0.01 * (number % 3))
            return number

    for made, count, cap in ((busy, 200, 8), (busy_async, 200, 8), (busy, 5, 1)):
        if made is busy_async and runtime == "blocking":
            continue
        gate.most = gate.all = 0
        script = Script(calls(*((made.__name__, {"number": number}) for number in range(count))), "done")

        async def scenario(open_chat: Opener, made: Any = made, cap: int = cap, script: Script = script) -> None:
            async with open_chat(script.provider, tools=[made], tool_use=ToolUse(max_parallel=cap)) as chat:
                reply = await chat.send("go")
                assert [result.content for result in reply.tool_results] == [str(n) for n in range(count)]  # noqa: B023
                assert len(script.told()) == count  # noqa: B023

        play(runtime, scenario)
        assert gate.all == count
        assert gate.most <= cap
        assert gate.most > 1 or cap == 1


def test_a_tool_that_takes_too_long_is_left_behind_and_told_so(runtime: str) -> None:
    seen = threading.Event()

    @tool(timeout=0.05)
    def slow(context: ToolContext) -> str:
        """Waits to be cancelled."""
        until(context.cancelled)
        seen.set()
        return "too late"

    script = Script(calls("slow", ("weather", {"city": "Oslo"})), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[slow, weather]) as chat:
            reply = await chat.send("go")
            assert [error.__cause__.__class__ for error in reply.tool_errors] == [TimeoutError]

    play(runtime, scenario)
    assert "not done after 0.05 seconds" in script.told()["c1"]
    assert script.told()["c2"] == "sun in Oslo"
    assert seen.wait(10)


@pytest.mark.parametrize("runtime", ["asyncio", "trio"])
def test_an_async_tool_that_takes_too_long_is_cancelled(runtime: str) -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await anyio.sleep(60)
        finally:
            ended.append("cancelled")

    script = Script(calls("slow"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[slow], tool_use=ToolUse(timeout=0.05)) as chat:
            assert (await chat.send("go")).text == "done"
            await anyio.sleep(0.01)

    play(runtime, scenario)
    assert ended == ["cancelled"]


def test_a_tool_that_fails_is_run_again_as_often_as_it_says(runtime: str) -> None:
    keys: list[str] = []

    @tool(retries=2)
    def flaky(context: ToolContext) -> str:
        """Works the third time."""
        keys.append(context.key)
        if len(keys) < 3:
            raise OSError("not yet")
        return "at last"

    @tool(retries=1)
    def hopeless() -> str:
        """Never works."""
        raise ValueError("no")

    script = Script(calls("flaky", "hopeless"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[flaky, hopeless]) as chat:
            reply = await chat.send("go")
            assert [str(error) for error in reply.tool_errors] == ["hopeless failed: ValueError: no"]

    play(runtime, scenario)
    assert script.told() == {"c1": "at last", "c2": "ValueError: no"}
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0]


def test_a_long_result_is_cut_and_the_cut_is_marked(runtime: str) -> None:
    def long() -> str:
        return "a" * 40_000 + "the middle" + "z" * 40_000

    @tool(max_output=200)
    def shorter() -> str:
        return "b" * 1000

    script = Script(calls("long", "shorter"), "done")
    play(runtime, lambda open_chat: open_chat(script.provider, tools=[long, shorter]).send("go"))
    told = script.told()
    assert len(told["c1"]) <= 32_000
    assert "characters left out" in told["c1"]
    assert told["c1"][0] + told["c1"][-1] == "az"
    assert len(told["c2"]) <= 200
    assert "characters left out" in told["c2"]


def test_what_the_model_gets_wrong_is_answered_so_that_it_can_be_mended(runtime: str) -> None:
    ran: list[str] = []

    def note(text: str, times: int = 1) -> str:
        ran.append(text)
        return "noted"

    script = Script(
        calls(("noted", {"text": "x"}), ("note", {"words": "x"}), ("note", {"text": "x", "times": "many"})),
        calls(("note", {"text": "right"})),
        "done",
    )
    play(runtime, lambda open_chat: open_chat(script.provider, tools=[note, weather]).send("go"))
    assert ran == ["right"]
    told = script.told(1)
    assert told["c1"].startswith("There is no tool 'noted'")
    assert "note" in told["c1"]
    assert "text" in told["c2"]
    assert "times" in told["c3"]
    assert script.told(2)["c1-2"] == "noted"


def test_an_exception_is_told_to_the_model_and_kept_for_the_user(runtime: str) -> None:
    def broken() -> None:
        raise PermissionError(13, "Permission denied", "/home/me/secret/plan.txt")

    script = Script(calls("broken"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[broken]) as chat:
            turn = chat.stream("go")
            finished = [event for event in await collect(turn) if isinstance(event, ToolCallFinished)]
            assert isinstance(finished[0].error, PermissionError)
            assert turn.reply.tool_errors[0].__cause__ is finished[0].error
            assert finished[0].result.is_error

    play(runtime, scenario)
    assert script.told() == {"c1": "PermissionError: Permission denied: plan.txt"}


def test_an_exception_ends_the_turn_where_the_settings_say_so(runtime: str) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    script = Script(calls("broken", ("weather", {"city": "Rome"})), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[broken, weather], tool_use=ToolUse(on_error="raise")) as chat:
            with pytest.raises(ToolError, match="broken failed: ZeroDivisionError") as caught:
                await chat.send("go")
            assert isinstance(caught.value.__cause__, ZeroDivisionError)
            reply = caught.value.reply
            assert reply is not None
            assert len(reply.tool_results) == 2
            assert (await chat.resume()).text == "done"

    play(runtime, scenario)
    assert script.told() == {"c1": "ZeroDivisionError", "c2": "sun in Rome"}


# --- limits


def endless(script_length: int = 20) -> Script:
    return Script(*[calls(("weather", {"city": "Rome"})) for _ in range(script_length)])


def test_the_number_of_rounds_is_limited_and_resume_goes_on(runtime: str) -> None:
    script = endless()

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[weather], tool_use=ToolUse(max_rounds=3)) as chat:
            reply = await chat.send("go")
            assert (reply.outcome, reply.finish_reason) == (Outcome.TRUNCATED, FinishReason.TOOL_CALLS)
            assert reply.reason == "max_rounds=3 rounds of tools were made"
            assert len(script.requests) == 4
            assert len(reply.tool_results) == 3
            again = await chat.resume()
            assert len(again.tool_results) == 6
            assert len(script.requests) == 7
            await chat.resume()

    play(runtime, scenario)


def test_the_number_of_calls_is_limited() -> None:
    script = Script(calls(*[("weather", {"city": str(n)}) for n in range(3)]), calls(("weather", {"city": "x"})), "end")
    with Conversation(script.provider, tools=[weather], tool_use=ToolUse(max_calls=3)) as chat:
        reply = chat.send("go")
        assert reply.reason == "max_calls=3 does not allow 1 more after 3"
        assert reply.outcome is Outcome.TRUNCATED
        assert chat.resume().text == "end"
    script = Script(calls(*[("weather", {"city": str(n)}) for n in range(4)]), "end")
    with Conversation(script.provider, tools=[weather], tool_use=ToolUse(max_calls=3)) as chat:
        assert chat.send("go").outcome is Outcome.TRUNCATED
        assert chat.send("something else").text == "end"
    assert set(script.told().values()) == {"No result: the tool was not run to its end."}


def test_the_cost_is_limited_and_counts_the_reply_that_calls() -> None:
    ran: list[str] = []

    def spend(what: str) -> None:
        ran.append(what)

    use = ToolUse(max_cost=50, price=lambda usage: usage.requests * 30)
    script = Script(*[calls(("spend", {"what": str(n)})) for n in range(5)])
    with Conversation(script.provider, tools=[spend], tool_use=use) as chat:
        reply = chat.send("go")
        assert reply.reason == "max_cost=50 is reached"
    assert ran == ["0"]
    assert len(script.requests) == 2


def test_the_time_is_limited_from_the_beginning_of_the_turn(runtime: str) -> None:
    ran: list[str] = []

    def note() -> None:
        ran.append("x")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(Simulator(), tools=[note], tool_use=ToolUse(max_seconds=0.1)) as chat:
            reply = await chat.send("wait 0.2 seconds, call note")
            assert (reply.outcome, reply.reason) == (Outcome.TRUNCATED, "max_seconds=0.1 is reached")
            assert ran == []
            assert (await chat.resume()).outcome is Outcome.COMPLETE

    play(runtime, scenario)
    assert ran == ["x"]


# --- when it is enough


def test_a_tool_can_end_the_turn_and_so_can_a_condition(runtime: str) -> None:
    @tool(ends_turn=True)
    def hand_over(to: str) -> str:
        if not to:
            raise ValueError("to whom?")
        return f"handed to {to}"

    script = Script(calls(("hand_over", {"to": ""})), calls(("hand_over", {"to": "Ann"})), "next")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[hand_over]) as chat:
            reply = await chat.send("go")
            assert (reply.outcome, reply.finish_reason) == (Outcome.COMPLETE, FinishReason.TOOL_CALLS)
            assert reply.tool_results[-1].content == "handed to Ann"
            assert len(script.requests) == 2
            assert (await chat.send("and now?")).text == "next"
            assert len(script.requests) == 3
        use = ToolUse(stop_when=lambda pairs: any("Bonn" in result.content for _, result in pairs))
        towns = Script(calls(("weather", {"city": "Rome"})), calls(("weather", {"city": "Bonn"})))
        async with open_chat(towns.provider, tools=[weather], tool_use=use) as chat:
            reply = await chat.send("go")
            assert reply.outcome is Outcome.COMPLETE
            assert len(towns.requests) == 2

    play(runtime, scenario)


def test_a_condition_that_fails_ends_the_turn_with_its_own_exception(runtime: str) -> None:
    def wrong(pairs: object) -> bool:
        raise LookupError("oops")

    script = Script(calls(("weather", {"city": "Rome"})), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[weather], tool_use=ToolUse(stop_when=wrong), name="w") as chat:
            with pytest.raises(LookupError):
                await chat.send("go")
            assert [message.role for message in chat.messages] == ["user", "assistant", "tool"]
            assert (await chat.send("on")).text == "done"

    play(runtime, scenario)


def test_what_is_demanded_holds_until_a_tool_has_run(runtime: str) -> None:
    simulator = Simulator(seed=3)

    async def scenario(open_chat: Opener) -> None:
        options = Options(tool_choice="required", parallel_tool_calls=False)
        async with open_chat(simulator, tools=[weather], options=options) as chat:
            reply = await chat.send("say fine")
            assert reply.text == "fine"
            first, second = (request.json for request in simulator.requests if request.json)
            assert first["tool_choice"] == "required"
            assert second.get("tool_choice", "auto") == "auto"
            assert first["parallel_tool_calls"] is second["parallel_tool_calls"] is False
        async with open_chat(simulator, tools=[weather], options=Options(tool_choice="weather")) as chat:
            assert len((await chat.send("say fine")).tool_results) == 1
        async with open_chat(simulator, tools=[weather], options=Options(tool_choice="none")) as chat:
            assert (await chat.send("call weather")).tool_results == ()

    play(runtime, scenario)
    assert simulator.clean()


# --- what a tool knows


def test_a_running_tool_reports_and_knows_where_it_runs(runtime: str) -> None:
    seen: list[ToolContext] = []

    def count(to: int, context: ToolContext) -> str:
        seen.append(context)
        for number in range(to):
            context.report(f"{number + 1} of {to}")
        return "counted"

    script = Script(calls(("count", {"to": 3})), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[count], name="town") as chat:
            turn = chat.stream("go", turn_id="t7")
            events = await collect(turn)
            said = [event.message for event in events if isinstance(event, ToolProgress)]
            assert said == ["1 of 3", "2 of 3", "3 of 3"]
            started, *middle, finished = names(events)[:5]
            assert (started, finished) == ("ToolCallStarted", "ToolCallFinished")
            assert set(middle) == {"ToolProgress"}

    play(runtime, scenario)
    context = seen[0]
    assert (context.conversation, context.turn_id, context.call_id) == ("town", "t7", "c1")
    context.report("after the end")


VOICE: contextvars.ContextVar[str] = contextvars.ContextVar("voice", default="nobody")


def test_context_variables_are_seen_in_tools(runtime: str) -> None:
    def who() -> str:
        return VOICE.get()

    async def who_async() -> str:
        await anyio.sleep(0)
        return VOICE.get()

    def who_later() -> Any:
        return who_async()

    tools = [who] if runtime == "blocking" else [who, who_async, who_later]
    script = Script(calls(*(made.__name__ for made in tools)), "done")

    async def scenario(open_chat: Opener) -> None:
        VOICE.set("me")
        async with open_chat(script.provider, tools=tools) as chat:
            reply = await chat.send("go")
            assert {result.content for result in reply.tool_results} == {"me"}

    contextvars.copy_context().run(play, runtime, scenario)


def test_sync_tools_run_in_threads_of_their_own(runtime: str) -> None:
    def where() -> str:
        return threading.current_thread().name

    script = Script(calls("where"), "done")
    play(runtime, lambda open_chat: open_chat(script.provider, tools=[where]).send("go"))
    assert script.told() == {"c1": "agentkit tool where"}


def test_an_async_tool_is_refused_at_once_by_the_blocking_face() -> None:
    async def later() -> str:
        return "x"

    class Caller:
        async def __call__(self) -> str:
            return "x"

    for made in (later, tool(later), Caller()):
        with pytest.raises(InvalidInput, match="is async: use AsyncConversation, or give a plain function"):
            Conversation("sim", tools=[made])

    def disguised() -> Any:
        return later()

    script = Script(calls("disguised"), "done")
    with Conversation(script.provider, tools=[disguised]) as chat:
        assert chat.send("go").text == "done"
    assert "the tool is async: use it with AsyncConversation" in script.told()["c1"]


# --- accounts


def test_usage_is_the_sum_of_what_the_backend_counted(runtime: str) -> None:
    simulator = Simulator(seed=9)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator, tools=[weather], tool_use=ToolUse(max_rounds=4)) as chat:
            reply = await chat.send('call weather with {"city": "Rome"} every time')
            assert reply.outcome is Outcome.TRUNCATED
            assert reply.usage.requests == 5 == sum(bool(request.json) for request in simulator.requests)
            assert chat.usage == reply.usage

    play(runtime, scenario)
    script = Script(assistant("one two", *calls(("weather", {"city": "x"})).parts), "three four five")
    with Conversation(script.provider, tools=[weather]) as chat:
        usage = chat.send("go").usage
        assert usage == Usage(output_tokens=5, requests=2)


def test_an_approval_is_an_event_of_its_own_and_the_last_but_one(runtime: str) -> None:
    @tool(approve="ask")
    def delete(path: str) -> str:
        return f"{path} is gone"

    script = Script(calls(("delete", {"path": "x"}), ("weather", {"city": "Rome"})), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[delete, weather]) as chat:
            events = await collect(chat.stream("go"))
            assert names(events) == ["ToolCallStarted", "ToolCallFinished", "ApprovalNeeded", "TurnFinished"]
            assert isinstance(events[2], ApprovalNeeded)
            assert events[2].call == ToolCall("c1", "delete", {"path": "x"}, raw='{"path":"x"}')
            assert isinstance(events[3], TurnFinished)
            assert events[3].reply.outcome is Outcome.AWAITING_APPROVAL

    play(runtime, scenario)


def test_all_begun_calls_are_told_of_before_any_result(runtime: str) -> None:
    script = Script(calls(*[("weather", {"city": str(n)}) for n in range(3)], "nonsense"), assistant(Text("done")))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[weather]) as chat:
            events = [event for event in await collect(chat.stream("go")) if not isinstance(event, Notice)]
            assert isinstance(events[0], ToolCallFinished)
            assert all(isinstance(event, ToolCallStarted) for event in events[1:4])
            assert all(isinstance(event, ToolCallFinished) for event in events[4:7])

    play(runtime, scenario)

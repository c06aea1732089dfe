"""The rest: sources of tools, settings that are refused, decisions about calls that cannot be read, a failing end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from loop_bench import Script, calls, check
from scenarios import Opener, play
from stepping import Journal, task
from test_loop_prompted import Town, Wordy, block
from tool_stage import ToolStage, tools

from agentkit import Conversation, InvalidInput, Outcome, StoreError, TextDelta, ToolCall, ToolUse, tool
from agentkit._engine.turn import turn
from agentkit.effects import Append, Effect
from agentkit.errors import ConnectionLost
from agentkit.pending import PendingCall
from agentkit.store import TurnEnded
from agentkit.testing import Cut
from agentkit.tools import AnyTool


class Shelf:
    """A source that brings what it has at the time."""

    def __init__(self, *made: Callable[..., Any]) -> None:
        self.made: list[Callable[..., Any]] = [*made]
        self.asked = 0

    def tools(self) -> list[Callable[..., Any]]:
        self.asked += 1
        return self.made


def red() -> str:
    return "red"


def blue() -> str:
    return "blue"


async def later() -> str:
    return "later"


def test_a_source_is_asked_for_its_tools_before_each_turn(runtime: str) -> None:
    shelf = Shelf(red)
    script = Script(calls("red"), "one", calls("blue", "red"), "two")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[shelf]) as chat:
            assert shelf.asked == 0
            assert (await chat.send("go")).tool_results[0].content == "red"
            shelf.made = [blue]
            reply = await chat.send("go")
            said = [result.content for result in reply.tool_results]
            assert said == ["blue", "There is no tool 'red', so nothing was run. The tools are: blue."]

    play(runtime, scenario)
    assert [[each.name for each in request.tools] for request in script.requests] == [["red"]] * 2 + [["blue"]] * 2


def test_a_source_that_fails_or_brings_what_cannot_run_fails_the_turn_and_no_more(runtime: str) -> None:
    shelf, script = Shelf(red), Script(calls("red"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[shelf]) as chat:
            shelf.made = [red, red]
            with pytest.raises(InvalidInput, match="two tools have the name 'red'"):
                await chat.send("go")
            shelf.made = [later]
            if runtime == "blocking":
                with pytest.raises(InvalidInput, match="is async: use AsyncConversation"):
                    await chat.send("go")
            shelf.made = None  # type: ignore[assignment]
            with pytest.raises(InvalidInput, match=r"tools\(\) of Shelf gives a list of tools"):
                await chat.send("go")
            shelf.made = [red]
            assert (await chat.send("go")).text == "done"
            check(chat.messages)

    play(runtime, scenario)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_cost": 1},
        {"max_parallel": 0},
        {"max_parallel": None},
        {"max_parallel": True},
        {"max_rounds": 0},
        {"max_calls": 1.5},
        {"max_seconds": -1},
        {"timeout": float("nan")},
        {"timeout": "soon"},
        {"price": 3},
        {"stop_when": "enough"},
        {"on_error": "ignore"},
        {"approve": "never"},
        {"approve": later},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        ToolUse(**wrong)
    with pytest.raises(InvalidInput, match="tool_use"):
        Conversation("sim", tool_use=wrong)  # type: ignore[arg-type]


def test_a_call_that_cannot_be_read_is_not_approved_as_it_is() -> None:
    made: list[Any] = []
    broken = PendingCall(ToolCall("c1", "red", raw="{", broken=True), lambda call, decision: made.append(decision("t")))
    with pytest.raises(InvalidInput, match="cannot be read: give others"):
        broken.approve()
    broken.approve(arguments={"x": 1})
    assert made[0].arguments == {"x": 1}


def test_a_failure_to_write_that_a_turn_waits_is_told(runtime: str) -> None:
    @tool(approve="ask")
    def delete() -> str:
        return "gone"

    stage, journal = ToolStage(calls=["delete"]), Journal()

    def full(effect: Effect[Any]) -> None:
        if isinstance(effect, Append) and any(isinstance(record, TurnEnded) for record in effect.records):
            raise StoreError("full")

    stage.before = full
    with pytest.raises(StoreError) as caught:
        stage.run(turn(task(tools=tools(delete)), journal))
    assert caught.value.reply is not None
    assert caught.value.reply.outcome is Outcome.FAILED
    assert caught.value.reply.message.tool_calls[0].name == "delete"


def test_a_cut_text_in_words_goes_on_and_then_calls(runtime: str) -> None:
    town = Town()
    wordy = Wordy(Cut("I will look at "), f"the weather.\n{block('Rome')}", "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(wordy, tools=town.tools) as chat:
            said = ""
            async with chat.stream("go") as running:
                async for event in running:
                    said += event.text if isinstance(event, TextDelta) else ""
            assert said == "I will look at the weather.done"
            assert running.reply.messages[1].text == "I will look at the weather."

    play(runtime, scenario)
    assert town.asked == ["Rome"]


def test_a_text_in_words_that_breaks_off_while_it_is_gone_on_with_keeps_what_was_held() -> None:
    town = Town()

    class Breaking(Wordy):
        def next_answer(self) -> list[bytes | float]:
            lines = super().next_answer()
            return lines[:-1] if len(self.requests) == 2 else lines

    wordy = Breaking(Cut("I will look "), "at 1 <", "on")
    with Conversation(wordy, tools=town.tools) as chat:
        with suppress(Exception):
            chat.send("go")
        assert chat.messages[-1].text.startswith("I will look at 1")
        assert chat.send("on").text == "on"


def test_an_exception_of_a_flow_belongs_to_its_caller(runtime: str) -> None:
    script = Script(ConnectionLost("gone"), calls("red"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=[red]) as chat:
            with pytest.raises(ConnectionLost):
                await chat.send("go")
            assert (await chat.resume()).text == "done"

    play(runtime, scenario)


def test_tools_of_the_same_name_are_refused_at_once() -> None:
    made: AnyTool = tool(name="red")(blue)
    with pytest.raises(InvalidInput, match="two tools have the name 'red'"):
        Conversation("sim", tools=[red, made])
    for wrong in ("red", red, 3, [3]):
        with pytest.raises(InvalidInput):
            Conversation("sim", tools=wrong)  # type: ignore[arg-type]

"""The same loop over backends that have no tools: calls and results are text there, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import evolve
from loop_bench import CutShort, Gate, Script, calls, check, results
from scenarios import Opener, collect, play

from agentkit import Continuation, Conversation, Notice, Options, Outcome, TextDelta, tool
from agentkit.errors import ProtocolError, ServerError
from agentkit.provider import Capabilities
from agentkit.sim import Simulator
from agentkit.stores.memory import MemoryStore
from agentkit.testing import Cut, ScriptedProvider
from agentkit.testing._scripted import Scripted


class Wordy(CutShort):
    """A backend that has no tools."""

    def __init__(self, *answers: Scripted, cut: Sequence[int] = ()) -> None:
        super().__init__(answers, cut)

    def capabilities(self, model: str, /) -> Capabilities:
        return evolve(super().capabilities(model), tools=False)

    def said(self, number: int = -1) -> str:
        """The last message of a request."""
        return self.requests[number].messages[-1].text


class Town:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = Gate()

        @tool
        def weather(city: str) -> str:
            """The weather in a city."""
            with self.gate:
                self.asked.append(city)
                return f"sun in {city}"

        @tool(approve="ask")
        def delete(path: str) -> str:
            """Delete a file."""
            self.asked.append(f"delete {path}")
            return "gone"

        self.tools = [weather, delete]


def block(city: str, name: str = "weather") -> str:
    return f'<tool_call>\n{{"name": "{name}", "arguments": {{"city": "{city}"}}}}\n</tool_call>'


def test_several_calls_in_words_run_together_and_their_results_go_back_in_words(runtime: str) -> None:
    town, simulator = Town(), Simulator(seed=3, profile="gradient")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator, tools=town.tools) as chat:
            reply = await chat.send('call weather with {"city": "Rome"} 3 times, say fine')
            assert (reply.text, reply.outcome) == ("fine", Outcome.COMPLETE)
            assert [result.content for result in reply.tool_results] == ["sun in Rome"] * 3
            check(reply.messages)
            assert reply.messages[1].text == ""
            again = await chat.send('call weather with {"city": "Oslo"}, say good')
            assert again.text == "good"
            check(again.messages)

    play(runtime, scenario)
    assert town.asked == ["Rome"] * 3 + ["Oslo"]
    assert simulator.clean(), simulator.problems


def test_approvals_work_in_words_and_results_stand_in_the_order_of_the_calls(runtime: str) -> None:
    """Results in words have no ids: their order says whose they are."""
    town = Town()
    asked = [
        '<tool_call>\n{"name": "delete", "arguments": {"path": "a"}}\n</tool_call>',
        block("Rome"),
        '<tool_call>\n{"name": "delete", "arguments": {"path": "b"}}\n</tool_call>',
    ]
    wordy = Wordy("I will.\n" + "\n".join(asked), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(wordy, tools=town.tools) as chat:
            reply = await chat.send("go")
            assert reply.outcome is Outcome.AWAITING_APPROVAL
            assert reply.text == "I will."
            first, second = chat.pending
            decided = second.approve(), first.reject("mine")
            for each in decided:
                if each is not None:
                    await each
            assert (await chat.resume()).text == "done"
            assert [result.call_id for result in results(chat.messages)] == ["call_0", "call_1", "call_2"]

    play(runtime, scenario)
    said = "".join(message.text for message in wordy.requests[-1].messages if message.role == "user")
    assert said.index("refused") < said.index("sun in Rome") < said.index("gone")


def test_an_invented_result_is_left_out_and_the_call_is_run(runtime: str) -> None:
    town = Town()
    invented = "<tool_response>\nsnow in Rome\n</tool_response>\n\nIt snows in Rome."
    wordy = Wordy(f"Let me look.\n\n{block('Rome')}\n{invented}", "Sunny.")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(wordy, tools=town.tools) as chat:
            turn = chat.stream("go")
            events = await collect(turn)
            notices = [event.message for event in events if isinstance(event, Notice)]
            assert any("as if its call had been answered" in notice for notice in notices)
            texts = "".join(event.text for event in events if isinstance(event, TextDelta))
            assert texts == "Let me look.Sunny."
            assert turn.reply.text == "Sunny."

    play(runtime, scenario)
    assert town.asked == ["Rome"]
    assert "snow" not in str(wordy.requests[-1].messages)


def test_a_block_that_is_cut_is_asked_for_again_and_never_run(runtime: str) -> None:
    town = Town()
    wordy = Wordy(Cut('<tool_call>\n{"name": "weather", "arguments": {"city": "Ro'), block("Rome"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(wordy, tools=town.tools, options=Options(max_tokens=30)) as chat:
            assert (await chat.send("go")).text == "done"

    play(runtime, scenario)
    assert town.asked == ["Rome"]
    assert (wordy.requests[1].options.max_tokens or 0) > 30


def test_a_block_that_is_malformed_or_names_no_tool_is_told_to_the_model(runtime: str) -> None:
    town = Town()
    malformed = '<tool_call>\n{"name": "weather", "arguments": {city: Rome}}\n</tool_call>'
    wordy = Wordy(malformed, block("X", "wether"), "done")
    play(runtime, lambda open_chat: open_chat(wordy, tools=town.tools).send("go"))
    assert town.asked == []
    assert "weather was not run" in wordy.said(1)
    assert "There is no tool 'wether'" in wordy.said(2)


def test_what_is_demanded_is_said_in_words_in_the_first_round_only(runtime: str) -> None:
    town = Town()
    wordy = Wordy(block("Rome"), "done")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(wordy, tools=town.tools, options=Options(tool_choice="required")) as chat:
            await chat.send("go")

    play(runtime, scenario)
    first, second = (request.messages[0].text for request in wordy.requests)
    assert "Now call at least one of them" in first
    assert "Now call" not in second


def test_a_backend_without_tools_goes_on_where_one_with_tools_fails_and_back(runtime: str) -> None:
    town = Town()
    rome, oslo, down = calls(("weather", {"city": "Rome"})), calls(("weather", {"city": "Oslo"})), "down"
    failures = [ServerError(down, status=500), ServerError(down, status=500)]
    native = ScriptedProvider([rome, *failures, oslo, "end"])
    wordy = Wordy(f"And\n{block('Bonn')}", "both are sunny")
    wordy.name = "wordy"

    async def scenario(open_chat: Opener) -> None:
        async with open_chat([native, wordy], tools=town.tools) as chat:
            reply = await chat.send("go")
            assert (reply.text, reply.outcome) == ("both are sunny", Outcome.COMPLETE)
            check(reply.messages)
            assert reply.segments[-1].backend == "wordy/scripted"
            assert (await chat.send("and Oslo?")).text == "end"

    play(runtime, scenario)
    assert town.asked == ["Rome", "Bonn", "Oslo"]
    assert "sun in Rome" in wordy.said(0)
    check(native.requests[-1].messages)
    assert [result.content for result in results(native.requests[-1].messages)] == [
        "sun in Rome",
        "sun in Bonn",
        "sun in Oslo",
    ]


@pytest.mark.parametrize("profile", ["gradient", "pixigpt"])
def test_a_history_with_calls_goes_to_a_backend_without_tools_also_where_no_tools_are_given(
    runtime: str, profile: str
) -> None:
    town, store, native = Town(), MemoryStore(), Script(calls(("weather", {"city": "Rome"})), "sunny")
    simulator = Simulator(seed=1, profile=profile)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(native.provider, tools=town.tools, store=store, name="n") as chat:
            await chat.send("go")
        async with open_chat(simulator, store=store, name="n") as chat:
            assert (await chat.send("say fine")).text == "fine"
            assert "sun in Rome" in str([request.json for request in simulator.requests])

    play(runtime, scenario)
    assert simulator.clean(), simulator.problems


def test_no_more_than_the_cap_run_in_words_either() -> None:
    town = Town()
    with Conversation(Wordy("\n".join(block(str(n)) for n in range(30)), "done"), tools=town.tools) as chat:
        assert [r.content for r in chat.send("go").tool_results] == [f"sun in {n}" for n in range(30)]
    assert town.gate.most <= 8


def test_what_is_held_back_is_said_when_the_stream_breaks(runtime: str) -> None:
    """A mark that never became a call is text."""
    town = Town()

    class Breaking(Wordy):
        def next_answer(self) -> list[bytes | float]:
            lines = super().next_answer()
            return lines if len(self.requests) > 1 else lines[:-1]  # the stream ends without an end

    wordy = Breaking("1 < 2 and\n<", "more")

    async def scenario(open_chat: Opener) -> None:
        off = Continuation(max_attempts=0)
        async with open_chat(wordy, tools=town.tools, continuation=off) as chat:
            with pytest.raises(ProtocolError):
                await chat.send("go")
            assert chat.messages[-1].text == "1 < 2 and\n<"
            assert (await chat.send("on")).text == "more"

    play(runtime, scenario)

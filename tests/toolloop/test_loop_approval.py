"""Calls that wait for the user: decided here, elsewhere, by two at once, or never."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from loop_bench import Gate, Script, calls, check, until
from scenarios import Opener, collect, play

from agentkit import (
    ApprovalNeeded,
    AsyncConversation,
    Conversation,
    InvalidInput,
    Outcome,
    ToolCall,
    ToolUse,
    tool,
)
from agentkit.errors import ConversationBusy
from agentkit.sim import Simulator
from agentkit.stores.memory import MemoryStore


class Desk:
    """A tool that is asked about, one that is not, and one that may not be used."""

    def __init__(self) -> None:
        self.done: list[str] = []

        @tool(approve="ask")
        def delete(path: str) -> str:
            """Delete a file."""
            self.done.append(path)
            return f"{path} is gone"

        @tool
        def look(path: str) -> str:
            """Look at a file."""
            self.done.append(f"look {path}")
            return "a file"

        @tool(approve="deny")
        def burn() -> None:
            """Burn it all."""
            self.done.append("burnt")

        self.tools = [delete, look, burn]


def wanting(*paths: str) -> Any:
    return calls(*[("delete", {"path": path}) for path in paths])


def test_a_turn_waits_for_decisions_and_goes_on_with_them(runtime: str, tmp_path: Path) -> None:
    desk = Desk()
    script = Script(calls(*[("delete", {"path": p}) for p in "abcd"], ("look", {"path": "e"}), "burn"), "done")
    store = f"sqlite:///{tmp_path}/chat.db"

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(script.provider, tools=desk.tools, store=store, name="n") as chat:
            reply = await chat.send("tidy up")
            assert reply.outcome is Outcome.AWAITING_APPROVAL
            assert desk.done == ["look e"]
            assert [pending.call.arguments["path"] for pending in chat.pending] == ["a", "b", "c", "d"]
        async with open_chat(script.provider, tools=desk.tools, store=store, name="n") as chat:
            one, two, three, four = chat.pending
            await answer(one.approve())
            await answer(two.approve(arguments={"path": "B"}))
            await answer(three.reject("it is mine"))
            assert len(chat.pending) == 1
            assert (await chat.resume()).outcome is Outcome.AWAITING_APPROVAL
            assert desk.done == ["look e", "a", "B"]
            await answer(four.answer({"deleted": True}))
            assert chat.pending == ()
            reply = await chat.resume()
            assert (reply.text, reply.outcome) == ("done", Outcome.COMPLETE)
            assert [result.call_id for result in reply.tool_results] == ["c1", "c2", "c3", "c4", "c5", "c6"]
            assert desk.done == ["look e", "a", "B"]
        told = script.told()
        assert told["c1"] == "a is gone"
        assert told["c2"] == '(The user has changed the arguments to {"path": "B"}.)\nB is gone'
        assert told["c3"] == "The user has refused this call, so it was not run. They say: it is mine"
        assert told["c4"] == '{"deleted":true}'
        assert told["c6"] == "This tool may not be used here, so it was not run."

    play(runtime, scenario)


async def answer(made: Any) -> None:
    """A decision is made at once, or awaited."""
    if made is not None:
        await made


def test_who_is_asked_can_be_said_by_tool_by_conversation_and_by_a_function(runtime: str) -> None:
    ran: list[str] = []

    def plain(text: str) -> None:
        ran.append(text)

    @tool(approve="auto")
    def trusted() -> None:
        ran.append("trusted")

    @tool(approve=lambda call: "auto" if call.arguments["amount"] < 10 else "ask")
    def pay(amount: int) -> None:
        ran.append(str(amount))

    @tool(approve=lambda call: "perhaps")  # type: ignore[arg-type, return-value]
    def vague() -> None:
        ran.append("vague")

    def fails(call: ToolCall) -> Any:
        raise LookupError

    tools = [plain, trusted, pay, vague]
    made = calls(("plain", {"text": "p"}), "trusted", ("pay", {"amount": 3}), ("pay", {"amount": 30}), "vague")

    async def scenario(open_chat: Opener) -> None:
        for approve, asked in ((None, ["c4", "c5"]), ("ask", ["c1", "c4", "c5"]), (fails, ["c1", "c4", "c5"])):
            script = Script(made)
            async with open_chat(script.provider, tools=tools, tool_use=ToolUse(approve=approve)) as chat:
                await chat.send("go")
                assert [pending.call.id for pending in chat.pending] == asked
        async with open_chat(Script(made, "end").provider, tools=[plain], tool_use=ToolUse(approve="deny")) as chat:
            assert (await chat.send("go")).text == "end"

    play(runtime, scenario)
    assert sorted(ran) == ["3", "3", "3", "p", "trusted", "trusted", "trusted"]


ELSEWHERE = """
import sys
from agentkit import Conversation, tool
from agentkit.sim import Simulator
what, store, log = sys.argv[1:]

@tool(approve="ask")
def delete(path: str) -> str:
    with open(log, "a") as file:
        file.write(path + "\\n")
    return "gone"

with Conversation(Simulator(seed=1), tools=[delete], store=store, name="n") as chat:
    if what == "ask":
        print(chat.send('call delete with {"path": "x"} 2 times').outcome.value)
    elif what == "approve":
        for pending in chat.pending:
            pending.approve(arguments={"path": "y"})
        print(len(chat.pending))
    else:
        print(chat.resume().outcome.value)
"""


def test_each_step_can_be_taken_in_a_process_of_its_own(tmp_path: Path) -> None:
    log, store = tmp_path / "log", f"sqlite:///{tmp_path}/chat.db"

    def run(what: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", ELSEWHERE, what, store, str(log)], check=True, capture_output=True, encoding="utf-8"
        ).stdout.strip()

    assert run("ask") == "awaiting_approval"
    assert run("approve") == "0"
    assert not log.exists()
    assert run("resume") == "complete"
    assert log.read_text(encoding="utf-8") == "y\ny\n"
    with Conversation(Simulator(), store=store, name="n") as chat:
        check(chat.messages)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_call_is_decided_once_whoever_comes_first(kind: str, tmp_path: Path) -> None:
    desk, script = Desk(), Script(wanting("a"), "done")
    store = MemoryStore() if kind == "memory" else f"sqlite:///{tmp_path}/chat.db"
    with Conversation(script.provider, tools=desk.tools, store=store, name="n") as chat:
        chat.send("go")
        with Conversation(script.provider, tools=desk.tools, store=store, name="n") as other:
            mine, theirs = chat.pending[0], other.pending[0]
            outcomes: list[Any] = []

            def decide(decision: Any) -> None:
                try:
                    outcomes.append(decision())
                except InvalidInput as error:
                    outcomes.append(error)

            threads = [threading.Thread(target=decide, args=(each,)) for each in (mine.approve, theirs.reject)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(type(each).__name__ for each in outcomes) == ["InvalidInput", "NoneType"]
            with pytest.raises(InvalidInput, match="'c1' does not wait for a decision"):
                mine.answer("late")
            assert other.resume().text == "done"
            with pytest.raises(InvalidInput, match="does not wait"):
                theirs.approve()
    assert len(desk.done) <= 1
    check(script.requests[-1].messages)


def test_a_decision_waits_for_the_conversation_whatever_its_policy(tmp_path: Path) -> None:
    gate, opened = Gate(), threading.Event()
    desk = Desk()

    def block() -> str:
        with gate:
            opened.wait(20)
            return "went on"

    for policy in ("queue", "fork", "interrupt", "reject"):
        opened.clear()
        gate.begun.clear()
        script = Script(calls(("delete", {"path": "a"}), "block"), "done")
        store = MemoryStore()
        settings: dict[str, Any] = {"tools": [*desk.tools, block], "store": store, "name": policy}
        with (
            Conversation(script.provider, **settings) as chat,
            Conversation("sim", **settings, on_busy=policy) as other,
        ):
            opened.set()
            chat.send("go")
            (pending,) = other.pending
            opened.clear()
            gate.begun.clear()
            thread = threading.Thread(target=chat.send, args=("something else",))
            thread.start()
            thread.join(20)
            with pytest.raises((InvalidInput, ConversationBusy)):
                pending.approve()
        assert [info.name for info in store.list()] == [policy], "no fork was made for it"


def test_wrong_arguments_are_refused_or_told() -> None:
    desk, script, store = Desk(), Script(wanting("a", "b"), "done"), MemoryStore()
    with Conversation(script.provider, tools=desk.tools, store=store, name="n") as chat:
        chat.send("go")
    with Conversation(script.provider, store=store, name="n") as chat:  # where nothing is known of the tool
        first, second = chat.pending
        for wrong in (["x"], "x", 3, {"path": {1, 2}}, {"path": float("nan")}, {"path": object()}):
            with pytest.raises(InvalidInput, match="arguments"):
                first.approve(arguments=wrong)  # type: ignore[arg-type]
        first.approve(arguments={"paht": "x"})
        second.reject("  ")
    with Conversation(script.provider, tools=desk.tools, store=store, name="n") as chat:
        assert chat.resume().text == "done"
    assert desk.done == []
    told = script.told()
    assert told["c1"].startswith('(The user has changed the arguments to {"paht": "x"}.)\n')
    assert "path" in told["c1"]
    assert told["c2"] == "The user has refused this call, so it was not run."


def test_broken_arguments_never_wait_for_the_user() -> None:
    desk = Desk()
    script = Script(calls(ToolCall("c1", "delete", raw='{"path": [}')), "done")
    with Conversation(script.provider, tools=desk.tools) as chat:
        assert chat.send("go").outcome is Outcome.COMPLETE
        assert chat.pending == ()
    assert "no JSON object, so delete was not run" in script.told()["c1"]


def test_an_approval_is_not_spent_where_the_tool_is_missing(runtime: str) -> None:
    desk = Desk()

    async def scenario(open_chat: Opener) -> None:
        for tools in ([], [desk.tools[1]]):
            store = MemoryStore()
            script = Script(wanting("a", "b"), "done")
            async with open_chat(script.provider, tools=desk.tools, store=store, name="n") as chat:
                await chat.send("go")
            async with open_chat(script.provider, tools=tools, store=store, name="n") as chat:
                first, second = chat.pending
                await answer(first.approve())
                await answer(second.reject("no"))
                with pytest.raises(InvalidInput, match="'delete' is approved and not among the tools"):
                    await chat.resume()
            assert len(script.provider.requests) == 1
            async with open_chat(script.provider, tools=desk.tools, store=store, name="n") as chat:
                assert (await chat.resume()).text == "done"
            assert script.told()["c2"].endswith("They say: no")

    play(runtime, scenario)
    assert desk.done == ["a", "a"]


def test_arguments_that_do_not_fit_are_told_to_who_gives_them(runtime: str) -> None:
    desk = Desk()

    async def scenario(open_chat: Opener) -> None:
        script = Script(wanting("a"), "done")
        async with open_chat(script.provider, tools=desk.tools) as chat:
            await chat.send("go")
            (call,) = chat.pending
            with pytest.raises(InvalidInput, match=r"these arguments do not fit delete: \$\.path: is missing"):
                await answer(call.approve(arguments={"zzz": 1}))
            with pytest.raises(InvalidInput, match="the reason must be a text, not None"):
                await answer(call.reject(None))
            assert chat.pending == (call,)

    play(runtime, scenario)
    assert desk.done == []


def test_going_on_with_something_else_passes_the_calls_over(runtime: str) -> None:
    desk = Desk()

    async def scenario(open_chat: Opener) -> None:
        script = Script(wanting("a", "b", "c"), "other", "more")
        async with open_chat(script.provider, tools=desk.tools) as chat:
            await chat.send("go")
            one, two, three = chat.pending
            await answer(one.approve())
            await answer(two.answer("given"))
            assert (await chat.send("never mind")).text == "other"
            passed = "Not run: the user went on with something else."
            assert script.told() == {"c1": passed, "c2": "given", "c3": passed}
            assert chat.pending == ()
            with pytest.raises(InvalidInput, match="does not wait"):
                await answer(three.approve())
            assert [message.role for message in chat.messages] == [
                "user", "assistant", "tool", "tool", "tool", "user", "assistant",
            ]  # fmt: skip
            check(chat.messages)
            await chat.undo()
            assert (await chat.resume()).text == "more"
            assert script.told() == {"c1": passed, "c2": "given", "c3": passed}

    play(runtime, scenario)
    assert desk.done == []


def test_edit_retry_and_undo_leave_what_waits_behind(runtime: str) -> None:
    desk = Desk()

    async def scenario(open_chat: Opener) -> None:
        script = Script("hello", wanting("a"), wanting("b"), "edited")
        async with open_chat(script.provider, tools=desk.tools) as chat:
            await chat.send("hi")
            await chat.send("go")
            (old,) = chat.pending
            await chat.retry()
            (fresh,) = chat.pending
            assert fresh.call.arguments == {"path": "b"}
            assert (await chat.edit(2, "do nothing")).text == "edited"
            assert chat.pending == ()
            with pytest.raises(InvalidInput):
                await answer(old.approve())
            check(script.requests[-1].messages)
            await chat.undo()
            assert [message.text for message in chat.messages] == ["hi", "hello"]
        undone = Script(wanting("a"), "after")
        async with open_chat(undone.provider, tools=desk.tools) as chat:
            await chat.send("go")
            assert len(await chat.undo()) == 2
            assert (chat.pending, chat.messages) == ((), ())
            with pytest.raises(InvalidInput):
                await chat.resume()
            assert (await chat.send("again")).text == "after"

    play(runtime, scenario)
    assert desk.done == []


def test_a_fork_waits_for_decisions_of_its_own(runtime: str, tmp_path: Path) -> None:
    desk = Desk()

    async def scenario(open_chat: Opener) -> None:
        script = Script(calls(("look", {"path": "x"}), ("delete", {"path": "a"})), "kept", "deleted")
        store = f"sqlite:///{tmp_path}/{runtime}.db"
        async with open_chat(script.provider, tools=desk.tools, store=store, name="n") as chat:
            await chat.send("go")
            other = await chat.fork()
            await answer(chat.pending[0].reject("no"))
            assert len(other.pending) == 1
            assert (await chat.resume()).text == "kept"
            await answer(other.pending[0].approve())
            assert (await other.resume()).text == "deleted"
            check(other.messages)
            await other.__aexit__(None, None, None)
        assert script.told(1)["c2"].startswith("The user has refused")
        assert script.told(2)["c2"] == "a is gone"

    play(runtime, scenario)
    assert desk.done == ["look x", "a"], "what had finished before the fork is not run again"


def test_a_message_that_comes_again_does_not_decide_anything(runtime: str) -> None:
    desk = Desk()

    async def scenario(open_chat: Opener) -> None:
        script = Script(wanting("a"), "done")
        async with open_chat(script.provider, tools=desk.tools) as chat:
            assert (await chat.send("go", turn_id="t")).outcome is Outcome.AWAITING_APPROVAL
            events = await collect(chat.stream("go", turn_id="t"))
            assert isinstance(events[0], ApprovalNeeded)
            assert (await chat.resume()).outcome is Outcome.AWAITING_APPROVAL
            assert len(script.requests) == 1
            await answer(chat.pending[0].approve())
            assert (await chat.send("go", turn_id="t")).text == "done"
            assert (await chat.send("go", turn_id="t")).text == "done"
            assert len(script.requests) == 2

    play(runtime, scenario)
    assert desk.done == ["a"]


def test_an_approved_call_that_was_cut_off_follows_its_policy(runtime: str) -> None:
    """What was approved was approved once: where it may have run, the tool's policy decides again."""

    async def scenario(open_chat: Opener) -> None:
        for policy in ("ask", "rerun", "fail"):
            go, begun, ran = threading.Event(), threading.Event(), list[str]()

            @tool(approve="ask", rerun=policy)  # type: ignore[arg-type]
            def act(what: str) -> str:
                ran.append(what)  # noqa: B023
                begun.set()  # noqa: B023
                go.wait(20)  # noqa: B023
                return f"did {what}"

            script = Script(calls(("act", {"what": "it"})), "done")
            async with open_chat(script.provider, tools=[act]) as chat:
                await chat.send("go")
                await answer(chat.pending[0].approve(arguments={"what": "that"}))
                async with chat.stream_resume() as turn:
                    async for _ in turn:
                        until(begun.is_set)
                        break
                assert ran == ["that"]
                go.set()
                reply = await chat.resume()
                if policy == "ask":
                    assert reply.outcome is Outcome.AWAITING_APPROVAL
                    assert chat.pending[0].call.arguments == {"what": "that"}
                    assert len(ran) == 1
                    await answer(chat.pending[0].approve())
                    reply = await chat.resume()
                assert reply.text == "done"
                assert ran == ["that"] * (1 if policy == "fail" else 2)
            expected = "It is not known whether this call ran" if policy == "fail" else "did that"
            assert expected in script.told()["c1"]

    play(runtime, scenario)


def test_pending_calls_are_told_in_both_colours() -> None:
    desk = Desk()
    with Conversation(Simulator(), tools=desk.tools) as chat:
        assert chat.pending == ()
        chat.send("say nothing")
        assert chat.pending == ()
    chat2 = AsyncConversation(Simulator(), tools=desk.tools)
    assert chat2.pending == ()

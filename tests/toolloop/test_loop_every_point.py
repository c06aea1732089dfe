"""Every point instead of random ones: each effect of a turn with tools fails, is interrupted or stopped, in turn."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from loop_bench import check, results
from stepping import Journal, task
from tool_stage import ToolStage, tools

from agentkit import ToolContext, tool
from agentkit._engine.turn import turn
from agentkit.effects import Abandon, Append, Await, Effect, Launch, Open, Read, Stopped
from agentkit.errors import StaleWriter, StoreError
from agentkit.store import Decided, Record, Replied, ToolFinished, ToolStarted
from agentkit.tools import AnyTool
from agentkit.usage import Outcome


class Life:
    """Two tools that count their runs; the second one is told of as one that may be run again, or not."""

    def __init__(self, policy: Any) -> None:
        self.ran: Counter[str] = Counter()

        @tool(rerun="rerun")
        def one(context: ToolContext) -> str:
            self.ran[context.call_id] += 1
            context.report("half of it")
            return "first"

        @tool(rerun=policy)
        def two(context: ToolContext) -> str:
            self.ran[context.call_id] += 1
            return "second"

        self.tools: dict[str, AnyTool] = tools(one, two)


def store_of(stage: ToolStage) -> None:
    """The store takes the same records once, as a session sees to it."""
    last: list[Record] = []

    def on_append(append: Append) -> None:
        if last and list(append.records) == last:
            del stage.records[-len(last) :]
        last[:] = append.records

    stage.on_append = on_append


class Fails:
    """At the n-th effect of some kinds, before it is done or after."""

    def __init__(self, number: int, error: BaseException, kinds: tuple[type[Effect[Any]], ...]) -> None:
        self.left = number
        self.error = error
        self.kinds = kinds
        self.hit = False

    def __call__(self, effect: Effect[Any]) -> None:
        if not isinstance(effect, self.kinds) or self.hit:
            return
        self.left -= 1
        if self.left < 0:
            self.hit = True
            raise self.error


FAILURES: dict[str, tuple[BaseException, tuple[Any, ...]]] = {
    "interrupted": (KeyboardInterrupt(), (Append, Launch, Await, Abandon, Open, Read)),
    "stopped": (Stopped(), (Await, Open, Read)),
    "store fails": (StoreError("full"), (Append,)),
    "stale": (StaleWriter("late"), (Append,)),
}


@pytest.mark.parametrize("policy", ["rerun", "ask", "fail"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("failure", FAILURES)
def test_a_turn_with_tools_survives_a_failure_at_any_point(failure: str, when: str, policy: str) -> None:
    error, kinds = FAILURES[failure]
    points = 0
    for number in range(100):
        life, stage, journal = Life(policy), ToolStage(), Journal()
        store_of(stage)
        fails = Fails(number, error, kinds)
        setattr(stage, when, fails)
        with suppress(type(error)):
            stage.run(turn(task(tools=life.tools), journal))
        if not fails.hit:
            break
        points += 1
        judge(life, stage, journal, failure)
    assert 2 < points < 99


def judge(life: Life, stage: ToolStage, journal: Journal, failure: str) -> None:
    """What is stored is valid; what finished is not run again, and what is unknown follows its policy."""
    stored = Journal()
    stored.replay(stage.entries())
    if failure != "interrupted" and not journal.torn and stage.records:
        journal.replay(stage.entries())  # as the next turn does
        assert journal.messages == stored.messages
    finished = {record.result.call_id for record in stage.records if isinstance(record, ToolFinished)}
    begun = {record.call_id for record in stage.records if isinstance(record, ToolStarted)}
    assert set(life.ran) <= begun, "nothing runs that the journal does not know of"
    for call_id in finished:
        assert life.ran[call_id] == 1
    assert len([r for r in stage.records if isinstance(r, ToolFinished)]) == len(finished), "no result is stored twice"
    assert sum(isinstance(record, Replied) and bool(record.message.tool_calls) for record in stage.records) <= 1
    if not stored.turns:
        return
    before = Counter(life.ran)
    again = ToolStage(stage.records)
    reply = again.run(turn(task(None, turn_id="r", tools=life.tools), Journal()))
    if reply.outcome is Outcome.AWAITING_APPROVAL:
        known = Journal()
        known.replay(again.entries())
        assert [call.id for call in known.pending] == ["c2"]
        again.records.append(Decided(reply.turn_id, "c2"))
        reply = again.run(turn(task(None, turn_id="r", tools=life.tools), Journal()))
    assert (reply.text, reply.outcome) == ("done", Outcome.COMPLETE)
    assert [result.call_id for result in results(reply.messages)] == ["c1", "c2"]
    check(reply.messages)
    for call_id in finished:
        assert life.ran[call_id] == before[call_id]
    if life.tools["two"].rerun == "fail" and "c2" in begun - finished:
        assert life.ran["c2"] == before["c2"]


def test_progress_is_told_before_the_end_that_came_with_it() -> None:
    life, stage = Life("ask"), ToolStage()
    stage.run(turn(task(tools=life.tools), Journal()))
    kinds = [type(event).__name__ for event in stage.events]
    assert kinds[:5] == ["ToolCallStarted", "ToolCallStarted", "ToolProgress", "ToolCallFinished", "ToolCallFinished"]


def test_calls_are_in_the_journal_before_they_begin_and_results_before_they_are_told() -> None:
    life, stage = Life("ask"), ToolStage()
    stage.run(turn(task(tools=life.tools), Journal()))
    kinds = [kind for kind in stage.kinds if kind != "Now"]
    assert kinds == [
        "Acquire", "Append", "Keep", "Open", "Read", "Close",
        "Append", "Launch", "Launch", "Await", "Append",
        "Keep", "Open", "Read", "Close", "Append", "Release",
    ]  # fmt: skip
    appends = [effect for effect in stage.effects if isinstance(effect, Append)]
    assert [[type(record).__name__ for record in append.records] for append in appends] == [
        ["TurnStarted"],
        ["Replied", "ToolStarted", "ToolStarted"],
        ["ToolFinished", "ToolFinished"],
        ["Replied", "TurnEnded"],
    ]
    assert [append.durable for append in appends] == [False, True, True, True]


def test_a_time_limit_is_waited_for_and_no_longer() -> None:
    @tool(timeout=2)
    def never() -> str:
        return "x"

    @tool(timeout=9)
    def later() -> str:
        return "x"

    stage = ToolStage(calls=["never", "later"])
    stage.slow, stage.step = {"never", "later"}, 1.5
    reply = stage.run(turn(task(tools=tools(never, later)), Journal()))
    assert [str(error) for error in reply.tool_errors] == [
        "never failed: TimeoutError: never was not done after 2 seconds, and nobody waits for it any more",
        "later failed: TimeoutError: later was not done after 9 seconds, and nobody waits for it any more",
    ]
    waits = [effect.timeout for effect in stage.effects if isinstance(effect, Await)]
    assert waits[0] == 2
    assert all(wait is not None and wait <= 9 for wait in waits)
    assert [effect.places for effect in stage.effects if isinstance(effect, Abandon)] == [[0], [1]]

"""The calls of one reply: which are run, which wait for the user, which are answered at once, and when it is enough."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from attrs import define, evolve, field

from agentkit._engine.beginning import Task
from agentkit._engine.journal import TurnState, as_decided
from agentkit._engine.stage import Stage, Tally, Verdict
from agentkit._engine.toolrun import Done, Run, Shift
from agentkit.effects import Flow, Now, do
from agentkit.errors import InvalidInput
from agentkit.events import ApprovalNeeded
from agentkit.messages import Message, Part, ToolCall, ToolResult
from agentkit.store import Decided, Replied
from agentkit.tools import AnyTool, Approval, BoundCall, prepare
from agentkit.tooluse import ToolUse
from agentkit.usage import Outcome, Usage

MAYBE_RUN = "it is not known whether it ran: the turn was cut off in the middle of it"
UNSURE = "It is not known whether this call ran: the turn was cut off in the middle of it. It was not run again."
DENIED = "This tool may not be used here, so it was not run."


@define
class Sorted:
    """Calls by what becomes of them."""

    answered: list[Done] = field(factory=list[Done])
    asked: list[ApprovalNeeded] = field(factory=list[ApprovalNeeded])
    runs: list[Run] = field(factory=list[Run])


def worked(stage: Stage, calls: Sequence[ToolCall], before: Sequence[Replied] = ()) -> Flow[Verdict | None]:
    """Bring the calls to their results; None where the model is to be asked again.

    The records `before` go into the journal first: the reply itself, where it is not there yet.

    Raises:
        ToolError: a tool failed, and the settings say to stop.
    """
    task, state, tally = stage.task, stage.state, stage.tally
    sort = sort_out(task, state, calls)
    spent = sum((reply.usage for reply in before), state.usage)
    more = sum(run.bound.tool is not task.answer for run in sort.runs)
    answers = task.answer is not None and all(call.name == task.answer.name for call in calls)
    limit = None if answers else (yield from _limit(task.use, spent, tally, more))
    if limit is not None:
        sort = Sorted()
    shift = Shift(task.use, stage.name, state.turn_id, sort.runs)
    yield from shift.worked(stage.journal, sort.answered, before)
    if limit is not None:
        return Verdict(Outcome.TRUNCATED, limit)
    tally.rounds += not answers
    tally.calls += more
    tally.errors += shift.errors
    yield from sort.asked
    if task.use.on_error == "raise" and shift.errors:
        raise shift.errors[0]
    if sort.asked:
        return Verdict(Outcome.AWAITING_APPROVAL)
    return Verdict(Outcome.COMPLETE) if is_enough(task, state) else None


def is_enough(task: Task, state: TurnState) -> bool:
    """The turn has come to results, and these are all that was wanted: a tool says so, or the settings."""
    pairs = state.last_results()
    if not pairs or state.open_calls():
        return False
    if any(_ends(task.callable.get(call.name), result) for call, result in pairs):
        return True
    return task.use.stop_when is not None and bool(task.use.stop_when(pairs))


def _ends(tool: AnyTool | None, result: ToolResult) -> bool:
    return tool is not None and tool.ends_turn and not result.is_error


def _limit(use: ToolUse, spent: Usage, tally: Tally, more: int) -> Flow[str | None]:
    """Why no further round begins."""
    if use.max_rounds is not None and tally.rounds >= use.max_rounds:
        return f"max_rounds={use.max_rounds} rounds of tools were made"
    if use.max_calls is not None and tally.calls + more > use.max_calls:
        return f"max_calls={use.max_calls} does not allow {more} more after {tally.calls}"
    if use.max_cost is not None and use.price is not None and use.price(spent) >= use.max_cost:
        return f"max_cost={use.max_cost:g} is reached"
    if use.max_seconds is not None:
        now = yield from do(Now())
        tally.began = now if tally.began is None else tally.began
        if now - tally.began >= use.max_seconds:
            return f"max_seconds={use.max_seconds:g} is reached"
    return None


def sort_out(task: Task, state: TurnState, calls: Iterable[ToolCall]) -> Sorted:
    """What is to become of each call, by its arguments, its tool's policy, and what the journal tells of it.

    Raises:
        InvalidInput: the tool of a call that is approved is not known here, and the approval is not to be spent.
    """
    sort = Sorted()
    for call in calls:
        decided = state.decided.get(call.id)
        if decided is not None and decided.answer is not None:
            sort.answered.append(Done(call, decided.answer))
            continue
        if decided is not None and call.name not in task.callable:
            raise InvalidInput(f"{call.name!r} is approved and not among the tools: give it with tools=, then resume")
        wanted, note = as_decided(call, decided), _note(decided)
        bound = prepare(task.callable, wanted)
        if isinstance(bound, ToolResult):
            sort.answered.append(Done(call, evolve(bound, content=f"{note}{bound.content}")))
        elif call.id in state.started:
            _again(sort, Run(call, bound, note, key=state.keys[call.id]), wanted)
        elif decided is not None:
            sort.runs.append(Run(call, bound, note, key=state.keys.get(call.id, "")))
        else:
            _first(task.use, sort, call, bound)
    return sort


def _note(decided: Decided | None) -> str:
    if decided is None or decided.arguments is None:
        return ""
    return f"(The user has changed the arguments to {json.dumps(decided.arguments, ensure_ascii=False)}.)\n"


def _again(sort: Sorted, run: Run, wanted: ToolCall) -> None:
    """It was begun, and nobody knows what became of it."""
    match run.bound.tool.rerun:
        case "rerun":
            sort.runs.append(run)
        case "ask":
            sort.asked.append(ApprovalNeeded(wanted, MAYBE_RUN))
        case _:
            sort.answered.append(Done(run.call, ToolResult(run.call.id, UNSURE, is_error=True)))


def _first(use: ToolUse, sort: Sorted, call: ToolCall, bound: BoundCall) -> None:
    match _approval(use, bound.tool, call):
        case "auto":
            sort.runs.append(Run(call, bound))
        case "deny":
            sort.answered.append(Done(call, ToolResult(call.id, DENIED, is_error=True)))
        case _:
            sort.asked.append(ApprovalNeeded(call))


def _approval(use: ToolUse, tool: AnyTool, call: ToolCall) -> Approval:
    """What the tool says, else the conversation; a function that fails, or says something else, is a reason to ask."""
    said = tool.approve if tool.approve is not None else use.approve or "auto"
    if callable(said):
        try:
            said = said(call)
        except Exception:  # noqa: BLE001 - a function of the user may raise anything
            return "ask"
    return said if said in ("auto", "deny") else "ask"


def with_ids(message: Message, turn: Iterable[Message]) -> Message:
    """The reply with calls that can be told apart, from each other and from those before them in the turn."""
    taken = {call.id for earlier in turn for call in earlier.tool_calls}
    parts: list[Part] = [_with_id(part, taken) if isinstance(part, ToolCall) else part for part in message.parts]
    return evolve(message, parts=tuple(parts))


def _with_id(call: ToolCall, taken: set[str]) -> ToolCall:
    wanted = made = call.id or "call"
    number = 1
    while made in taken:
        number += 1
        made = f"{wanted}-{number}"
    taken.add(made)
    return evolve(call, id=made)

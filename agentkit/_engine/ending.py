"""How a turn ends: what the reply came to, and the records that commit it."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from agentkit._engine.accumulate import Builder
from agentkit._engine.beginning import Task, write
from agentkit._engine.course import Course
from agentkit._engine.journal import NOTHING, Journal, TurnState
from agentkit._engine.stage import Verdict
from agentkit.effects import Flow
from agentkit.errors import AgentKitError, IncompleteReply, ProviderError, Unsupported
from agentkit.events import Reply
from agentkit.messages import Message
from agentkit.store import Failure, Record, Replied, Rewound, TurnEnded
from agentkit.usage import FinishReason, Outcome, Usage

OUTCOMES = {
    FinishReason.STOP: Outcome.COMPLETE,
    FinishReason.TOOL_CALLS: Outcome.COMPLETE,
    FinishReason.UNKNOWN: Outcome.COMPLETE,
    FinishReason.LENGTH: Outcome.TRUNCATED,
    FinishReason.FILTERED: Outcome.FILTERED,
    FinishReason.ERROR: Outcome.INTERRUPTED,
}


@frozen
class Ending:
    """What a turn came to, and the error that ended it."""

    reply: Reply
    error: AgentKitError | None


def nothing(task: Task, error: AgentKitError | None) -> Ending:
    """The end of a turn that never began."""
    outcome = Outcome.INTERRUPTED if error is None else Outcome.FAILED
    return Ending(
        Reply(NOTHING, (), outcome, FinishReason.UNKNOWN, Usage(), task.turn_id, task.conversation, error=error), error
    )


def commit(
    journal: Journal,
    builder: Builder,
    course: Course,
    name: str,
    *,
    stopped: bool,
    error: AgentKitError | None = None,
    verdict: Verdict | None = None,
) -> Flow[Ending]:
    """Write what came of the turn, durably. A store that fails is the error; the reply is on it all the same.

    `verdict`: it ends with the calls of its last reply, which is in the journal already.
    """
    if verdict is not None:
        return (yield from _commit_calls(journal, builder.turn_id, name, verdict))
    builder.end()
    cut = stopped or error is not None
    state = journal.turns[builder.turn_id]
    message = builder.message(interrupted=cut)
    reason = None if cut else course.stopped
    ended = TurnEnded(
        builder.turn_id,
        _outcome(builder, reason, stopped=stopped, failed=error is not None, begun=len(state.messages) > 1),
        builder.finish_reason if reason is None else FinishReason.LENGTH,
        builder.spent,
        (*state.segments, *builder.segments),
        None if error is None else failure_of(error),
        reason=reason or "",
    )
    replied: list[Record] = [Replied(builder.turn_id, message)] if message.parts or not (cut or reason) else []
    # What this backend can never be sent must not be in the way of every later turn; the journal keeps it.
    aside: list[Record] = [Rewound(state.start)] if isinstance(error, Unsupported) else []
    try:
        yield from write(journal, [*replied, ended, *aside], durable=True)
    except AgentKitError as lost:
        return Ending(_unsaved(state, [message], ended, name, lost), lost)
    alone = len(builder.segments) == 1 and not cut
    journal.counted(builder.reported, message if alone else None)
    if error is None and reason is not None and course.is_owed_an_error(message.text):
        error = IncompleteReply(f"the reply is cut: {reason}")
        return Ending(journal.reply(state, name, error), error)
    return Ending(journal.reply(state, name, error or course.error), error)


def _commit_calls(journal: Journal, turn_id: str, name: str, verdict: Verdict) -> Flow[Ending]:
    """The turn ends with calls: they wait for the user, a limit was met, or their results are all that was wanted."""
    state = journal.turns[turn_id]
    ended = TurnEnded(turn_id, verdict.outcome, FinishReason.TOOL_CALLS, reason=verdict.reason)
    try:
        yield from write(journal, [ended], durable=True)
    except AgentKitError as lost:
        return Ending(_unsaved(state, [], ended, name, lost), lost)
    return Ending(journal.reply(state, name), None)


def _unsaved(state: TurnState, more: Sequence[Message], ended: TurnEnded, name: str, error: AgentKitError) -> Reply:
    """What could not be stored."""
    messages = (*state.messages, *more)
    reason, usage = ended.finish_reason, state.usage + ended.usage
    return Reply(messages[-1], messages, Outcome.FAILED, reason, usage, ended.turn_id, name, error=error)


def _outcome(builder: Builder, reason: str | None, *, stopped: bool, failed: bool, begun: bool) -> Outcome:
    if stopped:
        return Outcome.INTERRUPTED
    if failed:
        return Outcome.INTERRUPTED if begun or builder.has_output else Outcome.FAILED
    return OUTCOMES[builder.finish_reason] if reason is None else Outcome.TRUNCATED


def failure_of(error: AgentKitError) -> Failure:
    """What is kept of an error."""
    facts: dict[str, object] = {}
    if isinstance(error, ProviderError):
        named = {"status": error.status, "code": error.code, "type": error.type, "request_id": error.request_id}
        facts = {name: value for name, value in named.items() if value is not None}
    return Failure(type(error).__name__, str(error), facts)

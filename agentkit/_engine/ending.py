"""How a turn ends: what the reply came to, and the records that commit it."""

from __future__ import annotations

from attrs import frozen

from agentkit._engine.accumulate import Builder
from agentkit._engine.beginning import Task, write
from agentkit._engine.journal import NOTHING, Journal, longer
from agentkit.effects import Flow
from agentkit.errors import AgentKitError, ProviderError, ServerError, Unsupported
from agentkit.events import Reply, Segment
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
    task: Task,
    journal: Journal,
    builder: Builder,
    strategy: str,
    name: str,
    *,
    stopped: bool,
    error: AgentKitError | None = None,
) -> Flow[Ending]:
    """Write what came of the turn, durably. A store that fails is the error; the reply is on it all the same."""
    if error is None and builder.finish_reason is FinishReason.ERROR and not stopped:
        raw = builder.finish.raw if builder.finish is not None else None
        error = ServerError(f"{task.line.provider.name} gave up in the middle of the reply: {raw!r}")
    cut = stopped or error is not None
    state = journal.turns[builder.turn_id]
    message = builder.message(task.line.provider.name, interrupted=cut)
    if cut and longer(state.earlier, message) is state.earlier and state.earlier is not None:
        message = state.earlier
    ended = TurnEnded(
        builder.turn_id,
        _outcome(builder, stopped=stopped, failed=error is not None),
        builder.finish_reason,
        _usage(builder, message),
        (*state.segments, _segment(builder, strategy, message)),
        None if error is None else failure_of(error),
    )
    replied: list[Record] = [Replied(builder.turn_id, message)] if message.parts or not cut else []
    # What this backend can never be sent must not be in the way of every later turn; the journal keeps it.
    aside: list[Record] = [Rewound(state.start)] if isinstance(error, Unsupported) else []
    try:
        yield from write(journal, [*replied, ended, *aside], durable=True)
    except AgentKitError as lost:
        return Ending(
            Reply(
                message,
                (state.asked, message),
                Outcome.FAILED,
                ended.finish_reason,
                ended.usage,
                ended.turn_id,
                name,
                error=lost,
            ),
            lost,
        )
    return Ending(journal.reply(state, name, error), error)


def _outcome(builder: Builder, *, stopped: bool, failed: bool) -> Outcome:
    if stopped:
        return Outcome.INTERRUPTED
    if failed:
        return Outcome.INTERRUPTED if builder.has_output else Outcome.FAILED
    return OUTCOMES[builder.finish_reason]


def _usage(builder: Builder, message: Message) -> Usage:
    """The backend's count, or a flagged guess of four characters a token where it gave none."""
    if builder.usage is not None:
        reported = builder.usage
        return Usage(
            reported.input_tokens,
            reported.output_tokens,
            reported.reasoning_tokens,
            reported.cached_tokens,
            builder.requests,
            reported.estimated,
        )
    said = len(message.text) + len(message.reasoning) - sum(builder.carried)
    return Usage(output_tokens=max(said, 0) // 4, requests=builder.requests, estimated=True)


def _segment(builder: Builder, strategy: str, message: Message) -> Segment:
    start = builder.carried[0]
    end, usage = len(message.text), builder.usage or Usage()
    return Segment(start, end, strategy, builder.finish_reason, usage, builder.request_id)


def failure_of(error: AgentKitError) -> Failure:
    """What is kept of an error."""
    facts: dict[str, object] = {}
    if isinstance(error, ProviderError):
        named = {"status": error.status, "code": error.code, "type": error.type, "request_id": error.request_id}
        facts = {name: value for name, value in named.items() if value is not None}
    return Failure(type(error).__name__, str(error), facts)

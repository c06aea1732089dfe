"""One turn from the question to the committed reply, as straight-line code.

The order is the promise: the right to write is won before anything else, the question is in the journal before a
request leaves, the reply is in the journal before the turn is said to be finished, and whatever ends a turn early,
what was delivered is committed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial as partial_of

from attrs import define, evolve

from agentkit._engine.accumulate import Builder
from agentkit._engine.admission import admitted
from agentkit._engine.answering import answered
from agentkit._engine.beginning import Task, begin, write
from agentkit._engine.course import Course
from agentkit._engine.ending import Ending, commit, nothing
from agentkit._engine.journal import Journal, TurnState
from agentkit._engine.toolround import Stage, Verdict, with_ids, worked
from agentkit._engine.wanting import miscalled, misread, told, watched
from agentkit.effects import Flow, Keep, Release, Stopped, Supply, do
from agentkit.errors import AgentKitError
from agentkit.events import Correcting, Reply, TextDelta, TurnFinished
from agentkit.messages import Message
from agentkit.store import Discarded, Record, Replied
from agentkit.tools import InvalidReply
from agentkit.usage import FinishReason


def turn(task: Task, journal: Journal) -> Flow[Reply]:
    """Run one turn; its last event is `TurnFinished`, also where it fails.

    Raises:
        AgentKitError: with `.reply`, where the turn failed.
    """
    ending = yield from _held(task, journal)
    error = ending.error
    if error is not None:
        error.reply = ending.reply
    try:
        yield TurnFinished(ending.reply)
    except Stopped:
        return ending.reply
    if error is not None:
        raise error
    return ending.reply


def _held(task: Task, journal: Journal) -> Flow[Ending]:
    """The part of the turn that needs the right to write."""
    try:
        name, journal = yield from admitted(task, journal)
        state = yield from begin(task, journal)
        if state.outcome is None:
            return (yield from _answer(task, journal, state, name))
        return (yield from _told_again(journal.reply(state, name)))
    except Stopped:
        return nothing(task, None)
    except AgentKitError as error:
        return nothing(task, error)
    finally:
        yield from do(Release())


def _told_again(reply: Reply) -> Flow[Ending]:
    """The turn was finished before: its reply once more, without a request."""
    try:
        if reply.text:
            yield TextDelta(reply.text)
    except Stopped:
        pass
    return Ending(reply, None)


@define
class _Round:
    """The reply under way: what came of it, and where it stands."""

    builder: Builder
    course: Course
    reply: Message | None = None
    """The whole of it, once its calls are being run."""


def _answer(task: Task, journal: Journal, state: TurnState, name: str) -> Flow[Ending]:
    """Let a backend answer, run what it calls, and commit what came of it."""
    stage = Stage(task, journal, state, name)
    at = _round(stage, state.running())
    try:
        return (yield from _asked(stage, at))
    except BaseException:
        # an interruption may hit any place, also the one between the last word and the commit
        if state.outcome is None and not journal.torn:
            _ = yield from _committed(journal, partial_of(_commit, stage, at, stopped=True))
        raise


def _round(stage: Stage, partial: Message | None = None) -> _Round:
    task, state = stage.task, stage.state
    course = Course(task.continuation, task.options, state.asked.text, state.turn_id, stage.journal.unfit)
    if partial is None:
        return _Round(Builder(state.turn_id), course)
    return _Round(Builder(state.turn_id, text=partial.text, reasoning=partial.reasoning), course)


def _asked(stage: Stage, at: _Round) -> Flow[Ending]:
    stopped = False
    error: AgentKitError | None = None
    verdict: Verdict | None = None
    try:
        for carried in at.builder.text:
            yield TextDelta(carried)
        verdict = yield from _rounds(stage, at)
    except Stopped:
        stopped = True
    except AgentKitError as failure:
        error = failure
    how = partial_of(_commit, stage, at, stopped=stopped, error=error, verdict=verdict)
    return (yield from _committed(stage.journal, how))


def _rounds(stage: Stage, at: _Round) -> Flow[Verdict | None]:
    """Ask, run what is called, and ask again, until nothing is called any more or there is a reason to stop."""
    state = stage.state
    if stage.task.supply is not None:
        stage.task = evolve(stage.task, tools=(yield from do(Supply(stage.task.supply))))
    calls, before, resumed = state.open_calls(), list[Record](), state.resumed
    while True:
        if calls and stage.task.callable:
            verdict = yield from worked(stage, calls, before)
            if verdict is not None:
                return verdict
            yield from _corrected(stage, miscalled(stage.task, calls))
            free = evolve(stage.task.options, tool_choice=None)  # what was demanded has been done
            stage.task, resumed = evolve(stage.task, options=free), False
            _anew(stage, at)
        yield from do(Keep(at.builder))
        yield from _attempted(stage, at, resumed=resumed)
        if stage.task.callable and _is_calling(at):
            message = with_ids(at.builder.message(), state.messages)
            if calls := message.tool_calls:
                at.reply, before = message, [Replied(state.turn_id, message, at.builder.spent)]
                stage.journal.counted(at.builder.reported, message if len(at.builder.segments) == 1 else None)
                continue
        if stage.task.wanted is None or at.course.stopped is not None:
            return None
        message = at.builder.message()
        problem = misread(stage.task.wanted, message)
        if problem is None:
            return None
        spent = at.builder.spent
        yield from write(stage.journal, [Discarded(state.turn_id, message, str(problem), spent)])
        _anew(stage, at)
        yield from _corrected(stage, problem)
        stage.task, calls, resumed = evolve(stage.task, besides=told(message, problem)), (), False


def _anew(stage: Stage, at: _Round) -> None:
    """What comes next is another reply."""
    fresh = _round(stage)
    at.builder, at.course, at.reply = fresh.builder, fresh.course, None


def _attempted(stage: Stage, at: _Round, *, resumed: bool) -> Flow[None]:
    """Fill the builder with a reply."""
    flow = answered(stage.task, stage.journal, at.builder, at.course, resumed=resumed)
    if stage.task.wanted is None or stage.task.wanted.is_text:
        return (yield from flow)
    partial = stage.task.wanted.partial()
    for carried in at.builder.text:
        _ = partial.feed(carried)
    return (yield from watched(flow, partial))


def _corrected(stage: Stage, problem: InvalidReply | None) -> Flow[None]:
    """The model is told what was wrong, so often.

    Raises:
        InvalidReply: it was told often enough.
    """
    if problem is None:
        return
    stage.tally.corrections += 1
    if stage.tally.corrections >= stage.task.attempts:
        raise problem
    yield Correcting(stage.tally.corrections, str(problem))


def _is_calling(at: _Round) -> bool:
    """The reply is whole, and calls tools."""
    return at.builder.called and at.course.stopped is None and at.builder.finish_reason is not FinishReason.FILTERED


def _commit(
    stage: Stage, at: _Round, *, stopped: bool, error: AgentKitError | None = None, verdict: Verdict | None = None
) -> Flow[Ending]:
    builder, state = at.builder, stage.state
    if at.reply is not None and any(message is at.reply for message in state.messages):
        builder = Builder(state.turn_id)  # the reply is in the journal already
    ending = yield from commit(
        stage.journal, builder, at.course, stage.name, stopped=stopped, error=error, verdict=verdict
    )
    errors = tuple(stage.tally.errors)
    return evolve(ending, reply=evolve(ending.reply, tool_errors=errors)) if errors else ending


def _committed(journal: Journal, ended: Callable[[], Flow[Ending]]) -> Flow[Ending]:
    """Commit, also where an interruption hits the commit itself: the store takes the same records once."""
    try:
        return (yield from ended())
    except BaseException as interruption:
        if journal.torn:
            raise
        ending = yield from ended()
        if isinstance(interruption, Stopped):
            return ending
        raise

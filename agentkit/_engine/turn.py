"""One turn from the question to the committed reply, as straight-line code.

The order is the promise: the right to write is won before anything else, the question is in the journal before a
request leaves, the reply is in the journal before the turn is said to be finished, and whatever ends a turn early,
what was delivered is committed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial as partial_of

from agentkit._engine.accumulate import Builder
from agentkit._engine.admission import admitted
from agentkit._engine.answering import answered
from agentkit._engine.beginning import Task, begin
from agentkit._engine.course import Course
from agentkit._engine.ending import Ending, commit, nothing
from agentkit._engine.journal import Journal, TurnState
from agentkit.effects import Flow, Keep, Release, Stopped, do
from agentkit.errors import AgentKitError
from agentkit.events import Reply, TextDelta, TurnFinished


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


def _answer(task: Task, journal: Journal, state: TurnState, name: str) -> Flow[Ending]:
    """Let a backend answer, and commit what came of it."""
    partial = state.running()
    course = Course(task.continuation, task.options, state.asked.text, state.turn_id, journal.unfit)
    builder = Builder(state.turn_id)
    if partial is not None:
        builder = Builder(state.turn_id, text=partial.text, reasoning=partial.reasoning)
    try:
        return (yield from _asked(task, journal, state, builder, course, name))
    except BaseException:
        # an interruption may hit any place, also the one between the last word and the commit
        if state.outcome is None and not journal.torn:
            _ = yield from _committed(journal, partial_of(commit, journal, builder, course, name, stopped=True))
        raise


def _asked(  # noqa: PLR0917 - made in one place
    task: Task, journal: Journal, state: TurnState, builder: Builder, course: Course, name: str
) -> Flow[Ending]:
    stopped = False
    error: AgentKitError | None = None
    try:
        for carried in builder.text:
            yield TextDelta(carried)
        yield from do(Keep(builder))
        yield from answered(task, journal, builder, course, resumed=state.resumed)
    except Stopped:
        stopped = True
    except AgentKitError as failure:
        error = failure
    ended = partial_of(commit, journal, builder, course, name, stopped=stopped, error=error)
    return (yield from _committed(journal, ended))


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

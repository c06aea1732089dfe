"""One turn from the question to the committed reply, as straight-line code.

The order is the promise: the right to write is won before anything else, the question is in the journal before a
request leaves, the reply is in the journal before the turn is said to be finished, and whatever ends a turn early,
what was delivered is committed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial as partial_of

from attrs import evolve

from agentkit._engine.accumulate import Builder
from agentkit._engine.admission import admitted
from agentkit._engine.answering import answered
from agentkit._engine.beginning import Task, begin
from agentkit._engine.ending import Ending, commit, nothing
from agentkit._engine.journal import Journal, TurnState
from agentkit._engine.stage import Round, Stage, Verdict, begun
from agentkit.effects import Flow, Keep, Release, Stopped, Supply, do
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
    """Let a backend answer, run what it calls, and commit what came of it."""
    stage = Stage(task, journal, state, name)
    at = begun(stage, state.running())
    try:
        return (yield from _asked(stage, at))
    except BaseException:
        # an interruption may hit any place, also the one between the last word and the commit
        if state.outcome is None and not journal.torn:
            _ = yield from _committed(journal, partial_of(_commit, stage, at, stopped=True))
        raise


def _asked(stage: Stage, at: Round) -> Flow[Ending]:
    stopped = False
    error: AgentKitError | None = None
    verdict: Verdict | None = None
    try:
        for carried in at.builder.text:
            yield TextDelta(carried)
        verdict = yield from _replied(stage, at)
    except Stopped:
        stopped = True
    except AgentKitError as failure:
        error = failure
    how = partial_of(_commit, stage, at, stopped=stopped, error=error, verdict=verdict)
    return (yield from _committed(stage.journal, how))


def _replied(stage: Stage, at: Round) -> Flow[Verdict | None]:
    """Get the reply, and whatever it takes to make that the last one."""
    if stage.task.supply is not None:
        stage.task = evolve(stage.task, tools=(yield from do(Supply(stage.task.supply))))
    if stage.task.callable or stage.task.wanted is not None or stage.state.open_calls():
        from agentkit._engine.acting import acted  # loaded for those who need it

        return (yield from acted(stage, at))
    yield from do(Keep(at.builder))
    yield from answered(stage.task, stage.journal, at.builder, at.course, resumed=stage.state.resumed)
    return None


def _commit(
    stage: Stage, at: Round, *, stopped: bool, error: AgentKitError | None = None, verdict: Verdict | None = None
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

"""A turn that comes to its end over several replies: those that call tools, and those that are no value yet."""

from __future__ import annotations

from attrs import evolve

from agentkit._engine.answering import answered
from agentkit._engine.beginning import write
from agentkit._engine.stage import Round, Stage, Verdict, begun
from agentkit._engine.toolround import is_enough, with_ids, worked
from agentkit._engine.wanting import Watch, apart, miscalled, misread, shortened, told, watched
from agentkit.effects import Flow, Keep, Now, do
from agentkit.errors import ContextOverflow
from agentkit.events import Correcting
from agentkit.messages import Message, ToolCall
from agentkit.store import Discarded, Replied
from agentkit.tools import InvalidReply
from agentkit.usage import Outcome


def acted(stage: Stage, at: Round) -> Flow[Verdict | None]:
    """Ask, run what is called, and ask again, until nothing is called any more or there is a reason to stop.

    Raises:
        InvalidReply: no reply came to the value that is wanted.
    """
    stage.task = apart(stage.task)
    if stage.task.use.max_seconds is not None:
        stage.tally.began = yield from do(Now())
    calls, resumed = stage.state.open_calls(), stage.state.resumed
    if resumed and is_enough(stage.task, stage.state):
        return Verdict(Outcome.COMPLETE)
    while True:
        if calls:
            verdict = yield from _worked(stage, at, calls)
            if verdict is not None:
                return verdict
            resumed = False
        yield from do(Keep(at.builder))
        yield from _attempted(stage, at, resumed=resumed)
        calls = _calls(stage, at)
        if calls:
            continue
        problem = _problem(stage, at)
        if problem is None:
            return None
        yield from _discarded(stage, at, problem)
        resumed = False


def _calls(stage: Stage, at: Round) -> tuple[ToolCall, ...]:
    """What a whole reply calls; the reply is ready to be written then."""
    builder = at.builder
    if not (stage.task.callable and builder.called and at.is_whole):
        return ()
    message = with_ids(builder.message(), stage.state.messages)
    if message.tool_calls:
        at.reply = message
        stage.journal.counted(builder.reported, message if len(builder.segments) == 1 else None)
    return message.tool_calls


def _worked(stage: Stage, at: Round, calls: tuple[ToolCall, ...]) -> Flow[Verdict | None]:
    """The calls come to their results."""
    before = () if at.reply is None else (Replied(stage.state.turn_id, at.reply, at.builder.spent),)
    verdict = yield from worked(stage, calls, before)
    if verdict is None:
        done = evolve(stage.task.options, tool_choice=None)
        stage.task = evolve(stage.task, options=done, besides=())  # what it was told of has been done
        _anew(stage, at)
        yield from _corrected(stage, miscalled(stage.task, calls))
    return verdict


def _anew(stage: Stage, at: Round) -> None:
    """What comes next is another reply."""
    fresh = begun(stage)
    at.builder, at.course, at.reply = fresh.builder, fresh.course, None


def _attempted(stage: Stage, at: Round, *, resumed: bool) -> Flow[None]:
    """Fill the builder with a reply."""
    flow = answered(stage.task, stage.journal, at.builder, at.course, resumed=resumed)
    try:
        yield from flow if stage.task.wanted is None else watched(flow, Watch(stage.task, at.builder))
    except ContextOverflow:
        shorter = shortened(stage.task.besides)
        if at.builder.has_output or shorter == stage.task.besides:
            raise
        stage.task = evolve(stage.task, besides=shorter)
        yield from _attempted(stage, at, resumed=resumed)


def _problem(stage: Stage, at: Round) -> InvalidReply | None:
    """Why the reply is no value, if one is wanted; of a reply that is not whole this is not the place to say it."""
    if stage.task.wanted is None or not at.is_whole:
        return None
    return misread(stage.task.wanted, at.builder.said)


def _discarded(stage: Stage, at: Round, problem: InvalidReply) -> Flow[None]:
    """The reply is no part of history, and the model is told why."""
    message: Message = at.builder.message()
    discarded = Discarded(stage.state.turn_id, message, str(problem), at.builder.spent)
    yield from write(stage.journal, [discarded])
    _anew(stage, at)
    yield from _corrected(stage, problem)
    stage.task = evolve(stage.task, besides=told(message, problem))


def _corrected(stage: Stage, problem: InvalidReply | None) -> Flow[None]:
    """The model is to put something right, so often.

    Raises:
        InvalidReply: it was asked often enough.
    """
    if problem is None:
        return
    stage.tally.corrections += 1
    if stage.tally.corrections >= stage.task.attempts:
        raise problem
    yield Correcting(stage.tally.corrections, str(problem))

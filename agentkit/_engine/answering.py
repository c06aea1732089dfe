"""How the reply of a turn is got: from which backend, asked for in which way, and who goes on where one fails."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from attrs import frozen

from agentkit._engine.accumulate import Builder
from agentkit._engine.beginning import Task
from agentkit._engine.exchange import exchange
from agentkit._engine.history import repair
from agentkit._engine.journal import Journal
from agentkit._engine.line import Line
from agentkit._engine.rounds import driven, exchanged
from agentkit._engine.seam import PrefixEcho
from agentkit.effects import Flow, Now, do
from agentkit.errors import AgentKitError, ProviderError, ServerError
from agentkit.events import Notice
from agentkit.messages import Message, system
from agentkit.provider import Adapting, ChatRequest, Detecting, Exchanging
from agentkit.usage import FinishReason


def answered(task: Task, journal: Journal, builder: Builder, *, resumed: bool) -> Flow[None]:
    """Fill `builder` with the reply, from the first backend that gives it.

    Raises:
        AgentKitError: of the last one that was tried; what was delivered is in the builder.
    """
    lines = yield from _in_order(task)
    for place, line in enumerate(lines):
        try:
            yield from _asked(task, journal, builder, line, resumed=resumed or place > 0)
        except AgentKitError as error:
            yield from _failed(task, line, error)
            following = lines[place + 1 :]
            if not following or not _may_leave(task, builder, following[0], error):
                raise
            yield Notice(f"{line.backend} failed ({error}); {following[0].backend} goes on")
        else:
            line.learnt.failures = 0
            return


def _in_order(task: Task) -> Flow[list[Line]]:
    """The backends in the order to be tried: those that rest after failures come last."""
    if len(task.lines) == 1:
        return list(task.lines)
    now = yield from do(Now())
    return sorted(task.lines, key=lambda line: line.learnt.rests_until > now)


def _failed(task: Task, line: Line, error: AgentKitError) -> Flow[None]:
    """Count the failure; after some in a row the backend is left alone for a while."""
    if len(task.lines) == 1 or not isinstance(error, task.fallback.errors):
        return
    line.learnt.failures += 1
    if line.learnt.failures >= task.fallback.threshold:
        now = yield from do(Now())
        line.learnt.rests_until = now + task.fallback.cool_down


def _may_leave(task: Task, builder: Builder, following: Line, error: AgentKitError) -> bool:
    """Whether the next backend may go on: always before the first word, after it only where it can."""
    if not isinstance(error, task.fallback.errors):
        return False
    if not builder.has_output:
        return True
    able = following.provider.capabilities(following.model).prefix and bool(builder.text)
    return able and task.fallback.after_output == "continue"


def _asked(task: Task, journal: Journal, builder: Builder, line: Line, *, resumed: bool) -> Flow[None]:
    """Let one backend answer, once it is known what it is, and without what it turns out not to take."""
    line = line.informed()
    if isinstance(line.provider, Detecting):
        line = yield from _detected(line, line.provider, builder)
    while True:
        approach = _approach(task, journal, builder, line, resumed=resumed)
        builder.begin(line.provider.name, line.backend, approach.strategy)
        try:
            yield from _exchanged(line, approach, builder)
            return
        except ProviderError as error:
            change = _change(line, builder, error)
            if change is None:
                raise
            yield Notice(change)
            line = line.informed()


def _detected(line: Line, provider: Detecting, builder: Builder) -> Flow[Line]:
    """Ask the server what it is; what that takes does not count as part of the reply."""
    found = yield from driven(line, provider.detect(line.model), Builder(builder.turn_id))
    learnt = line.learnt
    learnt.model, learnt.window, learnt.provider = found.model, found.window, found.provider
    return line.informed()


def _exchanged(line: Line, approach: Approach, builder: Builder) -> Flow[None]:
    if isinstance(line.provider, Exchanging):
        yield from exchanged(line, line.provider, approach.request, builder)
    else:
        yield from exchange(line, approach.request, builder, approach.new_echo)
    if builder.finish is not None and builder.finish.reason is FinishReason.ERROR:
        raise ServerError(f"{line.provider.name} gave up in the middle of the reply: {builder.finish.raw!r}")


def _change(line: Line, builder: Builder, error: ProviderError) -> str | None:
    """Do without what the server has just refused, from now on; what that is, in words."""
    if builder.shown or not isinstance(line.provider, Adapting):
        return None
    adapted = line.provider.adapted(line.model, error)
    if adapted is None:
        return None
    line.learnt.provider, change = adapted
    return change


@frozen(kw_only=True)
class Approach:
    """How the reply is asked for."""

    request: ChatRequest
    strategy: str = "first"
    new_echo: Callable[[], PrefixEcho] | None = None


def _approach(task: Task, journal: Journal, builder: Builder, line: Line, *, resumed: bool) -> Approach:
    """From the beginning, or on from what a cut reply had come to."""
    partial_reply = builder.so_far()
    if partial_reply is None:
        return Approach(request=_request(task, journal, line), strategy="restart" if resumed else "first")
    repeats = line.provider.capabilities(line.model).repeats_prefix is not False
    echo = partial(PrefixEcho, partial_reply.text, partial_reply.reasoning)
    return Approach(
        request=_request(task, journal, line, partial_reply), strategy="native", new_echo=echo if repeats else None
    )


def _request(task: Task, journal: Journal, line: Line, prefix: Message | None = None) -> ChatRequest:
    messages = repair(tuple(journal.history))
    if journal.system:
        messages.insert(0, system(journal.system))
    if prefix is not None:
        messages.append(prefix)
    stream = line.provider.capabilities(line.model).stream
    return ChatRequest(
        model=line.model, messages=messages, options=task.options, stream=stream, prefix=prefix is not None
    )

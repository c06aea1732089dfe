"""Replies, and facts about a server, that take several requests: each is made here, and its answer handed back."""

from __future__ import annotations

from functools import partial
from typing import TypeVar, cast

from agentkit._engine.accumulate import Builder
from agentkit._engine.exchange import Sieve, deliver, exchange
from agentkit._engine.line import Line, persistent, reserved, whole
from agentkit.effects import Flow, Sleep, do
from agentkit.errors import AgentKitError, ProtocolError
from agentkit.errors import TimeoutError as LimitReached
from agentkit.provider import (
    Answered,
    Call,
    ChatRequest,
    Chunk,
    Detecting,
    Exchanging,
    Fault,
    Rounds,
    Wait,
    is_exchanging,
)

T = TypeVar("T")

_WHAT = "what it is"
_PAUSE, _MOST_PAUSES = 0.02, 1500


def exchanged(
    line: Line, provider: Exchanging, request: ChatRequest, builder: Builder, joint: Sieve | None
) -> Flow[None]:
    """Fill `builder` with a reply of several requests.

    Raises:
        AgentKitError: a request was refused, or the reply did not come to an end.
    """
    yield from driven(line, provider.exchange(request), builder, joint)
    if builder.finish is None:
        raise ProtocolError(f"{line.provider.name} gave no end of the reply")


def answer_to(line: Line, request: ChatRequest, builder: Builder) -> Flow[None]:
    """Fill `builder` with the answer to one request, whatever it takes."""
    if is_exchanging(line.provider):
        yield from exchanged(line, line.provider, request, builder, None)
    else:
        yield from exchange(line, request, builder, lambda: None)


def detected(line: Line, provider: Detecting, turn_id: str) -> Flow[Line]:
    """Ask the server what it is. Of several at once one asks, and the others wait; where it fails, each asks itself."""
    learnt = line.learnt
    mine = object()
    asker = learnt.asking.setdefault(_WHAT, mine)
    try:
        for _ in range(0 if asker is mine else _MOST_PAUSES):
            if learnt.asking.get(_WHAT) is not asker:
                break
            yield from do(Sleep(_PAUSE))
        if learnt.provider is None:
            found = yield from driven(line, provider.detect(line.model), Builder(turn_id), None)
            learnt.model, learnt.window, learnt.provider = found.model, found.window, found.provider
    finally:
        if asker is mine:
            del learnt.asking[_WHAT]
    return line.informed()


def driven(line: Line, rounds: Rounds[T], builder: Builder, joint: Sieve | None) -> Flow[T]:
    """Make the calls of `rounds`, keep and show its chunks, and return what it comes to."""
    total = _Total(line)
    answer: Answered | None = None
    thrown: AgentKitError | None = None
    try:
        while True:
            try:
                wanted = rounds.send(answer) if thrown is None else rounds.throw(thrown)
            except StopIteration as end:
                return cast("T", end.value)
            answer = thrown = None
            try:
                answer = yield from _done(line, wanted, builder, joint, total)
            except AgentKitError as error:
                thrown = error
    finally:
        rounds.close()


def _done(
    line: Line, wanted: Chunk | Call | Wait, builder: Builder, joint: Sieve | None, total: _Total
) -> Flow[Answered | None]:
    match wanted:
        case Call():
            return (yield from _called(line, wanted, builder, total))
        case Wait():
            yield from do(Sleep(wanted.seconds))
        case Fault():
            raise wanted.error
        case _:
            yield from deliver((wanted,), builder, joint)
    return None


def _called(line: Line, call: Call, builder: Builder, total: _Total) -> Flow[Answered]:
    wire = call.request
    yield from builder.news(wire.notices)
    attempt = partial(reserved, line, builder, len(wire.body) // 4, partial(whole, line, call, builder))
    head, body, now = yield from persistent(line, builder, repeatable=wire.repeatable, attempt=attempt)
    total.check(now)
    return Answered(head, body, now)


class _Total:
    """The limit of `Timeouts.total`, over all calls together."""

    __slots__ = ("_began", "_limit")

    def __init__(self, line: Line) -> None:
        self._limit = line.timeouts.total
        self._began: float | None = None

    def check(self, now: float) -> None:
        """Raise once the time is over; it begins with the first answer."""
        if self._began is None:
            self._began = now
        if self._limit is not None and now - self._began > self._limit:
            raise LimitReached(f"the reply was not there after {self._limit:g} seconds", phase="total")

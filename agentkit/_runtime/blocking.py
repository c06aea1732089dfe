"""The blocking driver: performs the effects of a flow in the calling thread, without any event loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from agentkit._runtime.session import Session
from agentkit._runtime.transport import Answer, StopSignal, Transport
from agentkit.effects import Close, Effect, Flow, Open, Read, Sleep, Stopped
from agentkit.errors import InvalidInput
from agentkit.events import Event, Reply
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest, ResponseHead


class World:
    """The outside of one turn."""

    __slots__ = ("_answer", "_session", "_signal", "_transport")

    def __init__(self, transport: Transport, session: Session, signal: StopSignal) -> None:
        self._transport = transport
        self._session = session
        self._signal = signal
        self._answer: Answer | None = None

    def perform(self, effect: Effect[Any]) -> Any:
        match effect:
            case Read():
                return self._read(effect.timeout)
            case Open():
                return self._open(effect.request, effect.timeouts)
            case Close():
                return self._close()
            case Sleep():
                return self._signal.wait(effect.seconds)
            case _:
                return self._session.perform(effect)

    def _open(self, request: HTTPRequest, timeouts: Timeouts) -> tuple[ResponseHead, float]:
        self._signal.check()
        self._answer = self._transport.open(request, timeouts, self._signal)
        return self._answer.head, time.monotonic()

    def _read(self, timeout: float | None) -> tuple[bytes, float]:
        if self._answer is None:
            raise AssertionError("nothing is open")
        return self._answer.read(timeout), time.monotonic()

    def _close(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()


class Turn:
    """A running turn: iterate over its events, or `finish()` it. Use it in a `with` statement.

    Leaving the `with` block or dropping the turn early stops it: what was delivered stays in the conversation, marked
    as interrupted. Nothing happens before the first event is asked for.
    """

    def __init__(
        self,
        flow: Flow[Reply],
        world: World,
        session: Session,
        signal: StopSignal,
        so_far: Callable[[], Reply | None],
    ) -> None:
        self._flow = flow
        self._world = world
        self._session = session
        self._signal = signal
        self._so_far = so_far
        self._begun = False
        self._told = False
        self._done = False
        self._reply: Reply | None = None

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._halt()

    def __iter__(self) -> Turn:
        return self

    def __next__(self) -> Event:
        event = self._advance(None)
        if event is None:
            raise StopIteration
        return event

    def __del__(self) -> None:
        if not self._done:
            self._halt()

    def stop(self) -> None:
        """Ask the turn to stop, from any thread. The iteration ends with `TurnFinished`; the partial reply is kept."""
        self._signal.set()

    def finish(self) -> Reply:
        """Run the turn to its end and return its reply.

        Raises:
            AgentKitError: with `.reply`, where the turn failed.
        """
        try:
            while self._advance(None) is not None:
                pass
        finally:
            self._halt()
        return self.reply

    @property
    def reply(self) -> Reply:
        """What the turn came to, once it is over."""
        reply = self._reply if self._reply is not None else self._so_far()
        if reply is None or not self._done:
            raise InvalidInput("the turn is not over: iterate over it, or call finish()")
        return reply

    def _advance(self, thrown: BaseException | None) -> Event | None:
        """The next event; None at the end. `thrown` goes into the flow first."""
        if self._done:
            return None
        if not self._begun:
            self._begun = True
            self._session.context = threading.get_ident()
        elif thrown is None and not self._told and self._signal.is_set():
            self._told = True
            thrown = Stopped()
        answer: Any = None
        while True:
            try:
                step = self._flow.send(answer) if thrown is None else self._flow.throw(thrown)
            except StopIteration as end:
                self._done = True
                self._reply = end.value
                return None
            except BaseException:
                self._done = True
                raise
            answer = thrown = None
            if not isinstance(step, Effect):
                return step
            try:
                answer = self._world.perform(step)
            except BaseException as error:  # noqa: BLE001 - the flow decides what each means
                self._told = self._told or isinstance(error, Stopped)
                thrown = error

    def _halt(self) -> None:
        """Stop the flow where it is and let it commit what it has; its further events are nobody's."""
        if self._done:
            return
        if not self._begun:
            self._flow.close()
            self._done = True
            return
        self._told = True
        self._signal.set()
        if self._advance(Stopped()) is not None:
            while self._advance(None) is not None:
                pass

"""The blocking driver: performs the effects of a flow in the calling thread, without any event loop."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar

from agentkit._runtime.bench import Bench
from agentkit._runtime.clock import CLOCKS
from agentkit._runtime.session import Session
from agentkit._runtime.steps import Steps, dropped
from agentkit._runtime.transport import Answer, StopSignal, Transport
from agentkit.effects import Abandon, Await, Close, Effect, Launch, Load, News, Now, Open, Read, Sleep, Stopped, Supply
from agentkit.errors import AgentKitError, InvalidInput
from agentkit.events import Event, Reply
from agentkit.provider import ResponseHead

T = TypeVar("T")


class World:
    """The outside of one turn."""

    __slots__ = ("_answer", "_bench", "_news", "_reach", "_session", "_signal")

    def __init__(self, reach: Callable[[int], Transport], session: Session, signal: StopSignal) -> None:
        self._reach = reach
        self._session = session
        self._signal = signal
        self._answer: Answer | None = None
        self._bench: Bench | None = None
        self._news = threading.Event()
        """The tools have something to say, or the turn is to stop."""

    def perform(self, effect: Effect[Any]) -> Any:
        match effect:
            case Read():
                return self._read(effect.timeout)
            case Open():
                return self._open(effect)
            case Close():
                return self._close()
            case Sleep():
                return self._signal.wait(CLOCKS.current.pause(effect.seconds))
            case Load():
                return effect.counter.text("")
            case Now():
                return CLOCKS.current.now()
            case Supply() | Launch() | Await() | Abandon():
                return self._with_tools(effect)
            case _:
                return self._session.perform(effect)

    def _with_tools(self, effect: Supply | Launch | Await | Abandon) -> Any:
        self._bench = bench = self._bench or Bench(self._news.set)
        match effect:
            case Supply():
                return effect.tools()
            case Launch():
                bench.launch(effect, self._session.context_of_tools())
                return time.monotonic()
            case Await():
                return bench.take() or self._heard(bench, effect.timeout), time.monotonic()
            case Abandon():
                return bench.abandon(effect.places)

    def _heard(self, bench: Bench, timeout: float | None) -> Sequence[News]:
        self._signal.guard(self._news.set)
        try:
            self._news.wait(timeout)
        finally:
            self._signal.guard(None)
        self._signal.check()
        self._news.clear()
        return bench.take()

    def _open(self, effect: Open) -> tuple[ResponseHead, float]:
        self._signal.check()
        self._answer = self._reach(effect.at).open(effect.request, effect.timeouts, self._signal)
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
        steps: Steps,
        world: World,
        signal: StopSignal,
        so_far: Callable[[], Reply | None],
        lost: Callable[[], None],
    ) -> None:
        self._steps = steps
        self._world = world
        self._signal = signal
        self._so_far = so_far
        self._lost = lost
        self._reader: dict[str, int] = {}
        """The thread that is in the middle of a step. No lock: an interruption could leave it locked for ever."""
        self._dropped = weakref.finalize(self, dropped, steps, signal.set)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._halt()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self._advance()
        if event is None:
            raise StopIteration
        return event

    def stop(self) -> None:
        """Ask the turn to stop, from any thread. The iteration ends with `TurnFinished`; the partial reply is kept."""
        self._signal.set()

    def finish(self) -> Reply:
        """Run the turn to its end and return its reply.

        Raises:
            AgentKitError: with `.reply`, where the turn failed.
        """
        try:
            while self._advance() is not None:
                pass
        finally:
            self._halt()
        return self.reply

    @property
    def reply(self) -> Reply:
        """What the turn came to, once it is over."""
        reply = self._steps.reply if self._steps.reply is not None else self._so_far()
        if reply is None or not self._steps.done:
            raise InvalidInput("the turn is not over: iterate over it, or call finish()")
        return reply

    def _advance(self) -> Event | None:
        """The next event; None at the end."""
        if not self._reads():
            raise InvalidInput("another thread is reading this turn; one turn has one reader")
        try:
            return self._run()
        except BaseException as error:
            if self._steps.done and not isinstance(error, AgentKitError):
                self._lost()
            raise
        finally:
            self._reader.clear()
            if self._steps.done:
                self._dropped.detach()

    def _reads(self) -> bool:
        """Whether this thread is the one that reads."""
        here = threading.get_ident()
        return self._reader.setdefault("thread", here) == here

    def _run(self) -> Event | None:
        steps = self._steps
        if steps.done:
            return None
        answer: Any = None
        thrown: BaseException | None = None
        if not steps.begun:
            steps.begun = True
            steps.session.context = threading.get_ident()
        elif not steps.told and self._signal.is_set():
            steps.told = True
            thrown = Stopped()
        while True:
            step = steps.next(answer, thrown)
            if not isinstance(step, Effect):
                return step
            answer = thrown = None
            try:
                answer = self._world.perform(step)
            except BaseException as error:  # noqa: BLE001 - the flow decides what each means
                steps.told = steps.told or isinstance(error, Stopped)
                thrown = error

    def _halt(self) -> None:
        """Stop the flow where it is and let it commit what it has; not where another thread reads it."""
        if not self._steps.done and self._reads():
            self._signal.set()
            self._steps.wind_up()
        if self._steps.done:
            self._reader.clear()
            self._dropped.detach()


class ValueTurn(Turn, Generic[T]):
    """A running turn whose reply is to become a value."""

    def __init__(self, parts: TurnParts, value_of: Callable[[Reply], T]) -> None:
        super().__init__(*parts)
        self._value_of = value_of

    @property
    def value(self) -> T:
        """What the reply came to, once the turn is over.

        Raises:
            IncompleteReply: the reply is not whole.
        """
        return self._value_of(self.reply)


TurnParts: TypeAlias = tuple[Steps, World, StopSignal, Callable[[], "Reply | None"], Callable[[], None]]
"""What a turn is made of."""

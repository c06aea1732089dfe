"""The async driver, for asyncio and trio: performs the effects of a flow in the calling task.

Store calls that may wait run in a thread. Once a task was cancelled, what the flow still has to do (save the partial
reply, close the answer, give the lease back) runs shielded from further cancellation.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar

import anyio
import anyio.to_thread

from agentkit._runtime.bench_aio import AsyncBench
from agentkit._runtime.clock import CLOCKS
from agentkit._runtime.keeper import KEEPER
from agentkit._runtime.loop import running_loop
from agentkit._runtime.session import Session
from agentkit._runtime.steps import Steps, dropped
from agentkit._runtime.transport import AsyncAnswer, AsyncTransport
from agentkit.effects import (
    Abandon,
    Acquire,
    Append,
    Await,
    Brake,
    Close,
    Divert,
    Effect,
    Interrupt,
    Keep,
    Launch,
    Load,
    Look,
    News,
    Now,
    Open,
    Read,
    Release,
    Reserve,
    Settle,
    Sleep,
    Stopped,
    Supply,
)
from agentkit.errors import AgentKitError, InvalidInput
from agentkit.events import Event, Reply
from agentkit.provider import ResponseHead

T = TypeVar("T")

_FAREWELL = 1.0
"""Seconds that cancelled tools may take to end."""


class AsyncWorld:
    """The outside of one turn."""

    __slots__ = ("_answer", "_bell", "_bench", "_reach", "_scope", "_session", "cancelled", "stopping")

    def __init__(self, reach: Callable[[int], AsyncTransport], session: Session) -> None:
        self._reach = reach
        self._session = session
        self._answer: AsyncAnswer | None = None
        self._scope: anyio.CancelScope | None = None
        self._bench: AsyncBench | None = None
        self._bell = Bell()
        self.cancelled: BaseException | None = None
        """The task was cancelled while the store was at work: to be told where the flow waits next."""
        self.stopping = False

    def stop(self) -> None:
        """End the wait that the turn is in, and any later one."""
        self.stopping = True
        if self._scope is not None:
            self._scope.cancel()
        elif self._answer is not None:
            self._answer.abandon()

    async def perform(self, effect: Effect[Any]) -> Any:
        match effect:
            case Read():
                return await self._read(effect.timeout)
            case Open():
                return await self._open(effect)
            case Close():
                return await self._close()
            case Sleep():
                return await self._stoppable(anyio.sleep, CLOCKS.current.pause(effect.seconds))
            case Load():
                return await in_thread(effect.counter.text, "")
            case Now():
                return CLOCKS.current.now()
            case Keep() | Reserve() | Settle() | Brake():
                return self._session.perform(effect)
            case Supply() | Launch() | Await() | Abandon():
                return await self._with_tools(effect)
            case _ if self._session.store.blocking:
                return await self._in_store(effect)
            case _:
                return self._session.perform(effect)

    async def _with_tools(self, effect: Supply | Launch | Await | Abandon) -> Any:
        self._bench = bench = self._bench or AsyncBench(self._bell.ring, running_loop())
        match effect:
            case Supply():
                return await in_thread(effect.tools)
            case Launch():
                bench.launch(effect, self._session.context_of_tools())
                return time.monotonic()
            case Await():
                news = bench.take()
                if not news:
                    await self._stoppable(self._bell.heard, effect.timeout)
                    news = bench.take()
                return news, time.monotonic()
            case Abandon():
                return await self._abandoned(bench, effect)

    async def _abandoned(self, bench: AsyncBench, effect: Abandon) -> Sequence[News]:
        """Cancel tools, and give them a while to see it."""
        news = bench.abandon(effect.places)
        if effect.places is None:
            try:
                with anyio.move_on_after(_FAREWELL, shield=True):
                    await bench.quiet()
            except asyncio.CancelledError as error:  # no scope stops what cancels a task of asyncio directly
                self.cancelled = error
        return news

    async def _in_store(self, effect: Effect[Any]) -> Any:
        """All or nothing: a cancellation is kept until the store has answered, since what it did is not undone."""
        with anyio.CancelScope(shield=True):
            if anyio.get_cancelled_exc_class() is not asyncio.CancelledError:
                return await anyio.to_thread.run_sync(self._session.perform, effect)
            # No scope stops what cancels a task of asyncio directly.
            work = asyncio.ensure_future(anyio.to_thread.run_sync(self._session.perform, effect))
            while not work.done():
                try:
                    await asyncio.wait([work])
                except asyncio.CancelledError as error:
                    self.cancelled = error
            return work.result()

    def perform_now(self, effect: Effect[Any]) -> Any:
        """The same without waiting, for a turn that was dropped; what would wait is refused."""
        match effect:
            case Read() | Open() | Sleep() | Load() | Supply() | Launch() | Await():
                raise Stopped
            case Abandon():
                return [] if self._bench is None else self._bench.abandon(effect.places)
            case Close():
                answer, self._answer = self._answer, None
                if answer is not None:
                    answer.abandon()
                return None
            case Now():
                return CLOCKS.current.now()
            case _:
                return self._session.perform(effect)

    async def _stoppable(self, wait: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        if self.stopping:
            raise Stopped
        with anyio.CancelScope() as scope:
            self._scope = scope
            try:
                return await wait(*arguments)
            finally:
                self._scope = None
        raise Stopped

    async def _open(self, effect: Open) -> tuple[ResponseHead, float]:
        self._answer = await self._stoppable(self._reach(effect.at).open, effect.request, effect.timeouts)
        return self._answer.head, time.monotonic()

    async def _read(self, timeout: float | None) -> tuple[bytes, float]:
        if self._answer is None:
            raise AssertionError("nothing is open")
        try:
            data = await self._answer.read(timeout)
        except AgentKitError:
            if self.stopping:
                raise Stopped from None
            raise
        if self.stopping:
            raise Stopped
        return data, time.monotonic()

    async def _close(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            await answer.close()


async def in_thread(call: Callable[..., T], *arguments: Any) -> T:
    """Call what may wait for a disk, without holding up the event loop."""
    with anyio.CancelScope(shield=True):
        return await anyio.to_thread.run_sync(call, *arguments)
    raise AssertionError("a shield lets everything through")


class Bell:
    """Wakes the turn that waits for its tools."""

    def __init__(self) -> None:
        self._rung = anyio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def heard(self, timeout: float | None) -> None:
        """Wait until it rings, or rang since the last time."""
        with anyio.move_on_after(timeout):
            await self._rung.wait()
            self._rung = anyio.Event()


class AsyncTurn:
    """A running turn: iterate over its events with `async for`, or await `finish()`. Use it in an `async with`.

    Leaving the block or dropping the turn early stops it: what was delivered stays in the conversation, marked as
    interrupted. Nothing happens before the first event is asked for.
    """

    def __init__(
        self, steps: Steps, world: AsyncWorld, so_far: Callable[[], Reply | None], lost: Callable[[], None]
    ) -> None:
        self._steps = steps
        self._world = world
        self._so_far = so_far
        self._lost = lost
        self._stepping = False
        self._shielded = False
        self._dropped = weakref.finalize(self, dropped, steps, _nothing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._halt()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._advance()
        if event is None:
            raise StopAsyncIteration
        return event

    def stop(self) -> None:
        """Ask the turn to stop. The iteration ends with `TurnFinished`; the partial reply is kept."""
        self._world.stop()

    async def finish(self) -> Reply:
        """Run the turn to its end and return its reply.

        Raises:
            AgentKitError: with `.reply`, where the turn failed.
        """
        try:
            while await self._advance() is not None:
                pass
        finally:
            await self._halt()
        return self.reply

    @property
    def reply(self) -> Reply:
        """What the turn came to, once it is over."""
        reply = self._steps.reply if self._steps.reply is not None else self._so_far()
        if reply is None or not self._steps.done:
            raise InvalidInput("the turn is not over: iterate over it, or await finish()")
        return reply

    async def _advance(self) -> Event | None:
        """The next event; None at the end."""
        if self._stepping:
            raise InvalidInput("another task is reading this turn; one turn has one reader")
        self._stepping = True
        try:
            return await self._run()
        except BaseException as error:
            if self._steps.done and not isinstance(error, AgentKitError):
                self._lost()
            raise
        finally:
            self._stepping = False
            if self._steps.done:
                self._dropped.detach()

    def _begin(self) -> None:
        steps, stop = self._steps, self._world.stop
        steps.begun = True
        steps.session.context = anyio.get_current_task().id
        call = running_loop().soon

        def interrupt() -> None:
            try:
                call(stop)
            except RuntimeError:  # the loop is gone, and with it whoever read the turn
                KEEPER.call(steps.wind_up)

        # Not by way of `self`: the session outlives a turn that was dropped, and must not keep it alive.
        steps.session.on_interrupt = interrupt

    async def _run(self) -> Event | None:
        steps = self._steps
        if steps.done:
            return None
        answer: Any = None
        thrown: BaseException | None = None
        if not steps.begun:
            self._begin()
        elif not steps.told and self._world.stopping:
            steps.told = True
            thrown = Stopped()
        while True:
            step = steps.next(answer, thrown)
            answer = thrown = None
            if self._world.cancelled is not None and not isinstance(step, _UNCANCELLED):
                thrown, self._world.cancelled = self._world.cancelled, None
                self._shielded = True
                if step is None:
                    raise thrown
                continue
            if not isinstance(step, Effect):
                return step
            try:
                answer = await self._perform(step)
            except GeneratorExit:
                steps.wind_up()
                raise
            except BaseException as error:  # noqa: BLE001 - the flow decides what each means
                steps.told = steps.told or isinstance(error, Stopped)
                self._shielded = self._shielded or not isinstance(error, Exception | Stopped)
                thrown = error

    async def _perform(self, effect: Effect[Any]) -> Any:
        if not self._shielded:
            return await self._world.perform(effect)
        with anyio.CancelScope(shield=True):
            return await self._world.perform(effect)

    async def _halt(self) -> None:
        """Stop the flow where it is and let it commit what it has."""
        steps = self._steps
        if self._stepping:  # another task reads it
            return
        if not steps.begun:
            steps.wind_up()
        self._world.stopping = self._shielded = True
        try:
            while not steps.done and await self._advance() is not None:
                pass
        finally:
            steps.wind_up()
            self._dropped.detach()


class AsyncValueTurn(AsyncTurn, Generic[T]):
    """A running turn whose reply is to become a value."""

    def __init__(self, parts: AsyncTurnParts, value_of: Callable[[Reply], T]) -> None:
        super().__init__(*parts)
        self._value_of = value_of

    @property
    def value(self) -> T:
        """What the reply came to, once the turn is over.

        Raises:
            IncompleteReply: the reply is not whole.
        """
        return self._value_of(self.reply)


AsyncTurnParts: TypeAlias = tuple[Steps, AsyncWorld, Callable[[], "Reply | None"], Callable[[], None]]
"""What a turn is made of."""

_UNCANCELLED = (Abandon, Acquire, Append, Brake, Close, Divert, Interrupt, Keep, Look, Release, Reserve, Settle)
"""What is done at once or to its end, whoever is cancelled."""


def _nothing() -> None:
    pass

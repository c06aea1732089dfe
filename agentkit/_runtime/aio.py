"""The async driver, for asyncio and trio: performs the effects of a flow in the calling task.

Store calls that may wait run in a thread. Once a task was cancelled, what the flow still has to do (save the partial
reply, close the answer, give the lease back) runs shielded from further cancellation.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from agentkit._runtime.session import Session
from agentkit._runtime.transport import AsyncAnswer, AsyncTransport
from agentkit.effects import Brake, Close, Effect, Flow, Keep, Open, Read, Reserve, Sleep, Stopped
from agentkit.errors import AgentKitError, InvalidInput
from agentkit.events import Event, Reply
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest, ResponseHead

T = TypeVar("T")


class AsyncWorld:
    """The outside of one turn."""

    __slots__ = ("_answer", "_scope", "_session", "_transport", "stopping")

    def __init__(self, transport: AsyncTransport, session: Session) -> None:
        self._transport = transport
        self._session = session
        self._answer: AsyncAnswer | None = None
        self._scope: anyio.CancelScope | None = None
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
                return await self._open(effect.request, effect.timeouts)
            case Close():
                return await self._close()
            case Sleep():
                return await self._stoppable(anyio.sleep, effect.seconds)
            case Keep() | Reserve() | Brake():
                return self._session.perform(effect)
            case _ if self._session.store.blocking:
                return await anyio.to_thread.run_sync(self._session.perform, effect)
            case _:
                return self._session.perform(effect)

    def perform_now(self, effect: Effect[Any]) -> Any:
        """The same without waiting, for a turn that was dropped; what would wait is refused."""
        match effect:
            case Read() | Open() | Sleep():
                raise Stopped
            case Close():
                answer, self._answer = self._answer, None
                if answer is not None:
                    answer.abandon()
                return None
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

    async def _open(self, request: HTTPRequest, timeouts: Timeouts) -> tuple[ResponseHead, float]:
        self._answer = await self._stoppable(self._transport.open, request, timeouts)
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
    return await anyio.to_thread.run_sync(call, *arguments)


def _in_this_loop() -> Callable[[Callable[[], object]], None]:
    """How another thread can have something called in the running event loop."""
    trio = sys.modules.get("trio")
    if trio is not None:
        try:
            return trio.lowlevel.current_trio_token().run_sync_soon  # type: ignore[no-any-return]
        except RuntimeError:
            pass
    loop = asyncio.get_running_loop()
    return lambda stop: _ignored(loop.call_soon_threadsafe(stop))


def _ignored(_: object) -> None:
    return None


class AsyncTurn:
    """A running turn: iterate over its events with `async for`, or await `finish()`. Use it in an `async with`.

    Leaving the block or dropping the turn early stops it: what was delivered stays in the conversation, marked as
    interrupted. Nothing happens before the first event is asked for.
    """

    def __init__(
        self, flow: Flow[Reply], world: AsyncWorld, session: Session, so_far: Callable[[], Reply | None]
    ) -> None:
        self._flow = flow
        self._world = world
        self._session = session
        self._so_far = so_far
        self._begun = False
        self._told = False
        self._done = False
        self._shielded = False
        self._reply: Reply | None = None

    async def __aenter__(self) -> AsyncTurn:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._halt()

    def __aiter__(self) -> AsyncTurn:
        return self

    async def __anext__(self) -> Event:
        event = await self._advance(None)
        if event is None:
            raise StopAsyncIteration
        return event

    def __del__(self) -> None:
        if self._begun and not self._done:
            self._drop()
        elif not self._done:
            self._flow.close()

    def stop(self) -> None:
        """Ask the turn to stop. The iteration ends with `TurnFinished`; the partial reply is kept."""
        self._world.stop()

    async def finish(self) -> Reply:
        """Run the turn to its end and return its reply.

        Raises:
            AgentKitError: with `.reply`, where the turn failed.
        """
        try:
            while await self._advance(None) is not None:
                pass
        finally:
            await self._halt()
        return self.reply

    @property
    def reply(self) -> Reply:
        """What the turn came to, once it is over."""
        reply = self._reply if self._reply is not None else self._so_far()
        if reply is None or not self._done:
            raise InvalidInput("the turn is not over: iterate over it, or await finish()")
        return reply

    def _begin(self) -> None:
        self._begun = True
        self._session.context = anyio.get_current_task().id
        call, stop = _in_this_loop(), self._world.stop
        # Not by way of `self`: the session outlives a turn that was dropped, and must not keep it alive.
        self._session.on_interrupt = lambda: call(stop)

    async def _advance(self, thrown: BaseException | None) -> Event | None:
        """The next event; None at the end. `thrown` goes into the flow first."""
        if self._done:
            return None
        if not self._begun:
            self._begin()
        elif thrown is None and not self._told and self._world.stopping:
            self._told = True
            thrown = Stopped()
        answer: Any = None
        while True:
            step = self._step(answer, thrown)
            if not isinstance(step, Effect):
                return step
            answer = thrown = None
            try:
                answer = await self._perform(step)
            except GeneratorExit:
                self._drop()
                raise
            except BaseException as error:  # noqa: BLE001 - the flow decides what each means
                self._told = self._told or isinstance(error, Stopped)
                self._shielded = self._shielded or not isinstance(error, Exception | Stopped)
                thrown = error

    def _step(self, answer: Any, thrown: BaseException | None) -> Event | Effect[Any] | None:
        try:
            return self._flow.send(answer) if thrown is None else self._flow.throw(thrown)
        except StopIteration as end:
            self._done = True
            self._reply = end.value
            return None
        except BaseException:
            self._done = True
            raise

    async def _perform(self, effect: Effect[Any]) -> Any:
        if not self._shielded:
            return await self._world.perform(effect)
        with anyio.CancelScope(shield=True):
            return await self._world.perform(effect)

    async def _halt(self) -> None:
        """Stop the flow where it is and let it commit what it has; its further events are nobody's."""
        if self._done:
            return
        if not self._begun:
            self._flow.close()
            self._done = True
            return
        self._told = self._shielded = True
        if await self._advance(Stopped()) is not None:
            while await self._advance(None) is not None:
                pass

    def _drop(self) -> None:
        """The same from a place that cannot await."""
        thrown: BaseException | None = Stopped()
        answer: Any = None
        while (step := self._step(answer, thrown)) is not None:
            answer = thrown = None
            if isinstance(step, Effect):
                try:
                    answer = self._world.perform_now(step)
                except BaseException as error:  # noqa: BLE001 - the flow decides what each means
                    thrown = error

"""The async transport and its answer, for asyncio and trio.

May hold how an async request goes over connections, and what belongs to one event loop: its connections, its line of
waiting requests, and their end together with the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any, TypeAlias, cast

import anyio
import httpcore
from attrs import define, frozen

from agentkit._runtime.http.deadline import Deadline
from agentkit._runtime.http.network_aio import LoopBackend, TrioBackend
from agentkit._runtime.http.pool import (
    LINGER_BYTES,
    LINGER_SECONDS,
    MAX_CONNECTIONS,
    Prepared,
    PreparedRequests,
    Shelf,
    can_send_again,
    head_of,
    inflated_async,
    inflater_for,
    translated,
)
from agentkit._runtime.http.proxies import Routes, Trust, async_factory
from agentkit.errors import ConnectionLost
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
Spawner: TypeAlias = Callable[[Work], None]
"""Starts work in a loop from any thread."""


def _trio_here() -> Any:
    """The module, where a trio task is running."""
    trio = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_task() else None


@frozen(eq=False)
class _Kept:
    """A connection, and how to close it without waiting."""

    connection: httpcore.AsyncConnectionInterface
    kill: Callable[[], None]

    def is_idle(self) -> bool:
        return self.connection.is_idle()

    def has_expired(self) -> bool:
        return self.connection.has_expired()


@define(eq=False)
class _Place:
    event: anyio.Event
    granted: bool = False


class _LoopPool:
    """What one event loop holds. Used in that loop only, except for `later`."""

    def __init__(self, routes: Routes[httpcore.AsyncConnectionPool], spawn: Spawner) -> None:
        self._routes = routes
        self._spawn = spawn
        self._shelf: Shelf[_Kept] = Shelf(MAX_CONNECTIONS)
        self._free = MAX_CONNECTIONS
        self._line: deque[_Place] = deque()
        self.reading: set[object] = set()
        """Body iterators under way: garbage collection must not come upon one, the loops complain of that."""
        self.janitor: AsyncGenerator[None, None] | None = None

    async def enter(self, call: Deadline) -> None:
        if self._free:
            self._free -= 1
            return
        place = _Place(anyio.Event())
        self._line.append(place)
        call.begin("pool", None)
        try:
            while not place.granted:
                with anyio.move_on_after(call.left()):
                    await place.event.wait()
        except BaseException:
            self._give_up(place)
            raise
        call.begin("connect", call.timeouts.connect)

    def _give_up(self, place: _Place) -> None:
        if place.granted:
            self.leave()
        else:
            self._line.remove(place)

    def leave(self) -> None:
        if self._line:
            place = self._line.popleft()
            place.granted = True
            place.event.set()
        else:
            self._free += 1

    def kept(self, prepared: Prepared) -> _Kept | None:
        found, dead = self._shelf.take(prepared.origin)
        _kill(dead)
        return found

    def fresh(self, prepared: Prepared) -> httpcore.AsyncConnectionInterface:
        made = self._routes.to(*prepared.origin).create_connection(prepared.url.origin)
        _kill(self._shelf.make_room(MAX_CONNECTIONS - self._free))
        return made

    def give_back(self, prepared: Prepared, kept: _Kept) -> None:
        if kept.is_idle():
            _kill(self._shelf.put(prepared.origin, kept))
        self.leave()

    def close(self) -> None:
        _kill(self._shelf.empty())

    def later(self, work: Work) -> None:
        """Run `work` in this loop soon; from any thread. With a loop that has ended there is nothing left to do."""
        with contextlib.suppress(RuntimeError):  # that trio has ended is a RuntimeError, too
            self._spawn(work)


def _asyncio_spawner(loop: asyncio.AbstractEventLoop) -> Spawner:
    tasks: set[asyncio.Task[None]] = set()

    def start(work: Work) -> None:
        task = loop.create_task(work())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def spawn(work: Work) -> None:
        loop.call_soon_threadsafe(start, work)

    return spawn


def _trio_spawner(token: Any, trio: Any) -> Spawner:
    def spawn(work: Work) -> None:
        token.run_sync_soon(trio.lowlevel.spawn_system_task, work)

    return spawn


def spawner() -> Spawner:
    """For the loop that is running."""
    trio = _trio_here()
    if trio is None:
        return _asyncio_spawner(asyncio.get_running_loop())
    return _trio_spawner(trio.lowlevel.current_trio_token(), trio)


def _kill(connections: list[_Kept]) -> None:
    for kept in connections:
        kept.kill()


class AsyncHTTP:
    """Sends requests in whichever event loop is running; each loop has connections of its own."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._prepared = PreparedRequests()
        self._lock = threading.Lock()
        self._pools: weakref.WeakKeyDictionary[Any, _LoopPool] = weakref.WeakKeyDictionary()
        _LIVE.add(self)

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> AsyncHTTPAnswer:
        prepared = self._prepared.get(request)
        call = Deadline(prepared.where, timeouts)
        pool = await self._pool()
        try:
            await pool.enter(call)
            try:
                kept, response = await _exchange(pool, prepared, request, call)
                return AsyncHTTPAnswer(pool, prepared, kept, response, call)
            except BaseException:
                call.kill()
                pool.leave()
                raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it leaves as one of ours
            raise translated(error, call) from None

    async def close(self) -> None:
        """Close what is idle in this loop. The transport can be used again."""
        pool = self._pools.pop(self._loop(), None)
        if pool is not None and pool.janitor is not None:
            await pool.janitor.aclose()

    @staticmethod
    def _loop() -> Any:
        trio = _trio_here()
        return asyncio.get_running_loop() if trio is None else trio.lowlevel.current_trio_token()

    async def _pool(self) -> _LoopPool:
        loop = self._loop()
        pool = self._pools.get(loop)
        if pool is None:
            pool = self._new_pool()
            pool.janitor = self._end_with_loop(pool, weakref.ref(loop))
            with self._lock:
                self._pools[loop] = pool
            await anext(pool.janitor)
        return pool

    def _new_pool(self) -> _LoopPool:
        backend = LoopBackend() if _trio_here() is None else TrioBackend()
        routes = Routes(lambda proxy, trust: async_factory(proxy, backend, trust), self._trust)
        return _LoopPool(routes, spawner())

    async def _end_with_loop(self, pool: _LoopPool, loop: weakref.ref[Any]) -> AsyncGenerator[None, None]:
        """Loops close the async generators that are still open when they end: the one moment to close connections."""
        try:
            yield
        finally:
            with self._lock:
                key = loop()
                if key is not None and self._pools.get(key) is pool:
                    del self._pools[key]
            pool.close()
            if _trio_here() is None:
                await asyncio.sleep(0)  # asyncio closes a socket one round later

    def forget(self) -> None:
        """In the child of a fork: the loops are the parent's, and so is what they are registered with."""
        self._lock = threading.Lock()
        _PARENTS.append(self._pools)
        self._pools = weakref.WeakKeyDictionary()


_LIVE: weakref.WeakSet[AsyncHTTP] = weakref.WeakSet()
_PARENTS: list[object] = []


def _after_fork() -> None:
    for transport in list(_LIVE):
        transport.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


async def _exchange(
    pool: _LoopPool, prepared: Prepared, request: HTTPRequest, call: Deadline
) -> tuple[_Kept, httpcore.Response]:
    """Send the request and receive the head. A kept connection that turns out dead is replaced once."""
    message = prepared.request(request, call)
    kept = pool.kept(prepared)
    if kept is not None:
        try:
            return kept, await kept.connection.handle_async_request(message)
        except Exception as error:
            if not can_send_again(error, call):
                raise
            call.begin("connect", call.timeouts.connect)
    connection = pool.fresh(prepared)
    response = await connection.handle_async_request(message)
    return _Kept(connection, call.kill), response


class AsyncHTTPAnswer:
    """An open answer. Its connection is kept only where the end of the body was reached."""

    __slots__ = ("_call", "_chunks", "_inflater", "_kept", "_over", "_pool", "_prepared", "_response", "_whole", "head")

    def __init__(
        self, pool: _LoopPool, prepared: Prepared, kept: _Kept, response: httpcore.Response, call: Deadline
    ) -> None:
        call.in_head = False
        self._pool = pool
        self._prepared = prepared
        self._kept = kept
        self._response = response
        self._call = call
        self._over = False
        self._whole = False
        self.head = head_of(response)
        self._inflater = inflater_for(self.head, prepared.where)
        self._chunks = cast("AsyncIterator[bytes]", aiter(cast("Any", response.stream)))
        pool.reading.add(self._chunks)

    async def read(self, timeout: float | None, /) -> bytes:
        if self._over:
            return self._after_end()
        self._call.expect(timeout)
        try:
            data = await (
                anext(self._chunks, b"") if self._inflater is None else inflated_async(self._inflater, self._chunks)
            )
        except BaseException as error:
            self._pool.reading.discard(self._chunks)
            self._drop()
            if isinstance(error, Exception):
                raise translated(error, self._call) from None
            raise
        if not data:
            self._whole = True
            await self._release()
        return data

    def _after_end(self) -> bytes:
        if self._whole:
            return b""
        raise ConnectionLost(f"the answer of {self._prepared.where} was closed before its end")

    async def close(self) -> None:
        if self._over:
            return
        try:
            at_end = await self._reach_end()
        except BaseException:
            self._pool.reading.discard(self._chunks)
            self._drop()
            raise
        if at_end:
            await self._release()
        else:
            self._drop()
            await self._end_iterator()

    async def _reach_end(self) -> bool:
        """The last bytes of a stream mostly come with its last event or right after; then its connection is kept."""
        self._call.expect(LINGER_SECONDS)
        seen = 0
        try:
            async for data in self._chunks:
                seen += len(data)
                if seen > LINGER_BYTES:
                    return False
        except Exception:  # noqa: BLE001 - nobody waits for this answer any more
            return False
        return True

    async def _release(self) -> None:
        """The end was reached: the connection may serve the next request."""
        self._over = True
        self._pool.reading.discard(self._chunks)
        try:
            await self._response.aclose()
        except BaseException:
            self._call.kill()
            raise
        finally:
            self._pool.give_back(self._prepared, self._kept)

    def _drop(self) -> None:
        self._over = True
        self._call.kill()
        self._pool.leave()

    async def _end_iterator(self) -> None:
        """Let httpcore run into the closed connection: what closes its iterator from outside misses the inner one."""
        try:
            with contextlib.suppress(Exception):
                async for _ in self._chunks:
                    pass
        finally:
            self._pool.reading.discard(self._chunks)

    def abandon(self) -> None:
        """Close without waiting; from any thread, garbage collection included."""
        if self._over:
            return
        self._over = True
        self._call.cut()
        self._pool.later(self._end_abandoned)

    async def _end_abandoned(self) -> None:
        self._drop()
        await self._end_iterator()

"""The blocking transport and its answer.

May hold how a blocking request goes over connections: places, keeping, sending again, reading, breaking off. No thread
is started for a request; another thread may end any wait through the `StopSignal`.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from typing import cast

import httpcore

from agentkit._runtime.http.deadline import Call
from agentkit._runtime.http.network import BlockingBackend
from agentkit._runtime.http.pool import (
    LINGER_BYTES,
    LINGER_SECONDS,
    MAX_CONNECTIONS,
    Gate,
    Prepared,
    PreparedRequests,
    Shelf,
    can_send_again,
    head_of,
    inflated,
    inflater_for,
    translated,
)
from agentkit._runtime.http.proxies import Routes, Trust, factory
from agentkit._runtime.transport import StopSignal
from agentkit.effects import Stopped
from agentkit.errors import AgentKitError, ConnectionLost
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest


class _Pool:
    """The connections of one transport, until it is closed or the process forks."""

    def __init__(self, routes: Routes[httpcore.ConnectionPool]) -> None:
        self.gate = Gate(MAX_CONNECTIONS)
        self._shelf: Shelf[httpcore.ConnectionInterface] = Shelf(MAX_CONNECTIONS)
        self._routes = routes

    def kept(self, prepared: Prepared) -> httpcore.ConnectionInterface | None:
        connection, dead = self._shelf.take(prepared.origin)
        _close(dead)
        return connection

    def fresh(self, prepared: Prepared) -> httpcore.ConnectionInterface:
        made = self._routes.to(*prepared.origin).create_connection(prepared.url.origin)
        _close(self._shelf.make_room(self.gate.busy))
        return made

    def give_back(self, prepared: Prepared, connection: httpcore.ConnectionInterface) -> None:
        if connection.is_idle():
            _close(self._shelf.put(prepared.origin, connection))
        self.gate.leave()

    def close(self) -> None:
        _close(self._shelf.empty())

    def forget(self) -> None:
        """In the child of a fork: locks may be held by threads that are not there, sockets belong to the parent."""
        self.gate = Gate(MAX_CONNECTIONS)
        self._shelf.forget_locks()
        self.close()


def _close(connections: Iterable[httpcore.ConnectionInterface]) -> None:
    for connection in connections:
        connection.close()


class BlockingHTTP:
    """Sends requests and keeps connections. Safe to use from many threads, and in the child after a fork."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._prepared = PreparedRequests()
        self._pool = self._new_pool()
        _LIVE.add(self)

    def _new_pool(self) -> _Pool:
        return _Pool(self._routes())

    def _routes(self) -> Routes[httpcore.ConnectionPool]:
        backend = BlockingBackend()
        return Routes(lambda proxy, trust: factory(proxy, backend, trust), self._trust)

    def open(self, request: HTTPRequest, timeouts: Timeouts, signal: StopSignal, /) -> BlockingAnswer:
        prepared = self._prepared.get(request)
        call = Call(prepared.where, timeouts, signal)
        pool = self._pool
        signal.guard(call.abort)
        try:
            return _open(pool, prepared, request, call, signal)
        except BaseException as error:
            signal.guard(None)
            call.kill()
            if isinstance(error, Exception):
                raise _outcome(error, call) from None
            raise

    def close(self) -> None:
        """Close what is idle; connections in use go when their answers end. The transport can be used again."""
        pool, self._pool = self._pool, self._new_pool()
        pool.close()

    def forget(self) -> None:
        pool, self._pool = self._pool, self._new_pool()
        pool.forget()


_LIVE: weakref.WeakSet[BlockingHTTP] = weakref.WeakSet()


def _after_fork() -> None:
    for transport in list(_LIVE):
        transport.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _open(pool: _Pool, prepared: Prepared, request: HTTPRequest, call: Call, signal: StopSignal) -> BlockingAnswer:
    pool.gate.enter(call)
    try:
        connection, response = _exchange(pool, prepared, request, call)
        return BlockingAnswer(pool, prepared, connection, response, call, signal)
    except BaseException:
        pool.gate.leave()
        raise


def _exchange(
    pool: _Pool, prepared: Prepared, request: HTTPRequest, call: Call
) -> tuple[httpcore.ConnectionInterface, httpcore.Response]:
    """Send the request and receive the head. A kept connection that turns out dead is replaced once."""
    message = prepared.request(request, call)
    connection = pool.kept(prepared)
    if connection is not None:
        try:
            return connection, connection.handle_request(message)
        except Exception as error:
            if not can_send_again(error, call):
                raise
            call.begin("connect", call.timeouts.connect)
    connection = pool.fresh(prepared)
    return connection, connection.handle_request(message)


def _outcome(error: Exception, call: Call) -> BaseException:
    return Stopped() if call.stopped else translated(error, call)


class BlockingAnswer:
    """An open answer. Its connection is kept only where the end of the body was reached."""

    __slots__ = (
        "_call",
        "_chunks",
        "_connection",
        "_inflater",
        "_over",
        "_pool",
        "_prepared",
        "_response",
        "_signal",
        "_whole",
        "head",
    )

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        pool: _Pool,
        prepared: Prepared,
        connection: httpcore.ConnectionInterface,
        response: httpcore.Response,
        call: Call,
        signal: StopSignal,
    ) -> None:
        call.in_head = False
        self._pool = pool
        self._prepared = prepared
        self._connection = connection
        self._response = response
        self._call = call
        self._signal = signal
        self._chunks = iter(cast("Iterable[bytes]", response.stream))
        self._over = False
        self._whole = False
        self.head = head_of(response)
        try:
            self._inflater = inflater_for(self.head, prepared.where)
        except AgentKitError:
            response.close()
            raise

    def read(self, timeout: float | None, /) -> bytes:
        if self._over:
            return self._after_end()
        call = self._call
        call.expect(timeout)
        try:
            call.check()
            data = next(self._chunks, b"") if self._inflater is None else inflated(self._inflater, self._chunks)
        except BaseException as error:
            self._release()
            if isinstance(error, Exception):
                raise _outcome(error, call) from None
            raise
        if not data:
            self._whole = True
            self._release()
        return data

    def _after_end(self) -> bytes:
        if self._whole:
            return b""
        raise ConnectionLost(f"the answer of {self._prepared.where} was closed before its end")

    def close(self) -> None:
        if self._over:
            return
        try:
            if not self._signal.is_set():
                self._reach_end()
        finally:
            self._release()

    def _reach_end(self) -> None:
        """The last bytes of a stream mostly come with its last event or right after; then its connection is kept."""
        self._call.expect(LINGER_SECONDS)
        seen = 0
        try:
            for data in self._chunks:
                seen += len(data)
                if seen > LINGER_BYTES:
                    return
        except Exception:  # noqa: BLE001 - nobody waits for this answer any more
            return

    def _release(self) -> None:
        self._over = True
        self._signal.guard(None)  # from here on the connection may belong to another call
        try:
            self._response.close()
        finally:
            self._pool.give_back(self._prepared, self._connection)

"""Sockets of the async transport: asyncio through its own protocol interface, trio through httpcore's backend.

May hold the network backends that httpcore is given in event loops. httpcore's own backend for asyncio goes through
anyio, which costs a third of a request. As in `_network`, the "timeout" that httpcore carries is our `Deadline`.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import math
import socket
import ssl
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar, cast

import httpcore

from agentkit._runtime.http.deadline import Deadline, no_connection, patience
from agentkit._runtime.http.network import cut, is_readable
from agentkit.errors import ConnectError, TimeoutError  # noqa: A004 - also the builtin

_HIGH_WATER = 256 << 10
"""Unread bytes at which the other side has to wait."""
T = TypeVar("T")


def _of(timeout: Any, fallback: Deadline) -> Deadline:
    return fallback if timeout is None else timeout


class LoopStream(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection in an asyncio loop."""

    def __init__(self, where: str, call: Deadline) -> None:
        self._where = where
        self._call = call
        self._transport: Any = None
        self._data = b""
        self._held = b""
        self._eof = False
        self._error: Exception | None = None
        self._full = False
        self._lost = False
        self._waiter: asyncio.Future[bool] | None = None
        self._until = math.inf
        """When the wait at hand ends, by the clock of the loop."""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data = self._data + data if self._data else data
        if len(self._data) > _HIGH_WATER:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._eof = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._eof = True
        self._lost = True
        self._error = exc
        self._full = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._wake()

    def _wake(self, *, in_time: bool = True) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(in_time)

    async def _wait(self, call: Deadline) -> None:
        left = call.left()
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        if left is not None:
            self._until = loop.time() + left
            self._set_timer(loop)
        try:
            in_time = await self._waiter
        finally:
            self._waiter = None
            self._until = math.inf
        if not in_time:
            raise call.expired()

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        """One timer serves all waits: mostly the next one ends later, and the timer looks again when it rings."""
        if self._timer is not None:
            if self._timer.when() <= self._until:
                return
            self._timer.cancel()
        self._timer = loop.call_at(self._until, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if loop.time() >= self._until:
            self._wake(in_time=False)
        elif self._waiter is not None and self._until < math.inf:
            self._set_timer(loop)

    async def write(self, buffer: bytes, timeout: Any = None) -> None:
        if timeout is not None:
            if buffer and not buffer.startswith(b"CONNECT "):  # asking a proxy for a way is part of connecting
                timeout.sending()
            timeout.kill = self.abort
            timeout.cut = self.cut
            self._call = timeout
        self._held = self._held + buffer if self._held else buffer

    async def _flush(self, call: Deadline) -> None:
        """Send head and body together. A failure is left to the read: the server may have answered and closed."""
        data, self._held = self._held, b""
        if not self._lost:
            self._transport.write(data)
        while self._full:
            await self._wait(call)

    async def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        call = _of(timeout, self._call)
        if self._held:
            await self._flush(call)
        if call.due:
            call.waiting()
        while not self._data and not self._eof:
            await self._wait(call)
        if self._error is not None and not self._data:
            raise httpcore.ReadError(type(self._error).__name__)
        data, self._data = self._data[:max_bytes], self._data[max_bytes:]
        if len(self._data) <= _HIGH_WATER < len(self._data) + len(data):
            self._transport.resume_reading()
        return data if timeout is None else call.took(data)

    async def aclose(self) -> None:
        self.abort()

    def abort(self) -> None:
        self._eof = True
        self._error = self._error or ConnectionAbortedError()
        if self._transport is not None and not self._lost:
            self._transport.abort()

    def cut(self) -> None:
        """From any thread: the other side is told, and the loop finds the end."""
        cut(self._transport.get_extra_info("socket"))

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> httpcore.AsyncNetworkStream:
        call = _of(timeout, self._call)
        loop = asyncio.get_running_loop()
        try:
            self._transport = await _limited(
                loop.start_tls(self._transport, self, ssl_context, server_hostname=server_hostname), call.left(), call
            )
        except BaseException as error:  # noqa: BLE001 - it is raised again, translated
            self.abort()
            raise _refused(error, call, self._where) from None
        return self

    def get_extra_info(self, info: str) -> Any:
        match info:
            case "is_readable":
                return self._eof or bool(self._data) or is_readable(self._transport.get_extra_info("socket"))
            case "ssl_object" | "socket":
                return self._transport.get_extra_info(info)
            case _:
                return None


async def _limited(work: Awaitable[T], wait: float | None, call: Deadline) -> T:
    try:
        async with asyncio.timeout(wait):
            return await work
    except builtins.TimeoutError:
        call.left()
        raise


def _refused(error: BaseException, call: Deadline, where: str) -> BaseException:
    match error:
        case TimeoutError() | ConnectError():
            return error
        case builtins.TimeoutError():
            return call.expired()
        case httpcore.ConnectError() | OSError() | ValueError():
            return no_connection(where, error)
        case _:
            return error


class LoopBackend(httpcore.AsyncNetworkBackend):
    """Makes connections in an asyncio loop."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Any = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        where = f"{host}:{port}"
        try:
            stream = await self._connect(host, port, LoopStream(where, timeout), timeout)
        except BaseException as error:  # noqa: BLE001 - it is raised again, translated
            raise _refused(error, timeout, where) from None
        timeout.kill = stream.abort
        return stream

    async def _connect(self, host: str, port: int, stream: LoopStream, call: Deadline) -> LoopStream:
        loop = asyncio.get_running_loop()
        found = await _limited(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM), call.left(), call)
        addresses = [(str(address[0]), int(address[1])) for *_, address in found]
        while True:
            name, number = addresses.pop(0)
            wait = patience(call.left(), len(addresses) + 1)
            try:
                await _limited(loop.create_connection(lambda: stream, name, number), wait, call)
            except OSError:
                if not addresses:
                    raise
            else:
                return stream


class TrioStream(httpcore.AsyncNetworkStream):
    """One connection under trio: httpcore's own stream, with our deadlines."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, where: str, call: Deadline) -> None:
        self._stream = stream
        self._where = where
        self._call = call
        self._held = b""

    async def write(self, buffer: bytes, timeout: Any = None) -> None:
        if timeout is not None:
            if buffer and not buffer.startswith(b"CONNECT "):
                timeout.sending()
            timeout.kill = self.abort
            timeout.cut = self.cut
            self._call = timeout
        self._held = self._held + buffer if self._held else buffer

    async def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        call = _of(timeout, self._call)
        try:
            if self._held:
                await self._flush(call)
            if call.due:
                call.waiting()
            data = await self._stream.read(max_bytes, call.left())
        except httpcore.TimeoutException:
            raise call.expired() from None
        return data if timeout is None else call.took(data)

    async def _flush(self, call: Deadline) -> None:
        data, self._held = self._held, b""
        with contextlib.suppress(httpcore.WriteError):
            await self._stream.write(data, call.left())

    async def aclose(self) -> None:
        self.abort()

    def abort(self) -> None:
        self._stream.get_extra_info("socket").close()

    def cut(self) -> None:
        cut(self._stream.get_extra_info("socket"))

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> httpcore.AsyncNetworkStream:
        call = _of(timeout, self._call)
        try:
            self._stream = await self._stream.start_tls(ssl_context, server_hostname, call.left())
        except httpcore.ConnectTimeout:
            raise call.expired() from None
        except httpcore.ConnectError as error:
            raise no_connection(self._where, error) from None
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class TrioBackend(httpcore.AsyncNetworkBackend):
    """Makes connections under trio."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Any = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        where = f"{host}:{port}"
        trio_backend = cast("Any", httpcore).TrioBackend()  # httpcore has it where trio is installed
        try:
            found: Any = await trio_backend.connect_tcp(host, port, timeout.left())
        except httpcore.ConnectTimeout:
            raise timeout.expired() from None
        except (httpcore.ConnectError, OSError, ValueError) as error:
            raise _refused(error, timeout, where) from None
        stream = TrioStream(found, where, timeout)
        timeout.kill = stream.abort
        return stream

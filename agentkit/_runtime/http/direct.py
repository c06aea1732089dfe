"""Connections that lead straight to the server, in both colours; those through a proxy are httpcore's own.

May hold how one connection is made, used for one request after the other, and given up. They have the interface that
httpcore gives its connections, so that the pools need not know which they hold.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Iterator
from typing import Self, cast

import httpcore

from agentkit._runtime.http.deadline import Deadline
from agentkit._runtime.http.wire import Headers, Incoming

_READ_BYTES = 64 << 10


class Message(httpcore.Request):
    """A request that was checked when it was prepared, so that httpcore need not do it each time."""

    def __init__(
        self, method: bytes, url: httpcore.URL, headers: Headers, *, block: bytes, body: bytes, deadline: Deadline
    ) -> None:
        if not method.isalpha():
            raise httpcore.LocalProtocolError("illegal method")
        self.method = method
        self.url = url
        self.headers = headers
        self.stream = _Once(body)
        self.extensions = {"timeout": {"connect": deadline, "read": deadline, "write": deadline}}
        self.deadline = deadline
        self._block = block
        self._body = body

    def wire(self) -> bytes:
        """The whole request, as it leaves."""
        return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (self.method, self.url.target, self._block, self._body)


class _Once:
    """A body as httpcore takes it, in both colours."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self._body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


class _Response(httpcore.Response):
    """An answer whose head was read; its stream is the rest of it."""

    def __init__(self, incoming: Incoming, stream: _Content | _AsyncContent) -> None:
        self.status = incoming.status
        self.headers = incoming.headers
        self.stream = stream
        self.extensions = {}

    def close(self) -> None:
        cast("_Content", self.stream).close()

    async def aclose(self) -> None:
        await cast("_AsyncContent", self.stream).aclose()


class _State:
    """Whether a connection can be used, and for how long yet."""

    def __init__(self, origin: httpcore.Origin, kept_seconds: float) -> None:
        self._origin = origin
        self._kept_seconds = kept_seconds
        self._idle_since: float | None = None

    def is_idle(self) -> bool:
        return self._idle_since is not None

    def _is_over(self) -> bool:
        return self._idle_since is not None and time.monotonic() > self._idle_since + self._kept_seconds


class Connection(_State, httpcore.ConnectionInterface):
    """A blocking connection; it is made with its first request."""

    def __init__(
        self,
        origin: httpcore.Origin,
        backend: httpcore.NetworkBackend,
        trust: ssl.SSLContext | None,
        kept_seconds: float,
    ) -> None:
        super().__init__(origin, kept_seconds)
        self._backend = backend
        self._trust = trust
        self._stream: httpcore.NetworkStream | None = None

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        message = cast("Message", request)
        self._idle_since = None
        try:
            if self._stream is None:
                self._stream = self._connect(message.deadline)
            return self._exchange(self._stream, message)
        except BaseException:
            self.close()
            raise

    def _connect(self, deadline: Deadline) -> httpcore.NetworkStream:
        host = self._origin.host.decode()
        stream = self._backend.connect_tcp(host, self._origin.port, timeout=cast("float", deadline))
        if self._trust is None:
            return stream
        self._trust.set_alpn_protocols(["http/1.1"])
        return stream.start_tls(self._trust, host, cast("float", deadline))

    def _exchange(self, stream: httpcore.NetworkStream, message: Message) -> httpcore.Response:
        limit = cast("float", message.deadline)
        stream.write(message.wire(), limit)
        incoming = Incoming(message.method)
        begun = b""
        while incoming.body is None:
            begun = incoming.feed(stream.read(_READ_BYTES, limit))
        return _Response(incoming, _Content(self, stream, incoming, begun, limit))

    def finished(self, incoming: Incoming) -> None:
        if incoming.reusable:
            self._idle_since = time.monotonic()
        else:
            self.close()

    def has_expired(self) -> bool:
        return self._is_over() or bool(self._stream and self._stream.get_extra_info("is_readable"))

    def close(self) -> None:
        self._idle_since = None
        if self._stream is not None:
            self._stream.close()


class _Content:
    """What of an answer comes after its head, as it comes."""

    __slots__ = ("_begun", "_closed", "_connection", "_incoming", "_limit", "_stream")

    def __init__(
        self,
        connection: Connection,
        stream: httpcore.NetworkStream,
        incoming: Incoming,
        begun: bytes,
        limit: float,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._incoming = incoming
        self._begun = begun
        self._limit = limit
        self._closed = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        data, self._begun = self._begun, b""
        while not data:
            if self._incoming.over:
                self.close()
                raise StopIteration
            data = self._more()
        return data

    def _more(self) -> bytes:
        try:
            self._incoming.check()
            return self._incoming.feed(self._stream.read(_READ_BYTES, self._limit))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._connection.finished(self._incoming)


class AsyncConnection(_State, httpcore.AsyncConnectionInterface):
    """The same for an event loop."""

    def __init__(
        self,
        origin: httpcore.Origin,
        backend: httpcore.AsyncNetworkBackend,
        trust: ssl.SSLContext | None,
        kept_seconds: float,
    ) -> None:
        super().__init__(origin, kept_seconds)
        self._backend = backend
        self._trust = trust
        self._stream: httpcore.AsyncNetworkStream | None = None

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        message = cast("Message", request)
        self._idle_since = None
        try:
            if self._stream is None:
                self._stream = await self._connect(message.deadline)
            return await self._exchange(self._stream, message)
        except BaseException:
            await self.aclose()
            raise

    async def _connect(self, deadline: Deadline) -> httpcore.AsyncNetworkStream:
        host = self._origin.host.decode()
        stream = await self._backend.connect_tcp(host, self._origin.port, timeout=cast("float", deadline))
        if self._trust is None:
            return stream
        self._trust.set_alpn_protocols(["http/1.1"])
        return await stream.start_tls(self._trust, host, cast("float", deadline))

    async def _exchange(self, stream: httpcore.AsyncNetworkStream, message: Message) -> httpcore.Response:
        limit = cast("float", message.deadline)
        await stream.write(message.wire(), limit)
        incoming = Incoming(message.method)
        begun = b""
        while incoming.body is None:
            begun = incoming.feed(await stream.read(_READ_BYTES, limit))
        return _Response(incoming, _AsyncContent(self, stream, incoming, begun, limit))

    async def finished(self, incoming: Incoming) -> None:
        if incoming.reusable:
            self._idle_since = time.monotonic()
        else:
            await self.aclose()

    def has_expired(self) -> bool:
        return self._is_over() or bool(self._stream and self._stream.get_extra_info("is_readable"))

    async def aclose(self) -> None:
        self._idle_since = None
        if self._stream is not None:
            await self._stream.aclose()  # which never waits: the streams here cut the connection off


class _AsyncContent:
    """What of an answer comes after its head, as it comes."""

    __slots__ = ("_begun", "_closed", "_connection", "_incoming", "_limit", "_stream")

    def __init__(
        self,
        connection: AsyncConnection,
        stream: httpcore.AsyncNetworkStream,
        incoming: Incoming,
        begun: bytes,
        limit: float,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._incoming = incoming
        self._begun = begun
        self._limit = limit
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        data, self._begun = self._begun, b""
        while not data:
            if self._incoming.over:
                await self.aclose()
                raise StopAsyncIteration
            data = await self._more()
        return data

    async def _more(self) -> bytes:
        try:
            self._incoming.check()
            return self._incoming.feed(await self._stream.read(_READ_BYTES, self._limit))
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await self._connection.finished(self._incoming)


class Direct(httpcore.ConnectionPool):
    """Makes blocking connections; holds none."""

    def __init__(self, backend: httpcore.NetworkBackend, trust: ssl.SSLContext | None, kept_seconds: float) -> None:
        self._make = backend, trust, kept_seconds

    def create_connection(self, origin: httpcore.Origin) -> httpcore.ConnectionInterface:
        backend, trust, kept_seconds = self._make
        return Connection(origin, backend, trust if origin.scheme == b"https" else None, kept_seconds)


class AsyncDirect(httpcore.AsyncConnectionPool):
    """The same for an event loop."""

    def __init__(
        self, backend: httpcore.AsyncNetworkBackend, trust: ssl.SSLContext | None, kept_seconds: float
    ) -> None:
        self._make = backend, trust, kept_seconds

    def create_connection(self, origin: httpcore.Origin) -> httpcore.AsyncConnectionInterface:
        backend, trust, kept_seconds = self._make
        return AsyncConnection(origin, backend, trust if origin.scheme == b"https" else None, kept_seconds)

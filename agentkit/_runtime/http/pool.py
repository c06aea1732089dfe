"""What both transports share: prepared requests, places, idle connections, errors, decompression.

Idle connections are kept here and not in httpcore's pool, which serves as a factory only: it looks at every connection
for every event, and cannot say whether a connection was used before, which decides whether a request may be sent again.
"""

from __future__ import annotations

import threading
import zlib
from base64 import b64encode
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import quote, unquote, urlsplit

import h11
import httpcore
from attrs import define, frozen

from agentkit import __version__
from agentkit._runtime.http.deadline import Call, Deadline
from agentkit._runtime.http.direct import Message
from agentkit.errors import AgentKitError, ConnectError, ConnectionLost, InvalidInput, ProtocolError
from agentkit.provider import HTTPRequest, ResponseHead

MAX_CONNECTIONS = 100
_MAX_PREPARED = 256
PIECE_BYTES = 64 << 10
"""The most that one read gives out of a compressed answer."""
LINGER_SECONDS = 0.005
LINGER_BYTES = 16 << 10
"""How far `close` goes to reach the end of an answer, so that its connection can be kept."""

_SAFE = "/%:@!$&'()*+,;=~"

Origin: TypeAlias = tuple[str, str, int]
"""Scheme, host and port."""


@frozen
class Prepared:
    """A target and its headers in the form that httpcore takes; made once, since requests of a conversation repeat."""

    origin: Origin
    where: str
    url: httpcore.URL
    headers: tuple[tuple[bytes, bytes], ...]
    block: bytes
    """The headers as they go over the wire."""

    def request(self, source: HTTPRequest, deadline: Deadline) -> httpcore.Request:
        headers, block = list(self.headers), self.block
        if source.body or source.method not in ("GET", "HEAD", "DELETE"):
            length = b"%d" % len(source.body)
            headers.append((b"Content-Length", length))
            block = b"%bContent-Length: %b\r\n" % (block, length)
        method = source.method.encode()
        return Message(method, self.url, headers, block=block, body=source.body, deadline=deadline)


class PreparedRequests:
    """Remembers targets and headers that were prepared before."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], Prepared] = {}

    def get(self, request: HTTPRequest) -> Prepared:
        key = request.url, request.headers
        found = self._known.get(key)
        if found is None:
            found = prepare(request.url, request.headers)
            if len(self._known) >= _MAX_PREPARED:
                self._known.clear()
            self._known[key] = found
        return found


def prepare(url: str, headers: tuple[tuple[str, str], ...]) -> Prepared:
    """Check and translate, with an error that names what is wrong and shows no secret."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
        name = host.encode("ascii") if host.isascii() else host.encode("idna")
    except (ValueError, UnicodeError):
        raise InvalidInput("the URL of the backend is not valid: its host or port cannot be read") from None
    if parts.scheme not in ("http", "https") or not host or any(c <= " " for c in host):
        raise InvalidInput("the URL of a backend begins with http:// or https:// and names a host")
    usual = 443 if parts.scheme == "https" else 80
    number = port or usual
    shown = f"[{host}]" if ":" in host else host
    authority = (b"[%b]" % name if ":" in host else name) + (b"" if number == usual else b":%d" % number)
    target = quote(parts.path or "/", safe=_SAFE) + ("?" + quote(parts.query, safe=_SAFE + "?") if parts.query else "")
    lines = _headers(headers, authority, _credentials(parts.username, parts.password))
    return Prepared(
        (parts.scheme, host, number),
        f"{shown}:{number}",
        httpcore.URL(scheme=parts.scheme, host=name, port=number, target=target),
        lines,
        b"".join(b"%b: %b\r\n" % line for line in lines),
    )


def _credentials(username: str | None, password: str | None) -> str | None:
    if username is None:
        return None
    return "Basic " + b64encode(f"{unquote(username)}:{unquote(password or '')}".encode()).decode()


def _headers(
    given: tuple[tuple[str, str], ...], authority: bytes, credentials: str | None
) -> tuple[tuple[bytes, bytes], ...]:
    names = {name.lower() for name, _ in given}
    extra = [("User-Agent", f"agentkit/{__version__}")] if "user-agent" not in names else []
    if credentials is not None and "authorization" not in names:
        extra.append(("Authorization", credentials))
    lines = [(b"Host", authority)] if "host" not in names else []
    lines += [_header(name, value) for name, value in (*extra, *given) if name.lower() != "content-length"]
    return tuple(lines)


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    try:
        line = name.encode("ascii"), value.encode("latin-1")
        h11.Request(method="GET", target="/", headers=[(b"Host", b"a"), line])
    except (UnicodeError, h11.LocalProtocolError):
        raise InvalidInput(f"the header {name!r} holds a character that HTTP does not allow") from None
    return line


def head_of(response: httpcore.Response) -> ResponseHead:
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return ResponseHead(response.status, headers)


def translated(error: Exception, deadline: Deadline) -> AgentKitError:
    """The agentkit error for whatever came out of httpcore, h11 or the system."""
    where = deadline.where
    match error:
        case AgentKitError():
            return error
        case httpcore.LocalProtocolError():
            return InvalidInput(f"the request to {where} cannot be put into HTTP: {_first(error)}")
        case httpcore.ProxyError():
            return ConnectError(f"the proxy does not lead to {where}: {_first(error)}")
        case httpcore.RemoteProtocolError() if not deadline.eof:
            return ProtocolError(f"{where} breaks HTTP: {_first(error)}")
        case httpcore.RemoteProtocolError() | httpcore.NetworkError() | OSError() if not deadline.sent:
            return ConnectError(f"cannot connect to {where}: the connection was closed on the way, as by a proxy")
        case httpcore.RemoteProtocolError() | httpcore.NetworkError() | OSError():
            when = "without an answer" if deadline.in_head else "in the middle of the answer"
            return ConnectionLost(f"{where} closed the connection {when}")
        case _:
            return ProtocolError(f"the answer of {where} cannot be read: {type(error).__name__}")


def _first(error: Exception) -> str:
    """The words of the library, without the bytes that it quotes after a colon: the server may have sent a key back."""
    return str(error).partition(":")[0].partition("\n")[0][:120]


def can_send_again(error: Exception, deadline: Deadline) -> bool:
    """A kept connection was dead already: nobody has seen the request."""
    broken = isinstance(error, httpcore.NetworkError | httpcore.RemoteProtocolError)
    return broken and not deadline.received


@define(eq=False)
class _Waiter:
    event: threading.Event
    granted: bool = False


class Gate:
    """A bounded number of requests under way; who comes later waits in line, at no cost for those ahead."""

    def __init__(self, places: int) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._places = places
        self._line: deque[_Waiter] = deque()

    @property
    def busy(self) -> int:
        return self._places - self._free

    def enter(self, call: Call) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            waiter = _Waiter(threading.Event())
            self._line.append(waiter)
        try:
            call.begin("pool", None)
            call.wakes(waiter.event.set)
            while not waiter.granted:
                waiter.event.wait(call.left())
                call.check()
        except BaseException:
            self._give_up(waiter)
            raise
        call.begin("connect", call.timeouts.connect)

    def _give_up(self, waiter: _Waiter) -> None:
        with self._lock:
            if not waiter.granted:
                self._line.remove(waiter)
                return
        self.leave()

    def leave(self) -> None:
        with self._lock:
            if not self._line:
                self._free += 1
                return
            waiter = self._line.popleft()
            waiter.granted = True
        waiter.event.set()


class Connection(Protocol):
    """What the shelf must know of an httpcore connection of either colour."""

    def is_idle(self) -> bool: ...

    def has_expired(self) -> bool: ...


C = TypeVar("C", bound=Connection)


class Shelf(Generic[C]):
    """Idle connections by origin, the latest on top. Safe in many threads. Closes nothing: what must go comes back."""

    def __init__(self, room: int) -> None:
        self._lock = threading.Lock()
        self._room = room
        self._count = 0
        self._idle: dict[Origin, deque[C]] = {}
        self._open = True

    def take(self, origin: Origin) -> tuple[C | None, list[C]]:
        """A connection that is alive as far as can be told, and those found dead on the way."""
        dead: list[C] = []
        while True:
            with self._lock:
                kept = self._idle.get(origin)
                if not kept:
                    return None, dead
                self._count -= 1
                connection = kept.pop()
                if not kept:
                    del self._idle[origin]
            if not connection.has_expired():
                return connection, dead
            dead.append(connection)

    def put(self, origin: Origin, connection: C) -> list[C]:
        """Keep a connection; what must be closed for it comes back."""
        with self._lock:
            if not self._open:
                return [connection]
            kept = self._idle.setdefault(origin, deque())
            kept.append(connection)
            self._count += 1
            return [self._oldest(origin)] if kept[0] is not connection and kept[0].has_expired() else []

    def make_room(self, busy: int) -> list[C]:
        """So many are in use, the one about to be made included: the idle ones that must go for it."""
        with self._lock:
            over = min(self._count, self._count + busy - self._room)
            return [self._oldest(next(iter(self._idle))) for _ in range(over)]

    def _oldest(self, origin: Origin) -> C:
        kept = self._idle[origin]
        self._count -= 1
        connection = kept.popleft()
        if not kept:
            del self._idle[origin]
        return connection

    def empty(self) -> list[C]:
        """End of use: everything that is to be closed; what is put here later comes straight back."""
        with self._lock:
            self._open = False
            self._count = 0
            connections = [connection for kept in self._idle.values() for connection in kept]
            self._idle.clear()
            return connections

    def forget_locks(self) -> None:
        """After a fork: a thread that held the lock does not exist in the child."""
        self._lock = threading.Lock()


class Inflater:
    """Takes compression off in pieces, so that a small answer cannot become a large one in memory."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._engine = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever it turns out to be
        self._rest = b""
        self._started = False

    def put(self, data: bytes) -> None:
        self._rest += data

    def get(self) -> bytes:
        """The next piece; none where more input is needed."""
        while self._rest:
            if self._engine.eof:
                self._engine = zlib.decompressobj(wbits=47)
            piece = self._inflate(self._rest)
            self._rest = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail
            if piece:
                return piece
        return b""

    def _inflate(self, data: bytes) -> bytes:
        try:
            piece = self._engine.decompress(data, PIECE_BYTES)
        except zlib.error:
            if self._started:
                raise ProtocolError(f"{self._where} sent a broken compressed answer") from None
            self._started = True
            self._engine = zlib.decompressobj(wbits=-15)  # "deflate" as some servers understand it
            return self._inflate(data)
        self._started = True
        return piece

    def end(self) -> None:
        if self._started and not self._engine.eof:
            raise ProtocolError(f"the compressed answer of {self._where} ends too early")


def inflater_for(head: ResponseHead, where: str) -> Inflater | None:
    match head.headers.get("content-encoding", "").strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip" | "deflate":
            return Inflater(where)
        case other:
            known = next((f" with {name}" for name in ("br", "zstd", "compress", "gzip") if name in other), "")
            raise ProtocolError(f"{where} compressed its answer{known} in a way that was not asked for")


def inflated(inflater: Inflater, chunks: Iterator[bytes]) -> bytes:
    """The next piece of the body as it was before compression; none at its end."""
    while True:
        piece = inflater.get()
        if piece:
            return piece
        data = next(chunks, b"")
        if not data:
            inflater.end()
            return b""
        inflater.put(data)


async def inflated_async(inflater: Inflater, chunks: AsyncIterator[bytes]) -> bytes:
    """The same from an async body."""
    while True:
        piece = inflater.get()
        if piece:
            return piece
        data = await anext(chunks, b"")
        if not data:
            inflater.end()
            return b""
        inflater.put(data)

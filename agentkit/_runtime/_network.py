"""Sockets of the blocking transport: every wait ends at a deadline, and another thread can break any of them off.

May hold the deadlines of one request (both colours use them), name resolution, and the network backend that httpcore
is given. The object that httpcore carries as "timeout" is our `Deadline`: httpcore hands it on untouched, so each
single socket operation knows what is left of the connect, first-byte, idle and total limits.
"""

from __future__ import annotations

import builtins
import contextlib
import ipaddress
import math
import os
import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import httpcore

from agentkit._runtime.transport import StopSignal
from agentkit.effects import Stopped
from agentkit.errors import ConnectError, Phase, ProtocolError, TimeoutError  # noqa: A004 - also the builtin
from agentkit.options import Timeouts

MAX_HEAD_BYTES = 256 << 10
"""Of all that comes before the body, interim responses included."""
_JOIN_BYTES = 64 << 10
"""A request up to this size leaves in one packet train, head and body together."""

Addresses: TypeAlias = list[tuple[Any, ...]]

_TEXTS: dict[Phase, str] = {
    "connect": "no connection to {where} within {limit:g} s",
    "first_byte": "{where} did not begin to answer within {limit:g} s",
    "idle": "{where} sent nothing for {limit:g} s",
    "total": "the request to {where} took longer than {limit:g} s",
    "pool": "no connection for {where} was free within {limit:g} s: all are in use",
}


def _nothing() -> None:
    pass


class Deadline:
    """The limits of one request. `begin` starts a phase, `left` says how long the wait at hand may take."""

    __slots__ = (
        "_at",
        "_limit",
        "_phase",
        "_total_at",
        "cut",
        "due",
        "eof",
        "idle",
        "in_head",
        "kill",
        "received",
        "sent",
        "timeouts",
        "where",
    )

    def __init__(self, where: str, timeouts: Timeouts) -> None:
        self.where = where
        self.timeouts = timeouts
        self.received = 0
        """Bytes of the head so far; the first byte decides whether a request may be sent again."""
        self.sent = False
        self.eof = False
        """The other side has closed the connection."""
        self.in_head = True
        self.kill: Callable[[], None] = _nothing
        """Close the connection in use, at once."""
        self.cut: Callable[[], None] = _nothing
        """End it from any thread; the loop of an async connection then finds it ended."""
        self.idle: float | None = None
        self.due = False
        """The wait of `idle` seconds begins with the next read from the network, if one is needed at all."""
        self._total_at = math.inf if timeouts.total is None else time.monotonic() + timeouts.total
        self.begin("connect", timeouts.connect)

    def begin(self, phase: Phase, limit: float | None) -> None:
        self._phase: Phase = phase
        self._limit = limit
        self._at = math.inf if limit is None else time.monotonic() + limit
        if self._total_at < self._at:
            self._at = self._total_at
            self._limit = self.timeouts.total
            if phase != "pool":
                self._phase = "total"

    def sending(self) -> None:
        """The connection stands: the wait for the head of the answer begins."""
        self.sent = True
        self.received = 0
        self.eof = False
        self.in_head = True
        self.begin("first_byte", self.timeouts.first_byte)

    def expect(self, idle: float | None) -> None:
        """The caller asks for more of the body."""
        self.idle = idle
        self.due = True

    def waiting(self) -> None:
        """The network is really needed for it."""
        self.due = False
        self.begin("idle", self.idle)

    def left(self) -> float | None:
        if self._at == math.inf:
            return None
        left = self._at - time.monotonic()
        if left <= 0:
            raise self.expired()
        return left

    def expired(self) -> TimeoutError:
        text = _TEXTS[self._phase].format(where=self.where, limit=self._limit)
        return TimeoutError(text, phase=self._phase)

    def took(self, data: bytes) -> bytes:
        """Note what came; before the body, look at it as well."""
        if not data:
            self.eof = True
        elif self.in_head:
            self._examine(data)
        return data

    def _examine(self, data: bytes) -> None:
        if not self.received and not data.startswith(b"HTTP/"[: len(data)]):
            raise ProtocolError(f"{self.where} does not speak HTTP")
        if self.received > MAX_HEAD_BYTES:
            raise ProtocolError(f"{self.where} sent more than {MAX_HEAD_BYTES} bytes before the body")
        self.received += len(data)


class Call(Deadline):
    """One request of a blocking transport: any thread may `abort` it, whatever it is waiting for."""

    __slots__ = ("_signal", "_wake", "lock", "stopped")

    def __init__(self, where: str, timeouts: Timeouts, signal: StopSignal) -> None:
        super().__init__(where, timeouts)
        self._signal = signal
        self.stopped = False
        self.lock = threading.RLock()  # a signal handler may call abort() in the thread that holds it
        self._wake: Callable[[], None] | None = None

    def waiting(self) -> None:
        super().waiting()
        self._signal.guard(self.abort)

    def wakes(self, wake: Callable[[], None]) -> None:
        """Before each wait: how to end it from outside. Raises `Stopped` where that has happened already."""
        self._wake = wake
        self.check()

    def check(self) -> None:
        if self.stopped:
            raise Stopped

    def abort(self) -> None:
        with self.lock:
            self.stopped = True
            if self._wake is not None:
                self._wake()


def is_loopback(host: str) -> bool:
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def patience(left: float | None, addresses: int) -> float | None:
    """How long one of several addresses may take: half of what is left, so that a dead first one is survived."""
    return left if left is None or addresses == 1 else left / 2


def no_connection(where: str, error: BaseException) -> ConnectError:
    """Says in one line why no connection was made."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message or "certificate verify failed"
            return ConnectError(f"the certificate of {where} cannot be trusted: {why}; SSL_CERT_FILE names own ones")
    system = [cause for cause in causes if isinstance(cause, OSError) and cause.errno]
    return ConnectError(f"cannot connect to {where}: {reason(system[0] if system else error)}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what lies under it; trio gathers the attempts on several addresses in a group."""
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return
        yield cause
        group: BaseExceptionGroup[BaseException] | None = cause if isinstance(cause, BaseExceptionGroup) else None
        cause = group.exceptions[0] if group is not None else cause.__cause__ or cause.__context__


def reason(error: BaseException) -> str:
    """The words of the system for what happened, without addresses."""
    match error:
        case ssl.SSLError():
            return f"TLS failed: {error.reason or 'the handshake was broken off'}"
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number)
        case OSError(strerror=str(text)) if text:
            return text
        case UnicodeError():
            return "the name of the host is not valid"
        case _:
            return str(error).partition("\n")[0] or type(error).__name__


def _resolve(host: str, port: int, call: Call) -> Addresses:
    if is_address(host) or is_loopback(host):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    done = threading.Event()
    found: list[Addresses | Exception] = []

    def ask() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)
        done.set()

    # The resolver of the system knows no deadline and cannot be broken off, so it is waited for from outside.
    call.wakes(done.set)
    threading.Thread(target=ask, name="agentkit-resolve", daemon=True).start()
    if not done.wait(call.left()):
        raise call.expired()
    call.check()
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _dial(address: tuple[Any, ...], wait: float | None, call: Call) -> socket.socket:
    family, kind, protocol, _, target = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(wait)
        call.wakes(lambda: shut(sock))
        sock.connect(target)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        with call.lock:
            sock.close()
        raise
    return sock


def shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # SSLSocket.shutdown would take the TLS state away under a reader in another thread.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def cut(sock: Any) -> None:
    """End an async connection from any thread; its loop finds the end."""
    with contextlib.suppress(OSError, AttributeError):  # it may be closed, or have no socket
        sock.shutdown(socket.SHUT_RDWR)


def is_readable(sock: Any) -> bool:
    """Something is there to be read, or the end; with an idle connection that means it is of no more use."""
    number = sock.fileno()
    if number < 0:
        return True
    if sys.platform == "win32":
        return bool(select.select([number], [], [], 0)[0])
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


class BlockingStream(httpcore.NetworkStream):
    """One connection. Its current `Call` comes with each operation, as what httpcore takes for a timeout."""

    def __init__(self, sock: socket.socket, call: Call, where: str) -> None:
        self._sock = sock
        self._call = call
        self._where = where
        self._held = b""
        self._wait: float | None = -1.0

    def _shutdown(self) -> None:
        shut(self._sock)

    def _limit(self, call: Call) -> None:
        wait = call.left()
        if wait != self._wait:
            self._sock.settimeout(wait)
            self._wait = wait

    def write(self, buffer: bytes, timeout: Any = None) -> None:
        if timeout is not None:
            if buffer and not buffer.startswith(b"CONNECT "):  # asking a proxy for a way is part of connecting
                timeout.sending()
            timeout.kill = self.close
            self._call = timeout
        self._held = self._held + buffer if self._held else buffer
        if len(self._held) > _JOIN_BYTES:
            self._flush(self._call)

    def _flush(self, call: Call) -> None:
        """Send what was written. A failure is left to the next read: the server may have answered and closed."""
        call.wakes(self._shutdown)
        data, self._held = self._held, b""
        try:
            while data:
                self._limit(call)
                data = data[self._sock.send(data) :]
        except TimeoutError:
            raise
        except builtins.TimeoutError:
            raise call.expired() from None
        except OSError:
            pass

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        call: Call = self._call if timeout is None else timeout
        if self._held:
            self._flush(call)
        if call.due:
            call.waiting()
        call.wakes(self._shutdown)
        self._limit(call)
        try:
            data = self._sock.recv(max_bytes)
        except builtins.TimeoutError:
            raise call.expired() from None
        except OSError as error:
            if call.stopped:
                raise Stopped from None
            raise httpcore.ReadError(reason(error)) from None
        call.check()
        return data if timeout is None else call.took(data)

    def close(self) -> None:
        with self._call.lock:  # a number of a closed socket may belong to somebody else already
            self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> httpcore.NetworkStream:
        call: Call = self._call if timeout is None else timeout
        if isinstance(self._sock, ssl.SSLSocket):
            raise ConnectError(f"an https:// proxy cannot carry https to {server_hostname}: use an http:// proxy")
        try:
            with call.lock:
                self._sock = ssl_context.wrap_socket(
                    self._sock, server_hostname=server_hostname, do_handshake_on_connect=False
                )
            call.wakes(self._shutdown)
            self._wait = call.left()
            self._sock.settimeout(self._wait)
            self._sock.do_handshake()
        except BaseException as error:  # noqa: BLE001 - it is raised again, translated
            self.close()
            raise _refused(error, call, self._where) from None
        return self

    def get_extra_info(self, info: str) -> Any:
        match info:
            case "is_readable":
                return is_readable(self._sock)
            case "ssl_object":
                return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
            case "socket":
                return self._sock
            case _:
                return None


def _refused(error: BaseException, call: Call, where: str) -> BaseException:
    match error:
        case _ if call.stopped:
            return Stopped()
        case TimeoutError() | ConnectError():
            return error
        case builtins.TimeoutError():
            return call.expired()
        case OSError() | ValueError():
            return no_connection(where, error)
        case _:
            return error


class BlockingBackend(httpcore.NetworkBackend):
    """Makes connections for httpcore."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Any = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        call: Call = timeout
        where = f"{host}:{port}"
        try:
            stream = BlockingStream(self._connect(host, port, call), call, where)
        except BaseException as error:  # noqa: BLE001 - it is raised again, translated
            raise _refused(error, call, where) from None
        call.kill = stream.close
        return stream

    def _connect(self, host: str, port: int, call: Call) -> socket.socket:
        addresses = _resolve(host, port, call)
        while True:
            address = addresses.pop(0)
            try:
                return _dial(address, patience(call.left(), len(addresses) + 1), call)
            except OSError:
                if call.stopped or not addresses:
                    raise

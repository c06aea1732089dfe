"""Sockets of the blocking transport: every wait ends at a deadline, and another thread can break any of them off.

May hold name resolution, connecting, and the network backend that httpcore is given.
"""

from __future__ import annotations

import builtins
import contextlib
import select
import socket
import ssl
import sys
import threading
from collections.abc import Iterable
from typing import Any, TypeAlias

import httpcore

from agentkit._runtime.http.deadline import Call, is_address, is_loopback, no_connection, patience, reason
from agentkit.effects import Stopped
from agentkit.errors import ConnectError, TimeoutError  # noqa: A004 - also the builtin

_JOIN_BYTES = 64 << 10
"""A request up to this size leaves in one packet train, head and body together."""

Addresses: TypeAlias = list[tuple[Any, ...]]


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

"""The limits of one request, and the words for a connection that was not made; for both colours.

May hold `Deadline`, which httpcore carries as its "timeout": it is handed on untouched, so that each single socket
operation knows what is left of the connect, first-byte, idle and total limits. No socket is opened here.
"""

from __future__ import annotations

import ipaddress
import math
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import cast

from agentkit._runtime.transport import StopSignal
from agentkit.effects import Stopped
from agentkit.errors import ConnectError, Phase, ProtocolError, TimeoutError  # noqa: A004 - also the builtin
from agentkit.options import Timeouts

MAX_HEAD_BYTES = 256 << 10
"""Of all that comes before the body, interim responses included."""

LONGEST = 2e6
"""Seconds of the longest wait, 23 days: a socket takes no more than 2**31 milliseconds."""

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
        return min(left, LONGEST)

    def expired(self) -> TimeoutError:
        text = _TEXTS[self._phase].format(where=self.where, limit=round(self._limit or 0.0, 3))
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
        self.due = False
        self.begin("idle", self.idle)
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
        inner = cast("BaseExceptionGroup[BaseException]", cause) if isinstance(cause, BaseExceptionGroup) else None
        cause = inner.exceptions[0] if inner is not None else cause.__cause__ or cause.__context__


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

"""What a driver needs of a transport, in both colours, and the signal that stops a blocking one.

A transport sends one request and hands back its answer. All its exceptions are agentkit's own (`ConnectError`,
`ConnectionLost`, `TimeoutError`, `ProtocolError`), except `Stopped` and what cancels a task or a process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from agentkit.effects import Stopped
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest, ResponseHead


class StopSignal:
    """Asks one blocking turn to stop, from any thread: wakes its waits and aborts what it is blocked in."""

    __slots__ = ("_abort", "_event", "_lock")

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.RLock()
        """Re-entrant: a signal handler may call `set()` in the thread that is inside `guard()`."""
        self._abort: Callable[[], None] | None = None

    def set(self) -> None:
        with self._lock:
            self._event.set()
            abort = self._abort
            if abort is not None:
                abort()

    def is_set(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Stopped` once the signal is set."""
        if self._event.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Sleep; raise `Stopped` as soon as the signal is set."""
        if self._event.wait(seconds):
            raise Stopped

    def guard(self, abort: Callable[[], None] | None) -> None:
        """From here on, `set()` calls `abort`, which must unblock the thread and may run in any other one."""
        with self._lock:
            self._abort = abort
            if abort is not None and self._event.is_set():
                abort()


class Answer(Protocol):
    """An open answer of a blocking transport."""

    @property
    def head(self) -> ResponseHead: ...

    def read(self, timeout: float | None, /) -> bytes:
        """The next bytes, as they come; none at the end."""
        ...

    def close(self) -> None:
        """Free the connection; it is used again only where the answer was read to its end."""
        ...


class Transport(Protocol):
    """Sends requests for a blocking driver. Safe to use from many threads."""

    def open(self, request: HTTPRequest, timeouts: Timeouts, signal: StopSignal, /) -> Answer: ...


class AsyncAnswer(Protocol):
    """An open answer of an async transport."""

    @property
    def head(self) -> ResponseHead: ...

    async def read(self, timeout: float | None, /) -> bytes: ...

    async def close(self) -> None: ...

    def abandon(self) -> None:
        """Close without waiting, from a place that cannot await; a read that waits in another task ends."""
        ...


class AsyncTransport(Protocol):
    """Sends requests for an async driver, in whichever event loop is running."""

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> AsyncAnswer: ...

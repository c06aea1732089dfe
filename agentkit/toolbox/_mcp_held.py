"""The session of a source, and the next one after it. None outlives its process, and none is used by a fork of it."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from agentkit.errors import ConnectError
from agentkit.toolbox._mcp_servers import NotDone, Server

if TYPE_CHECKING:
    from mcp import ClientSession

    from agentkit.toolbox._mcp_connection import Connection


T = TypeVar("T")


class Held:
    """At most one session at a time, begun when it is needed."""

    def __init__(self, name: str, server: Server, seconds: float) -> None:
        self.name = name
        self.current: Connection | None = None
        """The session, which may be over; None before the first one."""
        self.listing = threading.Lock()
        self._server = server
        self._seconds = seconds
        self._lock = threading.Lock()
        self._closed = False
        _all.add(self)

    def __del__(self) -> None:
        self.stop()

    def live(self) -> Connection:
        """The session, a new one where there is none or where it is over."""
        from agentkit.toolbox._mcp_connection import Connection

        with self._lock:
            if self._closed:
                raise ConnectError(f"the MCP server {self.name!r} was closed here, so nothing was sent to it")
            if self.current is None or self.current.is_over:
                self.current = Connection(self.name, self._server, self._seconds)
            return self.current

    def request(
        self,
        make: Callable[[ClientSession], Coroutine[Any, Any, T]],
        what: str,
        seconds: float,
        *,
        cancelled: Callable[[], bool] = lambda: False,
        tick: Callable[[], None] = lambda: None,
    ) -> T:
        """What the server answers to this."""
        try:
            return self.live().request(make, what, seconds, cancelled=cancelled, tick=tick)
        except NotDone:
            return self.live().request(make, what, seconds, cancelled=cancelled, tick=tick)

    def stop(self) -> None:
        """End the session without waiting for it."""
        if self.current is not None:
            self.current.stop()

    def close(self) -> None:
        """End the session for good, and wait for that."""
        with self._lock:
            self._closed = True
        if self.current is not None:
            self.current.close()

    def forget(self) -> None:
        """The thread and the program belong to the process that this one was forked from."""
        self._lock, self.listing = threading.Lock(), threading.Lock()
        if self.current is not None:
            _of_parent.append(self.current)  # never taken apart: that could end what the parent still uses
        self.current = None


_all: weakref.WeakSet[Held] = weakref.WeakSet()
_of_parent: list[Connection] = []


def _close_all() -> None:
    """All are told before one is waited for."""
    held = list(_all)
    for each in held:
        each.stop()
    for each in held:
        each.close()


def _forget_all() -> None:
    for each in list(_all):
        each.forget()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)

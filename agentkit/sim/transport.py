"""Transports that lead to a simulator in this process: no socket, no thread. They wait for pauses and raise drops."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentkit.errors import ConnectionLost, Phase, TimeoutError  # noqa: A004 - agentkit's own, which is the builtin, too
from agentkit.provider import HTTPRequest, ResponseHead
from agentkit.sim.spoil import unzipped
from agentkit.sim.talk import Drop, Pause

if TYPE_CHECKING:
    from anyio import CancelScope

    from agentkit._runtime.transport import StopSignal
    from agentkit.options import Timeouts
    from agentkit.sim.simulator import Simulator
    from agentkit.sim.wire import Item


class _Incoming:
    """One answer as it comes in: what to wait for, and when a limit in seconds runs out."""

    def __init__(self, simulator: Simulator, request: HTTPRequest, timeouts: Timeouts) -> None:
        target = urlsplit(request.url)._replace(scheme="", netloc="", fragment="").geturl()
        self._response = unzipped(simulator.handle(request.method, target, dict(request.headers), request.body))
        headers = {name.lower(): value for name, value in self._response.headers.items()}
        self.head = ResponseHead(self._response.status, headers)
        self._total = timeouts.total
        self._total_at = math.inf if timeouts.total is None else time.monotonic() + timeouts.total
        self._ahead: Item | None = None
        self._owed = 0.0
        """Seconds of a pause that are still to be waited for."""
        self._limit: float | None = None
        self._left = math.inf
        self._phase: Phase = "first_byte"
        self.expect("first_byte", timeouts.first_byte)

    def expect(self, phase: Phase, limit: float | None) -> None:
        """From here on, silence may last so long."""
        self._phase, self._limit, self._left = phase, limit, math.inf if limit is None else limit
        total_left = self._total_at - time.monotonic()
        if total_left < self._left:
            self._phase, self._limit, self._left = "total", self._total, max(0.0, total_left)

    def wait(self) -> float | None:
        """Seconds to wait now; None where something else comes next.

        Raises:
            TimeoutError: the limit ran out.
        """
        if not self._owed:
            self._ahead = self._next()
            if not isinstance(self._ahead, Pause):
                return None
            self._owed, self._ahead = self._ahead.seconds, None
        if self._left <= 0:
            raise TimeoutError(f"the simulator was silent for {self._limit:g} s", phase=self._phase)
        waited = min(self._owed, self._left)
        self._owed -= waited
        self._left -= waited
        return waited

    def take(self) -> bytes:
        """The next bytes; none at the end."""
        item = self._next()
        if isinstance(item, Drop):
            self._ahead = item
            if item.orderly:
                return b""
            raise ConnectionLost("the simulator broke the connection, as it was told to")
        return item if isinstance(item, bytes) else b""

    def begin(self) -> None:
        """Raise where the connection breaks before the head."""
        self._ahead = self.take() or None

    def close(self) -> None:
        self._response.close()

    def _next(self) -> Item | None:
        item, self._ahead = self._ahead, None
        return item if item is not None else next(self._response.body, None)


class SimAnswer:
    """An open answer of `SimTransport`."""

    def __init__(self, incoming: _Incoming, signal: StopSignal) -> None:
        self._incoming = incoming
        self._signal = signal

    @property
    def head(self) -> ResponseHead:
        return self._incoming.head

    def begin(self) -> None:
        """Wait for the head."""
        self._wait()
        self._incoming.begin()

    def read(self, timeout: float | None, /) -> bytes:
        """The next bytes, as they come; none at the end."""
        self._incoming.expect("idle", timeout)
        self._wait()
        return self._incoming.take()

    def close(self) -> None:
        """Stop the reply."""
        self._incoming.close()

    def _wait(self) -> None:
        self._signal.check()
        while (seconds := self._incoming.wait()) is not None:
            self._signal.wait(seconds)


class SimTransport:
    """A blocking transport to a simulator in this process."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    def open(self, request: HTTPRequest, timeouts: Timeouts, signal: StopSignal, /) -> SimAnswer:
        """Send a request and wait for the head of its answer."""
        signal.check()
        answer = SimAnswer(_Incoming(self.simulator, request, timeouts), signal)
        try:
            answer.begin()
        except BaseException:
            answer.close()
            raise
        return answer


class AsyncSimAnswer:
    """An open answer of `AsyncSimTransport`."""

    def __init__(self, incoming: _Incoming) -> None:
        self._incoming = incoming
        self._pausing: CancelScope | None = None

    @property
    def head(self) -> ResponseHead:
        return self._incoming.head

    async def begin(self) -> None:
        """Wait for the head."""
        await self._wait()
        self._incoming.begin()

    async def read(self, timeout: float | None, /) -> bytes:
        """The next bytes, as they come; none at the end."""
        self._incoming.expect("idle", timeout)
        await self._wait()
        return self._incoming.take()

    async def close(self) -> None:
        """Stop the reply."""
        self._incoming.close()

    def abandon(self) -> None:
        """Stop the reply without waiting; a read that waits ends."""
        self._incoming.close()
        if self._pausing is not None:
            self._pausing.cancel()

    async def _wait(self) -> None:
        import anyio.lowlevel

        await anyio.lowlevel.checkpoint()
        while (seconds := self._incoming.wait()) is not None:
            with anyio.CancelScope() as self._pausing:
                await anyio.sleep(seconds)
            self._pausing = None


class AsyncSimTransport:
    """An async transport to a simulator in this process, under asyncio and trio."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> AsyncSimAnswer:
        """Send a request and wait for the head of its answer."""
        answer = AsyncSimAnswer(_Incoming(self.simulator, request, timeouts))
        try:
            await answer.begin()
        except BaseException:
            answer.abandon()
            raise
        return answer

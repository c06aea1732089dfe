"""Transports that lead to a simulator in this process: no socket, no thread. Pauses are waited for, drops are raised."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentkit.errors import ConnectionLost, Phase, TimeoutError  # noqa: A004 - agentkit's own, which is the builtin, too
from agentkit.provider import HTTPRequest, ResponseHead
from agentkit.sim.talk import Drop, Pause
from agentkit.sim.wire import Item, SimResponse

if TYPE_CHECKING:
    from agentkit._runtime.transport import StopSignal
    from agentkit.options import Timeouts
    from agentkit.sim.simulator import Simulator


class _Body:
    """The items of an answer, with waits cut where a limit in seconds runs out."""

    def __init__(self, response: SimResponse) -> None:
        self.response = response
        self.head = ResponseHead(response.status, {name.lower(): value for name, value in response.headers.items()})
        self._ahead: Item | None = None
        self._pause = 0.0
        """Seconds that are still to be waited for."""

    def wait(self, limit: float | None) -> float | None:
        """Seconds to wait now, at most `limit`; None where the next item is no pause."""
        while not self._pause:
            item = self._next()
            if not isinstance(item, Pause):
                self._ahead = item
                return None
            self._pause = item.seconds
        waited = self._pause if limit is None else min(self._pause, limit)
        self._pause -= waited
        return waited

    def take(self) -> bytes:
        """The next bytes; none at the end."""
        item = self._next()
        if isinstance(item, Drop):
            self._ahead = item
            raise ConnectionLost("the simulator broke the connection")
        return item if isinstance(item, bytes) else b""

    @property
    def late(self) -> bool:
        """Whether a limit ran out in mid-pause."""
        return self._pause > 0

    def peek(self) -> None:
        """Raise where the connection breaks here."""
        self._ahead = self.take() or None

    def _next(self) -> Item | None:
        item, self._ahead = self._ahead, None
        return item if item is not None else next(self.response.body, None)


def _late(seconds: float | None, phase: Phase) -> TimeoutError:
    return TimeoutError(f"the simulator sent nothing for {seconds:g} seconds", phase=phase)


def _answer(simulator: Simulator, request: HTTPRequest) -> _Body:
    parts = urlsplit(request.url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return _Body(simulator.handle(request.method, target, dict(request.headers), request.body))


class SimAnswer:
    """An open answer of `SimTransport`."""

    def __init__(self, body: _Body, signal: StopSignal) -> None:
        self._body = body
        self._signal = signal

    @property
    def head(self) -> ResponseHead:
        return self._body.head

    def read(self, timeout: float | None, /) -> bytes:
        """The next bytes, as they come; none at the end."""
        self.wait(timeout, "idle")
        return self._body.take()

    def wait(self, limit: float | None, phase: Phase) -> None:
        """Wait for as long as the simulator is silent."""
        left = limit
        self._signal.check()
        while (seconds := self._body.wait(left)) is not None:
            self._signal.wait(seconds)
            left = None if left is None else left - seconds
            if self._body.late:
                raise _late(limit, phase)

    def close(self) -> None:
        """Stop the reply."""
        self._body.response.close()


class SimTransport:
    """A blocking transport to a simulator in this process."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    def open(self, request: HTTPRequest, timeouts: Timeouts, signal: StopSignal, /) -> SimAnswer:
        """Send a request and wait for the head of its answer."""
        signal.check()
        body = _answer(self.simulator, request)
        answer = SimAnswer(body, signal)
        try:
            answer.wait(timeouts.first_byte, "first_byte")
            body.peek()
        except BaseException:
            answer.close()
            raise
        return answer


class AsyncSimAnswer:
    """An open answer of `AsyncSimTransport`."""

    def __init__(self, body: _Body) -> None:
        self._body = body

    @property
    def head(self) -> ResponseHead:
        return self._body.head

    async def read(self, timeout: float | None, /) -> bytes:  # noqa: ASYNC109 - the protocol's own
        """The next bytes, as they come; none at the end."""
        await self.wait(timeout, "idle")
        return self._body.take()

    async def wait(self, limit: float | None, phase: Phase) -> None:
        """Wait for as long as the simulator is silent."""
        import anyio

        left = limit
        await anyio.sleep(0)
        while (seconds := self._body.wait(left)) is not None:
            await anyio.sleep(seconds)
            left = None if left is None else left - seconds
            if self._body.late:
                raise _late(limit, phase)

    async def close(self) -> None:
        """Stop the reply."""
        self.abandon()

    def abandon(self) -> None:
        """Stop the reply without waiting."""
        self._body.response.close()


class AsyncSimTransport:
    """An async transport to a simulator in this process, under asyncio and trio."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> AsyncSimAnswer:
        """Send a request and wait for the head of its answer."""
        body = _answer(self.simulator, request)
        answer = AsyncSimAnswer(body)
        try:
            await answer.wait(timeouts.first_byte, "first_byte")
            body.peek()
        except BaseException:
            answer.abandon()
            raise
        return answer

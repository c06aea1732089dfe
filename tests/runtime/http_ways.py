"""One scenario for three colours: a scenario is a coroutine over `Way`, and the blocking one never really awaits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import trio

from agentkit._runtime.http import AsyncHTTPTransport, HTTPTransport
from agentkit._runtime.transport import StopSignal
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest, ResponseHead

COLOURS = ("blocking", "asyncio", "trio")
KEY = "sk-secret-of-the-test"
HEADERS = (("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json"))


class Answer:
    def __init__(self, inner: Any, *, blocking: bool) -> None:
        self._inner = inner
        self._blocking = blocking

    @property
    def head(self) -> ResponseHead:
        return self._inner.head

    async def read(self, timeout: float | None = 5.0) -> bytes:
        return self._inner.read(timeout) if self._blocking else await self._inner.read(timeout)

    async def close(self) -> None:
        if self._blocking:
            self._inner.close()
        else:
            await self._inner.close()

    async def rest(self) -> bytes:
        pieces = []
        while data := await self.read():
            pieces.append(data)
        return b"".join(pieces)


class Way:
    """A transport of either colour behind async methods."""

    def __init__(self, transport: Any, *, blocking: bool) -> None:
        self.transport = transport
        self._blocking = blocking

    async def open(
        self,
        url: str,
        timeouts: Timeouts | None = None,
        *,
        body: bytes = b"{}",
        method: str = "POST",
        headers: Any = HEADERS,
    ) -> Answer:
        request = HTTPRequest(method=method, url=url, headers=tuple(headers), body=body)
        limits = timeouts or Timeouts(first_byte=5.0, connect=5.0)
        if self._blocking:
            return Answer(self.transport.open(request, limits, StopSignal()), blocking=True)
        return Answer(await self.transport.open(request, limits), blocking=False)

    async def fetch(self, url: str, timeouts: Timeouts | None = None, **more: Any) -> bytes:
        answer = await self.open(url, timeouts, **more)
        data = await answer.rest()
        await answer.close()
        return data

    async def close(self) -> None:
        if self._blocking:
            self.transport.close()
        else:
            await self.transport.close()


Scenario = Callable[[Way], Coroutine[Any, Any, Any]]


def run(colour: str, scenario: Scenario, make: Callable[[bool], Any] | None = None) -> Any:
    """Run a scenario; `make` may give another transport for blocking or not."""
    blocking = colour == "blocking"
    transport = make(blocking) if make else HTTPTransport() if blocking else AsyncHTTPTransport()
    way = Way(transport, blocking=blocking)

    async def whole() -> Any:
        try:
            return await scenario(way)
        finally:
            if make is None:
                await way.close()

    match colour:
        case "asyncio":
            return asyncio.run(whole())
        case "trio":
            return trio.run(whole)
        case _:
            return drive(whole())


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("a blocking scenario must not wait for a loop")

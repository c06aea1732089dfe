"""Transports that log what passes through them, in both colours: the same bytes, at the same time, and a transcript."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from agentkit._engine.line import Line
from agentkit._runtime.transcript import Exchange, transcript_in
from agentkit._runtime.transport import Answer, AsyncAnswer, AsyncTransport, StopSignal, Transport
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest, ResponseHead


class Log:
    """The transcript of a conversation, and of its forks."""

    def __init__(self, folder: Path) -> None:
        self._transcript = transcript_in(folder)

    def over(self, transport: Transport, line: Line, name: str) -> Transport:
        """The transport, with a log of what passes through it."""
        return LoggedTransport(transport, self._exchange(line, name))

    def over_async(self, transport: AsyncTransport, line: Line, name: str) -> AsyncTransport:
        """The transport, with a log of what passes through it."""
        return AsyncLoggedTransport(transport, self._exchange(line, name))

    def _exchange(self, line: Line, name: str) -> Callable[[HTTPRequest], Exchange]:
        known = line.informed()
        return partial(Exchange, self._transcript, known.provider, name, known.backend)


class LoggedTransport:
    """A blocking transport and its log."""

    def __init__(self, transport: Transport, begin: Callable[[HTTPRequest], Exchange]) -> None:
        self._transport = transport
        self._begin = begin

    def open(self, request: HTTPRequest, timeouts: Timeouts, signal: StopSignal, /) -> Answer:
        exchange = self._begin(request)
        try:
            return _LoggedAnswer(self._transport.open(request, timeouts, signal), exchange)
        except BaseException as error:
            exchange.failed(error)
            exchange.write()
            raise


class _LoggedAnswer:
    def __init__(self, answer: Answer, exchange: Exchange) -> None:
        self._answer = answer
        self._exchange = exchange
        exchange.answered(answer.head)

    @property
    def head(self) -> ResponseHead:
        return self._answer.head

    def read(self, timeout: float | None, /) -> bytes:
        try:
            data = self._answer.read(timeout)
        except BaseException as error:
            self._exchange.failed(error)
            raise
        self._exchange.add(data)
        return data

    def close(self) -> None:
        try:
            self._answer.close()
        finally:
            self._exchange.write()


class AsyncLoggedTransport:
    """An async transport and its log, which is written in a thread."""

    def __init__(self, transport: AsyncTransport, begin: Callable[[HTTPRequest], Exchange]) -> None:
        self._transport = transport
        self._begin = begin

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> AsyncAnswer:
        exchange = self._begin(request)
        try:
            return _AsyncLoggedAnswer(await self._transport.open(request, timeouts), exchange)
        except BaseException as error:
            exchange.failed(error)
            await _in_thread(exchange.write)
            raise


class _AsyncLoggedAnswer:
    def __init__(self, answer: AsyncAnswer, exchange: Exchange) -> None:
        self._answer = answer
        self._exchange = exchange
        exchange.answered(answer.head)

    @property
    def head(self) -> ResponseHead:
        return self._answer.head

    async def read(self, timeout: float | None, /) -> bytes:
        try:
            data = await self._answer.read(timeout)
        except BaseException as error:
            self._exchange.failed(error)
            raise
        self._exchange.add(data)
        return data

    async def close(self) -> None:
        try:
            await self._answer.close()
        finally:
            await _in_thread(self._exchange.write)

    def abandon(self) -> None:
        self._answer.abandon()
        self._exchange.left()


async def _in_thread(call: Callable[[], None]) -> None:
    from agentkit._runtime.aio import in_thread

    await in_thread(call)

"""One connection to the server: requests in turn, answers item by item, and an end as soon as the client goes away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agentkit.sim.http1 import (
    CONTINUE,
    END_OF_HEAD,
    LAST_CHUNK,
    MAX_HEAD,
    BadRequest,
    Head,
    chunk,
    parse_head,
    render_head,
)
from agentkit.sim.openai_wire import refusal
from agentkit.sim.talk import Drop, Failure, Pause
from agentkit.sim.wire import SimResponse

if TYPE_CHECKING:
    from agentkit.sim.simulator import Simulator

_READ = 64 << 10
_AHEAD = 256 << 10
"""Bytes that a client may send before its answer is through."""
_FLUSH = 4 << 10
"""Bytes that are put together where nothing separates them in time."""
_LINGER = 0.5
"""Seconds for which a refused client may go on sending."""


class _Gone(Exception):
    """The client went away, or the simulator broke the connection."""


class Connection:
    """Serves one client."""

    def __init__(self, simulator: Simulator, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._simulator = simulator
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self._reading: asyncio.Task[bytes] | None = None
        writer.transport.set_write_buffer_limits(high=0)

    async def serve(self) -> None:
        """Answer requests until either side ends."""
        try:
            while await self._one():
                pass
        except BadRequest as error:
            await self._refuse(error)
        except (_Gone, OSError):
            pass
        finally:
            self._writer.transport.abort()
            if self._reading is not None:
                self._reading.cancel()
                await asyncio.gather(self._reading, return_exceptions=True)

    async def _one(self) -> bool:
        """Answer one request; whether another one may follow."""
        raw = await self._head()
        if raw is None:
            return False
        head = parse_head(raw)
        if head.expects_continue and len(self._buffer) < head.length:
            self._writer.write(CONTINUE)
        while len(self._buffer) < head.length:
            await self._more()
        body = bytes(self._buffer[: head.length])
        del self._buffer[: head.length]
        response = self._simulator.handle(head.method, head.target, head.headers, body)
        try:
            framed = await self._answer(head, response)
        finally:
            response.close()
        return framed and head.keep_alive

    async def _head(self) -> bytes | None:
        """The next head; None at an orderly end."""
        while (end := self._buffer.find(END_OF_HEAD)) < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadRequest(431, f"a head may have {MAX_HEAD} bytes")
            try:
                await self._more()
            except _Gone:
                return None
        head = bytes(self._buffer[:end])
        del self._buffer[: end + len(END_OF_HEAD)]
        if len(head) > MAX_HEAD:
            raise BadRequest(431, f"a head may have {MAX_HEAD} bytes")
        return head

    async def _more(self) -> None:
        data = await self._read()
        self._reading = None
        if not data:
            raise _Gone
        self._buffer += data

    def _read(self) -> asyncio.Task[bytes]:
        """The one read that is always under way, so that the end of the client is seen at once."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._reader.read(_READ))
        return self._reading

    async def _answer(self, head: Head, response: SimResponse) -> bool:
        """Send an answer; whether its end can be told without closing the connection."""
        sized = "content-length" in response.headers or head.method == "HEAD"
        chunked = head.chunked and not sized
        waiting = bytearray()
        begun = False
        for item in response.body:
            if isinstance(item, Drop) and item.orderly and not sized:
                waiting += b"" if begun else _answer_head(head, response, chunked=chunked)
                break
            if not isinstance(item, bytes):
                await self._flush(waiting)
                await self._interlude(item)
                continue
            if not begun:
                begun = True
                waiting += _answer_head(head, response, chunked=chunked)
            if head.method == "HEAD":
                break
            waiting += chunk(item) if chunked else item
            if len(waiting) >= _FLUSH:
                await self._flush(waiting)
                await self._pause(0)
        await self._flush(waiting + LAST_CHUNK if chunked else waiting)
        return sized or chunked

    async def _interlude(self, item: Pause | Drop) -> None:
        if isinstance(item, Drop):
            raise _Gone
        await self._pause(item.seconds)

    async def _flush(self, waiting: bytearray) -> None:
        if waiting:
            self._writer.write(bytes(waiting))
            waiting.clear()
            await self._writer.drain()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not for a client that has gone."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            done, _ = await asyncio.wait({self._read()}, timeout=max(0.0, end - loop.time()))
            if not done:
                return
            await self._more()
            if len(self._buffer) > _AHEAD:
                raise _Gone

    async def _refuse(self, error: BadRequest) -> None:
        """Say what is wrong, and listen for a moment: closing on unread bytes would take the answer back."""
        response = refusal(Failure(status=error.status, message=str(error)))
        body = b"".join(item for item in response.body if isinstance(item, bytes))
        try:
            self._writer.write(render_head(error.status, {**response.headers, "connection": "close"}) + body)
            await self._writer.drain()
            self._writer.write_eof()
            async with asyncio.timeout(_LINGER):
                while await self._read():
                    self._reading = None
        except (OSError, TimeoutError):
            return


def _answer_head(head: Head, response: SimResponse, *, chunked: bool) -> bytes:
    framing = {"transfer-encoding": "chunked"} if chunked else {}
    options = {"connection": "keep-alive" if head.keep_alive else "close"}
    return render_head(response.status, {"server": "agentkit-sim", **response.headers, **framing, **options})

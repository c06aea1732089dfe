"""One session with a server of the Model Context Protocol, in a daemon thread with an event loop of its own.

So any thread can use it, with or without an event loop there, and each wait has an end: an answer, a limit in seconds,
somebody who stops waiting, or the end of the session.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

from agentkit import errors
from agentkit.errors import AgentKitError, ConnectError, ConnectionLost, ToolError
from agentkit.toolbox._mcp_listing import readable
from agentkit.toolbox._mcp_servers import NotDone, Server, Signs, Way
from agentkit.tools import cleaned, limited

if TYPE_CHECKING:
    import anyio
    from anyio.streams.memory import MemoryObjectSendStream
    from mcp.client import ClientSession, IncomingMessage
    from mcp.client._transport import ReadStream
    from mcp.shared.message import SessionMessage

T = TypeVar("T")

_POLL_SECONDS = 0.02
_CLOSE_SECONDS = 10.0
"""More than the SDK takes to end a program that does not want to: it asks, terminates and kills, within seven."""
_LAST_WORDS_SECONDS = 0.5
_MOST_SAID = 300
_MOST_LINES = 3
_LONGEST_ERROR = 1000
_CLOSED = -32000

logging.getLogger("mcp").addHandler(logging.NullHandler())  # or Python prints what it says of bad lines


class Connection:
    """One session, from its start to its end; there is no second one in it."""

    def __init__(self, name: str, server: Server, seconds: float) -> None:
        self.name = name
        self.ready: Future[str] = Future()
        """The name that the server gives itself, once it has answered."""
        self.changes = 0
        """How often the server said that its tools have changed."""
        self._server = server
        self._seconds = seconds
        self._signs = Signs()
        self._garbage = ""
        self._fault = ""
        self._closing = self._ended = False
        self._session: ClientSession | None = None
        self._scope: anyio.CancelScope | None = None
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(
            target=Context().run, args=(self._run,), name=f"agentkit-mcp-{name}", daemon=True
        )
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """The server is gone, or was never there."""
        return self._ended or self._closing or not self._thread.is_alive()

    def stop(self) -> None:
        """End the session, and the program, without waiting for it."""
        self._closing = True
        with suppress(RuntimeError):  # the loop is closed: that is what was asked for
            self._loop.call_soon_threadsafe(self._end, context=Context())

    def close(self) -> None:
        """End the session, and the program, within some seconds."""
        self.stop()
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_SECONDS)

    def request(
        self,
        make: Callable[[ClientSession], Coroutine[Any, Any, T]],
        what: str,
        seconds: float,
        *,
        cancelled: Callable[[], bool],
        tick: Callable[[], None],
    ) -> T:
        """What the server answers to this; `what` says it in a message. `tick` is called while waiting, and at the end.

        Raises:
            ConnectError: there is no session, or the server knows of none.
            ConnectionLost: it ended before the answer.
            TimeoutError: the limit ran out.
            ToolError: the server refuses, its answer cannot be read, or nobody waits any more.
        """
        self._wait(self.ready, f"start of {self.name}", self._seconds + _CLOSE_SECONDS, cancelled)
        self.ready.result()
        work = self._work(make, what)
        try:
            # In a context of its own: that of the caller may say that the event loop is another library's.
            future = Context().run(asyncio.run_coroutine_threadsafe, work, self._loop)
        except RuntimeError:
            work.close()
            raise self._not_done(what) from None
        try:
            self._wait(future, what, seconds, cancelled, tick)
            return future.result()
        except CancelledError:
            raise self._lost(what) from None
        except AgentKitError:
            raise
        except Exception as error:
            raise self._refused(error, what) from error
        finally:
            future.cancel()
            tick()

    async def _work(self, make: Callable[[ClientSession], Coroutine[Any, Any, T]], what: str) -> T:
        if self._session is None or self._ended:
            raise self._not_done(what)
        return await make(self._session)

    def _wait(
        self,
        future: Future[Any],
        what: str,
        seconds: float,
        cancelled: Callable[[], bool],
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        until = time.monotonic() + seconds
        while not future.done():
            left = until - time.monotonic()
            if left <= 0:
                raise errors.TimeoutError(
                    f"the MCP server {self.name!r} did not answer within {seconds:g} s: {what}", phase="total"
                )
            if cancelled():
                raise ToolError(f"nobody waits any more: {what}")
            wait_for([future], min(left, _POLL_SECONDS))
            tick()
            if not self._thread.is_alive() and not future.done():
                raise self._lost(what)

    def _lost(self, what: str) -> ConnectionLost:
        self._thread.join(_LAST_WORDS_SECONDS)
        return ConnectionLost(
            f"the MCP server {self.name!r} ended before it answered: {what}{self._fault}{self._last_words()}"
        )

    def _not_done(self, what: str) -> NotDone:
        return NotDone(f"the session with the MCP server {self.name!r} had ended, and nothing was done: {what}")

    def _refused(self, error: Exception, what: str) -> AgentKitError:
        from mcp import MCPError

        if isinstance(error, MCPError) and error.code == _CLOSED:
            return self._lost(what)
        if isinstance(error, MCPError) and self._signs.is_forgotten:
            self.stop()
            return self._not_done(what)
        return ToolError(f"the MCP server {self.name!r} failed: {what}: {limited(cleaned(str(error)), _LONGEST_ERROR)}")

    # --- what runs in the thread

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - a thread has nobody to raise it to, and whoever waits is told
            self._fail(error)
        finally:
            self._ended = True
            self._fail(None)

    async def _serve(self) -> None:
        from mcp import MCPError

        first: BaseException | None = None
        for way in self._server.ways():
            try:
                return await self._attend(way)
            except Exception as error:  # noqa: BLE001 - the SDK and what is below it have errors of many kinds
                first = first or error
                self._fault = f" ({type(_root(error)).__name__})"
                if self._closing or self.ready.done() or not isinstance(_root(error), MCPError):
                    break
        return self._fail(first)

    async def _attend(self, way: Way) -> None:
        import anyio
        from mcp import ClientSession
        from mcp.types import Implementation

        from agentkit import __version__

        self._stop = asyncio.Event()  # the end of what was tried before is not the end of this
        async with way(self._signs) as (read, write), anyio.create_task_group() as group:
            sink, heard = anyio.create_memory_object_stream["SessionMessage | Exception"](0)
            with sink, heard:
                group.start_soon(self._pass_on, read, sink)
                us = Implementation(name="agentkit", version=__version__)
                async with ClientSession(heard, write, message_handler=self._told, client_info=us) as session:
                    if await self._is_greeted(session):
                        try:
                            await self._stop.wait()
                        finally:
                            self._ended = True
            group.cancel_scope.cancel()

    async def _is_greeted(self, session: ClientSession) -> bool:
        """Only this can be cut short: a program whose start is cut short is not always waited for."""
        import anyio

        with anyio.move_on_after(self._seconds) as self._scope:
            if not self._closing:
                await _greet(session)
                info = session.server_info
                self._session = session
                self.ready.set_result(info.name if info is not None else self.name)
                return True
        limit = f"the MCP server {self.name!r} did not answer within {self._seconds:g} s of its start"
        self._fail(None if self._closing else errors.TimeoutError(limit + self._last_words(), phase="connect"))
        return False

    async def _pass_on(
        self, read: ReadStream[SessionMessage | Exception], sink: MemoryObjectSendStream[SessionMessage | Exception]
    ) -> None:
        """Hand on what the server says, and notice where it ends."""
        import anyio
        from mcp.types import JSONRPCResponse

        with sink, suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            async for item in read:
                if isinstance(item, Exception):
                    self._garbage = self._garbage or _line(item)
                elif isinstance(item.message, JSONRPCResponse) and self._session is not None:
                    version = self._session.protocol_version
                    item.message.result = readable(self.name, version, item.message.result)
                await sink.send(item)
        self._ended = self.ready.done()
        self._stop.set()

    async def _told(self, message: IncomingMessage) -> None:
        from mcp.types import ToolListChangedNotification

        if isinstance(message, ToolListChangedNotification):
            self.changes += 1

    def _end(self) -> None:
        self._stop.set()
        if self._scope is not None and not self.ready.done():
            self._scope.cancel()

    def _fail(self, error: BaseException | None) -> None:
        """Tell those who wait for the start, unless they know."""
        if not self.ready.done():
            self.ready.set_exception(self._no_start(None if error is None else _root(error)))

    def _no_start(self, error: BaseException | None) -> AgentKitError:
        from mcp import MCPError

        if isinstance(error, AgentKitError):
            return error
        if self._closing:
            reason = "it was closed before it answered"
        elif isinstance(error, FileNotFoundError):
            reason = f"there is no {error.filename!r}"
        elif error is None or (isinstance(error, MCPError) and error.code == _CLOSED):
            reason = "it ended before it answered"
        else:
            reason = str(error) or type(error).__name__
        return ConnectError(f"the MCP server {self.name!r} was not reached: {cleaned(reason)}{self._last_words()}")

    def _last_words(self) -> str:
        """What is known of a failure from the server itself, for the end of a message."""
        said = " ".join(" ".join(self._signs.text(_LAST_WORDS_SECONDS).splitlines()[-_MOST_LINES:]).split())
        parts = [
            f"{name} {cleaned(text)[-_MOST_SAID:]!r}"
            for name, text in (("its standard error ends with", said), ("it wrote what is no message:", self._garbage))
            if text
        ]
        return "".join(f"; {part}" for part in parts)


async def _greet(session: ClientSession) -> None:
    """A server that knows no greeting is asked what it knows: those of later versions need none."""
    from mcp import MCPError

    try:
        await session.initialize()
    except MCPError as error:
        if error.code == _CLOSED:
            raise
        with suppress(MCPError):
            await session.discover()
        if session.protocol_version is None:
            raise


def _root(error: BaseException) -> BaseException:
    """What went wrong first, out of the groups that task groups make."""
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return _root(inner[0]) if inner else error


def _line(error: Exception) -> str:
    """The line that could not be read, where the error of the SDK holds it."""
    found = getattr(error, "errors", None)
    details: Any = found() if callable(found) else ()
    return next((str(each["input"])[:_MOST_SAID] for each in details if "input" in each), str(error)[:_MOST_SAID])

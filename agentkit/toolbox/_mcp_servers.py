"""How a server of the Model Context Protocol is reached: a program that is started, or an address.

May hold what opens a connection with the official SDK, which is imported where that happens and not before.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Protocol, TextIO, TypeAlias
from urllib.parse import urlsplit

from attrs import field, frozen

from agentkit.errors import ConnectError, InvalidInput

if TYPE_CHECKING:
    from mcp.client import Transport
    from mcp.client._transport import TransportStreams

_MOST_KEPT = 4096
_CONNECT_SECONDS = 30.0
_SILENT_SECONDS = 300.0
_NOT_FOUND = 404
_SESSION = "mcp-session-id"


class NotDone(ConnectError):
    """The session had ended before the request: the server did nothing about it, and a new session can."""


class Signs:
    """What is known of a server beside its messages: the end of what it writes to its standard error, its status."""

    def __init__(self) -> None:
        self.is_forgotten = False
        """The server is there, and knows nothing of the session."""
        self._end = b""
        self._thread: threading.Thread | None = None

    def opened(self) -> TextIO:
        """A file that spares the terminal what the program writes to it."""
        reading, writing = os.pipe()
        self._thread = threading.Thread(target=self._listen, args=(reading,), name="agentkit-mcp-stderr", daemon=True)
        self._thread.start()
        return os.fdopen(writing, "w", encoding="utf-8")

    def _listen(self, handle: int) -> None:
        try:
            while data := os.read(handle, _MOST_KEPT):
                self._end = (self._end + data)[-_MOST_KEPT:]
        finally:
            os.close(handle)

    def text(self, seconds: float = 0.0) -> str:
        """What is known so far; of a program that has ended, all within these seconds."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._end.decode(errors="replace").strip()


Way: TypeAlias = "Callable[[Signs], AbstractAsyncContextManager[TransportStreams]]"


class Server(Protocol):
    """Something that a session can be opened with."""

    @property
    def label(self) -> str: ...

    def ways(self) -> Sequence[Way]:
        """What to try, in this order. Raises what forbids all of them."""
        ...


@frozen
class Program:
    """A program that speaks the protocol over its standard input and output."""

    command: str
    arguments: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] | None = field(default=None, repr=False)
    cwd: str | Path | None = None

    @property
    def label(self) -> str:
        return PurePath(self.command).name

    def ways(self) -> Sequence[Way]:
        return (self._open,)

    @asynccontextmanager
    async def _open(self, signs: Signs) -> AsyncGenerator[TransportStreams]:
        from mcp.client.stdio import StdioServerParameters, stdio_client

        how = StdioServerParameters(
            command=self.command,
            args=list(self.arguments),
            env=None if self.env is None else dict(self.env),
            cwd=self.cwd,
            encoding_error_handler="replace",
        )
        async with AsyncExitStack() as stack:
            with signs.opened() as errors:  # the program has a copy of its own, so that the end of that one is its end
                streams = await stack.enter_async_context(stdio_client(how, errors))
            yield streams


def _url(instance: object, attribute: object, value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(
            f"the address of an MCP server begins with http:// or https:// and a host, not {value!r:.80}"
        )


def _without_keys(url: str) -> str:
    """The address without a name and a password, and without what stands behind the question mark."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


@frozen
class Address:
    """A server that is running somewhere: streamable HTTP, or the older way with a stream of events."""

    url: str = field(validator=_url, repr=lambda url: repr(_without_keys(url)))
    headers: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        return urlsplit(self.url).hostname or self.url

    def ways(self) -> Sequence[Way]:
        from agentkit._runtime.http.proxies import check_online

        check_online(self.label, self.label)
        return (self._streamable, self._events)

    @asynccontextmanager
    async def _streamable(self, signs: Signs) -> AsyncGenerator[TransportStreams]:
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        async def look(response: httpx2.Response) -> None:
            asked = response.request
            if response.status_code == _NOT_FOUND and asked.method == "POST" and _SESSION in asked.headers:
                signs.is_forgotten = True

        limits = httpx2.Timeout(_CONNECT_SECONDS, read=_SILENT_SECONDS)
        hooks = {"response": [look]}
        async with httpx2.AsyncClient(headers=self.headers, timeout=limits, event_hooks=hooks) as client:
            way: Transport = streamable_http_client(self.url, http_client=client)
            async with way as streams:
                yield streams

    def _events(self, signs: Signs) -> AbstractAsyncContextManager[TransportStreams]:
        from mcp.client.sse import sse_client

        return sse_client(self.url, headers=dict(self.headers or {}), timeout=_CONNECT_SECONDS)

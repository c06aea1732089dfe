"""The simulator as a server on the loopback: HTTP/1.1 with keep-alive and chunks, thousands of streams in one thread.

`SimServer` runs in a thread of its own and is a context manager; `run` serves in the event loop of the caller.
"""

from __future__ import annotations

import asyncio
import ipaddress
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from agentkit.errors import InvalidInput
from agentkit.sim.connection import Connection
from agentkit.sim.control import PATH
from agentkit.sim.profiles import addresses

if TYPE_CHECKING:
    from agentkit.sim.simulator import Simulator

_BACKLOG = 2048
_TURNS = 5
"""Of the event loop, in which connections that were made just now turn up: a closed server would forget them."""
_START = 30.0
"""Seconds within which the thread of the server must be listening."""


def describe(url: str) -> dict[str, str]:
    """The address of each wire."""
    return {**addresses(url), "control": f"{url}{PATH}"}


def _checked(host: str, *, expose: bool) -> str:
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local and not expose:
        raise InvalidInput(f"the simulator serves this machine only, not {host!r}; SimServer(expose=True) opens it")
    return host


class _Listener:
    """A listening socket and the connections that came by it, within one event loop."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._stopping = False

    async def start(self, host: str, port: int) -> str:
        """Listen; the URL."""
        self._server = await asyncio.start_server(self._accept, host, port, backlog=_BACKLOG)
        bound = self._server.sockets[0].getsockname()[1]
        return f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._stopping:
            writer.transport.abort()
            return
        task = asyncio.ensure_future(Connection(self._simulator, reader, writer).serve())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.transport.abort())

    async def stop(self) -> None:
        """Close the socket and end all connections."""
        if self._server is None:
            return
        self._stopping = True
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self._server.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()


async def run(
    simulator: Simulator,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    expose: bool = False,
    on_ready: Callable[[dict[str, str]], None] | None = None,
) -> None:
    """Serve until cancelled; `on_ready` is called with the addresses once the server listens."""
    listener = _Listener(simulator)
    try:
        url = await listener.start(_checked(host, expose=expose), port)
        if on_ready is not None:
            on_ready(describe(url))
        await asyncio.get_running_loop().create_future()
    finally:
        await listener.stop()


class SimServer:
    """A simulator behind a socket, in a thread of its own, from `start()` to `close()`."""

    def __init__(self, simulator: Simulator, *, host: str = "127.0.0.1", port: int = 0, expose: bool = False) -> None:
        self.simulator = simulator
        self._host = _checked(host, expose=expose)
        self._port = port
        self._expose = expose
        self._url: str | None = None
        self._failed: list[BaseException] = []
        self._listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the server listens."""
        if self._url is None:
            raise InvalidInput("the server does not run; use `with SimServer(simulator) as server`")
        return self._url

    def describe(self) -> dict[str, str]:
        """The address of each wire."""
        return describe(self.url)

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        if self._thread is not None:
            raise InvalidInput(f"the server runs already, at {self._url!r}")
        self._listening.clear()
        self._failed.clear()
        self._thread = threading.Thread(target=self._run, name="agentkit-sim", daemon=True)
        self._thread.start()
        self._listening.wait(_START)
        if self._url is None:
            self.close()
            raise next(iter(self._failed), OSError(f"the server did not start within {_START:g} seconds"))

    def close(self) -> None:
        """End all connections and the thread."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        loop, task = self._loop, self._task
        if loop is not None and task is not None and thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
        thread.join(_START)
        self._url = self._loop = self._task = None

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised in the thread that started this one
            self._failed.append(error)
        finally:
            self._listening.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        await run(self.simulator, host=self._host, port=self._port, expose=self._expose, on_ready=self._ready)

    def _ready(self, addresses: dict[str, str]) -> None:
        self._url = addresses["control"].removesuffix(PATH)
        self._listening.set()

    def __enter__(self) -> SimServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(simulator: Simulator, host: str = "127.0.0.1", port: int = 0, *, expose: bool = False) -> SimServer:
    """A server for this simulator, to be used with `with`."""
    return SimServer(simulator, host=host, port=port, expose=expose)

"""Loops that come and go, cancelled tasks and abandoned answers."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
import trio
from http_ways import HEADERS
from raw_server import CHUNKED, END, Peer, RawServer, answers, chunk, plain, until

from agentkit._runtime.http import AsyncHTTPTransport, aio, shared_async_transport
from agentkit.errors import ConnectError, TimeoutError  # noqa: A004
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest

SLOW = Timeouts(connect=20.0, first_byte=20.0)
BOTH = pytest.mark.parametrize("runner", [asyncio.run, trio.run], ids=["asyncio", "trio"])
Serve = Callable[[Callable[[Peer], object]], RawServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[RawServer] = []

    def start(script: Callable[[Peer], object]) -> RawServer:
        servers.append(RawServer(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def go(runner: Any, work: Callable[[], Any]) -> Any:
    return runner(work()) if runner is asyncio.run else runner(work)


def request(url: str, body: bytes = b"{}") -> HTTPRequest:
    return HTTPRequest(method="POST", url=url, headers=HEADERS, body=body)


async def fetch(transport: AsyncHTTPTransport, url: str) -> bytes:
    answer = await transport.open(request(url), SLOW)
    data = b""
    while piece := await answer.read(5.0):
        data += piece
    await answer.close()
    return data


def test_one_transport_in_many_loops(serve: Serve) -> None:
    server = serve(answers(plain(b"ok")))
    transport = AsyncHTTPTransport()

    async def work() -> list[bytes]:
        return [await fetch(transport, server.url) for _ in range(2)]

    for runner in (asyncio.run, asyncio.run, trio.run, asyncio.run, trio.run):
        assert go(runner, work) == [b"ok", b"ok"]
        gc.collect()
    assert server.connections == 5
    assert until(lambda: all(peer.sock.fileno() < 0 for peer in server.peers))
    assert not transport._pools


def test_two_loops_at_the_same_time(serve: Serve) -> None:
    server = serve(answers(plain(b"ok")))
    transport = AsyncHTTPTransport()
    done: list[bytes] = []

    async def work() -> None:
        for _ in range(20):
            done.append(await fetch(transport, server.url))
            await anyio.sleep(0.001)

    threads = [threading.Thread(target=go, args=(runner, work)) for runner in (asyncio.run, trio.run) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert done == [b"ok"] * 80


@BOTH
def test_cancelled_while_waiting(serve: Serve, runner: Any) -> None:
    gone: list[bool] = []

    def script(peer: Peer) -> None:
        number = peer.number
        if peer.request() is not None:
            peer.send(*([CHUNKED] if number == 1 else [CHUNKED, chunk(b"a")] if number == 2 else []))
            gone.append(peer.wait_for_end())

    server = serve(script)
    transport = AsyncHTTPTransport()

    async def work() -> None:
        for kind in range(3):
            with anyio.move_on_after(0.1) as scope:
                answer = await transport.open(request(server.url), SLOW)
                try:
                    while True:
                        await answer.read(20.0)
                finally:
                    await answer.close()
            assert scope.cancelled_caught, kind
        pool = next(iter(transport._pools.values()))
        assert pool._free == aio.MAX_CONNECTIONS
        assert not pool.reading

    go(runner, work)
    assert until(lambda: gone == [True] * 3)


@BOTH
def test_cancelled_at_any_moment(serve: Serve, runner: Any) -> None:
    server = serve(answers([CHUNKED + chunk(b"a"), chunk(b"b"), END]))
    transport = AsyncHTTPTransport()

    async def work() -> int:
        cancelled = 0
        for step in range(30):
            with anyio.move_on_after(step * 0.002) as scope:
                assert await fetch(transport, server.url) == b"ab"
            cancelled += scope.cancelled_caught
            pool = next(iter(transport._pools.values()), None)
            assert pool is None or (pool._free == aio.MAX_CONNECTIONS and not pool.reading)
        assert await fetch(transport, server.url) == b"ab"
        return cancelled

    assert go(runner, work) > 5


@BOTH
def test_native_cancel_and_close_in_a_cancelled_scope(serve: Serve, runner: Any) -> None:
    server = serve(lambda peer: peer.request() and peer.send(CHUNKED + chunk(b"a")) and peer.wait_for_end())
    transport = AsyncHTTPTransport()

    async def work() -> None:
        answer = await transport.open(request(server.url), SLOW)
        assert await answer.read(5.0) == b"a"
        with anyio.CancelScope() as scope:
            scope.cancel()
            await answer.close()
        assert next(iter(transport._pools.values()))._free == aio.MAX_CONNECTIONS

    go(runner, work)
    assert until(lambda: server.peers[0].sock.fileno() < 0)


@BOTH
@pytest.mark.parametrize("elsewhere", [False, True])
def test_abandoned(serve: Serve, runner: Any, elsewhere: bool) -> None:
    server = serve(lambda peer: peer.request() and peer.send(CHUNKED + chunk(b"a")) and peer.wait_for_end())
    transport = AsyncHTTPTransport()

    async def work() -> None:
        answer = await transport.open(request(server.url), SLOW)
        assert await answer.read(5.0) == b"a"
        if elsewhere:
            thread = threading.Thread(target=answer.abandon)
            thread.start()
            thread.join()
        else:
            answer.abandon()
        answer.abandon()
        await answer.close()
        del answer
        pool = next(iter(transport._pools.values()))
        with anyio.fail_after(5):
            while pool._free < aio.MAX_CONNECTIONS or pool.reading:
                await anyio.sleep(0.005)
        assert until(lambda: server.peers[0].sock.fileno() < 0)
        gc.collect()

    go(runner, work)


@BOTH
def test_abandoned_after_the_end_of_the_loop(serve: Serve, runner: Any) -> None:
    server = serve(lambda peer: peer.request() and peer.send(CHUNKED + chunk(b"a")) and peer.wait_for_end())
    transport = AsyncHTTPTransport()

    async def work() -> Any:
        answer = await transport.open(request(server.url), SLOW)
        await answer.read(5.0)
        answer._call.kill()
        await anyio.sleep(0.01)
        return answer

    answer = go(runner, work)
    answer.abandon()
    del answer
    gc.collect()
    assert until(lambda: server.peers[0].sock.fileno() < 0)


@BOTH
def test_waiting_in_line(serve: Serve, runner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aio, "MAX_CONNECTIONS", 1)
    server = serve(answers(CHUNKED + chunk(b"a")))
    transport = AsyncHTTPTransport()

    async def work() -> None:
        first = await transport.open(request(server.url), SLOW)
        with pytest.raises(TimeoutError) as caught:
            await transport.open(request(server.url), Timeouts(total=0.05))
        assert caught.value.phase == "pool"
        with anyio.move_on_after(0.05) as scope:
            await transport.open(request(server.url), SLOW)
        assert scope.cancelled_caught
        async with anyio.create_task_group() as group:
            group.start_soon(later, first)
            second = await transport.open(request(server.url), SLOW)
        with anyio.CancelScope() as scope:  # granted and cancelled in the same moment
            async with anyio.create_task_group() as group:
                group.start_soon(transport.open, request(server.url), SLOW)
                await anyio.sleep(0.01)
                await second.close()
                scope.cancel()
        assert next(iter(transport._pools.values()))._free == 1

    async def later(answer: Any) -> None:
        await anyio.sleep(0.05)
        await answer.close()

    go(runner, work)


@BOTH
def test_three_hundred_at_once(serve: Serve, runner: Any) -> None:
    server = serve(answers([CHUNKED + chunk(b"a"), chunk(b"b") + END]))
    transport = AsyncHTTPTransport()
    done: list[bytes] = []

    async def one() -> None:
        done.append(await fetch(transport, server.url))

    async def work() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(300):
                group.start_soon(one)

    go(runner, work)
    assert done == [b"ab"] * 300
    assert server.connections <= 100


@BOTH
def test_a_slow_reader_holds_the_server_back(serve: Serve, runner: Any) -> None:
    sent: list[int] = []

    def script(peer: Peer) -> None:
        if peer.request() is None:
            return
        peer.send(CHUNKED)
        for _ in range(600):
            if not peer.send(chunk(b"x" * 65536)):
                return
            sent.append(1)
        peer.send(END)

    server = serve(script)
    transport = AsyncHTTPTransport()

    async def work() -> int:
        answer = await transport.open(request(server.url), SLOW)
        await anyio.sleep(0.3)
        held = len(sent)
        total = 0
        while piece := await answer.read(5.0):
            total += len(piece)
        assert total == 600 * 65536
        return held

    assert go(runner, work) < 500


@BOTH
def test_a_server_that_does_not_read(serve: Serve, runner: Any) -> None:
    server = serve(lambda peer: peer._server.over.wait(1))
    transport = AsyncHTTPTransport()

    async def work() -> None:
        with pytest.raises(TimeoutError) as caught:
            await transport.open(request(server.url, bytes(32 << 20)), Timeouts(first_byte=0.2))
        assert caught.value.phase == "first_byte"

    go(runner, work)


@BOTH
def test_limits_of_connecting(runner: Any) -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    clients = [socket.socket() for _ in range(8)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
    transport = AsyncHTTPTransport()

    async def work() -> None:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(TimeoutError) as caught:
            await transport.open(request(url), Timeouts(connect=0.2))
        assert caught.value.phase == "connect"

    go(runner, work)
    for sock in (listener, *clients):
        sock.close()


@BOTH
def test_names_that_lead_nowhere(runner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    transport = AsyncHTTPTransport()

    async def work() -> None:
        with pytest.raises(ConnectError, match=r"gone\.test:80: Name or service not known"):
            await transport.open(request("http://gone.test/"), SLOW)

    go(runner, work)


def test_the_next_address_is_tried(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    server = serve(answers(plain(b"ok")))
    transport = AsyncHTTPTransport()

    def ask(host: Any, *rest: Any, **more: Any) -> Any:
        names = ("::1", "127.0.0.1") if host == "two.test" else (host,)
        return [found for name in names for found in real(name, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    assert asyncio.run(fetch(transport, f"http://two.test:{server.port}/")) == b"ok"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_uses_its_own_connections(serve: Serve) -> None:
    server = serve(lambda peer: [peer.send(plain(b"%d" % peer.number)) for _ in range(9) if peer.request()])
    transport = AsyncHTTPTransport()

    async def work() -> None:
        assert await fetch(transport, server.url) == b"0"
        child = os.fork()
        if child == 0:
            asyncio.events._set_running_loop(None)
            os._exit(0 if asyncio.run(fetch(transport, server.url)) == b"1" else 1)
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            await asyncio.sleep(0.01)
        assert await fetch(transport, server.url) == b"0"

    asyncio.run(work())


def test_one_for_all() -> None:
    assert shared_async_transport() is shared_async_transport()

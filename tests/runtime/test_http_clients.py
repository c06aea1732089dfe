"""A caller's own client, of httpx and of its continuation."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from http_ways import COLOURS, KEY, Way, run
from raw_server import CHUNKED, END, Peer, RawServer, answers, chunk, plain, until

from agentkit import AsyncConversation
from agentkit._runtime.http import AsyncClientTransport, ClientTransport
from agentkit._runtime.transport import StopSignal
from agentkit.effects import Stopped
from agentkit.errors import (
    AgentKitError,
    AuthError,
    ConnectError,
    ConnectionLost,
    InvalidInput,
    ProtocolError,
    TimeoutError,  # noqa: A004
)
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest

both = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
colours = pytest.mark.parametrize("colour", COLOURS)
Serve = Callable[..., RawServer]
CONTEXT = ssl.create_default_context()  # making one for each client would take most of the time


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[RawServer] = []

    def start(script: Callable[[Peer], object]) -> RawServer:
        servers.append(RawServer(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def over(library: Any, colour: str, scenario: Callable[[Way], Any], **settings: Any) -> Any:
    """Run a scenario over a client of the library, and close that client, as its owner would."""
    made: list[Any] = []

    def make(blocking: bool) -> Any:
        settings.setdefault("verify", CONTEXT)
        made.append(library.Client(**settings) if blocking else library.AsyncClient(**settings))
        return ClientTransport(made[0]) if blocking else AsyncClientTransport(made[0])

    async def whole(way: Way) -> Any:
        try:
            return await scenario(way)
        finally:
            assert not made[0].is_closed
            if colour == "blocking":
                made[0].close()
            else:
                await made[0].aclose()

    return run(colour, whole, make)


def failure(library: Any, colour: str, url: str, timeouts: Timeouts | None = None) -> AgentKitError:
    async def scenario(way: Way) -> None:
        await way.fetch(url, timeouts)

    with pytest.raises(AgentKitError) as caught:
        over(library, colour, scenario)
    assert KEY not in str(caught.value)
    return caught.value


@both
@colours
def test_answers_and_kept_connections(library: Any, colour: str, serve: Serve) -> None:
    server = serve(answers(plain(b"one"), [CHUNKED + chunk(b"a"), chunk(b"b") + END]))

    async def scenario(way: Way) -> None:
        assert [await way.fetch(server.url) for _ in range(3)] == [b"one", b"ab", b"ab"]
        answer = await way.open(server.url)
        assert answer.head.status == 200
        assert answer.head.headers["content-type"] == "text/event-stream"
        await answer.close()

    over(library, colour, scenario)
    assert server.connections == 1
    assert b"accept-encoding: identity" in server.requests[0].lower()


@both
@colours
@pytest.mark.parametrize("seconds", [1e10, 1e300, float("inf")])
def test_no_limit_is_too_long(library: Any, colour: str, seconds: float, serve: Serve) -> None:
    server = serve(answers(plain(b"one")))

    async def scenario(way: Way) -> None:
        limits = Timeouts(connect=seconds, first_byte=seconds, idle=seconds, total=seconds)
        answer = await way.open(server.url, limits)
        assert [await answer.read(seconds), await answer.read(seconds)] == [b"one", b""]
        await answer.close()

    over(library, colour, scenario)
    run(colour, scenario)


@both
@colours
def test_redirects_are_given_back(library: Any, colour: str, serve: Serve) -> None:
    server = serve(answers(plain(b"", b"Location: http://127.0.0.1:1/", status=b"307 Temporary Redirect")))

    async def scenario(way: Way) -> None:
        answer = await way.open(server.url)
        assert answer.head.status == 307
        await answer.close()

    over(library, colour, scenario, follow_redirects=True)


@colours
def test_compression_is_taken_off_in_pieces(colour: str, serve: Serve) -> None:
    server = serve(answers(plain(gzip.compress(bytes(1 << 20)), b"Content-Encoding: gzip")))

    async def scenario(way: Way) -> None:
        answer = await way.open(server.url, headers=(("Accept-Encoding", "gzip"),))
        sizes = []
        while data := await answer.read():
            sizes.append(len(data))
        await answer.close()
        assert (sum(sizes), max(sizes)) == (1 << 20, 64 << 10)

    over(httpx, colour, scenario)
    assert b"accept-encoding: gzip\r\n" in server.requests[0].lower()


@both
@colours
@pytest.mark.parametrize("status", [200, 401, 503])
@pytest.mark.parametrize("more", [{}, {"content-encoding": "gzip"}], ids=["plain", "gzip"])
def test_a_body_that_the_client_has_in_memory(library: Any, colour: str, status: int, more: dict[str, str]) -> None:
    packed = gzip.compress(b"the words") if more else b"the words"

    async def scenario(way: Way) -> None:
        answer = await way.open("http://test.invalid/")
        assert answer.head.status == status
        assert await answer.rest() == b"the words"
        await answer.close()

    mock = library.MockTransport(lambda _: library.Response(status, content=packed, headers=more))
    over(library, colour, scenario, transport=mock)


@both
def test_a_turn_over_a_client_with_answers_in_memory(library: Any) -> None:
    done = {"choices": [{"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]}
    replies = [library.Response(200, json=done), library.Response(401, json={"error": {"message": "no such user"}})]
    mock = library.MockTransport(lambda _: replies.pop(0))

    async def ask(client: Any) -> None:
        async with AsyncConversation("openai/x", base_url="http://test.invalid", http_client=client) as talk:
            assert (await talk.send("hello")).text == "Hi"
            with pytest.raises(AuthError, match="no such user"):
                await talk.send("again")

    anyio.run(ask, library.AsyncClient(transport=mock))


@both
@colours
def test_a_body_that_a_hook_took_away(library: Any, colour: str) -> None:
    def taken(_: Any) -> Any:
        response = library.Response(200, content=b"the words")
        del response._content
        return response

    async def scenario(way: Way) -> None:
        await way.fetch("http://test.invalid/")

    with pytest.raises(ProtocolError, match="cannot be read"):
        over(library, colour, scenario, transport=library.MockTransport(taken))


@colours
def test_compression_that_cannot_be_read(colour: str, serve: Serve) -> None:
    server = serve(answers(plain(b"x", b"Content-Encoding: br")))
    assert isinstance(failure(httpx, colour, server.url), ProtocolError)


@both
@colours
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (b"", ConnectionLost),
        (CHUNKED + b"5\r\nab", ConnectionLost),
        (b"rubbish\r\n\r\n", ProtocolError),
        (CHUNKED + b"zz\r\n", ProtocolError),
    ],
)
def test_broken_answers(library: Any, colour: str, serve: Serve, reply: bytes, kind: type[AgentKitError]) -> None:
    server = serve(lambda peer: peer.request() and peer.send(reply))
    assert isinstance(failure(library, colour, server.url), kind)


@both
@colours
def test_a_reset(library: Any, colour: str, serve: Serve) -> None:
    server = serve(lambda peer: peer.request() and peer.reset())
    assert isinstance(failure(library, colour, server.url), ConnectionLost)


@both
@colours
def test_nobody_listens(library: Any, colour: str, serve: Serve) -> None:
    server = serve(answers(b""))
    server.close()
    error = failure(library, colour, server.url)
    assert isinstance(error, ConnectError)
    assert f"cannot connect to 127.0.0.1:{server.port}" in str(error)


@both
@colours
def test_silence(library: Any, colour: str, serve: Serve) -> None:
    server = serve(lambda peer: peer.request() and peer.wait_for_end())
    for timeouts, phase in ((Timeouts(first_byte=0.1), "first_byte"), (Timeouts(total=0.1, first_byte=0.2), "total")):
        error = failure(library, colour, server.url, timeouts)
        assert isinstance(error, TimeoutError)
        assert error.phase == phase
    slow = serve(lambda peer: peer.request() and peer.send(CHUNKED + chunk(b"a")) and peer.wait_for_end())

    async def scenario(way: Way) -> None:
        answer = await way.open(slow.url)
        with pytest.raises(TimeoutError) as caught:
            while True:
                await answer.read(0.1)
        assert caught.value.phase == "idle"
        await answer.close()

    over(library, colour, scenario)


@colours
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ConnectTimeout", TimeoutError),
        ("PoolTimeout", TimeoutError),
        ("ProxyError", ConnectError),
        ("LocalProtocolError", InvalidInput),
        ("DecodingError", ProtocolError),
    ],
)
def test_other_errors_of_a_client(colour: str, name: str, kind: type[AgentKitError]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise getattr(httpx, name)(f"because of {KEY}" if name != "ProxyError" else "refused")

    async def scenario(way: Way) -> None:
        with pytest.raises(kind) as caught:
            await way.open("http://127.0.0.1:1/", Timeouts(total=5))
        assert KEY not in str(caught.value)

    over(httpx, colour, scenario, transport=httpx.MockTransport(answer))


@colours
def test_a_client_without_sockets(colour: str) -> None:
    async def scenario(way: Way) -> None:
        assert await way.fetch("http://127.0.0.1:1/") == b"mocked"

    over(httpx, colour, scenario, transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=Mocked())))


class Mocked(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b"mocked"

    async def __aiter__(self) -> Any:
        yield b"mocked"


@colours
def test_a_closed_client_and_odd_requests(colour: str) -> None:
    async def scenario(way: Way) -> None:
        with pytest.raises(InvalidInput, match="cannot build"):
            await way.open("http://127.0.0.1:1/" + "x" * 70_000)
        client = way.transport._client
        if colour == "blocking":
            client.close()
        else:
            await client.aclose()
        with pytest.raises(InvalidInput, match="has been closed"):
            await way.open("http://127.0.0.1:1/")

    blocking = colour == "blocking"
    client = httpx.Client() if blocking else httpx.AsyncClient()
    run(colour, scenario, lambda _: ClientTransport(client) if blocking else AsyncClientTransport(client))


@colours
def test_offline(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKIT_OFFLINE", "1")
    assert "AGENTKIT_OFFLINE" in str(failure(httpx, colour, "http://www.test/"))


def test_the_colours_are_not_mixed_up() -> None:
    with httpx.Client() as client, pytest.raises(InvalidInput, match=r"httpx\.AsyncClient, not Client"):
        AsyncClientTransport(client)
    with pytest.raises(InvalidInput, match=r"httpx\.Client, not AsyncClient"):
        ClientTransport(httpx.AsyncClient())
    for kind in (ClientTransport, AsyncClientTransport):
        with pytest.raises(InvalidInput):
            kind(object())


def test_stop_while_reading(serve: Serve) -> None:
    server = serve(lambda peer: peer.request() and peer.send(CHUNKED + chunk(b"a")) and peer.wait_for_end())
    signal = StopSignal()
    request = HTTPRequest(method="POST", url=server.url)
    with httpx.Client() as client:
        answer = ClientTransport(client).open(request, Timeouts(), signal)
        assert answer.read(5.0) == b"a"
        threading.Timer(0.1, signal.set).start()
        with pytest.raises(Stopped):
            answer.read(5.0)
        answer.close()
        with pytest.raises(Stopped):
            ClientTransport(client).open(request, Timeouts(), signal)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_abandoned(backend: str, serve: Serve) -> None:
    server = serve(lambda peer: peer.request() and peer.send(CHUNKED + chunk(b"a")) and peer.wait_for_end())

    async def work() -> None:
        async with httpx.AsyncClient() as client:
            request = HTTPRequest(method="POST", url=server.url)
            answer = await AsyncClientTransport(client).open(request, Timeouts())
            answer.abandon()
            await anyio.sleep(0.05)
            assert until(lambda: server.peers[0].sock.fileno() < 0)
            answer.abandon()

    anyio.run(work, backend=backend)

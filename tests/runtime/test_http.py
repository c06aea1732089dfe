"""What the transports of all three colours do on real loopback sockets."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Callable, Iterator

import pytest
from http_ways import COLOURS, KEY, Way, run
from raw_server import CHUNKED, END, Peer, RawServer, answers, chunk, plain, until

from agentkit.errors import (
    AgentKitError,
    ConnectError,
    ConnectionLost,
    InvalidInput,
    ProtocolError,
    TimeoutError,  # noqa: A004
)
from agentkit.options import Timeouts

pytestmark = pytest.mark.parametrize("colour", COLOURS)
Serve = Callable[..., RawServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[RawServer] = []

    def start(script: Callable[[Peer], object]) -> RawServer:
        servers.append(RawServer(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def failure(colour: str, server: RawServer | str, timeouts: Timeouts | None = None) -> AgentKitError:
    url = server if isinstance(server, str) else server.url

    async def scenario(way: Way) -> None:
        await way.fetch(url, timeouts)

    with pytest.raises(AgentKitError) as caught:
        run(colour, scenario)
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in f"{error!r} {error}"
        assert type(error).__module__.partition(".")[0] not in ("httpx", "h11") or error.__cause__ is None
        error = error.__cause__
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_whole_answer_and_what_the_server_saw(colour: str, serve: Serve) -> None:
    server = serve(answers(plain(b"hello", b"X-One: 1", b"x-one: 2")))

    async def scenario(way: Way) -> None:
        answer = await way.open(server.url + "?a=b c", body=b'{"q": 1}')
        assert answer.head.status == 200
        assert answer.head.headers["x-one"] == "1, 2"
        assert await answer.rest() == b"hello"
        assert await answer.read() == b""
        await answer.close()
        await answer.close()

    run(colour, scenario)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/chat?a=b%20c HTTP/1.1"
    assert b"Host: 127.0.0.1:%d" % server.port in lines
    assert b"Content-Length: 8" in lines
    assert body == b'{"q": 1}'
    assert b"accept-encoding" not in head.lower()


def test_get_has_no_body_and_userinfo_becomes_a_header(colour: str, serve: Serve) -> None:
    server = serve(answers(plain(b"ok")))

    async def scenario(way: Way) -> None:
        url = server.url.replace("http://", "http://me:p%40ss@")
        assert await way.fetch(url, method="GET", body=b"", headers=()) == b"ok"

    run(colour, scenario)
    assert b"Authorization: Basic bWU6cEBzcw==" in server.requests[0]
    assert b"content-length" not in server.requests[0].lower()


def test_large_bodies_both_ways(colour: str, serve: Serve) -> None:
    data = bytes(range(256)) * 20_000
    server = serve(answers(plain(data)))

    async def scenario(way: Way) -> None:
        assert await way.fetch(server.url, body=data) == data

    run(colour, scenario)
    assert server.requests[0].endswith(data)


def test_a_connection_serves_the_next_request(colour: str, serve: Serve) -> None:
    server = serve(answers(plain(b"one"), [CHUNKED + chunk(b"a"), chunk(b"b") + END], CHUNKED + chunk(b"c") + END))

    async def scenario(way: Way) -> None:
        assert [await way.fetch(server.url) for _ in range(4)] == [b"one", b"ab", b"c", b"c"]

    run(colour, scenario)
    assert server.connections == 1


@pytest.mark.parametrize("late", [False, True])
def test_an_answer_closed_at_its_last_event_keeps_its_connection(colour: str, serve: Serve, late: bool) -> None:
    def script(peer: Peer) -> None:
        while peer.request() is not None:
            last = CHUNKED + chunk(b"data: [DONE]\n\n")
            if late:
                peer.send(last)
                time.sleep(0.0005)
                peer.send(END)
            else:
                peer.send(last + END)

    server = serve(script)

    async def scenario(way: Way) -> None:
        for _ in range(10):
            answer = await way.open(server.url)
            assert await answer.read() == b"data: [DONE]\n\n"
            await answer.close()

    run(colour, scenario)
    # How late the end comes is up to the machine; most of them come within the wait.
    assert server.connections < (10 if late else 2)


@pytest.mark.parametrize("more", [b"", b"x" * 60_000])
def test_an_answer_closed_early_costs_its_connection(colour: str, serve: Serve, more: bytes) -> None:
    gone: list[bool] = []

    def script(peer: Peer) -> None:
        if peer.request() is not None:
            peer.send(CHUNKED + chunk(b"first"), *([chunk(more)] * 20 if more else []))
            gone.append(peer.wait_for_end())

    server = serve(script)

    async def scenario(way: Way) -> None:
        for _ in range(2):
            answer = await way.open(server.url)
            assert await answer.read()
            start = time.monotonic()
            await answer.close()
            assert time.monotonic() - start < 0.2
            with pytest.raises(ConnectionLost):
                await answer.read()

    run(colour, scenario)
    assert until(lambda: len(gone) == 2)
    assert server.connections == 2


def test_a_kept_connection_found_closed_is_not_used(colour: str, serve: Serve) -> None:
    def script(peer: Peer) -> None:
        if peer.request() is not None:
            peer.send(plain(b"once"))

    server = serve(script)

    async def scenario(way: Way) -> None:
        assert await way.fetch(server.url) == b"once"
        assert until(lambda: server.peers[0].sock.fileno() < 0)
        assert await way.fetch(server.url) == b"once"

    run(colour, scenario)
    assert (server.connections, len(server.requests)) == (2, 2)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_kept_connection_that_dies_under_the_request_is_replaced_once(colour: str, serve: Serve, how: str) -> None:
    def script(peer: Peer) -> None:
        assert peer.request()
        peer.send(plain(b"%d" % peer.number))
        if peer.request() is not None and how == "reset":
            peer.reset()

    server = serve(script)

    async def scenario(way: Way) -> None:
        assert await way.fetch(server.url) == b"0"
        assert await way.fetch(server.url) == b"1"

    run(colour, scenario)
    assert (server.connections, len(server.requests)) == (2, 3)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_fresh_connection_that_dies_is_lost(colour: str, serve: Serve, how: str) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        if how == "reset":
            peer.reset()

    server = serve(script)
    assert isinstance(failure(colour, server), ConnectionLost)
    assert len(server.requests) == 1


def test_a_replacement_that_dies_too_is_lost(colour: str, serve: Serve) -> None:
    def script(peer: Peer) -> None:
        if peer.request() and peer.number == 0:
            peer.send(plain(b"0"))
            peer.request()

    server = serve(script)

    async def scenario(way: Way) -> None:
        await way.fetch(server.url)
        with pytest.raises(ConnectionLost, match="without an answer"):
            await way.fetch(server.url)

    run(colour, scenario)
    assert len(server.requests) == 3


def test_a_request_of_which_an_answer_began_is_not_sent_again(colour: str, serve: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(plain(b"0"))
        peer.request()
        peer.send(b"HTTP/1.1 2")

    server = serve(script)

    async def scenario(way: Way) -> None:
        await way.fetch(server.url)
        with pytest.raises(ConnectionLost):
            await way.fetch(server.url)

    run(colour, scenario)
    assert len(server.requests) == 2


def test_a_head_that_drips_ends_at_the_first_byte_limit(colour: str, serve: Serve) -> None:
    server = serve(lambda peer: peer.request() and peer.drip(b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 100, 0.05))
    start = time.monotonic()
    error = failure(colour, server, Timeouts(first_byte=0.3))
    assert isinstance(error, TimeoutError)
    assert error.phase == "first_byte"
    assert 0.25 < time.monotonic() - start < 1.5


@pytest.mark.parametrize(
    ("timeouts", "phase"), [(Timeouts(first_byte=0.1), "first_byte"), (Timeouts(total=0.1), "total")]
)
def test_a_silent_server(colour: str, serve: Serve, timeouts: Timeouts, phase: str) -> None:
    server = serve(lambda peer: peer.request() and peer.wait_for_end())
    error = failure(colour, server, timeouts)
    assert isinstance(error, TimeoutError)
    assert error.phase == phase
    assert len(server.requests) == 1


def test_silence_in_the_body_ends_at_the_idle_limit(colour: str, serve: Serve) -> None:
    server = serve(lambda peer: peer.request() and peer.send(CHUNKED + chunk(b"a")) and peer.wait_for_end())

    async def scenario(way: Way) -> None:
        answer = await way.open(server.url)
        assert await answer.read(0.1) == b"a"
        with pytest.raises(TimeoutError, match=r"sent nothing for 0\.1 s") as caught:
            await answer.read(0.1)
        assert caught.value.phase == "idle"
        with pytest.raises(ConnectionLost):
            await answer.read(0.1)
        await answer.close()

    run(colour, scenario)


def test_a_piece_that_drips_ends_at_the_idle_limit(colour: str, serve: Serve) -> None:
    server = serve(lambda peer: peer.request() and peer.send(CHUNKED) and peer.drip(b"000000000000000000a\r\n", 0.05))

    async def scenario(way: Way) -> None:
        answer = await way.open(server.url)
        with pytest.raises(TimeoutError):
            await answer.read(0.2)

    run(colour, scenario)


def test_a_stream_without_end_ends_at_the_total_limit(colour: str, serve: Serve) -> None:
    server = serve(lambda peer: peer.request() and peer.send(CHUNKED, *[chunk(b"x")] * 200, pause=0.02))

    async def scenario(way: Way) -> None:
        answer = await way.open(server.url, Timeouts(total=0.2))
        with pytest.raises(TimeoutError) as caught:
            for _ in range(200):
                await answer.read(None)
        assert caught.value.phase == "total"

    run(colour, scenario)


@pytest.mark.parametrize("end", [b"", b"5\r\nab", b"5\r\nabcde\r\n"])
def test_a_body_cut_short_is_lost(colour: str, serve: Serve, end: bytes) -> None:
    server = serve(lambda peer: peer.request() and peer.send(CHUNKED + end))
    assert isinstance(failure(colour, server), ConnectionLost)


def test_a_reset_in_the_body_is_lost(colour: str, serve: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(plain(b"x" * 10).replace(b"10", b"50"))
        time.sleep(0.05)
        peer.reset()

    assert "in the middle" in str(failure(colour, serve(script)))


def test_a_body_that_ends_with_the_connection(colour: str, serve: Serve) -> None:
    server = serve(lambda peer: peer.request() and peer.send(b"HTTP/1.1 200 OK\r\n\r\n", b"all of it", pause=0.02))

    async def scenario(way: Way) -> None:
        assert await way.fetch(server.url) == b"all of it"

    run(colour, scenario)


@pytest.mark.parametrize(
    "garbage",
    [
        b"220 mail.example ESMTP\r\n",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 abc sk-secret-of-the-test\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header sk-secret-of-the-test\r\n\r\n",
        CHUNKED + b"zz sk-secret-of-the-test\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ],
)
def test_garbage_is_a_protocol_error(colour: str, serve: Serve, garbage: bytes) -> None:
    error = failure(colour, serve(lambda peer: peer.request() and peer.send(garbage) and peer.wait_for_end()))
    assert isinstance(error, ProtocolError)
    assert error.status is None


def test_heads_and_interim_answers_without_end(colour: str, serve: Serve) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 1000
    for flood in (interim, b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 5000):
        server = serve(lambda peer, flood=flood: peer.request() and peer.send(*[flood] * 100))
        assert isinstance(failure(colour, server), ProtocolError)


def test_a_few_interim_answers_are_passed_over(colour: str, serve: Serve) -> None:
    server = serve(answers(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\n" + plain(b"ok")))

    async def scenario(way: Way) -> None:
        assert [await way.fetch(server.url) for _ in range(2)] == [b"ok", b"ok"]

    run(colour, scenario)


@pytest.mark.parametrize("status", [b"301 Moved", b"307 Temporary Redirect", b"303 See Other"])
def test_redirects_are_given_back(colour: str, serve: Serve, status: bytes) -> None:
    server = serve(answers(plain(b"", b"Location: http://127.0.0.1:1/", status=status)))

    async def scenario(way: Way) -> None:
        answer = await way.open(server.url)
        assert answer.head.status == int(status[:3])
        assert await answer.rest() == b""

    run(colour, scenario)
    assert len(server.requests) == 1


def _raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        (b"gzip", gzip.compress(b"text" * 1000, mtime=0)),
        (b"gzip", gzip.compress(b"text" * 400, mtime=0) + gzip.compress(b"text" * 600, mtime=0)),
        (b"deflate", zlib.compress(b"text" * 1000)),
        (b"deflate", _raw_deflate(b"text" * 1000)),
        (b"identity", b"text" * 1000),
    ],
)
def test_compression_that_nobody_asked_for(colour: str, serve: Serve, name: bytes, packed: bytes) -> None:
    server = serve(answers(plain(packed, b"Content-Encoding: " + name)))

    async def scenario(way: Way) -> None:
        assert [await way.fetch(server.url) for _ in range(2)] == [b"text" * 1000] * 2

    run(colour, scenario)
    assert server.connections == 1


def test_a_compression_bomb_comes_in_small_pieces(colour: str, serve: Serve) -> None:
    server = serve(answers(plain(gzip.compress(bytes(50 << 20)), b"Content-Encoding: gzip")))

    async def scenario(way: Way) -> None:
        answer = await way.open(server.url)
        sizes = [len(await answer.read()) for _ in range(100)]
        assert max(sizes) <= 64 << 10
        await answer.close()

    run(colour, scenario)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"br", b"x"),
        (b"zstd", b"x"),
        (b"gzip", b"not gzip at all"),
        (b"gzip", gzip.compress(b"x" * 9999, mtime=0)[:-9]),
    ],
)
def test_compression_that_cannot_be_read(colour: str, serve: Serve, encoding: bytes, body: bytes) -> None:
    server = serve(answers(plain(body, b"Content-Encoding: " + encoding)))
    assert isinstance(failure(colour, server), ProtocolError)


def test_nobody_listens(colour: str, serve: Serve) -> None:
    server = serve(answers(b""))
    server.close()
    error = failure(colour, f"http://user:{KEY}@127.0.0.1:{server.port}/{KEY}")
    assert isinstance(error, ConnectError)
    assert str(error) == f"cannot connect to 127.0.0.1:{server.port}: Connection refused"


@pytest.mark.parametrize(
    "url",
    ["ftp://host/", "", "http://", "http://a b/", "http://host:port/", "http://[::1/", "http://x" + "y" * 80 + "ö.de/"],
)
def test_urls_that_make_no_sense(colour: str, url: str) -> None:
    assert isinstance(failure(colour, url), InvalidInput)


@pytest.mark.parametrize(("name", "value"), [("X-Key", KEY + "\n"), ("X-Key", KEY + "ж"), ("X Key", KEY), ("", KEY)])
def test_headers_that_http_does_not_allow(colour: str, name: str, value: str) -> None:
    async def scenario(way: Way) -> None:
        await way.open("http://127.0.0.1:1/", headers=((name, value),))

    with pytest.raises(InvalidInput, match=repr(name)) as caught:
        run(colour, scenario)
    assert KEY not in str(caught.value)


def test_a_method_that_http_does_not_allow(colour: str, serve: Serve) -> None:
    server = serve(answers(plain(b"")))

    async def scenario(way: Way) -> None:
        with pytest.raises(InvalidInput):
            await way.open(server.url, method="PO ST")

    run(colour, scenario)


def test_a_server_that_answers_before_it_has_read_everything(colour: str, serve: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.send(plain(b"too large", b"Connection: close", status=b"413 Too Large"))
        peer.sock.shutdown(1)
        while peer.sock.recv(1 << 20):
            pass

    server = serve(script)

    async def scenario(way: Way) -> None:
        assert await way.fetch(server.url, body=b"x" * (8 << 20)) == b"too large"

    run(colour, scenario)


def test_many_targets_are_prepared_without_growing(colour: str, serve: Serve) -> None:
    server = serve(answers(plain(b"ok")))

    async def scenario(way: Way) -> None:
        for number in range(300):
            assert await way.fetch(f"{server.url}/{number}") == b"ok"
        assert len(way.transport._prepared._known) <= 256

    run(colour, scenario)
    assert server.connections == 1


def test_close_and_go_on(colour: str, serve: Serve) -> None:
    server = serve(answers(plain(b"ok")))

    async def scenario(way: Way) -> None:
        await way.fetch(server.url)
        answer = await way.open(server.url)
        await way.close()
        assert await answer.rest() == b"ok"
        await way.fetch(server.url)
        assert until(lambda: server.peers[0].sock.fileno() < 0)

    run(colour, scenario)
    assert server.connections == 2

"""The simulator behind a socket: framing, limits, clients that leave, garbage."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import json
import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_client import CHAT, body

from agentkit.errors import InvalidInput
from agentkit.sim import SimServer, Simulator
from agentkit.sim.http1 import BadRequest, parse_head, render_head
from agentkit.sim.profiles import PROFILES
from agentkit.sim.server import _Listener, run, serve


@pytest.fixture(scope="module")
def server() -> Iterator[SimServer]:
    complaints: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = complaints.append  # type: ignore[method-assign]
    logging.getLogger("asyncio").addHandler(handler)
    with SimServer(Simulator()) as running:
        yield running
    gc.collect()
    logging.getLogger("asyncio").removeHandler(handler)
    assert [record.getMessage() for record in complaints if record.levelno >= logging.WARNING] == []


@pytest.fixture(autouse=True)
def _fresh(server: SimServer) -> None:
    server.simulator.reset()
    server.simulator.configure(seed=0, pace=0.0, window=8192)


def port_of(server: SimServer) -> int:
    return int(server.url.rpartition(":")[2])


def connect(server: SimServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port_of(server)), timeout=10)


def raw_request(data: bytes, head: str = f"POST {CHAT} HTTP/1.1", *more: str) -> bytes:
    lines = [head, "Host: x", f"Content-Length: {len(data)}", *more, "", ""]
    return "\r\n".join(lines).encode() + data


def read_all(sock: socket.socket) -> bytes:
    data = b""
    for _ in range(100_000):
        piece = sock.recv(65536)
        if not piece:
            break
        data += piece
    return data


def exchange(server: SimServer, data: bytes) -> bytes:
    with connect(server) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def until(condition: Any, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return False


def test_addresses(server: SimServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    found = server.describe()
    assert found["openai"] == server.url + "/v1"
    assert found["control"] == server.url + "/control"
    assert found["gravixlayer"] == server.url + "/gravixlayer/v1/inference"
    assert found["pixigpt"] == server.url + "/pixigpt/v1"
    assert found["gradient"] == server.url + "/gradient/api"
    assert set(found) == {*PROFILES, "control"}


def test_connections_are_kept(server: SimServer) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=10)
    try:
        client.connect()
        first = client.sock
        for stream in (False, True, False):
            client.request("POST", CHAT, body("say hi", stream=stream))
            response = client.getresponse()
            assert b"hi" in response.read()
            assert response.getheader("connection") == "keep-alive"
            assert (response.getheader("transfer-encoding") == "chunked") == stream
            assert client.sock is first
    finally:
        client.close()


def test_heads_only_and_strange_targets(server: SimServer) -> None:
    answer = exchange(server, raw_request(b"", "HEAD /health HTTP/1.1") + raw_request(b"", "GET /health HTTP/1.1"))
    assert answer.count(b"HTTP/1.1") == 2
    assert answer.count(b"no AI") == 0
    assert exchange(server, raw_request(b"", "GET //[ HTTP/1.1")).startswith(b"HTTP/1.1 404")
    assert exchange(server, raw_request(b"", "GET http://x/health HTTP/1.1")).startswith(b"HTTP/1.1 200")


def test_requests_in_a_row(server: SimServer) -> None:
    one = raw_request(body("say hi", stream=True))
    with connect(server) as sock:
        sock.sendall(one * 2 + raw_request(b"", "GET /health HTTP/1.1", "Connection: close"))
        data = read_all(sock)
    assert data.count(b"HTTP/1.1 200 OK") == 3
    assert data.count(b"\r\n0\r\n\r\n") == 2
    assert b"connection: close" in data


def test_old_clients_get_the_end_of_the_connection_as_the_end(server: SimServer) -> None:
    with connect(server) as sock:
        sock.sendall(raw_request(body("say hi", stream=True), f"POST {CHAT} HTTP/1.0", "Connection: keep-alive"))
        data = read_all(sock)
    assert b"transfer-encoding" not in data
    assert data.endswith(b"data: [DONE]\n\n")
    with connect(server) as sock:
        sock.sendall(raw_request(body("say hi"), f"POST {CHAT} HTTP/1.0"))
        assert b'"hi"' in read_all(sock)


def test_a_body_in_pieces_and_expect(server: SimServer) -> None:
    data = raw_request(body("say hi"), f"POST {CHAT} HTTP/1.1", "Expect: 100-continue", "Connection: close")
    head, _, rest = data.partition(b"\r\n\r\n")
    with connect(server) as sock:
        for place in range(0, len(head), 7):
            sock.sendall(head[place : place + 7])
        sock.sendall(b"\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        sock.sendall(rest[:10])
        time.sleep(0.02)
        sock.sendall(rest[10:])
        assert b'"hi"' in read_all(sock)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n: empty\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 200_000, 431),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    ],
)
def test_bad_requests(server: SimServer, data: bytes, status: int) -> None:
    answer = exchange(server, data)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"]
    assert exchange(server, raw_request(b"", "GET /health HTTP/1.1")).startswith(b"HTTP/1.1 200")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_garbage_is_survived(server: SimServer, garbage: bytes, begins_well: bool) -> None:
    begin = f"POST {CHAT} HTTP/1.1\r\nContent-Length: 200\r\n\r\n".encode() if begins_well else b""
    exchange(server, begin + garbage)
    assert exchange(server, raw_request(b"", "GET /health HTTP/1.1")).startswith(b"HTTP/1.1 200")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_head_is_read_or_refused(data: bytes) -> None:
    for given_head in (data, b"GET / HTTP/1.1\r\n" + data):
        with contextlib.suppress(BadRequest):
            parse_head(given_head)


def test_heads() -> None:
    assert render_head(299, {"a": "b"}) == b"HTTP/1.1 299 Status\r\na: b\r\n\r\n"
    assert parse_head(b"GET /x?y HTTP/1.1\r\nA: b").headers == {"a": "b"}


def test_a_body_that_never_comes(server: SimServer) -> None:
    with connect(server) as sock:
        sock.sendall(raw_request(body("say hi"))[:-5])
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""
    assert server.simulator.received == 0


def test_an_end_in_order_is_the_end_of_the_answer_and_not_of_the_connection(server: SimServer) -> None:
    with connect(server) as sock:
        for words, count in (
            ("end after 3 words", 3),
            ("end early, say a b", 2),
            ("end@0", 0),
            ("end after 300 bytes", 1),
        ):
            sock.sendall(raw_request(body(words, stream=True)))
            data = b""
            for _ in range(1000):
                data += sock.recv(65536)
                if data.endswith(b"0\r\n\r\n"):
                    break
            assert data.startswith(b"HTTP/1.1 200"), words
            assert data.count(b'"content":"') == count + (count > 0) - (words[-5:] == "bytes"), words
            assert b"[DONE]" not in data


def test_a_whole_answer_that_ends_in_order_tells_its_length(server: SimServer) -> None:
    data = exchange(server, raw_request(body("end after 20 bytes, say hi")))
    head, _, rest = data.partition(b"\r\n\r\n")
    assert b"content-length: 20" in head
    assert len(rest) == 20


def test_pieces_are_sent_apart_and_packed_bodies_can_be_read(server: SimServer) -> None:
    simulator = server.simulator
    for order in ("split the bytes", "gzip the body", "wrong content type"):
        simulator.script([order + ", say é"])
        with httpx.Client() as client:
            answer = client.post(server.url + CHAT, content=body("x"))
        assert answer.json()["choices"][0]["message"]["content"] == "é"
    assert answer.headers["content-type"] == "text/html"


def test_each_server_signs_its_answers(server: SimServer) -> None:
    for name, signed in (("openai", b"agentkit-sim"), ("llamacpp-2026", b"llama.cpp"), ("vllm-0.33", b"uvicorn")):
        data = exchange(server, raw_request(b"", f"GET /{name}/v1/models HTTP/1.1"))
        assert b"server: " + signed + b"\r\n" in data


def test_a_drop_ends_the_connection_without_the_last_chunk(server: SimServer) -> None:
    with connect(server) as sock:
        sock.sendall(raw_request(body("drop after 40 words", stream=True)))
        data = read_all(sock)
    assert data.count(b'"content"') == 41
    assert b"0\r\n\r\n" not in data
    with connect(server) as sock:
        sock.sendall(raw_request(body("drop the connection")))
        assert read_all(sock) == b""


@pytest.mark.parametrize("abrupt", [False, True])
@pytest.mark.parametrize("text", ["write 5000 words", "write 90 words, stall 60 seconds after 2 words"])
def test_a_client_that_leaves_stops_the_reply(server: SimServer, text: str, abrupt: bool) -> None:
    server.simulator.configure(pace=0.005)
    sock = connect(server)
    sock.sendall(raw_request(body(text, stream=True)))
    sock.recv(100)
    assert until(lambda: server.simulator.streaming == 1)
    if abrupt:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    begun = time.monotonic()
    assert until(lambda: server.simulator.streaming == 0)
    assert time.monotonic() - begun < 1


def test_a_slow_reader_holds_the_reply_back(server: SimServer) -> None:
    server.simulator.configure(window=100_000)
    sock = connect(server)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.sendall(raw_request(body("write 60000 words", stream=True)))
    sock.recv(100)
    time.sleep(0.1)
    assert server.simulator.streaming == 1
    sock.close()
    assert until(lambda: server.simulator.streaming == 0)


def test_a_client_that_sends_too_much_ahead_is_cut(server: SimServer) -> None:
    with connect(server) as sock:
        sock.sendall(raw_request(body("stall 60 seconds after 2 words", stream=True)))
        with pytest.raises((ConnectionError, BrokenPipeError)):
            for _ in range(200):
                sock.sendall(b"x" * 65536)
                time.sleep(0.001)
    assert until(lambda: server.simulator.streaming == 0)


def test_requests_ahead_wait_for_their_turn(server: SimServer) -> None:
    one = raw_request(body("stall 0.1 seconds after 2 words", stream=True))
    with connect(server) as sock:
        sock.sendall(one)
        time.sleep(0.03)
        sock.sendall(raw_request(b"", "GET /health HTTP/1.1", "Connection: close"))
        data = read_all(sock)
    assert data.count(b"HTTP/1.1 200 OK") == 2


def test_control(server: SimServer) -> None:
    def control(method: str, value: Any = None) -> tuple[int, Any]:
        client = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=10)
        try:
            client.request(method, "/control", json.dumps(value) if value is not None else None)
            response = client.getresponse()
            return response.status, json.loads(response.read())
        finally:
            client.close()

    wanted = {"seed": 5, "pace": 0.25, "window": 999, "script": ["say done", "fail 429 x2"]}
    status, state = control("POST", wanted)
    assert status == 200
    assert (state["seed"], state["pace"], state["window"], state["waiting"]) == (5, 0.25, 999, 3)
    assert "no AI" in state["simulator"]
    exchange(server, raw_request(b"{}"))
    status, state = control("GET")
    assert (state["requests"], state["clean"], len(state["problems"])) == (1, False, 1)
    assert control("POST", {"reset": True})[1]["clean"] is True
    for value in (5, [], {"sed": 1}, {"script": "say hi"}, {"script": ["sing"]}, {"seed": -1}, {"seed": True},
                  {"pace": -1}, {"pace": "fast"}, {"window": 3}):  # fmt: skip
        status, answer = control("POST", value)
        assert status == 400
        assert answer["error"]["message"]
    assert control("POST")[0] == 400
    assert control("DELETE")[0] == 405
    assert control("GET")[1]["requests"] == 0


def test_a_thousand_streams_at_once(server: SimServer) -> None:
    server.simulator.configure(pace=0.02)
    data = raw_request(body("write 20 words", stream=True), f"POST {CHAT} HTTP/1.1", "Connection: close")
    most = 0

    async def one() -> bytes:
        nonlocal most
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.write(data)
        answer = await reader.read(200)
        most = max(most, server.simulator.streaming)
        answer += await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async def everybody() -> list[bytes]:
        return await asyncio.gather(*[one() for _ in range(1000)])

    answers = asyncio.run(everybody())
    assert all(answer.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n") for answer in answers)
    assert len({answer.count(b'"content"') for answer in answers}) == 1
    assert most > 500
    assert server.simulator.received == 1000
    assert until(lambda: server.simulator.streaming == 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_hosts_are_refused(host: str) -> None:
    with pytest.raises(InvalidInput, match="this machine only"):
        SimServer(Simulator(), host=host)
    with pytest.raises(InvalidInput, match="this machine only"):
        asyncio.run(run(Simulator(), host=host))


def test_exposed_on_purpose() -> None:
    with serve(Simulator(), "0.0.0.0", expose=True) as running:
        assert running.url.startswith("http://0.0.0.0:")
    with serve(Simulator(), "localhost") as running:
        assert exchange_localhost(running).startswith(b"HTTP/1.1 200")


def exchange_localhost(server: SimServer) -> bytes:
    with socket.create_connection(("localhost", port_of(server)), timeout=10) as sock:
        sock.sendall(raw_request(b"", "GET /health HTTP/1.1", "Connection: close"))
        return read_all(sock)


def test_the_life_of_a_server() -> None:
    made = SimServer(Simulator())
    with pytest.raises(InvalidInput, match="does not run"):
        _ = made.url
    made.close()
    for _ in range(2):
        made.start()
        with pytest.raises(InvalidInput, match="runs already"):
            made.start()
        taken = SimServer(Simulator(), port=port_of(made))
        with pytest.raises(OSError, match="in use"):
            taken.start()
        made.close()
    made.close()


def test_closing_ends_open_streams() -> None:
    with SimServer(Simulator(pace=0.01)) as running:
        sock = connect(running)
        sock.sendall(raw_request(body("write 5000 words", stream=True)))
        assert sock.recv(100)
        idle = connect(running)
    with sock, idle:
        assert b"0\r\n\r\n" not in read_all(sock)
        assert read_all(idle) == b""
    assert running.simulator.streaming == 0


def test_serving_in_a_loop_of_the_caller() -> None:
    ready: list[dict[str, str]] = []

    async def go() -> None:
        task = asyncio.ensure_future(run(Simulator(), on_ready=ready.append))
        for _ in range(500):
            if ready:
                break
            await asyncio.sleep(0.01)
        port = int(ready[0]["control"].split(":")[2].partition("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(raw_request(b"", "GET /health HTTP/1.1", "Connection: close"))
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()
        silent = asyncio.ensure_future(run(Simulator()))
        await asyncio.sleep(0.05)
        for running in (task, silent):
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    asyncio.run(go())


def test_a_refused_client_that_stays_is_left(server: SimServer) -> None:
    with connect(server) as sock:
        sock.sendall(b"nonsense\r\n\r\n")
        assert read_all(sock).startswith(b"HTTP/1.1 400")
        assert until(lambda: _closed(sock))


def _closed(sock: socket.socket) -> bool:
    try:
        sock.sendall(b"x")
    except OSError:
        return True
    return False


def test_a_connection_made_at_the_last_moment_is_closed() -> None:
    async def go() -> None:
        listener = _Listener(Simulator())
        await listener.stop()
        url = await listener.start("127.0.0.1", 0)
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as sock:
            await listener.stop()
            assert sock.recv(1) == b""

    asyncio.run(go())

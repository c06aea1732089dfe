"""The server of the benchmarks: canned bytes over loopback, in a process of its own so that its CPU does not count.

What it sends is named by the path of the request, so that a client needs nothing but another base URL:

    /whole/...                       one JSON reply
    /stream/CHUNKS/PER/GAP/...       a stream of CHUNKS events, PER of them in each write, GAP microseconds between two
    /joined/CHUNKS/PER/0/...         the same, where each write is one chunk of HTTP, as a buffering proxy sends it
    /calls/ROUNDS/EACH/...           ROUNDS replies with EACH calls of a tool, as far as results came; then text
    /paced/CHUNKS/GAP/...            a stream with GAP milliseconds between two events, each holding the time it left

Nothing is parsed but the path and the length of the body, and results of tools are counted. Everything that can be made
beforehand is.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import socket
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

ID = "chatcmpl-5f0c2b6d7a9e4c1d8b3a2f6e7d9c0b1a"
WORDS = ("The", " rain", " over", " Oslo", " will", " end", " before", " noon", ".", "\\n\\n", " Wind", " from", " the")
TEXT = "The rain over Oslo will end before noon, with light wind from the south-west and a dry evening."
USAGE = '{"prompt_tokens":24,"total_tokens":48,"completion_tokens":24}'
HEAD = "HTTP/1.1 200 OK\r\ndate: Fri, 20 Nov 2026 10:00:00 GMT\r\nserver: uvicorn\r\n"
STREAM_HEAD = f"{HEAD}content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n".encode()
END = b"0\r\n\r\n"


def event(delta: str, finish: str = "null") -> bytes:
    """One event as vLLM writes it."""
    choice = f'{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish},"stop_reason":null}}'
    body = f'{{"id":"{ID}","object":"chat.completion.chunk","created":1795168800,"model":"bench","choices":[{choice}]}}'
    return f"data: {body}\n\n".encode()


def said(text: str) -> bytes:
    return event(f'{{"content":"{text}"}}')


FIRST = event('{"role":"assistant","content":""}')
LAST = (
    event('{"content":""}', '"stop"')
    + f'data: {{"id":"{ID}","object":"chat.completion.chunk","created":1795168800,"model":"bench","choices":[],'
    f'"usage":{USAGE}}}\n\n'.encode()
    + b"data: [DONE]\n\n"
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def events_of(data: bytes) -> list[bytes]:
    return [part + b"\n\n" for part in data.split(b"\n\n") if part]


@functools.cache
def whole() -> bytes:
    return _document(f'{{"role":"assistant","content":"{TEXT}"}}', "stop")


@functools.cache
def calling(first: int, count: int) -> bytes:
    """A reply with so many calls; their ids begin with the number `first`."""
    calls = [
        f'{{"id":"call_{number}","type":"function","function":{{"name":"weather","arguments":"{{\\"city\\":\\"Oslo\\"}}"}}}}'
        for number in range(first, first + count)
    ]
    return _document(f'{{"role":"assistant","content":null,"tool_calls":[{",".join(calls)}]}}', "tool_calls")


def _document(message: str, reason: str) -> bytes:
    choice = f'{{"index":0,"message":{message},"finish_reason":"{reason}"}}'
    body = (
        f'{{"id":"{ID}","object":"chat.completion","created":1795168800,"model":"bench","choices":[{choice}],'
        f'"usage":{USAGE}}}'
    ).encode()
    return f"{HEAD}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


@functools.cache
def stream(chunks: int, per: int, *, joined: bool) -> tuple[bytes, ...]:
    """The writes of a whole answer."""
    texts = [said(WORDS[place % len(WORDS)]) for place in range(chunks)]
    events = [FIRST, *texts, *events_of(LAST)]
    groups = [events[place : place + per] for place in range(0, len(events), per)]
    if joined:
        writes = [chunk(b"".join(group)) for group in groups]
    else:
        writes = [b"".join(map(chunk, group)) for group in groups]
    return STREAM_HEAD, *writes, END


class Peer(asyncio.Protocol):
    """One connection of a client, kept alive."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(self._buffer) >= end + 4 + length:
            results = self._buffer.count(b'"tool_call_id"', end)
            del self._buffer[: end + 4 + length]
            self._answer(head.split(b" ", 2)[1].decode(), results)

    def _answer(self, path: str, results: int) -> None:
        transport = self._transport
        assert transport is not None
        match path.split("/")[1:]:
            case ["whole", *_]:
                transport.write(whole())
            case ["calls", rounds, each, *_]:
                is_over = results >= int(rounds) * int(each)
                transport.write(whole() if is_over else calling(results, int(each)))
            case ["stream" | "joined" as kind, chunks, per, gap, *_]:
                writes = stream(int(chunks), int(per), joined=kind == "joined")
                if int(gap):
                    self._task = asyncio.get_running_loop().create_task(_spaced(transport, writes, int(gap) / 1e6))
                else:
                    transport.write(b"".join(writes))
            case ["paced", chunks, gap, *_]:
                self._task = asyncio.get_running_loop().create_task(_paced(transport, int(chunks), int(gap) / 1e3))
            case _:
                transport.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")


async def _spaced(transport: asyncio.Transport, writes: tuple[bytes, ...], gap: float) -> None:
    """Waits by spinning: no sleep is short enough. There is only one client at such a time."""
    for write in writes:
        transport.write(write)
        until = time.perf_counter() + gap
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(0)


async def _paced(transport: asyncio.Transport, chunks: int, gap: float) -> None:
    clock = asyncio.get_running_loop().time
    transport.write(STREAM_HEAD + chunk(FIRST))
    start = clock() + gap * (id(transport) // 64 % 997) / 997  # spread, as clients are that come one by one
    for number in range(chunks):
        await asyncio.sleep(start + number * gap - clock())
        transport.write(chunk(said(f"{time.monotonic_ns()} ")))
    transport.write(b"".join(map(chunk, events_of(LAST))) + END)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Peer, "127.0.0.1", 0, backlog=4096)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


class Server:
    """The server as a child process, on the last core where there is more than one."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, encoding="utf-8")
        assert self._process.stdout is not None
        self.port: int = json.loads(self._process.stdout.readline())["port"]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()

    def url(self, path: str) -> str:
        """The base URL under which the server behaves as `path` says."""
        return f"http://127.0.0.1:{self.port}/{path}/v1"


def pin(core: int) -> None:
    """Stay on one core of those that are allowed, by its place; elsewhere than on Linux do nothing."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})


if __name__ == "__main__":
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    pin(-1)
    asyncio.run(serve())

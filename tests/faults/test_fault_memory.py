"""What a server can make a conversation hold in memory: with the default limits, in a process of its own."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from fault_server import FaultServer, Play, Script, close, forever
from fault_wire import CHUNKED, HEALTHY_STREAM, JSON, SSE, begun, chunk, head, said

WORKER = Path(__file__).with_name("memory_worker.py")
MOST = 100
"""Mebibytes above the start."""
MIB = 1 << 20
OPEN_DOCUMENT = b'{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"'
OPEN_EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"'


def long_answer(beginning: bytes, mebibytes: int, kind: bytes, end: bytes = b"") -> Play:
    """One answer with a text of so many MiB in it."""
    size = len(beginning) + mebibytes * MIB + len(end)
    start = head(b"200 OK", b"content-type: " + kind, b"content-length: %d" % size) + beginning
    return (start, *[b"word " * (MIB // 5) + b" " * (MIB % 5)] * mebibytes, end)


@cache
def bomb(beginning: bytes, mebibytes: int, end: bytes = b"") -> bytes:
    """The same as gzip, made without holding it."""
    packer = zlib.compressobj(1, wbits=31)
    parts = [packer.compress(beginning)]
    parts += [packer.compress(b"word " * (MIB // 5)) for _ in range(mebibytes)]
    return b"".join([*parts, packer.compress(end), packer.flush()])


def packed(data: bytes, kind: bytes) -> Play:
    return (
        head(b"200 OK", b"content-type: " + kind, b"content-encoding: gzip", b"content-length: %d" % len(data)),
        data,
    )


@frozen
class Heavy:
    """A fault that is heavy, streamed and plain, and what may come of it."""

    streamed: Play
    plain: Play
    outcomes: frozenset[str]


def heavy(streamed: Play, plain: Play, *outcomes: str) -> Heavy:
    return Heavy(streamed, plain, frozenset(outcomes))


def cases() -> dict[str, Heavy]:
    end = b'"}}]}'
    zeros = gzip.compress(bytes(64 * MIB), 1) * 32
    return {
        "a line of 64 MiB": heavy(
            long_answer(OPEN_EVENT, 64, SSE, b'"}}]}\n\n'),
            long_answer(OPEN_DOCUMENT, 64, JSON, end),
            "ProtocolError",
            "LimitExceeded",
        ),
        "a document above its limit": heavy(
            long_answer(OPEN_DOCUMENT, 60, SSE, end), long_answer(OPEN_DOCUMENT, 60, JSON, end), "LimitExceeded"
        ),
        "a document just below its limit": heavy(
            long_answer(OPEN_DOCUMENT, 15, SSE, end),
            long_answer(OPEN_DOCUMENT, 15, JSON, end),
            f"{15 * MIB} characters",
        ),
        "a broken document just below its limit": heavy(
            long_answer(OPEN_DOCUMENT, 15, SSE, b"\n"), long_answer(OPEN_DOCUMENT, 15, JSON, b"x"), "ProtocolError"
        ),
        "a gzip bomb of 2 GiB of zeros": heavy(
            packed(zeros, SSE), packed(zeros, JSON), "LimitExceeded", "ProtocolError"
        ),
        "a gzip bomb that is an answer": heavy(
            packed(bomb(OPEN_EVENT, 200, b'"}}]}\n\n'), SSE),
            packed(bomb(OPEN_DOCUMENT, 200, end), JSON),
            "LimitExceeded",
            "ProtocolError",
        ),
        "content for ever": heavy(
            (*begun(), forever(chunk(said("word " * 50_000)))),
            (*begun(OPEN_DOCUMENT, kind=JSON), forever(chunk(b"word " * 50_000))),
            "LimitExceeded",
        ),
        "comments for ever": heavy(
            (CHUNKED % SSE, forever(chunk(b": " + b"x" * 60_000 + b"\n"))),
            (CHUNKED % JSON, forever(chunk(b" " * 60_000))),
            "LimitExceeded",
        ),
        "20 MB of headers": heavy(
            *[(b"HTTP/1.1 200 OK\r\n", *[b"x-filler: " + b"a" * 8000 + b"\r\n"] * 2600, b"\r\n", close)] * 2,
            "ProtocolError",
        ),
        "a refusal for ever": heavy(
            *[(head(b"400 Bad Request", b"transfer-encoding: chunked"), forever(chunk(b"no " * 20_000)))] * 2,
            "BadRequest",
        ),
    }


def measured(case: Heavy) -> list[dict[str, Any]]:
    """What the worker says of each of its six runs."""
    streamed, plain = Script((case.streamed,)), Script((case.plain,))
    well = Script((HEALTHY_STREAM,))
    with (
        FaultServer(streamed, HEALTHY_STREAM) as first,
        FaultServer(plain, HEALTHY_STREAM) as second,
        FaultServer(well, HEALTHY_STREAM) as third,
    ):
        done = subprocess.run(
            [sys.executable, str(WORKER), *(str(server.port) for server in (first, second, third))],
            check=False,
            env={**os.environ, "PYTHONWARNINGS": "error"},
            capture_output=True,
            encoding="utf-8",
            timeout=100,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", cases())
def test_memory_stays_bounded(name: str) -> None:
    case = cases()[name]
    runs = measured(case)
    assert len(runs) == 6
    bad = [run for run in runs if run["mebibytes"] >= MOST or run["outcome"] not in case.outcomes]
    assert not bad

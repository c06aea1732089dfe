"""Streams: the cost of one chunk, alone in its packet, among others, and behind a proxy that joins them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx

from agentkit import TextDelta
from tests.benchmarks.clients import (
    QUESTION,
    asked,
    async_conversation,
    async_deltas,
    conversation,
    deltas,
    headers,
)
from tests.benchmarks.harness import Row, compare
from tests.benchmarks.server import Server

CHUNKS = 10_000
SHAPES = (
    ("as fast as it goes", f"stream/{CHUNKS}/1/0", CHUNKS, "<= 0.8"),
    ("one per packet", "stream/3000/1/150", 3_000, "<= 0.8"),
    ("joined by 20 in one HTTP chunk", f"joined/{CHUNKS}/20/0", CHUNKS, ""),
)


def streams(server: Server, rounds: int) -> Iterator[Row]:
    """Every event is read by the caller; the journal of the turn is kept in memory."""
    for label, path, chunks, goal in SHAPES:
        yield _blocking(f"a chunk, sync, {label}", server.url(path), chunks, rounds, goal)
    for label, path, chunks, goal in SHAPES:
        yield _on_asyncio(f"a chunk, async, {label}", server.url(path), chunks, rounds, goal)


def _blocking(name: str, url: str, chunks: int, rounds: int, goal: str) -> Row:
    body = asked(stream=True)
    with httpx.Client(headers=headers(), timeout=60) as client:

        def ours() -> None:
            with conversation(url, stream=True) as made, made.stream(QUESTION) as turn:
                _check(sum(1 for event in turn if isinstance(event, TextDelta)), chunks)

        def bare() -> None:
            _check(sum(1 for _ in deltas(client, url, body)), chunks)

        return compare(name, ours, bare, rounds=rounds, units=chunks, unit="chunk", goal=goal)


def _on_asyncio(name: str, url: str, chunks: int, rounds: int, goal: str) -> Row:
    body = asked(stream=True)
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(headers=headers(), timeout=60)

        async def ours() -> None:
            count = 0
            async with async_conversation(url, stream=True) as made, made.stream(QUESTION) as turn:
                async for event in turn:
                    count += isinstance(event, TextDelta)
            _check(count, chunks)

        async def bare() -> None:
            count = 0
            async for _ in async_deltas(client, url, body):
                count += 1
            _check(count, chunks)

        row = compare(
            name,
            lambda: runner.run(ours()),
            lambda: runner.run(bare()),
            rounds=rounds,
            units=chunks,
            unit="chunk",
            goal=goal,
        )
        runner.run(client.aclose())
        return row


def _check(count: int, chunks: int) -> None:
    if count != chunks:
        raise AssertionError(f"{count} chunks came, not {chunks}")

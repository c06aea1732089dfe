"""A thousand conversations at once in one event loop, each on a stream that the server paces.

The server writes the time into each event, so that the delay of a chunk is known: from the moment it left the server
to the moment the caller had it. The clock is the machine's, the same in both processes.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx

from agentkit import TextDelta
from tests.benchmarks.clients import QUESTION, asked, async_conversation, async_deltas, headers
from tests.benchmarks.harness import Row
from tests.benchmarks.server import Server

CROWD, CHUNKS, GAP = 1_000, 12, 500
Texts = Callable[[], AsyncIterator[str]]


class Seen:
    """What one crowd cost."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.cpu = 0.0
        self.memory = 0

    def p99(self) -> float:
        return statistics.quantiles(self.delays, n=100)[98]


def crowd(server: Server, rounds: int) -> Iterator[Row]:
    """With room for all of them; agentkit's own bound on connections is lifted where it has one."""
    most = max(1, min(rounds // 3, 3))
    pairs = [(_ours(server), _bare(server)) for _ in range(most)]
    ratios = sorted(mine.cpu / theirs.cpu for mine, theirs in pairs)
    row = Row(f"{CROWD:,} paced streams at once, async", statistics.median(ratios), ratios[0], ratios[-1])
    row.unit, row.goal = "chunk", "<= 0.8"
    row.ours = statistics.median(mine.cpu for mine, _ in pairs) / CROWD / CHUNKS * 1e6
    row.bare = statistics.median(theirs.cpu for _, theirs in pairs) / CROWD / CHUNKS * 1e6
    for label, place in (("agentkit", 0), ("httpx", 1)):
        seen = [pair[place] for pair in pairs]
        late = statistics.median(each.p99() for each in seen) * 1e3
        usual = statistics.median(statistics.median(each.delays) for each in seen) * 1e3
        size = statistics.median(each.memory for each in seen) / CROWD / 1024
        row.notes.append(f"{label}: delay p50 {usual:.2f} ms, p99 {late:.2f} ms; memory {size:.1f} kB for each")
    yield row


def _ours(server: Server) -> Seen:
    url = server.url(f"paced/{CHUNKS}/{GAP}")

    async def texts() -> AsyncIterator[str]:
        async with async_conversation(url, stream=True) as made, made.stream(QUESTION) as turn:
            async for event in turn:
                if isinstance(event, TextDelta):
                    yield event.text

    async def run() -> Seen:
        return await _watch(texts)

    return _with_room(run)


def _with_room(run: Callable[[], object]) -> Seen:
    from agentkit._runtime.http import aio

    bound = aio.MAX_CONNECTIONS
    aio.MAX_CONNECTIONS = CROWD
    try:
        return asyncio.run(run())  # type: ignore[arg-type]
    finally:
        aio.MAX_CONNECTIONS = bound


def _bare(server: Server) -> Seen:
    url = server.url(f"paced/{CHUNKS}/{GAP}")
    body = asked(stream=True)

    async def run() -> Seen:
        limits = httpx.Limits(max_connections=CROWD, max_keepalive_connections=CROWD)
        async with httpx.AsyncClient(headers=headers(), timeout=60, limits=limits) as client:
            return await _watch(lambda: async_deltas(client, url, body))

    return asyncio.run(run())


async def _watch(texts: Texts) -> Seen:
    seen = Seen()
    gc.collect()
    before, begin = _resident(), time.process_time()

    async def one() -> None:
        async for text in texts():
            seen.delays.append((time.monotonic_ns() - int(text)) / 1e9)

    async def memory() -> None:
        await asyncio.sleep(CHUNKS * GAP / 2000)
        seen.memory = _resident() - before

    tasks = [asyncio.create_task(one()) for _ in range(CROWD)]
    await asyncio.gather(memory(), *tasks)
    seen.cpu = time.process_time() - begin
    return seen


def _resident() -> int:
    """Bytes of this process in memory; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096
    except OSError:
        return 0

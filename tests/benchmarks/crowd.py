"""A thousand conversations at once in one event loop, each on a stream that the server paces.

The server writes the time into each event, so that the delay of a chunk is known: from the moment it left the server
to the moment the caller had it. The clock is the machine's, the same in both processes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx

from agentkit import TextDelta
from agentkit._runtime.http import aio
from tests.benchmarks.clients import QUESTION, asked, async_conversation, async_deltas, headers
from tests.benchmarks.harness import Row
from tests.benchmarks.server import Server

ROOT = Path(__file__).resolve().parent.parent.parent
CROWD, CHUNKS, GAP = 1_000, 30, 500
RAMP, SETTLED, MEASURED = 5.0, 2.0, 5.0
"""Seconds: over how many they open, how long to wait then, and how long to measure."""
Texts = Callable[[], AsyncIterator[str]]


@dataclass
class Seen:
    """What one crowd cost."""

    delays: list[float] = field(default_factory=list[float])
    """Seconds, of the chunks within the time that is measured."""
    measuring: bool = False
    cpu: float = 0.0
    opening: float = 0.0
    memory: int = 0

    def p99(self) -> float:
        return statistics.quantiles(self.delays, n=100)[98]

    @property
    def per_chunk(self) -> float:
        return self.cpu / len(self.delays)


def crowd(server: Server, rounds: int) -> Iterator[Row]:
    """With room for all of them; agentkit's own bound on connections is lifted where it has one."""
    most = max(1, min(rounds // 3, 3))
    pairs = [(_side(server, "agentkit"), _side(server, "httpx")) for _ in range(most)]
    ratios = sorted(mine.per_chunk / theirs.per_chunk for mine, theirs in pairs)
    row = Row(f"a chunk of {CROWD:,} paced streams at once, async", statistics.median(ratios), ratios[0], ratios[-1])
    row.unit, row.goal = "chunk", "<= 0.8"
    row.ours = statistics.median(mine.per_chunk for mine, _ in pairs) * 1e6
    row.bare = statistics.median(theirs.per_chunk for _, theirs in pairs) * 1e6
    for label, place in (("agentkit", 0), ("httpx", 1)):
        seen = [pair[place] for pair in pairs]
        late = statistics.median(each.p99() for each in seen) * 1e3
        usual = statistics.median(statistics.median(each.delays) for each in seen) * 1e3
        size = statistics.median(each.memory for each in seen) / CROWD / 1024
        opening = statistics.median(each.opening for each in seen) / CROWD * 1e3
        row.notes.append(
            f"{label}: delay p50 {usual:.2f} ms, p99 {late:.2f} ms; "
            f"{size:.1f} kB and {opening:.2f} ms of CPU to open one"
        )
    yield row


def _side(server: Server, name: str) -> Seen:
    """One side in a process of its own: memory that the other side has freed would hide what this one takes."""
    url = server.url(f"paced/{CHUNKS}/{GAP}")
    command = [sys.executable, "-m", "tests.benchmarks.crowd", name, url]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    return Seen(**json.loads(done.stdout))


async def _agentkit(url: str) -> Seen:
    async def texts() -> AsyncIterator[str]:
        async with async_conversation(url, stream=True) as made, made.stream(QUESTION) as turn:
            async for event in turn:
                if isinstance(event, TextDelta):
                    yield event.text

    aio.MAX_CONNECTIONS = CROWD
    return await _watch(texts)


async def _httpx(url: str) -> Seen:
    body = asked(stream=True)
    limits = httpx.Limits(max_connections=CROWD, max_keepalive_connections=CROWD)
    async with httpx.AsyncClient(headers=headers(), timeout=60, limits=limits) as client:
        return await _watch(lambda: async_deltas(client, url, body))


async def _watch(texts: Texts) -> Seen:
    seen = Seen()
    gc.collect()
    before, begin = _resident(), time.process_time()

    async def one(number: int) -> None:
        await asyncio.sleep(number / CROWD * RAMP)
        async for text in texts():
            if seen.measuring:
                seen.delays.append((time.monotonic_ns() - int(text)) / 1e9)

    async def watch() -> None:
        await asyncio.sleep(RAMP + SETTLED)
        opened, seen.measuring = time.process_time(), True
        seen.memory = _resident() - before
        await asyncio.sleep(MEASURED)
        seen.measuring = False
        seen.cpu = time.process_time() - opened
        # What was read meanwhile is taken off: half of the ramp and the wait, at the rate measured later.
        seen.opening = opened - begin - seen.cpu * (RAMP / 2 + SETTLED) / MEASURED

    tasks = [asyncio.create_task(one(number)) for number in range(CROWD)]
    await asyncio.gather(watch(), *tasks)
    return seen


def _resident() -> int:
    """Bytes of this process in memory; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096
    except OSError:
        return 0


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run({"agentkit": _agentkit, "httpx": _httpx}[sys.argv[1]](sys.argv[2])))))

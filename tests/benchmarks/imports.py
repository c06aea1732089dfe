"""What importing costs, in processes that do nothing else."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.harness import Row
from tests.benchmarks.server import Server

ROOT = Path(__file__).resolve().parent.parent.parent
HEAVY = ("httpx", "httpcore", "cattrs", "tiktoken", "sqlite3", "anyio", "asyncio", "ssl", "attr", "inspect")
_PROBE = """
import json, sys, time
begin = time.process_time()
{statement}
took = time.process_time() - begin
print(json.dumps([took, [name for name in {heavy!r} if name in sys.modules], len(sys.modules)]))
"""
STATEMENTS = (
    ("import agentkit", "import agentkit", "<= 0.06 s"),
    ("import agentkit; agentkit.Conversation", "import agentkit; agentkit.Conversation", "<= 0.06 s"),
    ("the same, and opening one", 'import agentkit; agentkit.Conversation("openai/m", api_key="k")', ""),
)


def imports(_: Server, rounds: int) -> Iterator[Row]:
    """Seconds of CPU of the statement alone; the interpreter was there before."""
    for name, statement, goal in STATEMENTS:
        mine: list[float] = []
        theirs: list[float] = []
        loaded: list[str] = []
        for _number in range(max(rounds, 5)):
            taken, loaded = probe(statement)
            mine.append(taken)
            theirs.append(probe("import httpx")[0])
        ratios = sorted(a / b for a, b in zip(mine, theirs, strict=True))
        row = Row(name, statistics.median(ratios), ratios[0], ratios[-1], unit="process", goal=goal)
        row.ours, row.bare = statistics.median(mine) * 1e6, statistics.median(theirs) * 1e6
        row.notes.append(f"heavy modules loaded: {', '.join(loaded) or 'none'}")
        yield row


def probe(statement: str) -> tuple[float, list[str]]:
    code = _PROBE.format(statement=statement, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    took, loaded, _ = json.loads(done.stdout)
    return took, loaded

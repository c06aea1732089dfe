"""What saving a turn costs: CPU within the store, and the bytes it adds to the file."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentkit.stores.memory import MemoryStore
from agentkit.stores.sqlite import SQLiteStore
from tests.benchmarks.clients import QUESTION, conversation
from tests.benchmarks.harness import Row
from tests.benchmarks.server import Server
from tests.benchmarks.turns import past

TURNS = 40
TURNS_OF = (
    ("a short turn", "whole", False),
    ("a turn of 500 chunks at once", "stream/500/1/0", True),
    ("a turn of 500 chunks in 500 packets", "stream/500/1/150", True),
)
_TIMED = ("append", "acquire", "release", "read")


class Timed:
    """A store that notes the CPU of each call, the keeper's thread included."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.blocking: bool = store.blocking
        self.spent = dict.fromkeys(_TIMED, 0.0)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        if name not in _TIMED:
            return method

        def timed(*arguments: Any, **settings: Any) -> Any:
            begin = time.thread_time()
            try:
                return method(*arguments, **settings)
            finally:
                self.spent[name] += time.thread_time() - begin

        return timed


def saving(server: Server, rounds: int) -> Iterator[Row]:
    """The first turn of a conversation: a whole reply, 500 chunks that come at once, and 500 that come one by one."""
    for label, path, stream in TURNS_OF:
        for kind in ("memory", "SQLite"):
            yield _shares(f"saving {label}, {kind}", server.url(path), kind, rounds, stream=stream)
    yield _bytes(server.url("whole"))


def _shares(name: str, url: str, kind: str, rounds: int, *, stream: bool) -> Row:
    shares: list[tuple[float, float, float]] = []
    calls: dict[str, list[float]] = {call: [] for call in _TIMED}
    with tempfile.TemporaryDirectory() as folder:
        store = Timed(MemoryStore() if kind == "memory" else SQLiteStore(Path(folder) / "chat.db"))
        with conversation(url, stream=stream, store=store) as made:
            for _ in range(rounds + 1):
                store.spent = dict.fromkeys(_TIMED, 0.0)
                begin = time.process_time()
                for _turn in range(TURNS):
                    made.fork(at=0).send(QUESTION)
                whole = time.process_time() - begin
                shares.append((store.spent["append"] / whole, sum(store.spent.values()) / whole, whole))
                for call, spent in store.spent.items():
                    calls[call].append(spent)
        store.close()
    appends = sorted(share for share, _, _ in shares[1:])
    row = Row(name, statistics.median(appends), appends[0], appends[-1], unit="share of turn")
    row.ours = statistics.median(whole for _, _, whole in shares[1:]) / TURNS * 1e6
    row.goal = "<= 0.05" if kind == "SQLite" else ""
    row.notes.append(
        "the ratio is the share of the appends; all calls of the store: "
        f"{statistics.median(every for _, every, _ in shares[1:]):.3f}; us per turn: "
        + ", ".join(f"{call} {statistics.median(spent) / TURNS * 1e6:.0f}" for call, spent in calls.items())
    )
    return row


def _bytes(url: str) -> Row:
    """Measured by the length of the records, since pages of the file come in blocks."""
    row = Row("bytes that a turn adds to the journal, SQLite", unit="")
    with tempfile.TemporaryDirectory() as folder:
        for count in (0, 100, 5_000):
            path = Path(folder) / f"{count}.db"
            with conversation(url, store=f"sqlite:///{path}", messages=past(count)) as made:
                made.send(QUESTION)
                before = _stored(path)
                for _ in range(TURNS):
                    made.send(QUESTION)
                row.notes.append(f"after {count:,} messages: {(_stored(path) - before) / TURNS:,.0f} bytes")
    return row


def _stored(path: Path) -> int:
    import sqlite3

    with sqlite3.connect(path) as db:
        (size,) = db.execute("SELECT sum(length(data)) FROM records").fetchone()
    db.close()
    return int(size)

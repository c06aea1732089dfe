"""The benchmarks: what agentkit costs, next to bare httpx doing the same.

    python -m tests.benchmarks                    all of them
    python -m tests.benchmarks streams imports    some of them
    python -m tests.benchmarks --rounds 25        more rounds, for a machine that is busy with other things
    python -m tests.benchmarks --json FILE        the figures for a program, too

Only ratios mean something; microseconds belong to the machine and to the hour.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.benchmarks import crowd, imports, planning, saving, streams, tools, turns  # noqa: E402
from tests.benchmarks.harness import Row, table  # noqa: E402
from tests.benchmarks.server import Server, pin  # noqa: E402

CASES: dict[str, Callable[[Server, int], Iterator[Row]]] = {
    "imports": imports.imports,
    "turns": turns.one_turn,
    "in-a-row": turns.in_a_row,
    "streams": streams.streams,
    "histories": turns.histories,
    "saving": saving.saving,
    "planning": planning.planning,
    "tools": tools.tools,
    "crowd": crowd.crowd,
}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in CASES]
    if unknown:
        parser.error(f"no case {unknown[0]!r}: there are {', '.join(CASES)}")
    rows: list[Row] = []
    with Server() as server:
        pin(0)
        for name in given.names or CASES:
            print(f"{name} ...", file=sys.stderr, flush=True)
            rows += CASES[name](server, given.rounds)
    print("\n".join(table(rows)))
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

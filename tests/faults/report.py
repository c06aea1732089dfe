"""The table as a report: `python tests/faults/report.py [WORD]` plays the faults whose names hold WORD, or all."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "runtime"), str(HERE.parents[1])]

from fault_run import EARS, Verdict, run_all  # noqa: E402 - the paths come first
from fault_table import GROUPS  # noqa: E402

KINDS = ("text", "error", "hang", "wrong text", "untyped error")


def main(words: list[str]) -> int:
    root = logging.getLogger()
    root.addHandler(EARS)
    root.setLevel(logging.DEBUG)
    verdicts: list[Verdict] = []
    for group, faults in GROUPS.items():
        print(f"\n{group}")
        for fault in faults:
            if all(word in fault.name for word in words):
                found = run_all(fault)
                verdicts += found
                _show(fault.name, found)
    _sum_up(verdicts)
    return int(any(not verdict.is_good for verdict in verdicts))


def _show(name: str, found: list[Verdict]) -> None:
    for mode in ("streamed", "plain"):
        kinds = {verdict.runtime: _short(verdict) for verdict in found if verdict.mode == mode}
        same = set(kinds.values())
        shown = same.pop() if len(same) == 1 else ", ".join(f"{runtime}: {kind}" for runtime, kind in kinds.items())
        slowest = max(verdict.seconds for verdict in found if verdict.mode == mode)
        print(f"  {name:<58.58} {mode:<9} {slowest:5.2f} s  {shown}")
    for verdict in found:
        for complaint in verdict.complaints:
            print(f"      WRONG {verdict.runtime} {verdict.mode}: {complaint}")


def _short(verdict: Verdict) -> str:
    return verdict.detail.partition(":")[0] if verdict.kind == "error" else verdict.kind


def _sum_up(verdicts: list[Verdict]) -> None:
    kinds = Counter(verdict.kind for verdict in verdicts)
    print(f"\n{len({verdict.fault for verdict in verdicts})} faults, {len(verdicts)} runs")
    names = {"text": "full text", "error": "typed errors", "hang": "hangs"}
    for kind in KINDS:
        print(f"  {names.get(kind, kind):<16} {kinds[kind]:6}")
    print(f"  {'key leaks':<16} {sum(verdict.leaks for verdict in verdicts):6}")
    print(f"  {'runs with a fault':<16} {sum(not verdict.is_good for verdict in verdicts):6}")
    print("memory: see test_fault_memory.py")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

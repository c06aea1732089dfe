"""The verdicts of the corpus, counted: by strategy and habit, for texts that repeat themselves and for others."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from attrs import field, frozen
from seam_texts import samples
from seam_trials import ASIDE, COUNTED, Verdict, all_verdicts

from agentkit._engine.seam.shape import Shape
from agentkit._engine.seam.truncation import open_end

GOOD = frozenset({"right", "reported", "guarded"})
ROOT = Path(__file__).resolve().parents[2]
_KEPT = 3


@frozen
class Tally:
    """Counts of verdicts by (repeats itself, strategy, habit, kind), and examples of each failure class."""

    counts: Counter[tuple[bool, str, str, str]] = field(factory=Counter)
    kinds: Counter[tuple[str, str, str, str]] = field(factory=Counter)
    examples: dict[tuple[str, str, str], list[Verdict]] = field(factory=dict)

    def add(self, verdict: Verdict) -> None:
        sample = verdict.cut.sample
        self.counts[sample.repeats, verdict.strategy, verdict.habit, verdict.kind] += 1
        if verdict.kind not in GOOD:
            self.kinds[verdict.strategy, verdict.habit, verdict.kind, sample.kind] += 1
            kept = self.examples.setdefault((verdict.strategy, verdict.habit, verdict.kind), [])
            if len(kept) < _KEPT:
                kept.append(verdict)

    def share(self, strategy: str, habits: tuple[str, ...], repeats: bool | None = None) -> tuple[int, int]:
        """How many were right, of how many."""
        rows = [
            (kind, count)
            for (again, name, habit, kind), count in self.counts.items()
            if name == strategy and habit in habits and repeats in (None, again)
        ]
        return sum(count for kind, count in rows if kind == "right"), sum(count for _, count in rows)

    def row(self, strategy: str, habit: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for (_, name, other, kind), count in self.counts.items():
            if (name, other) == (strategy, habit):
                found[kind] += count
        return found

    def total(self, kind: str) -> int:
        return sum(count for (_, _, _, each), count in self.counts.items() if each == kind)

    def rows(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys((strategy, habit) for _, strategy, habit, _ in self.counts))


def tally(every: int = 1) -> Tally:
    made = Tally()
    for verdict in all_verdicts(every):
        made.add(verdict)
    return made


def complete_texts() -> list[tuple[str, str]]:
    """Replies that are whole: those of the corpus, and the pages and modules of this repository as replies."""
    found = [(sample.kind, sample.text) for sample in samples(12)]
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("agentkit/**/*.py")]):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".md":
            found += [(path.name, part) for part in _parts(text)]
        else:
            found += [(path.name, text), (path.name, f"Here it is:\n\n```python\n{text}```\n\nIt is done.")]
    return found


def _parts(page: str) -> list[str]:
    """A page by its headings; one that is a line of code does not count."""
    parts = [""]
    for line in page.split("\n"):
        if line.startswith("## ") and parts[-1].count("\n```") % 2 == 0:
            parts.append("")
        parts[-1] += f"\n{line}"
    return parts


def taken_for_cut() -> tuple[list[tuple[str, str]], int]:
    """Complete texts that look cut, and the number of all."""
    texts = complete_texts()
    return [(name, reason) for name, text in texts if (reason := open_end(Shape(text))) is not None], len(texts)


def found_cut() -> Counter[tuple[str, bool]]:
    """Cut texts by kind, and whether the cut shows."""
    found: Counter[tuple[str, bool]] = Counter()
    for sample in samples(6):
        roll = random.Random(f"shows {sample.kind} {len(sample.text)}")
        for _ in range(10):
            cut = roll.randint(len(sample.text) // 3, len(sample.text) - 2)
            found[sample.kind, open_end(Shape(sample.text[:cut])) is not None] += 1
    return found


__all__ = ("ASIDE", "COUNTED", "GOOD", "Tally", "complete_texts", "found_cut", "taken_for_cut", "tally")

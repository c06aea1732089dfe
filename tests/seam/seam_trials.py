"""One cut, one habit, one strategy: the join, and what is wrong with it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator

from attrs import frozen
from seam_texts import Sample, samples

from agentkit._engine.seam.guards import no_progress, repetition
from agentkit._engine.seam.joiner import Join, Seam
from agentkit._engine.seam.scaffold import echo_quote
from agentkit._engine.seam.shape import Shape
from agentkit._engine.seam.strategy import Echo, Native, Overlap, Raw, Strategy, strategy_name
from agentkit.sim.habits import HABITS, SPOILT, Whim, is_json, open_fence

CUTS = 20
_BLOCK = re.compile(r"```json\n(.*?)\n```", re.DOTALL)
"""In each text, besides those at its seams."""


@frozen
class Cut:
    sample: Sample
    at: int
    seed: int

    @property
    def before(self) -> str:
        return self.sample.text[: self.at]


@frozen(kw_only=True)
class Verdict:
    """What came of one trial."""

    cut: Cut
    strategy: str
    habit: str
    said: str
    joined: str
    join: Join
    kind: str
    """right, reported, guarded, deleted, left, space, other."""


def cuts() -> list[Cut]:
    """The cuts of the corpus: anywhere, and after lines and words more often than chance would have it."""
    made: list[Cut] = []
    for sample in samples():
        roll = random.Random(f"cuts {sample.kind} {sample.text[:60]}")
        size = len(sample.text)
        places = {roll.randint(2, size - 1) for _ in range(CUTS)}
        lines = [place + 1 for place, sign in enumerate(sample.text) if sign == "\n" and place + 1 < size]
        words = [place for place, sign in enumerate(sample.text) if sign == " " and place > 1]
        places.update(roll.sample(lines, min(4, len(lines))))
        places.update(roll.sample(words, min(4, len(words))))
        made += [Cut(sample, place, roll.getrandbits(32)) for place in sorted(places)]
    return made


NATIVE = ("exact", "trimmed")
ECHO = (
    "echo", "echo_changed", "repeat", "remark", "restart", "fence_again", "fence_closed", "fenced", "json_restart",
    "header_again", "trimmed",
)  # fmt: skip
OVERLAP = (
    "exact", "repeat", "remark", "restart", "fence_again", "fence_closed", "fenced", "json_restart", "header_again",
    "trimmed", "word_again",
)  # fmt: skip
COUNTED = {
    "native": ("exact",),
    "native repeats": ("exact",),
    "native unknown": ("exact",),
    "native unknown repeats": ("exact",),
    "raw": ("exact",),
    "echo": ECHO,
    "overlap": OVERLAP,
}
"""The habits that the percentages of a strategy are taken of."""
ASIDE = {
    "native": ("restart", "paraphrase", "silence", "loop"),
    "echo": ("exact", "remark_alone", "word_again", "paraphrase", "silence", "loop"),
    "overlap": ("remark_alone", "paraphrase", "silence", "loop"),
}
"""Habits that cannot be mended in principle, or where a failure is to be reported; each has its own line."""


def trials(cut: Cut) -> Iterator[tuple[str, Strategy, str, str]]:
    """Every trial of a cut: the label of the strategy, the strategy, the habit, what is said."""
    whole, at = cut.sample.text, cut.at
    bare = Whim(cut.seed)
    before = cut.before
    yield "native", Native(repeats_prefix=False), "exact", whole[at:]
    yield "native repeats", Native(repeats_prefix=True), "exact", whole
    yield "native unknown", Native(), "exact", whole[at:]
    yield "native unknown repeats", Native(), "exact", whole
    yield "raw", Raw(), "exact", whole[at:]
    for habit in ASIDE["native"]:
        yield from _said("native", Native(repeats_prefix=False), habit, cut, bare)
    quote = echo_quote(before)
    if quote is not None:
        asked = Whim(cut.seed, quote)
        for habit in (*ECHO, *ASIDE["echo"]):
            whim = bare if habit in ("exact", "repeat", "word_again") else asked
            yield from _said("echo", Echo(quote), habit, cut, whim)
    for habit in (*OVERLAP, *ASIDE["overlap"]):
        yield from _said("overlap", Overlap(), habit, cut, bare)


def _said(label: str, strategy: Strategy, habit: str, cut: Cut, whim: Whim) -> Iterator[tuple[str, Strategy, str, str]]:
    said = HABITS[habit](cut.sample.text, cut.at, whim)
    if said is not None:
        yield label, strategy, habit, said


def play(before: str, strategy: Strategy, said: str, sizes: list[int] | None = None) -> tuple[str, Join]:
    """Join; with sizes, in chunks of these sizes."""
    seam = Seam(before, strategy)
    if sizes is None:
        shown = seam.feed(said)
    else:
        shown, at = "", 0
        for size in sizes:
            shown += seam.feed(said[at : at + size])
            at += size
        shown += seam.feed(said[at:])
    shown += seam.close()
    joined = before + shown
    assert seam.shape.length == len(joined)
    return joined, seam.joined


def judge(cut: Cut, label: str, strategy: Strategy, habit: str, said: str) -> Verdict:
    joined, join = play(cut.before, strategy, said)
    kind = _kind(cut, habit, joined, join)
    return Verdict(cut=cut, strategy=label, habit=habit, said=said, joined=joined, join=join, kind=kind)


def _kind(cut: Cut, habit: str, joined: str, join: Join) -> str:
    whole, before = cut.sample.text, cut.before
    if join.failure is not None:
        return "reported" if joined == before else "other"
    added = joined[len(before) :]
    if habit == "silence":
        return "guarded" if no_progress(added) else "other"
    if habit == "loop":
        return "guarded" if no_progress(added) or repetition(joined, len(added)) else "other"
    if _is_right(whole, joined, habit):
        return "right"
    rest = whole[len(before) :]
    if "".join(joined.split()) == "".join(whole.split()):
        return "space"
    if rest.endswith(added) or rest.rstrip().endswith(added.rstrip()):
        return "deleted"
    return "left" if added.endswith(rest) or added.rstrip().endswith(rest.rstrip()) else "other"


def _is_right(whole: str, joined: str, habit: str) -> bool:
    if joined == whole:
        return True
    if habit == "fenced":
        return joined.rstrip() == whole.rstrip()
    return habit in ("json_restart", "trimmed") and _value(joined) is not None and _value(joined) == _value(whole)


def _value(text: str) -> object:
    """The JSON document that a reply is, or holds in its only block."""
    found = _BLOCK.search(text)
    inner = found[1] if found is not None else text
    return json.loads(inner) if is_json(inner) else None


def all_verdicts(every: int = 1) -> Iterator[Verdict]:
    for cut in cuts()[::every]:
        for label, strategy, habit, said in trials(cut):
            yield judge(cut, label, strategy, habit, said)


__all__ = (
    "ASIDE",
    "COUNTED",
    "HABITS",
    "SPOILT",
    "Cut",
    "Shape",
    "Verdict",
    "all_verdicts",
    "cuts",
    "open_fence",
    "play",
    "strategy_name",
    "trials",
)

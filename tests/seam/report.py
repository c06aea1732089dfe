"""The judge of the seam engine: `python -m tests.seam.report [N]` joins every cut of the corpus, or every Nth.

It prints what "What must hold" asks for, by strategy and habit, every failure class with an example, how well a cut is
told from a complete reply, and what a long reply in many attempts costs.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from seam_repeats import deleted  # noqa: E402 - the paths come first
from seam_tally import COUNTED, GOOD, Tally, found_cut, taken_for_cut, tally  # noqa: E402 - the paths come first
from seam_texts import bare_code, english, log  # noqa: E402
from seam_trials import ECHO, cuts  # noqa: E402

from agentkit._engine.seam.joiner import Seam  # noqa: E402
from agentkit._engine.seam.scaffold import echo_quote  # noqa: E402
from agentkit._engine.seam.shape import Shape  # noqa: E402
from agentkit._engine.seam.strategy import Echo, Native, Overlap, Strategy  # noqa: E402


def main(words: list[str]) -> int:
    every = int(words[0]) if words else 1
    found = tally(every)
    print(f"{len(cuts()[::every])} cuts, {sum(found.counts.values())} joins")
    _headline(found)
    _rows(found)
    _failures(found)
    _repeats()
    _evidence()
    _cost()
    return int(found.total("deleted") > 0)


def _headline(found: Tally) -> None:
    print("\njoined text equals the whole reply          plain texts    that repeat themselves      all")
    for strategy, habits in COUNTED.items():
        _line(found, strategy, strategy, habits)
    _line(found, "echo, where the model echoes", "echo", tuple(habit for habit in ECHO if habit != "repeat"))
    print(f"legitimate repeats deleted: {found.total('deleted')}")


def _line(found: Tally, label: str, strategy: str, habits: tuple[str, ...]) -> None:
    shares = [found.share(strategy, habits, repeats) for repeats in (False, True, None)]
    shown = "  ".join(f"{100 * right / max(1, of):6.2f} % of {of:5}" for right, of in shares)
    print(f"  {label:<32} {shown}")


def _rows(found: Tally) -> None:
    print("\nby habit; * counts for the percentages above")
    for strategy, habit in found.rows():
        row = found.row(strategy, habit)
        star = "*" if habit in COUNTED.get(strategy, ()) else " "
        good = sum(count for kind, count in row.items() if kind in GOOD)
        said = ", ".join(f"{kind} {count}" for kind, count in row.most_common())
        print(f" {star} {strategy:<23} {habit:<13} {100 * good / row.total():6.2f} %   {said}")


def _failures(found: Tally) -> None:
    print("\nfailure classes, each with its kinds of text and an example: end of the text | what came | what was shown")
    for (strategy, habit, kind), examples in found.examples.items():
        kinds = sorted(
            ((count, name) for (*key, name), count in found.kinds.items() if key == [strategy, habit, kind]),
            reverse=True,
        )
        print(f"  {strategy}, {habit}, {kind}: " + ", ".join(f"{name} {count}" for count, name in kinds))
        verdict = examples[0]
        shown = verdict.joined[len(verdict.cut.before) :]
        print(f"      {verdict.cut.before[-40:]!r} | {verdict.said[:50]!r} | {shown[:50]!r}")


def _repeats() -> None:
    lost, every = deleted()
    total = f"{sum(lost.values())} of {sum(every.values())}"
    print(f"\nthe same said several times in a row, cut at each place: {total} lose some")
    for (name, times), count in lost.items():
        if count:
            print(f"  {name}, {times} times: {count} of {every[name, times]}")


def _evidence() -> None:
    wrong, of = taken_for_cut()
    print(f"\ncomplete texts taken for cut: {len(wrong)} of {of}")
    for name, reason in wrong:
        print(f"  {name}: {reason}")
    shows = found_cut()
    for name in dict.fromkeys(kind for kind, _ in shows):
        print(f"  cut {name:<14} shows in {shows[name, True]} of {shows[name, True] + shows[name, False]}")


def _cost() -> None:
    print("\n1,000,000 characters in 1,000 attempts, in chunks of four characters (of 4,096 where all is repeated)")
    for kind in (english, bare_code, log):
        roll = random.Random(1)
        whole = "\n\n".join(kind(roll) for _ in range(1_000_000 // 600))[:1_000_000]
        for name in ("native", "native repeats", "echo", "overlap"):
            begun = time.process_time()
            size = len(_long(whole, name))
            print(f"  {kind.__name__:<10} {name:<15} {time.process_time() - begun:5.2f} s CPU, {size:,} characters")


def _long(whole: str, name: str) -> str:
    pieces = [whole[:1000]]
    shape = Shape(pieces[0])
    for at in range(1000, len(whole), 1000):
        text = "".join(pieces)
        strategy, said = _attempt(name, text, whole[at : at + 1000])
        seam = Seam(text, strategy, shape)
        step = 4096 if name == "native repeats" else 4
        pieces += [seam.feed(said[place : place + step]) for place in range(0, len(said), step)]
        pieces.append(seam.close())
    return "".join(pieces)


def _attempt(name: str, text: str, rest: str) -> tuple[Strategy, str]:
    quote = echo_quote(text) if name == "echo" else None
    if quote is not None:
        return Echo(quote), quote + rest
    match name:
        case "native":
            return Native(repeats_prefix=False), rest
        case "native repeats":
            return Native(repeats_prefix=True), text + rest
        case _:
            return Overlap(), rest


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

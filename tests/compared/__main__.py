"""The same cuts through lexilux's `complete()` and through agentkit, against one simulator on the loopback.

    python -m tests.compared [--every 8]

Not a part of the suite: it needs lexilux beside agentkit, in an environment of its own. It prints the tables of
docs/continuation-compared.md as Markdown.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path

from attrs import field, frozen

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "seam")]

from seam_trials import Cut, cuts  # noqa: E402 - the paths come first

import agentkit as library  # noqa: E402
from agentkit._engine.seam.scaffold import echo_quote  # noqa: E402
from agentkit.sim import SimServer  # noqa: E402
from agentkit.sim.habits import HABITS, Whim  # noqa: E402
from agentkit.sim.text import count_tokens, tokens  # noqa: E402
from tests.compared import troubles  # noqa: E402
from tests.compared.arms import Came, agentkit, lexilux  # noqa: E402
from tests.compared.player import Player, Scene  # noqa: E402
from tests.compared.verdict import KINDS, Case, verdict  # noqa: E402

HABIT_ROWS = (
    "obeys", "exact", "echo_changed", "repeat", "remark", "remark_alone", "restart", "trimmed", "word_again",
    "fence_again", "fence_closed", "fenced", "json_restart", "header_again",
)  # fmt: skip
HOPELESS = ("paraphrase", "silence", "loop")
"""No join can come to the whole reply: what matters is that the caller is told."""
NATIVE_ROWS = ("exact", "restart")
PIECES = 6
Arm = Callable[..., Came]


@frozen(kw_only=True)
class Sides:
    """Both, at a server that has to be asked in words, and at one that goes on by itself."""

    lexilux: Arm
    asked: Arm
    lexilux_there: Arm
    native: Arm


@frozen
class Row:
    """What came of one habit and one of the two."""

    kinds: Counter[str] = field(factory=Counter)
    requests: list[int] = field(factory=list)
    prompt: list[int] = field(factory=list)
    messages: list[int] = field(factory=list)
    differ: list[str] = field(factory=list)
    """Where the stream and the whole answer, or the stream and its result, are not the same."""

    def add(self, case: Case, player: Player, came: Came) -> None:
        self.kinds[verdict(case, came.text, told=came.told)] += 1
        self.requests.append(len(player.asked))
        self.prompt.append(sum(asked.prompt_tokens for asked in player.asked))
        self.messages.append(player.asked[-1].messages)

    def cells(self) -> str:
        of = sum(self.kinds.values())
        wrong = ", ".join(f"{kind} {self.kinds[kind]}" for kind in KINDS if kind != "right" and self.kinds[kind])
        return f"{of} | {100 * self.kinds['right'] / of:.1f} % | {wrong or '-'}"


def main(words: list[str]) -> int:
    given = _parser().parse_args(words)
    logging.disable(logging.CRITICAL)
    chosen = cuts()[:: given.every]
    print(f"lexilux {version('lexilux')}, agentkit {library.__version__}, Python {platform.python_version()}", end="")
    print(f", {datetime.now(UTC):%Y-%m-%d}; {len(chosen)} cuts, each whole and streamed")
    player = Player()
    with SimServer(player) as server:
        words_at, native_at = server.describe()["openai"], server.describe()["vllm-0.33"]
        sides = Sides(
            lexilux=partial(lexilux, words_at),
            asked=partial(agentkit, words_at, "openai"),
            lexilux_there=partial(lexilux, native_at),
            native=partial(agentkit, native_at, "vllm"),
        )
        _joins(player, chosen, sides)
        print(f"\ninvalid requests so far: {player.refused + len(player.problems)}")
        _long(player, chosen, sides)
        troubles.tables(player, sides.lexilux, sides.asked, server.describe()["vllm-0.11"])

    return 0


def _joins(player: Player, chosen: list[Cut], sides: Sides) -> None:
    totals = (Row(), Row())
    _habits(player, chosen, (sides.lexilux, sides.asked), totals, HABIT_ROWS)
    print(f"| all | {totals[0].cells()} | {totals[1].cells()} |")
    print("\nwhat no join can mend")
    _habits(player, chosen, (sides.lexilux, sides.asked), totals, HOPELESS)
    print("\nwhere the backend goes on by itself, if it is asked to in its own way")
    _habits(player, chosen, (sides.lexilux_there, sides.native), totals, NATIVE_ROWS)
    for name, row in zip(("lexilux", "agentkit"), totals, strict=True):
        print(f"\n{name}: streamed unlike whole, or unlike its own result: {len(row.differ)}", *row.differ[:3])


def _habits(
    player: Player, chosen: list[Cut], arms: tuple[Arm, Arm], totals: tuple[Row, Row], habits: tuple[str, ...]
) -> None:
    print("\n| how the model goes on | replies | lexilux | of the rest | replies | agentkit | of the rest |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for habit in habits:
        scenes = [scene for cut in chosen if (scene := _scene(cut, habit)) is not None]
        rows = [_played(player, scenes, arm) for arm in arms]
        for total, row in zip(totals, rows, strict=True):
            _gather(total, row)
        if scenes:
            print(f"| {habit} | {rows[0].cells()} | {rows[1].cells()} |", flush=True)


def _gather(total: Row, row: Row) -> None:
    total.kinds.update(row.kinds)
    total.differ.extend(row.differ)


def _scene(cut: Cut, habit: str) -> Scene | None:
    """The cut, played with this habit; None where the habit makes no sense there."""
    whole, at = cut.sample.text, cut.at
    if habit != "obeys":
        whim = Whim(cut.seed, (echo_quote(cut.before) or "") if habit == "echo_changed" else "")
        if HABITS[habit](whole, at, whim) is None:
            return None
    return Scene(whole=whole, cuts=(at,), habit=habit, seed=cut.seed)


def _played(player: Player, scenes: list[Scene], arm: Arm) -> Row:
    row = Row()
    for scene in scenes:
        case = Case(whole=scene.whole, at=scene.cuts[0], habit=scene.habit)
        texts: list[str] = []
        for stream in (False, True):
            player.set(scene)
            came = arm(stream=stream)
            row.add(case, player, came)
            texts += [came.text] if came.shown is None else [came.text, came.shown]
        if len(set(texts)) > 1:
            row.differ.append(f"{scene.habit} at {scene.cuts[0]}: {[len(text) for text in texts]}")
    return row


def _long(player: Player, chosen: list[Cut], sides: Sides) -> None:
    """Replies of many texts, cut five times: what they cost."""
    texts = list(dict.fromkeys(cut.sample.text for cut in chosen if not cut.sample.repeats))
    scenes = [Scene(whole=text, cuts=tuple(_even(text))) for text in _grouped(texts)]
    print(f"\n{len(scenes)} replies of {sum(len(s.whole) for s in scenes) // len(scenes):,} characters, cut five times")
    print(
        "\n| | right | requests | prompt tokens of a reply | messages in its last request | in the history after it |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for name, arm in (
        ("lexilux", sides.lexilux), ("agentkit, asked in words", sides.asked), ("agentkit, native", sides.native),
    ):  # fmt: skip
        row, history = Row(), set[int]()
        for scene in scenes:
            player.set(scene)
            came = arm(stream=False, max_tokens=2 * count_tokens(scene.whole) // PIECES)
            row.add(Case(whole=scene.whole, at=scene.cuts[0], habit="obeys"), player, came)
            history.add(came.history)
        mean = [sum(each) / len(each) for each in (row.requests, row.prompt, row.messages)]
        share = f"{row.kinds['right']} of {len(scenes)}"
        print(f"| {name} | {share} | {mean[0]:.1f} | {mean[1]:,.0f} | {mean[2]:.1f} | {sorted(history)} |")


def _grouped(texts: list[str]) -> Iterator[str]:
    return ("\n\n".join(texts[at : at + 4]) for at in range(0, len(texts) - 3, 4))


def _even(text: str) -> Iterator[int]:
    """Places that part the text into pieces of as many tokens each."""
    ends = list(accumulate(len(token) for token in tokens(text)))
    return (ends[len(ends) * part // PIECES - 1] for part in range(1, PIECES))


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.compared", description=(__doc__ or "").partition("\n")[0])
    made.add_argument("--every", type=int, default=8, help="take each Nth cut of the corpus; 1: all")
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

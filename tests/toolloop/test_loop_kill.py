"""Real processes killed with SIGKILL in the middle of tool rounds, over SQLite.

AGENTKIT_KILLS sets how many kills are made; 30 by default.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from loop_bench import check, results, until
from tool_writer import ORDER, settle, tools_of

from agentkit import Conversation, Outcome
from agentkit.sim import Simulator
from agentkit.store import ToolFinished, ToolStarted
from agentkit.stores.sqlite import SQLiteStore

WRITER = str(Path(__file__).parent / "tool_writer.py")
KILLS = int(os.environ.get("AGENTKIT_KILLS", "30"))


class Ledger:
    """What the tools did, as the outside saw it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[list[str]]:
        return (
            [line.split() for line in self.path.read_text(encoding="utf-8").splitlines()] if self.path.exists() else []
        )

    def count(self, what: str) -> Counter[str]:
        return Counter(key for kind, _, key in self.lines() if kind == what)

    def policies(self) -> dict[str, str]:
        return {key: policy for _, policy, key in self.lines()}


def killed(store: str, ledger: Ledger, chance: random.Random) -> None:
    """A writer lives until its tools have done so much more, and a random moment longer."""
    before = len(ledger.lines())
    child = subprocess.Popen([sys.executable, WRITER, store, "n", str(ledger.path)], stdout=subprocess.PIPE)
    try:
        until(lambda: len(ledger.lines()) > before + chance.randrange(12) or child.poll() is not None)
        time.sleep(chance.uniform(0, 0.015))
        assert child.poll() is None, "the writer must not fail by itself"
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait(10)
        assert child.stdout is not None
        child.stdout.close()


def stored(store: str) -> tuple[dict[tuple[str, str], str], set[tuple[str, str]], int]:
    """The results by their calls, the calls that were begun, and how many results there are in all."""
    opened = SQLiteStore(store.removeprefix("sqlite:///"))
    records = [entry.record for entry in opened.read("n")]
    opened.close()
    finished = [record for record in records if isinstance(record, ToolFinished)]
    begun = {(record.turn_id, record.call_id) for record in records if isinstance(record, ToolStarted)}
    return {(each.turn_id, each.result.call_id): each.result.content for each in finished}, begun, len(finished)


def lives(tmp_path: Path, kills: int) -> Ledger:
    chance = random.Random(7)
    store, ledger = f"sqlite:///{tmp_path}/chat.db", Ledger(tmp_path / "log")
    kept: dict[tuple[str, str], str] = {}
    runs: dict[str, int] = {}
    unknown = 0
    for _ in range(kills):
        killed(store, ledger, chance)
        found, begun, count = stored(store)
        assert kept.items() <= found.items(), "a result was lost or changed"
        assert count == len(found), "a result is stored twice"
        kept = found
        begun_now = ledger.count("begin")
        for content in found.values():
            key = content.split()[-1]
            if key in begun_now:
                assert runs.setdefault(key, begun_now[key]) == begun_now[key], "what had finished was run again"
        unknown += len(begun - set(found))
    simulator = Simulator(seed=5)
    with Conversation(simulator, store=store, name="n", tools=tools_of(str(ledger.path))) as chat:
        settle(chat)
        check(chat.messages)
        assert chat.send(ORDER).outcome is Outcome.COMPLETE
        check(chat.messages)
        assert simulator.clean(), simulator.problems
        told = {result.content for result in results(chat.messages)}
    judge(ledger, kills, told)
    print(f"\n{kills} kills, {unknown} calls unknown after one, {len(kept)} results before the last life")
    return ledger


def judge(ledger: Ledger, kills: int, told: set[str]) -> None:
    begun, ended, policies = ledger.count("begin"), ledger.count("end"), ledger.policies()
    assert len(begun) > kills
    for key, times in begun.items():
        said = f"{policies[key]} {key}" in told
        if policies[key] == "fail":
            assert times == 1, "it was run again although its tool says that it must not be"
        else:
            assert said, "a call that was begun came to no result"
            # each further run follows a kill that left it unknown
            assert times <= 1 + kills
        assert not said or ended[key] >= 1
    again = sum(times - 1 for times in begun.values())
    assert again <= kills * 6


def test_a_few_kills_in_the_middle_of_tool_rounds(tmp_path: Path) -> None:
    lives(tmp_path, 2)


@pytest.mark.slow
@pytest.mark.no_cover
def test_many_kills_in_the_middle_of_tool_rounds(tmp_path: Path) -> None:
    lives(tmp_path, KILLS)

"""Real processes killed with SIGKILL while they write a long text, until it is whole.

AGENTKIT_KILLS sets how many random kills are made at least; 10 by default.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from killed import OUTLINE, TASK

from agentkit import Conversation, Options, Outcome
from agentkit.sim import Simulator
from agentkit.stores.sqlite import SQLiteStore

SCRIPT = str(Path(__file__).parent / "killed.py")
KILLS = int(os.environ.get("AGENTKIT_KILLS", "10"))
WORDS, LIMIT = 1500, 120
PATIENCE = 60.0


def whole() -> str:
    with Conversation(Simulator(seed=5), options=Options(max_tokens=LIMIT)) as chat:
        return chat.write(TASK, words=WORDS, outline=OUTLINE).text


WHOLE = whole()


class Child:
    def __init__(self, store: str, path: Path, pace: float) -> None:
        words = [sys.executable, SCRIPT, store, str(path), str(WORDS), str(pace), str(LIMIT)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def begun(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "begun\n"

    def grows(self, path: Path, size: int) -> None:
        """Wait until the file is longer than that, or the process is done."""
        until = time.monotonic() + PATIENCE
        while self.process.poll() is None and (not path.exists() or path.stat().st_size <= size):
            assert time.monotonic() < until
            time.sleep(0.005)

    def kill(self) -> bool:
        """Kill it; whether that came in time."""
        self.process.kill()
        alive = self.process.wait(PATIENCE) == -signal.SIGKILL
        self.close()
        return alive

    def close(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()


def journalled(store: str) -> str:
    """All text of the assistant that the journal holds."""
    with Conversation("sim", store=store, name="guide") as chat:
        return "\n\n".join(message.text for message in chat.messages if message.role == "assistant")


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.timeout(600)
def test_killed_again_and_again_the_file_is_whole_in_the_end(tmp_path: Path) -> None:
    chance = random.Random(11)
    kills = rounds = 0
    seen_in_mid_chapter = False
    while kills < KILLS:
        rounds += 1
        store, path = f"sqlite:///{tmp_path}/chat-{rounds}.db", tmp_path / f"guide-{rounds}.md"
        last = b""
        while True:
            child = Child(store, path, pace=0.002)
            child.begun()
            if chance.random() < 0.8:  # the others are killed wherever they are, which may be before any text
                child.grows(path, len(last))
            time.sleep(chance.uniform(0.0, 0.4))
            if not child.kill():
                break
            kills += 1
            held = path.read_bytes() if path.exists() else b""
            assert WHOLE.startswith(held.decode("utf-8")), "valid at any moment, and nothing twice"
            assert held.startswith(last), "nothing that was there is taken away"
            assert len(journalled(store)) + len(OUTLINE) * 30 >= len(held.decode("utf-8")), "the journal comes first"
            seen_in_mid_chapter |= bool(held) and held[-1:] not in b".\n"
            last = held
        assert path.read_text(encoding="utf-8") == WHOLE
    assert kills >= KILLS
    assert seen_in_mid_chapter


def test_after_a_kill_another_process_pays_only_for_the_rest(tmp_path: Path) -> None:
    store, path = f"sqlite:///{tmp_path}/chat.db", tmp_path / "guide.md"
    child = Child(store, path, pace=0.002)
    child.begun()
    until = time.monotonic() + PATIENCE
    while not path.exists() or path.read_text(encoding="utf-8").count("## ") < 3:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert child.kill()
    simulator = Simulator(seed=5)
    with Conversation(simulator, store=store, name="guide", options=Options(max_tokens=LIMIT)) as chat:
        written = chat.write()
        assert (written.outcome, written.text) == (Outcome.COMPLETE, WHOLE)
        assert path.read_text(encoding="utf-8") == WHOLE
        asked = [message for message in chat.messages if message.role == "user"]
        assert len(asked) == len(OUTLINE), "each chapter was asked for once"
        assert simulator.received < 12, "two chapters of five were there"
    SQLiteStore(store.removeprefix("sqlite:///")).close()

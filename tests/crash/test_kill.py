"""Real processes killed with SIGKILL in the middle of a turn, over SQLite.

AGENTKIT_KILLS sets how many random kills are made; 50 by default.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agentkit import AsyncConversation, Conversation, Outcome
from agentkit.sim import Simulator
from agentkit.stores.sqlite import SQLiteStore

WRITER = str(Path(__file__).parent / "writer.py")
KILLS = int(os.environ.get("AGENTKIT_KILLS", "50"))
FLUSH = 0.25
"""Seconds within which what was delivered is on disk."""


class Child:
    """A writer, and what it said with the time at which it said so."""

    def __init__(self, store: str, name: str, prompt: str, *more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, WRITER, store, name, prompt, *more], stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.said: list[tuple[float, str]] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append((time.monotonic(), line.rstrip("\n")))

    def wait_for(self, word: str, count: int = 1) -> None:
        deadline = time.monotonic() + 20
        while sum(line.startswith(word) for _, line in list(self.said)) < count:
            assert time.monotonic() < deadline, f"the writer never said {word!r}"
            time.sleep(0.002)

    def kill(self) -> float:
        """Kill it; the moment of the kill."""
        moment = time.monotonic()
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self.reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return moment

    def finished(self) -> list[tuple[str, str]]:
        return [tuple(json.loads(line[5:])) for _, line in self.said if line.startswith("done ")]

    def shown_before(self, moment: float) -> int:
        """Characters of the running turn that the user had seen by then."""
        shown = 0
        for at, line in self.said:
            if line.startswith("done"):
                shown = 0
            elif line.startswith("delta") and at <= moment:
                shown = int(line[6:])
        return shown


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/chat.db"


def test_what_the_user_saw_survives_a_kill_and_resume_finishes_it(store: str) -> None:
    child = Child(store, "story", "write 400 words", "turn-1")
    child.wait_for("delta", 120)
    moment = child.kill()
    with Conversation(Simulator(seed=5), store=store, name="story") as chat:
        kept = chat.messages[-1]
        assert kept.interrupted
        assert len(kept.text) >= child.shown_before(moment - FLUSH) > 0
        begun = time.monotonic()
        reply = chat.resume()
        assert time.monotonic() - begun < 2, "the lease of a dead process must not be waited for"
        assert reply.outcome is Outcome.COMPLETE
        assert reply.turn_id == "turn-1"
        assert reply.text.startswith(kept.text)
        with Conversation(Simulator(seed=5)) as other:
            assert reply.text == other.send("write 400 words").text
        assert len(chat.messages) == 2


def test_a_redelivered_message_finishes_the_killed_turn_instead_of_running_again(store: str) -> None:
    child = Child(store, "story", "write 300 words", "order-7")
    child.wait_for("delta", 60)
    child.kill()
    simulator = Simulator(seed=5)
    with Conversation(simulator, store=store, name="story") as chat:
        reply = chat.send("write 300 words", turn_id="order-7")
        assert reply.outcome is Outcome.COMPLETE
        assert len(chat.messages) == 2
    with Conversation(simulator, store=store, name="story") as again:
        assert again.send("write 300 words", turn_id="order-7").text == reply.text
        assert simulator.received == 1


def test_the_next_message_works_after_a_kill_and_keeps_the_partial(store: str) -> None:
    import asyncio

    child = Child(store, "story", "write 300 words", "t")
    child.wait_for("delta", 100)
    child.kill()

    async def go_on() -> None:
        async with AsyncConversation(Simulator(seed=5), store=store, name="story") as chat:
            assert (await chat.send("say on")).text == "on"
            assert [message.role for message in chat.messages] == ["user", "assistant"] * 2
            assert chat.messages[1].interrupted
            assert chat.messages[1].text

    asyncio.run(go_on())


@pytest.mark.slow
@pytest.mark.no_cover
def test_random_kills_lose_nothing_that_was_committed(store: str) -> None:
    chance = random.Random(20)
    committed: dict[str, str] = {}
    for _ in range(KILLS):
        child = Child(store, "log", f"write {chance.randrange(5, 60)} words")
        child.wait_for("", 1 + chance.randrange(90))
        time.sleep(chance.uniform(0.0, 0.02))
        moment = child.kill()
        committed.update(child.finished())
        with Conversation(Simulator(seed=5), store=store, name="log") as chat:
            journal = chat._journal()
            for turn_id, text in committed.items():
                assert journal.turns[turn_id].last_reply().text == text
            if journal.running is not None:
                partial = journal.running.last_reply().text
                assert len(partial) >= child.shown_before(moment - FLUSH)
            texts = [message.text for message in chat.messages if message.role == "assistant"]
            assert len(texts) >= len(committed)
    assert len(committed) > KILLS // 4
    SQLiteStore(store.removeprefix("sqlite:///")).close()


TOGETHER = """
import sys
from agentkit import Conversation
from agentkit.sim import Simulator
store, word = sys.argv[1:]
with Conversation(Simulator(pace=0.002), store=store, name="shared") as chat:
    for number in range(5):
        assert chat.send(f"say {word} {number}").text == f"{word} {number}"
"""


def test_processes_take_turns_on_one_conversation(store: str) -> None:
    children = [subprocess.Popen([sys.executable, "-c", TOGETHER, store, word]) for word in ("a", "b", "c", "d")]
    assert [child.wait(60) for child in children] == [0, 0, 0, 0]
    with Conversation("sim", store=store, name="shared") as chat:
        texts = [message.text for message in chat.messages]
        assert len(texts) == 40
        assert all(question == f"say {answer}" for question, answer in zip(texts[::2], texts[1::2], strict=True))
        for word in "abcd":
            assert [text for text in texts[1::2] if text.startswith(word)] == [f"{word} {n}" for n in range(5)]


def stubborn(store: str) -> Child:
    child = Child(store, "shared", "write 500 words", "long")
    child.wait_for("delta", 30)
    return child


def test_another_process_can_be_refused_interrupted_or_forked_from(store: str) -> None:
    from agentkit import ConversationBusy

    child = stubborn(store)
    settings: dict[str, Any] = {"store": store, "name": "shared"}
    simulator = Simulator(seed=5)
    with Conversation(simulator, **settings, on_busy="reject") as chat, pytest.raises(ConversationBusy):
        chat.send("say no")
    assert simulator.received == 0
    with Conversation(simulator, **settings, on_busy="fork") as chat:
        reply = chat.send("say aside")
        assert (reply.text, reply.conversation.startswith("shared-")) == ("aside", True)
    with Conversation(simulator, **settings, on_busy="interrupt") as chat:
        begun = time.monotonic()
        assert chat.send("say now").text == "now"
        assert time.monotonic() - begun < 3
        assert [message.text for message in chat.messages][2:] == ["say now", "now"]
        assert chat.messages[1].interrupted
    child.process.wait(20)
    child.reader.join(10)
    assert child.process.stdout is not None
    child.process.stdout.close()
    assert child.process.returncode == 0
    assert child.finished()[0][0] == "long"

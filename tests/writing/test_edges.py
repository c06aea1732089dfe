"""Where writing a long text meets the outside: a full disk, a part of a write, other turns, Ctrl-C."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agentkit import Conversation, Options, Outcome, StoreError, WriteProgress, Written
from agentkit._engine.writing import Order
from agentkit._runtime.writer_file import PageFile
from agentkit.sim import Simulator
from agentkit.testing import ScriptedProvider

ROOT = Path(__file__).parents[2]
TASK = "A field guide to tide pools"
TITLES = ("The splash zone", "The middle shore", "Below the tide")

FULL = """
import resource, sys
from pathlib import Path
from agentkit import Conversation, StoreError
from agentkit.sim import Simulator
into, most = Path(sys.argv[1]), int(sys.argv[2])
with Conversation(Simulator(seed=5), name="guide") as chat:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    try:
        chat.write("A field guide", words=900, outline=("\\u00e9" * 40, "B", "C"), into=into)
    except StoreError as error:
        print(error, "|", error.hint)
    held = into.read_bytes()
    assert most - 2 < len(held) <= most, "as much as there was room for"
    held.decode("utf-8")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    whole = chat.write().text
    assert into.read_text(encoding="utf-8") == whole
    print(len(whole.split()) - 6)
"""
"""A file may not grow beyond so many bytes: for the process that is as if the disk were full."""


@pytest.mark.parametrize("most", [30, 31, 1000, 4000])
def test_a_disk_that_is_full_ends_it_and_it_goes_on_once_there_is_room(tmp_path: Path, most: int) -> None:
    into = tmp_path / "guide.md"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(into), str(most)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
    )
    said, words = done.stdout.splitlines()
    assert said.startswith(f"cannot write to {str(into)!r}: ")
    assert said.endswith("| All that came is in the conversation: make room, and write it again in the same way")
    assert int(words) == 900


def test_what_did_not_get_onto_the_disk_is_written_from_the_journal(tmp_path: Path) -> None:
    into = tmp_path / "guide.md"
    with Conversation(Simulator(seed=5), store=f"sqlite:///{tmp_path}/chat.db", name="guide") as chat:
        whole = chat.write(TASK, words=900, outline=TITLES, into=into).text
        for length in (0, 1, 500, 3001):
            os.truncate(into, length)
            chat.write()
            assert into.read_text(encoding="utf-8") == whole


def test_a_file_that_ends_within_a_character_is_brought_up_to_date(tmp_path: Path) -> None:
    into = tmp_path / "guide.md"
    into.write_bytes("Caf\N{LATIN SMALL LETTER E WITH ACUTE}".encode()[:-1])
    page = PageFile(
        Order(work="w", task="t", words=9, into=str(into)), "Caf\N{LATIN SMALL LETTER E WITH ACUTE} au lait"
    )
    page.bring_to("Caf\N{LATIN SMALL LETTER E WITH ACUTE} au lait", durable=True)
    page.bring_to("Caf", durable=True)
    page.close()
    assert into.read_text(encoding="utf-8") == "Caf\N{LATIN SMALL LETTER E WITH ACUTE} au lait"


def test_a_disk_that_is_full_leaves_whole_characters(tmp_path: Path) -> None:
    into, text = tmp_path / "guide.md", "\N{SNOWMAN}" * 4
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    page = PageFile(Order(work="w", task="t", words=9, into=str(into)), text)
    for most in (2, 7):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
        try:
            with pytest.raises(StoreError, match="cannot write to"):
                page.bring_to(text)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert into.read_text(encoding="utf-8") == "\N{SNOWMAN}" * (most // 3)
    page.bring_to(text, durable=True)
    page.close()
    assert into.read_text(encoding="utf-8") == text


def test_text_is_in_the_file_soon_also_while_nothing_more_comes(tmp_path: Path) -> None:
    into = tmp_path / "guide.md"
    provider = ScriptedProvider([["The tide rose. ", "It fell. ", 3.0, "Night came."]])
    with Conversation(provider) as chat:
        thread = threading.Thread(target=lambda: chat.write(TASK, words=7, into=into))
        begun = time.monotonic()
        thread.start()
        while not into.exists() or not into.read_text(encoding="utf-8"):
            assert time.monotonic() - begun < 30
            time.sleep(0.01)
        assert into.read_text(encoding="utf-8") == "The tide rose. It fell."
        assert thread.is_alive(), "the rest is still to come"
        thread.join(30)
    assert into.read_text(encoding="utf-8") == "The tide rose. It fell. Night came.\n"


def test_other_turns_may_come_between_the_chapters(tmp_path: Path) -> None:
    into, said = tmp_path / "guide.md", []

    def aside(told: WriteProgress) -> None:
        if told.chapter not in said:
            said.append(told.chapter)
            chat.send("say aside")

    with Conversation(Simulator(seed=5), store=f"sqlite:///{tmp_path}/chat.db") as chat:
        written = chat.write(TASK, words=600, outline=TITLES, into=into, on_progress=aside)
        assert written.words == 600
        assert written.outcome is Outcome.COMPLETE
        assert [message.text for message in chat.messages].count("aside") == len(said) == 3
        assert into.read_text(encoding="utf-8") == written.text


def test_a_chapter_that_was_interrupted_and_cannot_go_on_is_followed_by_more(tmp_path: Path) -> None:
    first = " ".join(["tide"] * 50)
    provider = ScriptedProvider(
        [[first, 60.0, "never"], "aside", " ".join(["crab"] * 49 + ["end."]), " ".join(["kelp"] * 99 + ["end."])]
    )
    with Conversation(provider, on_busy="interrupt") as chat:
        results: list[Written] = []
        thread = threading.Thread(target=lambda: results.append(chat.write(TASK, words=200, outline=["One", "Two"])))
        thread.start()
        until = time.monotonic() + 30
        while first not in [message.text for message in chat.messages]:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert chat.send("and now?").text == "aside"
        thread.join(30)
        assert (results[0].outcome, results[0].reason) == (Outcome.INTERRUPTED, "it was interrupted")
        assert results[0].text == f"## One\n\n{first}"
        written = chat.write()
        assert "right after its last word" in provider.requests[2].messages[-1].text
        assert written.text.startswith(f"## One\n\n{first} crab crab")
        assert written.outcome is Outcome.COMPLETE


def test_thousands_of_chapters_are_not_asked_for() -> None:
    with Conversation(Simulator(seed=5)) as chat:
        written = chat.write(TASK, words=2000, outline=[f"Title {number}" for number in range(500)])
        assert len(written.titles) == 200


INTERRUPTED = """
import sys
from agentkit import Conversation
from agentkit.sim import Simulator
store, into = sys.argv[1:]
with Conversation(Simulator(seed=5, pace=0.002), store=store, name="guide") as chat:
    print("begun", flush=True)
    try:
        chat.write("A field guide to tide pools", words=3000, outline=False, into=into)
    except KeyboardInterrupt:
        print("stopped", len(chat.messages[-1].text), flush=True)
"""


def test_ctrl_c_keeps_all_that_came(tmp_path: Path) -> None:
    store, into = f"sqlite:///{tmp_path}/chat.db", tmp_path / "guide.md"
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, store, str(into)],
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    until = time.monotonic() + 30
    while not into.exists() or into.stat().st_size < 300:
        assert time.monotonic() < until
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    word, length = child.stdout.readline().split()
    child.stdout.close()
    assert (word, child.wait(30)) == ("stopped", 0)
    held = into.read_text(encoding="utf-8")
    assert 0 <= int(length) - len(held) < 200, "the file is what the user was shown"
    with Conversation(Simulator(seed=5), store=store, name="guide") as chat:
        written = chat.write()
        assert written.text.startswith(held)
        assert (written.words, into.read_text(encoding="utf-8")) == (3000, written.text)


def test_a_file_that_cannot_be_written_any_more_stops_the_turn(tmp_path: Path) -> None:
    into = tmp_path / "guide.md"
    store: Any = f"sqlite:///{tmp_path}/chat.db"
    simulator = Simulator(seed=5, pace=0.002)
    with Conversation(simulator, store=store, options=Options(max_tokens=10_000)) as chat:

        def meddle() -> None:
            until = time.monotonic() + 30
            while into.stat().st_size < 100 and time.monotonic() < until:
                time.sleep(0.01)
            with into.open("a", encoding="utf-8") as file:
                file.write("mine")

        into.touch()
        thread = threading.Thread(target=meddle)
        thread.start()
        with pytest.raises(StoreError, match="somebody else"):
            chat.write(TASK, words=50_000, outline=False, into=into)
        thread.join(30)
        assert chat.messages[-1].interrupted
        assert simulator.received == 1, "nothing more is paid for"

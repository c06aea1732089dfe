"""What is seen of a reply that is continued, or that another backend goes on with: rounds, notes, settings."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from pretended import Shown

from agentkit.cli._below import Below
from agentkit.cli._play import Unshown, _show
from agentkit.cli._screen import Screen, _are_one
from agentkit.events import Continuing, Event, Notice, ReasoningDelta, TextDelta

Run: TypeAlias = Callable[..., Any]
LIMITED = ("-m", "sim", "--pace", "0", "--max-tokens", "8", "Write 30 words")
WHOLE = (
    "The morning fog leaned towards a thread of foam, and the log says no more, past the slipway and after the storm."
    " Rain came over the bay. The tide turned.\n"
)
ROUNDS = "".join(f"  ... continuing {n}/8, native, {8 * n} tokens\n" for n in (1, 2, 3))


class Glass:
    """A terminal of a few lines and columns: letters, and the sequences that the command uses."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.lines = [[" "] * width for _ in range(height)]
        self.gone: list[str] = []
        self.row = self.column = 0
        self.wraps = True
        self._kept = (0, 0)

    def write(self, text: str) -> None:
        while text:
            code = next((code for code in self._codes() if text.startswith(code)), None)
            if code is None:
                self._put(text[0])
                text = text[1:]
            else:
                self._codes()[code]()
                text = text[len(code) :]

    def shown(self) -> list[str]:
        """All lines that there were, those that were scrolled away, too."""
        return [line.rstrip() for line in (*self.gone, *map("".join, self.lines))]

    def _codes(self) -> dict[str, Callable[[], object]]:
        return {
            "\x1bD": self._down,
            "\x1b[A": lambda: self._at(max(self.row - 1, 0), min(self.column, self.width - 1)),
            "\x1b[B": lambda: self._at(min(self.row + 1, self.height - 1), min(self.column, self.width - 1)),
            "\x1b7": lambda: setattr(self, "_kept", (self.row, min(self.column, self.width - 1))),
            "\x1b8": lambda: self._at(*self._kept),
            "\x1b[J": self._erase,
            "\x1b[?7l": lambda: setattr(self, "wraps", False),
            "\x1b[?7h": lambda: setattr(self, "wraps", True),
            "\b": lambda: self._at(self.row, max(self.column - 1, 0)),
            "\r": lambda: self._at(self.row, 0),
            "\n": lambda: self._at(self._down(), 0),
            "\t": lambda: self._at(self.row, min((self.column // 8 + 1) * 8, self.width - 1)),
        }

    def _at(self, row: int, column: int) -> None:
        self.row, self.column = row, column

    def _down(self) -> int:
        if self.row == self.height - 1:
            self.gone.append("".join(self.lines.pop(0)))
            self.lines.append([" "] * self.width)
        else:
            self.row += 1
        return self.row

    def _erase(self) -> None:
        self.lines[self.row][self.column :] = [" "] * (self.width - self.column)
        for row in range(self.row + 1, self.height):
            self.lines[row] = [" "] * self.width

    def _put(self, letter: str) -> None:
        if self.column == self.width:
            if not self.wraps:
                self.column -= 1
            else:
                self._at(self._down(), 0)
        self.lines[self.row][self.column] = letter
        self.column += 1


@pytest.mark.parametrize("seed", range(60))
def test_a_line_below_leaves_the_reply_as_it_is(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    width, height = chance.randint(4, 24), chance.randint(2, 6)
    monkeypatch.setenv("COLUMNS", str(width))
    below, glass, plain = Below(), Glass(width, height), Glass(width, height)
    for _ in range(40):
        text = "y" + "".join(chance.choice("abcde  \n\t") for _ in range(chance.randint(1, 30))) + "x"
        glass.write(below.clear() + text)
        plain.write(text)
        below.follow(text)
        for line in ["... continuing 1/8, native, 3,412 tokens"[: chance.randint(1, 40)]] * chance.randint(0, 2):
            glass.write(below.show(line))
            assert line[: width - 1].rstrip() in "\n".join(glass.shown())
    glass.write(below.clear())
    assert [line for line in glass.shown() if line] == [line for line in plain.shown() if line]


def test_wide_letters_and_marks_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "6")
    for text, full in (
        ("漢字漢", True),
        ("漢字漢字", False),
        ("e\u0301bcdef", True),
        ("abcdefg", False),
        ("\t", False),
    ):
        below = Below()
        below.follow(text)
        assert below.show("x").startswith(" \b") is full, text


# what is seen


def test_each_round_is_a_line_of_standard_error(run: Run) -> None:
    done = run(*LIMITED)
    assert (done.code, done.out, done.err) == (0, WHOLE, ROUNDS)
    assert run("-q", *LIMITED).err == ""


def test_where_both_streams_are_one_the_reply_is_not_torn(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agentkit", *LIMITED]
    told = "  continued 3 times, native, 30 tokens\n"
    with (tmp_path / "log").open("wb") as log:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=60, check=True)
    assert (tmp_path / "log").read_text(encoding="utf-8") == WHOLE + told
    piped = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=True
    )
    assert piped.stdout.decode() == WHOLE + told


def test_on_a_terminal_a_round_is_seen_while_it_lasts(terminal: Run) -> None:
    screen = terminal("-m", "sim", "--pace", "0.01", "--max-tokens", "8", "Write 30 words")
    screen.expect("a thread of")
    screen.expect("  ... continuing 1/8, native, 8 tokens")
    screen.expect(" foam, and the log")
    screen.expect("... continuing 3/8, native, 24 tokens")
    screen.expect("The tide turned.\n  continued 3 times, native, 30 tokens")
    assert screen.end() == 0


def test_a_terminal_that_cannot_move_its_cursor(typed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    done = typed([*LIMITED])
    assert (done.out, done.err) == (WHOLE, "  continued 3 times, native, 30 tokens\n")


def test_a_reply_that_was_cut_once(typed: Run) -> None:
    done = typed(["-m", "sim", "--pace", "0", "--max-tokens", "20", "Write 30 words"])
    assert done.err.endswith("  continued 1 time, native, 30 tokens\n")


def shown(monkeypatch: pytest.MonkeyPatch, *events: Event) -> tuple[list[str], str]:
    """What stands at last on a terminal that has both streams, and all that it was sent."""
    both = Shown()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", both)
        patch.setattr(sys, "stderr", both)
        patch.setenv("NO_COLOR", "1")
        patch.setenv("COLUMNS", "60")
        screen = Screen()
        for event in events:
            _show(event, screen, Unshown(""))
        screen.end_reply()
    glass = Glass(60, 8)
    glass.write(both.getvalue())
    return [line for line in glass.shown() if line], both.getvalue()


def test_a_note_in_the_middle_of_a_line_comes_after_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = (
        TextDelta("one "),
        Notice("a failed; b goes on"),
        TextDelta("two\n"),
        Notice("at once"),
        TextDelta("three"),
    )
    stands, sent = shown(monkeypatch, *parts)
    assert stands == ["one two", "  a failed; b goes on", "  at once", "three"]
    assert sent.count("a failed; b goes on") == 2


def test_thinking_in_the_middle_of_a_line_is_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    round_ = Continuing(1, "echo", "length", 8, 3412)
    parts = (TextDelta("one "), round_, ReasoningDelta("hm, "), ReasoningDelta("what now"), TextDelta("two"))
    stands, sent = shown(monkeypatch, ReasoningDelta("so"), *parts)
    assert stands == ["  thinking: so", "one two"]
    assert "... continuing 1/8, echo, 3,412 tokens" in sent
    assert "thinking: hm, what now" in sent


def test_streams_that_lead_to_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    assert not _are_one(closed, Shown())
    assert not _are_one(None, Shown())
    assert _are_one(Shown(), Shown())
    assert not _are_one(io.StringIO(), Shown())
    with (tmp_path / "a").open("w", encoding="utf-8") as one, (tmp_path / "b").open("w", encoding="utf-8") as other:
        assert _are_one(one, one)
        assert not _are_one(one, other)
        monkeypatch.setattr(os, "fstat", lambda number: os.stat_result([0] * 10))
        assert not _are_one(one, one)  # unnumbered, and no terminal


# what is set


def test_how_far_a_reply_is_continued(call: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = call(*LIMITED, "--continuations", "2")
    assert cut.code == 4
    assert len(cut.out.split()) == 24
    said = "the backend's limit of tokens; max_attempts=2 continuations were made. Finish it: agentkit resume write-30-"
    assert f"  reply cut after 24 words: {said}" in cut.err
    home.mkdir(exist_ok=True)
    for entry in ("continuations = 1", 'continuations = "1"'):
        (home / "config.toml").write_text(f"{entry}\n", encoding="utf-8")
        assert len(call(*LIMITED).out.split()) == 16
    assert "continuations" in call("config", "show").out
    assert "is not known" not in call("doctor").out
    monkeypatch.setenv("AGENTKIT_CONTINUATIONS", "0")
    off = call(*LIMITED)
    assert (off.code, len(off.out.split())) == (4, 8)
    assert "continuing" not in off.err
    assert call(*LIMITED, "--continuations", "8").out == WHOLE


@pytest.mark.parametrize("given", ["-1", "many", "1.5", "9999999", ""])
def test_what_cannot_be_meant_is_refused(call: Run, given: str) -> None:
    done = call(*LIMITED, "--continuations", given)
    assert (done.code, done.out) == (2, "")
    assert "continuations must be a whole number" in done.err
    assert "came from --continuations" in done.err


def test_a_wrong_setting_names_its_file(call: Run, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("continuations = true\n", encoding="utf-8")
    done = call(*LIMITED)
    assert done.code == 2
    assert "config.toml" in done.err


# several models


NOBODY = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize("models", [("-m", "vllm/a", "-m", "sim"), ("-m", "vllm/b, sim"), ("--model", "vllm/c,sim")])
def test_the_next_model_answers_where_one_fails(
    call: Run, monkeypatch: pytest.MonkeyPatch, models: tuple[str, ...]
) -> None:
    monkeypatch.setenv("VLLM_BASE_URL", NOBODY)
    done = call(*models, "-n", "trip", "say hi")
    assert (done.code, done.out) == (0, "hi\n")
    assert " failed (cannot connect to 127.0.0.1:9" in done.err
    assert "; sim/sim goes on\n" in done.err
    cut = call(*models, "-n", "trip", "--continuations", "0", "write 9 words, stop at 2 tokens")
    assert cut.err.endswith(f"agentkit resume trip -m {models[1].removesuffix(', sim').removesuffix(',sim')},sim\n")


def test_the_first_of_several_is_the_one_in_use(typed: Run) -> None:
    done = typed(["chat", "trip", "-m", "sim", "-m", "vllm/x"], "say hi", "/model sim, openai/y", "/model", "say ho")
    assert done.out.count("sim> ") == 5
    assert "sim,openai/y (/model)" in done.out
    assert done.err.endswith("resume with: agentkit chat trip -m sim,openai/y\n")


def test_one_address_is_not_for_several(call: Run) -> None:
    done = call("-m", "vllm/x", "-m", "openai/y", "--base-url", NOBODY, "hi")
    assert done.code == 2
    assert "--base-url belongs to one backend" in done.err


def test_an_error_of_the_last_one_says_what_to_do(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_BASE_URL", NOBODY)
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    done = call("-m", "vllm/last,ollama/last", "hi")
    assert done.code == 1
    assert "Is the server running there? http://127.0.0.1:9/v1 (from environment OLLAMA_HOST)" in done.err

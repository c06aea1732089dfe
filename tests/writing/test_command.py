"""`agentkit write`: files, progress, Ctrl-C and exit codes."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from attrs import frozen

from agentkit.cli import main

ROOT = Path(__file__).parents[2]


@frozen
class Ran:
    code: int
    err: str


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """The command in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", None)

    def call(*words: str) -> Ran:
        code = main(["write", *words])
        shown = capsys.readouterr()
        assert shown.out == "", "the text goes into the file"
        return Ran(code, shown.err)

    return call


def test_a_text_is_written_and_the_progress_told(call, tmp_path: Path) -> None:
    done = call("-m", "sim", "A field guide", "--words", "3000", "-o", "guide.md")
    assert done.code == 0
    lines = done.err.splitlines()
    assert lines[0] == "  outline, 0 of 3,000 words"
    assert lines[1] == "  chapter 1/2, 0 of 3,000 words"
    assert lines[2].startswith("  chapter 2/2, 1,500 of 3,000 words, ")
    assert lines[-1] == "  guide.md: 3,000 words in 2 chapters"
    text = (tmp_path / "guide.md").read_text(encoding="utf-8")
    assert text.startswith("## Part 1\n\n")
    again = call("-m", "sim", "A field guide", "--words", "3000", "-o", "guide.md", "-q")
    assert (again.code, again.err) == (0, "")
    assert call("-m", "sim", "--resume", "guide.md").code == 0
    assert (tmp_path / "guide.md").read_text(encoding="utf-8") == text


def test_an_outline_from_a_file_or_none(call, tmp_path: Path) -> None:
    (tmp_path / "plan.txt").write_text("1. The spray\n2. The sand\n", encoding="utf-8")
    assert call("-m", "sim", "A guide", "--words", "200", "-o", "a.md", "--outline-file", "plan.txt").code == 0
    assert "## The sand\n" in (tmp_path / "a.md").read_text(encoding="utf-8")
    assert call("-m", "sim", "A guide", "--words", "3000", "-o", "b.md", "--no-outline").code == 0
    assert "#" not in (tmp_path / "b.md").read_text(encoding="utf-8")
    assert call("-m", "sim", "A guide", "--words", "100", "-o", "c.md", "--outline").err.startswith("  outline, ")
    assert call("-m", "sim", "A guide", "--words", "100", "-o", "d.md", "--outline-file", "none.txt").code == 1


def test_a_file_that_holds_something_else_is_refused(call, tmp_path: Path) -> None:
    into = tmp_path / "notes.md"
    into.write_text("mine", encoding="utf-8")
    done = call("-m", "sim", "A guide", "--words", "100", "-o", "notes.md")
    assert done.code == 2
    assert "holds 4 bytes already" in done.err
    assert "--append" in done.err
    assert into.read_text(encoding="utf-8") == "mine"
    assert call("-m", "sim", "A guide", "--words", "100", "-o", "notes.md", "--append").code == 0
    assert into.read_text(encoding="utf-8").startswith("mine\n\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["A guide", "-o", "x.md"], "needs a prompt, --words N and -o FILE"),
        (["A guide", "--words", "9"], "needs a prompt, --words N and -o FILE"),
        (["--words", "9", "-o", "x.md"], "needs a prompt, --words N and -o FILE"),
        (["--resume", "x.md", "A guide"], "it takes no prompt"),
        (["--resume", "x.md"], "no text was begun in"),
        (["A guide", "--words", "9", "-o", "nowhere/x.md"], "No such file or directory"),
        (["A guide", "--words", "many", "-o", "x.md"], "invalid int value"),
        (["A guide", "--words", "-3", "-o", "x.md"], "at least 1"),
    ],
)
def test_what_cannot_be_done_is_a_line_and_code_2(call, words: list[str], said: str, tmp_path: Path) -> None:
    done = call("-m", "sim", *words)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "x.md").exists()


def test_without_a_model_nothing_is_written(call, tmp_path: Path) -> None:
    assert call("A guide", "--words", "9", "-o", "x.md").code == 3
    assert not (tmp_path / "x.md").exists()


def test_a_failure_says_how_to_go_on(call, tmp_path: Path) -> None:
    done = call(
        "-m", "sim", "A guide, drop after 50 words twice", "--words", "200", "-o", "x.md", "--store", "sqlite:///s.db"
    )
    assert done.code == 4
    assert "x.md keeps what came. Go on: agentkit write --resume" in done.err
    assert "--store sqlite:///s.db" in done.err
    held = (tmp_path / "x.md").read_text(encoding="utf-8")
    assert 40 <= len(held.split()) <= 60
    assert call("-m", "sim", "--resume", "x.md", "--store", "sqlite:///s.db").code == 0
    assert (tmp_path / "x.md").read_text(encoding="utf-8").startswith(held)


def test_what_is_not_kept_cannot_be_resumed(call) -> None:
    done = call("-m", "sim", "A guide, fail with 400 every time", "--words", "200", "-o", "x.md", "--no-store")
    assert done.code == 1
    assert "--resume" not in done.err


def test_a_text_that_stays_short_is_code_4(call) -> None:
    done = call("-m", "sim", "say so. Then: a guide", "--words", "200", "-o", "x.md", "--no-outline")
    assert done.code == 0, "the number of words comes first in what is asked"
    done = call("-m", "sim", "A guide, count to 3", "--words", "200", "-o", "y.md")
    assert done.code == 4
    assert "not complete: the model came to" in done.err
    assert "Go on: agentkit write --resume" in done.err


def test_on_a_terminal_the_progress_is_one_line_and_ctrl_c_tells_how_to_go_on(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "agentkit", "-m", "sim", "--pace", "0.002", "write", "A guide", "--words", "5000"]
    words += ["-o", "guide.md", "--no-outline"]
    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    child = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=env)
    os.close(theirs)
    shown = read_until(ours, "words/s")
    child.send_signal(signal.SIGINT)
    shown += read_until(ours, "--resume")
    assert child.wait(30) == 130
    os.close(ours)
    assert "\r  chapter 1/3, 0 of 5,000 words" in shown
    assert shown.count("\n") <= 3, "the line is written anew in its place"
    assert "stopped; guide.md keeps what came. Go on: agentkit write --resume" in shown
    held = (tmp_path / "guide.md").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "agentkit", "-m", "sim", "write", "--resume", "guide.md"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    whole = (tmp_path / "guide.md").read_text(encoding="utf-8")
    assert whole.startswith(held)
    assert len(whole.split()) == 5000


class Watched(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_the_line_is_written_anew_where_the_terminal_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "stderr", shown := Watched())
    assert main(["write", "-m", "sim", "A guide", "--words", "100", "-o", "x.md"]) == 0
    assert ("\r  chapter 1/1, 0 of 100 words\x1b[K" in shown.getvalue()) == (term == "xterm")
    assert ("  chapter 1/1, 0 of 100 words\n" in shown.getvalue()) == (term == "dumb")


def test_an_interruption_is_code_130(call, tmp_path: Path) -> None:
    def press(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, press)
    signal.setitimer(signal.ITIMER_REAL, 2.0)
    try:
        done = call("-m", "sim", "A guide", "--words", "90000", "--pace", "0.002", "-o", "x.md", "--no-outline")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert done.code == 130
    assert "stopped; x.md keeps what came. Go on: agentkit write --resume" in done.err
    assert (tmp_path / "x.md").read_text(encoding="utf-8")


def read_until(terminal: int, wanted: str) -> str:
    shown, until = "", time.monotonic() + 40
    while wanted not in shown and time.monotonic() < until:
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65536).decode("utf-8", "replace")
    assert wanted in shown
    return shown

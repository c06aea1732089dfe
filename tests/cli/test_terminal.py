"""The chat as a person sees it, on a real pseudo-terminal."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]
PASTE = "\x1b[200~{}\x1b[201~"


def test_with_nothing_configured_the_simulator_answers_and_says_so(terminal: Open) -> None:
    screen = terminal()
    screen.expect("nothing configured")
    screen.expect("simulator: no AI behind this")
    screen.expect("sim> ")
    screen.line("say that it works")
    screen.expect("that it works\n")
    screen.expect("sim> ")
    screen.type("\x04")
    screen.expect("resume with: agentkit chat chat-")
    assert screen.end() == 0


def test_ctrl_c_keeps_the_partial_and_continue_finishes_it(terminal: Open, run: Open) -> None:
    whole = run("-m", "sim", "--no-store", "write 60 words").out
    screen = terminal("chat", "trip", "-m", "sim", "--pace", "0.03")
    screen.expect("sim> ")
    screen.line("write 60 words")
    first = " ".join(whole.split()[:12])
    screen.expect(first)
    screen.interrupt()
    screen.expect("reply stopped, ")
    kept = int(screen.expect(" words kept. /continue  /retry  /undo"))
    assert 12 <= kept < 60
    screen.expect("sim> ")
    screen.line("/continue")
    screen.expect(whole.split()[-1])
    screen.expect("sim> ")
    screen.line("/continue")
    screen.expect("the last reply is complete")
    screen.expect("sim> ")
    screen.type("\x04")
    screen.expect("resume with: agentkit chat trip -m sim")
    assert screen.end() == 0
    assert run("show", "trip").out == f"user: write 60 words\n\nassistant: {whole.strip()}\n\n"


def test_a_reopened_conversation_shows_where_it_stopped(terminal: Open, run: Open) -> None:
    screen = terminal("chat", "trip", "-m", "sim", "--pace", "0.03")
    screen.expect("sim> ")
    screen.line("write 60 words")
    screen.expect(". ")
    screen.interrupt()
    screen.expect("words kept")
    screen.interrupt_prompt()
    screen.interrupt_prompt()
    assert screen.end() == 130
    assert "(cut)" in run("ls").out
    again = terminal("chat", "trip", "-m", "sim")
    again.expect("trip: 2 messages; the last one ends:")
    again.expect("its last reply was interrupted. /continue finishes it")
    again.line("/continue")
    again.expect("sim> ")
    again.line("/quit")
    assert again.end() == 0
    assert "(cut)" not in run("ls").out


def test_retry_undo_and_unknown_commands(terminal: Open, run: Open) -> None:
    screen = terminal("chat", "trip", "-m", "sim")
    screen.expect("sim> ")
    screen.line("say kiwi")
    screen.expect("kiwi\nkiwi\n")
    screen.line("/retry")
    screen.expect("/retry\nkiwi\n")
    screen.line("/undoo")
    screen.expect("unknown command /undoo; did you mean /undo?")
    screen.line("/undo")
    screen.expect("taken back: say kiwi")
    screen.expect("sim> ")
    screen.type("\x04")
    assert screen.end() == 0
    assert run("show", "trip").out == ""


def test_a_paste_of_several_lines_is_one_message(terminal: Open, run: Open, home: Path) -> None:
    screen = terminal("chat", "trip", "-m", "sim")
    screen.expect("sim> ")
    screen.type(PASTE.format("say one\ntwo\nthree"))
    screen.expect("three")
    screen.line("")
    screen.expect("one\ntwo\nthree\n")
    screen.expect("sim> ")
    screen.line("/quit")
    assert screen.end() == 0
    assert run("ls").out.split("turn")[0].endswith("1 ")
    assert stat.S_IMODE((home / "history").stat().st_mode) == 0o600
    assert "say one" in (home / "history").read_text(encoding="utf-8")


def test_without_marks_lines_that_come_together_are_one_message(
    terminal: Open, run: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    screen = terminal("chat", "trip", "-m", "sim")
    screen.expect("sim> ")
    screen.type("say one\ntwo\nthree\n")
    screen.expect("one\ntwo\nthree\n")
    screen.expect("sim> ")
    screen.line("/quit")
    assert screen.end() == 0
    assert "1 turn " in run("ls").out


def test_ctrl_c_at_the_prompt_clears_the_line_and_twice_leaves(terminal: Open) -> None:
    screen = terminal("chat", "-m", "sim")
    screen.expect("sim> ")
    screen.type("say never sent")
    screen.interrupt_prompt(shown="never sent")
    screen.expect("sim> ")
    screen.line("say sent")
    screen.expect("sent\nsent\n")
    screen.interrupt_prompt()
    screen.interrupt_prompt()
    assert screen.end() == 130


def test_a_one_shot_question_that_is_interrupted(terminal: Open, run: Open) -> None:
    screen = terminal("-n", "trip", "-m", "sim", "--pace", "0.03", "write 60 words")
    screen.expect(". ")
    screen.interrupt()
    screen.expect("reply stopped, ")
    screen.expect("Finish it: agentkit resume trip -m sim")
    assert screen.end() == 130
    assert run("resume", "trip", "-m", "sim").out == run("-m", "sim", "--no-store", "write 60 words").out


def test_the_terminal_is_never_sent_control_characters(terminal: Open) -> None:
    screen = terminal("-m", "sim", "say \x1b]0;owned\x07 and \x9b31m")
    screen.expect("^[]0;owned^G and \\x9b31m")
    assert screen.end() == 0
    assert "\x07" not in screen.text


def test_the_simulator_answers_one_question_on_a_terminal_only_with_a_banner(terminal: Open) -> None:
    screen = terminal("say hello")
    screen.expect("simulator: no AI behind this")
    screen.expect("hello\n")
    assert screen.end() == 0

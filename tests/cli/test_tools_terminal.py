"""Tools on a real terminal: what is seen of them, and how the person there decides."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentkit import Conversation, ToolCallStarted, tool

Open = Callable[..., Any]

MAIL = '''
import os
import time
from agentkit import ToolContext, tool

def send_mail(to: str, subject: str = "none", body: str = "") -> str:
    """Send a mail."""
    with open("sent.txt", "a") as sent:
        sent.write(f"{to} {subject}\\n")
    return f"sent to {to}"

def steps(context: ToolContext) -> str:
    """Do it in steps."""
    for number in range(3):
        context.report(f"step {number + 1}")
        while not os.path.exists(f"go{number}"):
            time.sleep(0.01)
    return "\\x1b]0;owned\\x07 done"

def stuck() -> str:
    """Never ends."""
    while True:
        time.sleep(0.05)

def fail() -> str:
    raise ValueError("no wind")
'''
PROMPT = "send_mail? "


@pytest.fixture(autouse=True)
def mail(tmp_path: Path) -> Path:
    (tmp_path / "mail.py").write_text(MAIL, encoding="utf-8")
    return tmp_path


def sent(folder: Path) -> list[str]:
    file = folder / "sent.txt"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def chat(terminal: Open, *tools: str, name: str = "post", more: tuple[str, ...] = ()) -> Any:
    """A chat at its first prompt."""
    words = [word for each in tools or ("send_mail",) for word in ("--tool", f"mail.py:{each}")]
    screen = terminal("chat", name, "-m", "sim", "--pace", "0", *words, *more)
    screen.expect("which of them ask first")
    screen.expect("sim> ")
    return screen


def call(**arguments: Any) -> str:
    return f"call send_mail with {json.dumps(arguments, ensure_ascii=False)}"


def test_yes_runs_it_and_the_model_goes_on(terminal: Open, mail: Path) -> None:
    screen = chat(terminal)
    screen.line(call(to="ada", subject="noon"))
    screen.expect("send_mail asks to be run\n")
    screen.expect('    to: "ada"\n    subject: "noon"\n')
    screen.expect("y: run it")
    screen.expect(PROMPT)
    assert sent(mail) == []
    screen.line("")
    screen.expect("y, n, e, a or v, and Enter; Ctrl-C leaves it undecided")
    screen.line("yes please")
    screen.expect("y, n, e, a or v")
    screen.expect(PROMPT)
    screen.line("y")
    screen.expect('  send_mail(to="ada", subject="noon")')
    screen.expect("send_mail: sent to ada (")
    screen.expect("Done: send_mail answered: sent to ada")
    screen.expect("sim> ")
    assert sent(mail) == ["ada noon"]
    screen.line("/pending")
    screen.expect("nothing waits for a decision")
    screen.type("\x04")
    screen.expect("resume with: agentkit chat post -m sim --tool mail.py:send_mail")
    assert screen.end() == 0


def test_no_with_a_reason_is_told_to_the_model(terminal: Open, mail: Path, home: Path) -> None:
    screen = chat(terminal)
    screen.line(call(to="ada"))
    screen.expect(PROMPT)
    screen.line("n she is at sea")
    screen.expect("send_mail: not run, as you said")
    screen.expect("They say: she is at sea")
    screen.expect("sim> ")
    screen.line("/quit")
    assert screen.end() == 0
    assert sent(mail) == []
    history = (home / "history").read_text(encoding="utf-8")
    assert "at sea" not in history, "answers are no messages"
    assert "call send_mail" in history


def test_always_is_for_one_tool_and_one_session(terminal: Open, mail: Path) -> None:
    screen = chat(terminal, "send_mail", "fail")
    screen.line("call send_mail twice and call fail")
    screen.expect(PROMPT)
    screen.line("a")
    screen.expect("fail? ")
    screen.line("y")
    screen.expect("fail failed: ValueError: no wind (")
    screen.expect("sim> ")
    assert len(sent(mail)) == 2
    screen.line("/tools")
    screen.expect("send_mail  runs, as you said")
    screen.expect("fail       asks first")
    screen.line("call send_mail")
    screen.expect("send_mail: sent to")
    screen.expect("sim> ")
    assert len(sent(mail)) == 3
    screen.line("/quit")
    assert screen.end() == 0
    again = chat(terminal, name="other")
    again.line("call send_mail")
    again.expect(PROMPT)


def test_arguments_are_edited_here_until_they_fit(terminal: Open, mail: Path) -> None:
    screen = chat(terminal)
    screen.line(call(to="ada", subject="noon"))
    screen.expect(PROMPT)
    screen.line("e")
    screen.expect('arguments: {"to": "ada", "subject": "noon"}')
    screen.line(" nonsense")
    screen.expect("this is no JSON")
    screen.expect('{"to": "ada", "subject": "noon"} nonsense')
    for typed, said in (
        ("[1]", "the arguments are an object"),
        ('{"to": 5}', "$.to: expected a text, not 5"),
        ('{"to": "eve", "more": 1}', "$.more: there is nothing of this name"),
    ):
        screen.type("\x15")
        screen.line(typed)
        screen.expect(said)
        screen.expect("arguments: ")
    screen.type("\x15")
    screen.line("")
    screen.expect("nothing is changed")
    screen.expect(PROMPT)
    screen.line("e")
    screen.expect("arguments: ")
    screen.type("\x15")
    screen.line('{"to": "eve"}')
    screen.expect('send_mail asks to be run, with the arguments that you gave\n    to: "eve"\n')
    screen.expect(PROMPT)
    assert sent(mail) == []
    screen.line("y")
    screen.expect('send_mail(to="eve")')
    screen.expect("send_mail: sent to eve (")
    screen.expect("sim> ")
    assert sent(mail) == ["eve none"]


def test_arguments_are_edited_in_the_editor_of_the_user(
    terminal: Open, mail: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = mail / "edit.py"
    script.write_text(
        "import pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1]); text = file.read_text(encoding='utf-8')\n"
        "file.write_text(text[:-2] if 'eve' not in text and 'broken' not in text and text.count('}') and "
        "not pathlib.Path('once').exists() else '{\"to\": \"eve\"}')\n"
        "pathlib.Path('once').touch()\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("EDITOR", f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}")
    screen = chat(terminal)
    screen.line(call(to="ada"))
    screen.expect(PROMPT)
    screen.line("e")
    screen.expect("this is no JSON")
    screen.expect("edit again? Enter, or n: ")
    screen.line("")
    screen.expect('to: "eve"')
    screen.expect(PROMPT)
    screen.line("y")
    screen.expect("sim> ")
    assert sent(mail) == ["eve none"]


def test_long_arguments_are_shortened_and_shown_when_asked_for(terminal: Open) -> None:
    screen = chat(terminal)
    screen.line(call(to="ada", body="\n".join(f"line {number}" for number in range(30))))
    shown = screen.expect("v shows them)")
    assert "| line 9\n" in shown
    assert "line 20" not in shown.partition("asks to be run")[2]
    screen.expect("v: view all of them")
    screen.expect(PROMPT)
    screen.line("v")
    assert "| line 20\n" in screen.expect("| line 29\n")
    screen.expect(PROMPT)


def test_what_cannot_be_seen_is_spelled_out_before_it_is_approved(terminal: Open) -> None:
    screen = chat(terminal)
    arguments = {"to": "a\u202eda", "subject": "\x1b[2Jx\x9b", "body": "one\n\x1b[2Jtwo"}
    screen.line(f"call send_mail with {json.dumps(arguments)}")
    screen.expect("asks to be run\n")
    screen.expect('to: "a\\u202eda"')
    screen.expect('subject: "\\u001b[2Jx\\u009b"')
    screen.expect("| \\x1b[2Jtwo")
    screen.expect(PROMPT)
    assert "\u202e" not in screen.text


def test_ctrl_c_leaves_it_undecided_and_the_next_chat_asks(terminal: Open, mail: Path) -> None:
    screen = chat(terminal)
    screen.line(call(to="ada"))
    screen.interrupt_prompt(PROMPT)
    screen.expect('send_mail(to="ada") waits for a decision')
    screen.expect("/pending asks again; another message passes it over")
    screen.expect("sim> ")
    screen.line("/continue")
    screen.expect(PROMPT)
    screen.type("\x04")
    screen.expect("/pending asks again")
    screen.expect("sim> ")
    screen.type("\x04")
    screen.expect("resume with")
    assert screen.end() == 0
    again = terminal("chat", "post", "-m", "sim", "--tool", "mail.py:send_mail")
    again.expect('calls send_mail(to="ada")')
    again.expect("send_mail asks to be run")
    again.expect(PROMPT)
    again.line("y")
    again.expect("Done: send_mail answered: sent to ada")
    again.expect("sim> ")
    assert sent(mail) == ["ada none"]


def test_another_message_passes_it_over(terminal: Open, mail: Path) -> None:
    screen = chat(terminal)
    screen.line(call(to="ada"))
    screen.interrupt_prompt(PROMPT)
    screen.expect("sim> ")
    screen.line("say onwards")
    screen.expect("onwards\nonwards\n")
    screen.expect("sim> ")
    screen.line("/pending")
    screen.expect("nothing waits")
    assert sent(mail) == []


def test_a_question_asked_once_is_decided_here(terminal: Open, mail: Path) -> None:
    screen = terminal("-m", "sim", "-n", "post", "--tool", "mail.py:send_mail", call(to="ada"))
    screen.expect(PROMPT)
    screen.line("y")
    screen.expect("Done: send_mail answered: sent to ada")
    assert screen.end() == 0
    assert sent(mail) == ["ada none"]
    left = terminal("-m", "sim", "-n", "post", "--tool", "mail.py:send_mail", call(to="eve"))
    left.interrupt_prompt(PROMPT)
    left.expect("Decide: agentkit chat post -m sim --tool mail.py:send_mail")
    assert left.end() == 5
    later = terminal("-m", "sim", "-n", "post", "--tool", "mail.py:send_mail", "say after that")
    later.expect(PROMPT)
    later.line("n")
    later.expect("refused this call")
    later.expect("after that")
    assert later.end() == 0
    assert sent(mail) == ["ada none"]


def test_what_was_typed_before_the_question_is_no_answer(terminal: Open, mail: Path) -> None:
    screen = terminal(
        "-m",
        "sim",
        "-n",
        "post",
        "--pace",
        "0.02",
        "--tool",
        "mail.py:send_mail",
        f"think 40 words and {call(to='ada')}",
    )
    screen.expect("thinking")
    screen.type("y\ry\r")
    screen.expect(PROMPT)
    screen.line("n")
    screen.expect("refused this call")
    assert screen.end() == 0
    assert sent(mail) == []


def test_progress_is_on_the_line_of_the_call(terminal: Open, mail: Path) -> None:
    screen = chat(terminal, "steps", more=("--approve", "auto"))
    screen.line("call steps")
    screen.expect("  steps()")
    for number in range(3):
        assert "\n" not in screen.expect(f"  steps(): step {number + 1}")
        (mail / f"go{number}").touch()
    screen.expect("\n  steps: ^[]0;owned^G done (")
    screen.expect("sim> ")
    assert "\x07" not in screen.text


def test_ctrl_c_stops_a_turn_whose_tool_does_not_end(terminal: Open) -> None:
    screen = chat(terminal, "stuck", more=("--approve", "auto"))
    screen.line("call stuck")
    screen.expect("  stuck()")
    screen.interrupt()
    screen.expect("reply stopped")
    screen.expect("sim> ")
    screen.line("/continue")
    screen.expect("it is not known whether it ran")
    screen.expect("stuck? ")
    screen.line("n enough")
    screen.expect("They say: enough")
    screen.expect("sim> ")
    screen.line("/quit")
    assert screen.end() == 0


def test_a_call_that_may_have_run_says_so_in_another_process(terminal: Open, mail: Path, home: Path) -> None:
    """The turn was cut off while the tool ran."""
    over = threading.Event()

    @tool(approve="auto")
    def send_mail(to: str) -> bool:
        return over.wait(30)

    with Conversation("sim", tools=[send_mail], store="sqlite", name="post") as earlier:
        with earlier.stream(call(to="ada")) as turn:
            for event in turn:
                if isinstance(event, ToolCallStarted):
                    turn.stop()
        over.set()
    screen = terminal("chat", "post", "-m", "sim", "--tool", "mail.py:send_mail", "--approve", "auto")
    screen.expect("its last reply was interrupted. /continue finishes it")
    screen.expect("sim> ")
    screen.line("/continue")
    screen.expect("send_mail asks to be run: it is not known whether it ran")
    screen.expect(PROMPT)
    screen.line("y")
    screen.expect("sent to ada")
    screen.expect("sim> ")
    assert sent(mail) == ["ada none"]

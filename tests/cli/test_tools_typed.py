"""Deciding about calls, as if at a terminal: the same as on a real one, but in this process."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pretended import Shown, Typed

from agentkit import ToolCall, ToolCallFinished, ToolCallStarted, ToolProgress, ToolResult, toolbox
from agentkit.cli import _keyboard, main
from agentkit.cli._activity import Activity
from agentkit.cli._safe import in_full, in_short, pieces, wrapped
from agentkit.cli._screen import Screen
from agentkit.messages import Media, Message, Text

Run = Callable[..., Any]
ASK = ["-m", "sim", "--no-store", "--pace", "0", "--tool", "mail.py:send_mail"]
CHAT = ["chat", "post", "-m", "sim", "--pace", "0", "--tool", "mail.py:send_mail"]
MAIL = '''
def send_mail(to: str, body: str = "") -> str:
    """Send a mail."""
    return f"sent to {to}"
'''


@pytest.fixture(autouse=True)
def mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mail.py").write_text(MAIL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    return tmp_path


def call(**arguments: Any) -> str:
    return f"call send_mail with {json.dumps(arguments)}"


def test_yes_no_always_and_what_is_none_of_these(typed: Run) -> None:
    done = typed([*ASK, call(to="ada")], "what", "y")
    assert done.code == 0
    assert "y, n, e, a or v, and Enter" in done.err
    assert "send_mail: sent to ada (" in done.err
    assert "They say: too late" in typed([*ASK, call(to="ada")], "no too late").out
    always = typed([*ASK, f"{call(to='ada')} and {call(to='eve')}"], "always")
    assert always.err.count("asks to be run") == 1
    assert always.out.count("sent to") == 2


def test_edited_in_a_line(typed: Run) -> None:
    done = typed([*ASK, call(to="ada")], "e", "{", '{"to": 5}', "7", "", "e", '{"to": "eve"}', "y")
    assert "this is no JSON: " in done.err
    assert "$.to: expected a text, not 5" in done.err
    assert "the arguments are an object" in done.err
    assert "nothing is changed" in done.err
    assert 'asks to be run, with the arguments that you gave\n    to: "eve"' in done.err
    assert '  send_mail(to="eve")\n' in done.err.replace("\x1b[?7h", "").replace("\x1b[?7l", "")
    assert "send_mail: sent to eve (" in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="the editor is a script of the shell")
def test_edited_in_an_editor(typed: Run, mail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = mail / "editor"
    editor.write_text(
        '#!/bin/sh\nif [ -e once ]; then echo \'{"to": "eve"}\' > $1; else echo { > $1; touch once; fi\n',
        encoding="utf-8",
    )
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    assert "sent to eve" in typed([*ASK, call(to="ada")], "edit", "", "y").out
    (mail / "once").unlink()
    assert "sent to ada" in typed([*ASK, call(to="ada")], "edit", "n", "y").out
    monkeypatch.setenv("VISUAL", "false")
    done = typed([*ASK, call(to="ada")], "e", "y")
    assert "the editor 'false' cannot be used" in done.err
    assert "sent to ada" in done.out


def test_what_is_long_is_viewed(typed: Run) -> None:
    done = typed([*ASK, call(to="ada", body="\n".join(map(str, range(30))))], "v", "n")
    first, shortened, second = done.err.partition(" characters in all; v shows them)")
    assert shortened
    assert "| 29" not in first
    assert "    | 29\n" in second
    nothing = typed([*ASK, "call send_mail with {}"], "n")
    assert "These arguments do not fit" in nothing.out


def test_undecided_and_decided_later(typed: Run, call: Run) -> None:
    words = ["-m", "sim", "-n", "post", "--pace", "0", "--tool", "mail.py:send_mail"]
    left = typed([*words, 'call send_mail with {"to": "ada"}'], KeyboardInterrupt())
    assert left.code == 5
    assert "Decide: agentkit chat post -m sim --tool mail.py:send_mail" in left.err
    again = typed([*words, "say after"])
    assert again.code == 5
    chat = typed(
        CHAT, KeyboardInterrupt(), "/pending", KeyboardInterrupt(), "/continue", "y", "/pending", "/tools", "/quit"
    )
    assert chat.code == 0
    assert chat.err.count("/pending asks again; another message passes it over") == 2
    assert 'calls send_mail(to="ada")' in chat.err
    assert "nothing waits for a decision" in chat.err
    assert "sent to ada" in chat.out
    left = typed([*words, 'call send_mail with {"to": "eve"}'], KeyboardInterrupt())
    both = typed([*words, "say after"], "y")
    assert both.out == "send_mail? Done: send_mail answered: sent to eve\nafter\n"
    left = typed([*words, 'call send_mail with {"to": "eve"}'], KeyboardInterrupt())
    resumed = typed(["resume", *words[:2], *words[4:], "post"], "n")
    assert resumed.code == 0
    assert "refused" in resumed.out


def test_where_the_tool_is_not_there(typed: Run, call: Run) -> None:
    call("-m", "sim", "-n", "post", "--tool", "mail.py:send_mail", 'call send_mail with {"to": "ada"}')
    done = typed(["chat", "post", "-m", "sim", "--pace", "0"], "e", '{"any": 1}', "y", "/quit")
    assert "it is not among the tools here, so it cannot run: --tool names it" in done.err
    assert "'send_mail' is approved and not among the tools" in done.err


def test_questions_go_to_standard_error_where_replies_go_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), Shown()
    monkeypatch.setattr(sys, "stdin", Typed("y"))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert main([*ASK, call(to="ada")]) == 0
    assert out.getvalue() == "Done: send_mail answered: sent to ada\n"
    assert "send_mail? " in err.getvalue()


def test_other_commands_of_the_chat(typed: Run) -> None:
    done = typed([*CHAT, "--tool", "calculator"], "/tools", "/system Be brief.", "/fork aside", "/tools", "/quit")
    assert "tools: calculate, send_mail. /tools says which of them ask first" in done.err
    assert done.out.count("asks first  Send a mail.") == 2


class Line(Shown):
    """A screen on which lines can be written anew."""


def activity(monkeypatch: pytest.MonkeyPatch, *events: Any, term: str = "xterm") -> str:
    err = Line()
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", Line())
    monkeypatch.setattr(sys, "stderr", err)
    shown = Activity(Screen(), {})
    for event in events:
        shown.show(event)
    shown.rest()
    return err.getvalue().replace("\x1b[?7l", "").replace("\x1b[?7h", "").replace("\r\x1b[K", "<")


def test_lines_of_calls_that_run_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ToolCall("1", "a", {"x": 1}), ToolCall("2", "b", {"y": "z" * 100})
    events = (
        ToolCallStarted(first),
        ToolProgress(first, "half"),
        ToolCallStarted(second),
        ToolProgress(first, "most"),
        ToolProgress(second, "some"),
        ToolCallFinished(first, ToolResult("1", "done")),
        ToolCallFinished(second, ToolResult("2", "not", is_error=True)),
    )
    shown = activity(monkeypatch, *events)
    lines = shown.replace("0.0 s", "T").splitlines()
    assert lines[0] == "  a(x=1)<  a(x=1): half"
    assert lines[1].startswith('  b(y="zzz')
    assert len(lines[1]) < 80
    assert lines[2:] == ["  a(x=1): most", "  b: some", "  a: done (T)", "  b failed: not (T)"]
    plain = activity(monkeypatch, *events, term="dumb").splitlines()
    assert plain[0] == "  a(x=1)"
    assert plain[1] == "  a(x=1): half"
    assert plain[3] == "  b: some"


def test_values_are_shown_so_that_nothing_hides() -> None:
    assert in_short("f", {"a\nb": "x\u202ey\x1b\t", "n": None}) == 'f(a\\nb="x\\u202ey\\u001b\\t", n=null)'
    lines = list(in_full({"deep": {"list": [1, 2], "text": "x" * 60}, "flat": [1], "text": "a\tb\n\x07"}, 40))
    assert lines[0] == "deep: {"
    assert all(len(line) <= 40 for line in lines)
    assert "flat: [1]" in lines
    assert lines[-3:] == ["text:", "| a   b", "| \\x07"]
    assert list(in_full({}, 40)) == []
    assert list(wrapped("海海海", 4)) == ["海海", "海"]
    assert list(wrapped("one two  three", 8, more="  ")) == ["one two", "  three"]
    assert list(wrapped("", 8)) == [""]
    assert list(wrapped("aaaa    ", 4)) == ["aaaa"]


def test_what_a_message_holds() -> None:
    parts = (
        Text("so"),
        ToolCall("1", "f", {"a": 1}),
        ToolResult("1", "no", is_error=True),
        Media("image/png", data=b"x"),
    )
    assert list(pieces(Message("assistant", parts))) == ["so", "calls f(a=1)", "failed: no", "[1 other part]"]


def test_where_there_is_no_line_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    editor = _keyboard.Editor(None, ())
    monkeypatch.setitem(sys.modules, "readline", None)
    monkeypatch.setitem(sys.modules, "termios", None)
    monkeypatch.setattr(sys, "stdin", Typed("y"))
    monkeypatch.setattr(sys, "stdout", Shown())
    _keyboard.forget_typed()
    assert editor.ask("? ") == "y"


def test_the_toolbox_loads_what_is_asked_for() -> None:
    assert dir(toolbox) == sorted(toolbox.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Hammer'"):
        _ = toolbox.Hammer  # type: ignore[attr-defined]

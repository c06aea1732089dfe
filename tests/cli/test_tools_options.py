"""What `--tool` and `--approve` name, what scripts see of tools, and what is stored."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
Run = Callable[..., Any]

MAIL = '''
from agentkit import ToolContext, tool

SENT = []

def send_mail(to: str, subject: str = "none") -> str:
    """Send a mail."""
    return f"sent to {to}"

@tool(approve="auto")
def count(upto: int, context: ToolContext) -> str:
    """Count."""
    for number in range(upto):
        context.report(f"at {number + 1}")
    return "counted"

@tool(approve="ask")
def launch(what: str) -> str:
    """Launch a ship."""
    return what

@tool(approve=lambda call: "auto" if call.arguments["to"] == "ada" else "deny")
def invite(to: str) -> str:
    return to

async def later(word: str) -> str:
    """Say it later."""
    return word

def dirty() -> str:
    return "a\\x1b[31mb\\rc\\nd"

def fail(why: str) -> str:
    raise ValueError(why)

class Box:
    def tools(self):
        return [send_mail]

box = Box()
several = [count, fail]
number = 5

class Point:
    x: int
'''


@pytest.fixture(autouse=True)
def mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of tools in the folder that the command is run in."""
    file = tmp_path / "mail.py"
    file.write_text(MAIL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return file


def ask(call: Run, prompt: str, *words: str) -> Any:
    return call("-m", "sim", "--no-store", *words, prompt)


def test_what_comes_along_runs_and_is_told_of(call: Run, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "june.txt").write_text("warm", encoding="utf-8")
    done = ask(call, 'call calculate with {"expression": "2 + 3 * 4"}', "--tool", "calculator")
    assert (done.code, done.out) == (0, "Done: calculate answered: 14\n")
    lines = done.err.splitlines()
    assert lines[0] == '  calculate(expression="2 + 3 * 4")'
    assert lines[1].startswith("  calculate: 14 (")
    assert ask(call, "call current_time", "--tool", "clock").code == 0
    read = ask(call, 'call read_file with {"path": "june.txt"}', "--tool", "files=notes")
    assert read.out == "Done: read_file answered: warm\n"
    web = ask(call, 'call fetch_page with {"url": "http://other.test/"}', "--tool", "web=one.test, *.two.test")
    assert "the host 'other.test' is not allowed; allowed are one.test, *.two.test" in web.out
    assert "  fetch_page failed: InvalidInput: the host" in web.err


def test_own_tools_wait_and_nothing_is_approved_by_itself(call: Run) -> None:
    for words in (("--tool", "mail.py:send_mail"), ("--tool", "mail:send_mail"), ("--tool", "mail.py:box")):
        done = call("-m", "sim", "-n", "post", *words, 'call send_mail with {"to": "ada"}')
        assert (done.code, done.out) == (5, "")
        assert '  send_mail(to="ada") waits for a decision\n' in done.err
        assert f"  Decide: agentkit chat post -m sim --tool {words[1]}\n" in done.err
    unstored = ask(call, "call send_mail", "--tool", "mail.py:send_mail")
    assert unstored.code == 5
    assert "Nobody can be asked here, and nothing is stored: --approve auto runs" in unstored.err


def test_what_waits_is_in_the_lists_and_is_not_passed_over_by_a_script(call: Run) -> None:
    call("-m", "sim", "-n", "post", "--tool", "mail.py:send_mail", 'call send_mail with {"to": "ada"}')
    assert "(waits)" in call("ls").out
    assert [fact["waiting"] for fact in json.loads(call("ls", "--json").out)] == [True]
    shown = call("show", "post")
    assert 'assistant: calls send_mail(to="ada")' in shown.out
    assert "Decide: agentkit chat post with the same --tool as before" in shown.err
    assert json.loads(call("show", "post", "--json").out)
    for again in (
        call("-m", "sim", "-n", "post", "hello"),
        call("resume", "post", "-m", "sim"),
        call("chat", "post", "-m", "sim", given="hello\nhello\n"),
        call("chat", "post", "-m", "sim", given="/pending\n"),
        call("chat", "post", "-m", "sim", given="/continue\n"),
    ):
        assert again.code == 5
        assert 'send_mail(to="ada") waits for a decision' in again.err
        assert again.out == ""
    assert "nothing was sent: decide first" in call("chat", "post", "-m", "sim", given="hello\n").err
    assert call("chat", "post", "-m", "sim", given="/undo\nsay aboard\n").out == "aboard\n"
    assert "nothing waits for a decision" in call("chat", "post", "-m", "sim", given="/pending\n").err


def test_who_is_asked(call: Run) -> None:
    mail = ("--tool", "mail.py:send_mail")
    assert ask(call, "call send_mail", *mail, "--approve", "auto").code == 0
    denied = ask(call, "call send_mail", *mail, "--approve", "deny")
    assert "This tool may not be used here, so it was not run." in denied.out
    assert ask(call, "call calculate", "--tool", "calculator", "--approve", "ask").code == 5
    assert ask(call, "call launch", "--tool", "mail.py:launch", "--approve", "auto").code == 5
    assert ask(call, "call count", "--tool", "mail.py:count", "--approve", "deny").code == 0
    assert ask(call, 'call invite with {"to": "ada"}', "--tool", "mail.py:invite").out.endswith("answered: ada\n")
    assert "may not be used" in ask(call, 'call invite with {"to": "eve"}', "--tool", "mail.py:invite").out


def test_tools_that_are_listed_fail_and_wait_for_nothing(call: Run) -> None:
    done = ask(call, 'call count with {"upto": 3} and call fail with {"why": "tired"}', "--tool", "mail.py:several")
    assert done.code == 5
    done = ask(
        call, 'call count with {"upto": 3} and call fail with {"why": "tired"}',
        "--tool", "mail.py:several", "--approve", "auto",
    )  # fmt: skip
    assert done.code == 0
    assert "  count(upto=3): at 1\n" in done.err
    assert done.err.count("): at") == 1, "progress is told once in a while where lines stay"
    assert "  fail failed: ValueError: tired (" in done.err
    later = ask(call, 'call later with {"word": "aye"}', "--tool", "mail.py:later", "--approve", "auto")
    assert later.out == "Done: later answered: aye\n"


def test_texts_before_and_after_tools_are_on_lines_of_their_own(call: Run) -> None:
    assert ask(call, "think 3 words and call calculate", "--tool", "calculator").out.count("\n") == 1


def test_results_move_no_cursor(call: Run) -> None:
    done = ask(call, "call dirty", "--tool", "mail.py:dirty", "--approve", "auto")
    assert "  dirty: a^[[31mb^Mc d (" in done.err
    assert "\x1b" not in done.err


def test_quiet_says_nothing_of_tools_but_what_waits(call: Run) -> None:
    assert ask(call, "call calculate", "--tool", "calculator", "-q").err == ""
    assert "waits for a decision" in ask(call, "call send_mail", "--tool", "mail.py:send_mail", "-q").err


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        ("clok", "did you mean clock?"),
        ("hammer", "it is one of calculator, clock, files=DIR, web=HOST[,HOST], mcp=COMMAND"),
        ("files", "it is written files=DIR"),
        ("files=", "it is written files=DIR"),
        ("web=", "it is written web=HOST[,HOST]"),
        ("web=http://x/", "allow names hosts"),
        ("calculator=3", "it is written calculator"),
        ("files=/nowhere", "there is no folder '/nowhere'"),
        ("none.py:f", "there is no such file as 'none.py'"),
        ("mail.py:", "it is one of"),
        ("mail.py:nothing", "there is no 'nothing' in mail.py"),
        ("mail.py:number", "a tool is made of a function or a class"),
        ("mail.py:Point", "Point cannot be described to a model"),
        ("no.such.module:f", "no.such.module cannot be imported: ModuleNotFoundError"),
        ("broken.py:f", "broken.py cannot be imported: ZeroDivisionError: division by zero"),
        ("leaves.py:f", "leaves.py cannot be imported: SystemExit: 3"),
    ],
)
def test_tools_that_cannot_be_had(call: Run, tmp_path: Path, tool: str, message: str) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    done = ask(call, "hello", "--tool", tool)
    assert done.code == 2
    assert done.err.startswith(f"agentkit: --tool {tool}: ")
    assert message in done.err
    assert "Traceback" not in done.err
    if tool == "broken.py:f":
        assert "ZeroDivisionError" in ask(call, "hello", "-v", "--tool", tool).err.partition("Traceback")[2]


def test_two_of_one_name(call: Run) -> None:
    done = ask(call, "hello", "--tool", "mail.py:send_mail", "--tool", "mail.py:box")
    assert done.code == 2
    assert "two tools have the name 'send_mail'" in done.err


def test_a_file_is_run_once_and_a_module_of_python_is_never_hidden(call: Run, mail: Path) -> None:
    (mail.parent / "json.py").write_text("raise RuntimeError\n", encoding="utf-8")
    (mail.parent / "beside.py").write_text("WORD = 'aye'\n", encoding="utf-8")
    (mail.parent / "uses.py").write_text(
        "import beside, json\n"
        "print('run')\n"
        "def one() -> str:\n    return json.dumps(beside.WORD)\n"
        "def two() -> str:\n    return 'two'\n",
        encoding="utf-8",
    )
    done = ask(call, "call one", "--tool", "uses.py:one", "--tool", "uses.py:two", "--approve", "auto")
    assert done.out == 'run\nDone: one answered: "aye"\n'


def test_the_tools_of_a_server(call: Run) -> None:
    server = ROOT / "tests" / "toolbox" / "small_server.py"
    done = ask(call, "/tools", "--tool", f"mcp={sys.executable} {server}")
    assert done.code == 0
    listed = call("chat", "-m", "sim", "--no-store", "--tool", f"mcp={sys.executable} {server}", given="/tools\n")
    assert "asks first" in listed.out
    nowhere = ask(call, "hello", "--tool", "mcp=http://127.0.0.1:9/mcp")
    assert nowhere.code == 1
    assert "the MCP server" in nowhere.err


def test_the_list_of_tools(call: Run) -> None:
    words = ("--tool", "calculator", "--tool", "mail.py:send_mail", "--tool", "mail.py:invite", "--approve", "deny")
    listed = call("chat", "-m", "sim", "--no-store", *words, given="/tools\n")
    assert [line.split()[:3] for line in listed.out.splitlines()] == [
        ["calculate", "is", "refused"],
        ["send_mail", "is", "refused"],
        ["invite", "decides", "by"],
    ]
    none = call("chat", "-m", "sim", "--no-store", given="/tools\n")
    assert "there are no tools here" in none.err


def test_a_limit_of_rounds_is_said_as_it_is(call: Run) -> None:
    done = ask(call, 'call calculate with {"expression": "1"} every time', "--tool", "calculator")
    assert done.code == 4
    assert "stopped before it runs more tools: max_rounds=50 rounds of tools were made." in done.err


def test_tools_are_in_the_account_of_a_request(call: Run) -> None:
    call("-m", "sim", "-n", "trip", "say hello")
    without = call("why", "trip", "-m", "sim").out
    assert call("why", "trip", "-m", "sim", "--tool", "calculator").out != without

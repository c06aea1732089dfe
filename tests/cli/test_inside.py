"""The command in this process: what is said in each case, with standard streams that pretend."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pretended import Shown

from agentkit import NotConfigured, Outcome, Reply, assistant, user
from agentkit.cli import _keyboard, ask, demo, main, sim
from agentkit.cli._errors import explain
from agentkit.cli._play import Played, Unshown, _ending, _show, code_of
from agentkit.cli._screen import Screen, last_line, one_line, visible
from agentkit.cli._settings import Choice
from agentkit.cli._shelf import open_shelf
from agentkit.errors import AuthError, ConnectError, ContextOverflow, RateLimited, StoreError, Unsupported
from agentkit.events import Notice
from agentkit.store import TurnStarted
from agentkit.usage import FinishReason, Usage

Run = Callable[..., Any]
OPENAI = Choice(names=["openai/x"], model="openai/x", origin="-m")


# One shot


def test_ask_and_continue(call: Run) -> None:
    assert call("-m", "sim", "say", "one", "two").out == "one two\n"
    assert call("-m", "sim", "-c", "say three").out == "three\n"
    assert call("show").out.count("user:") == 2
    assert call("resume", "-m", "sim").out == "three\n"


def test_options_reach_the_model(call: Run) -> None:
    asked = ("-s", "Be brief.", "--max-tokens", "4", "--continuations", "0", "-n", "trip", "write 20 words")
    done = call("-m", "sim", *asked)
    assert done.code == 4
    assert len(done.out.split()) == 4
    assert call("show", "trip").out.startswith("system: Be brief.\n\nuser: write 20 words")
    assert call("resume", "-m", "sim", "--max-tokens", "90").code == 0


def test_no_store_keeps_nothing(call: Run, home: Path) -> None:
    done = call("-m", "sim", "--no-store", "--continuations", "0", "write 20 words, stop at 3 tokens")
    assert done.err == "  reply cut after 3 words: the backend's limit of tokens.\n"
    assert not home.exists()
    assert call("ls", "--no-store").out == ""


def test_a_store_of_ones_own(call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = f"sqlite:///{tmp_path / 'own.db'}"
    done = call("-m", "sim", "--store", spec, "--continuations", "0", "write 20 words, stop at 3 tokens")
    assert done.err.rstrip().endswith(f"-m sim --store {spec}")
    assert call("ls").out == ""
    monkeypatch.setenv("AGENTKIT_STORE", spec)
    assert "write 20 words" in call("ls").out
    assert call("ls", "--store", "what").code == 2


def test_verbose_says_which_model_and_what_it_cost(call: Run) -> None:
    done = call("-v", "-m", "sim", "say hi")
    assert "sim (-m), conversation say-hi-" in done.err
    assert "tokens in, " in done.err
    assert "Traceback" in call("-v", "-m", "sim", "fail with 400").err
    assert "Traceback" in call("-v", "-m", "nope/x", "hi").err


def test_quiet_still_tells_what_is_cut(call: Run) -> None:
    done = call("-q", "-m", "sim", "--continuations", "1", "write 20 words, stop at 3 tokens, fail with 429")
    assert done.err.startswith("  reply cut after 6 words: ")
    assert len(done.err.splitlines()) == 1
    loud = call("-m", "sim", "write 20 words, fail with 429")
    assert "trying again in" in loud.err


def test_the_limit_can_be_used_up_by_thinking(call: Run) -> None:
    done = call("-m", "sim", "think 50 words, stop at 5 tokens, say hi")
    assert done.code == 4
    assert "it thought up to the limit and came to no answer. A larger --max-tokens" in done.err
    assert done.err.splitlines()[:-1] == ["  ... continuing 1/8, again, 5 tokens"]
    alone = call("-m", "sim", "--continuations", "0", "think 50 words, stop at 5 tokens, say hi")
    assert alone.code == 4
    assert "used up before the first word: raise --max-tokens" in alone.err


def test_the_model_of_the_settings(call: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    (home / "config.toml").write_text('model = "sim"\n', encoding="utf-8")
    assert call("say hi").out == "hi\n"
    monkeypatch.setenv("AGENTKIT_MODEL", "openai/x")
    assert call("--base-url", "nonsense", "hi").code == 2
    monkeypatch.setenv("AGENTKIT_MODEL", "sim")
    assert "AGENTKIT_MODEL" in call("-v", "hi").err
    assert call("--base-url", "http://127.0.0.1:9", "hi").code == 2


def test_a_command_is_found_behind_options(call: Run) -> None:
    assert call("-m", "sim", "chat", given="say hi\n").out == "hi\n"
    assert call("-m", "sim", "--", "ls").out != ""
    assert call("-V").out == call("--version").out == call("-q", "--version").out


def test_piped_input_has_a_bound(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "MOST_INPUT", 5)
    assert call("-m", "sim", given="say hello").code == 2


@pytest.mark.parametrize("stream", [None, "closed", "no descriptor"])
def test_there_may_be_no_standard_input(stream: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if stream is None:
        monkeypatch.setattr(sys, "stdin", None)
    elif stream == "closed":
        gone = io.StringIO()
        gone.close()
        monkeypatch.setattr(sys, "stdin", gone)
    else:
        read, write = os.pipe()
        os.close(write)
        pipe = os.fdopen(read, encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", pipe)
        assert ask.piped_input() == ""
        gone = io.StringIO()
        monkeypatch.setattr(gone, "fileno", lambda: 9999, raising=False)
        monkeypatch.setattr(sys, "stdin", gone)
        pipe.close()
    assert ask.piped_input() == ""


def test_a_closed_pipe(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Screen, text: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Screen, "reply", broken)
    done = call("-m", "sim", "-n", "trip", "write 5 words")
    assert (done.code, done.err) == (141, "")


def test_an_interruption_before_the_turn(call: Run, typed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*words: Any, **more: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(ask, "conversation", interrupt)
    assert call("-m", "sim", "hi").code == 130
    assert typed(["-m", "sim", "hi"]).err == "\n"


def test_what_is_not_expected_has_a_traceback(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*words: Any, **more: Any) -> Any:
        raise LookupError("a mistake")

    monkeypatch.setattr(ask, "conversation", fail)
    done = call("-m", "sim", "hi")
    assert done.code == 1
    assert "Traceback" in done.err


@pytest.fixture
def press_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Press Ctrl-C when so many pieces of the reply have been shown."""
    show = Screen.reply

    def press_at(*places: int) -> None:
        shown: list[str] = []

        def reply(screen: Screen, text: str) -> None:
            show(screen, text)
            shown.append(text)
            if len(shown) in places:
                os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(Screen, "reply", reply)

    return press_at


def test_ctrl_c_stops_the_reply(typed: Run, press_at: Run) -> None:
    press_at(5)
    done = typed(["-m", "sim", "--pace", "0.02", "-n", "trip", "write 200 words"])
    assert done.code == 130
    assert "reply stopped, " in done.err


def test_a_second_ctrl_c_breaks_off(typed: Run, press_at: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentkit import Turn

    monkeypatch.setattr(Turn, "stop", lambda turn: None)
    press_at(5, 9)
    done = typed(["-m", "sim", "--pace", "0.02", "-n", "trip", "write 200 words"])
    assert done.code == 130
    assert "(interrupted)" in typed(["show", "trip"]).out


def test_off_the_main_thread_ctrl_c_is_left_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(sys, "stdin", None)
    thread = threading.Thread(target=lambda: codes.append(main(["-m", "sim", "--no-store", "say hi"])))
    thread.start()
    thread.join(30)
    assert codes == [0]
    assert capsys.readouterr().out == "hi\n"


# Chat


def test_nothing_configured_on_a_terminal(typed: Run) -> None:
    done = typed([], "say hi", "/model")
    assert done.code == 0
    assert "nothing configured" in done.err
    assert "hi\n" in done.out
    assert "sim (nothing is configured)" in done.out
    assert "resume with: agentkit chat chat-" in done.err
    assert "simulator: no AI" in typed(["say hi"]).err


def test_the_banner_names_keys_that_are_there(typed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    done = typed([])
    assert "/model openai/MODEL uses OPENAI_API_KEY" in done.err
    assert "very-secret" not in done.err


def test_commands(typed: Run) -> None:
    done = typed(
        ["chat", "trip", "-m", "sim", "--pace", "0"],
        "/retry",
        "/undo",
        "/system",
        "/system Be brief.",
        "/system",
        "say one",
        "/retry",
        "/continue",
        "write 9 words, stop at 4 tokens",
        "/CONTINUE",
        "/model",
        "/fork draft",
        "/fork",
        "/list",
        "/undo",
        "/help",
        "/?",
        "/mod",
        "/zzz",
        "",
        "//literally",
        "/quit",
        "say never",
    )
    assert done.code == 0
    assert done.err.count("nothing has been said yet") == 2
    assert "there are no standing instructions" in done.out
    assert "Be brief." in done.out
    assert done.out.count("> one\n") == 2
    assert "there is nothing to continue" in done.err
    assert "sim (-m)" in done.out
    assert "now in draft; trip stays as it was" in done.err
    assert "now in draft-" in done.err
    assert "taken back: write 9 words" in done.err
    assert done.out.count("/fork [NAME]") == 2
    assert "did you mean /model?" in done.err
    assert "/help lists the commands; a message" in done.err
    assert "never" not in done.out
    assert "resume with: agentkit chat draft-" in done.err


def test_continuing_what_was_cut_shows_only_the_rest(typed: Run) -> None:
    whole = typed(["-m", "sim", "--pace", "0", "--no-store", "write 40 words"]).out.strip()
    short = ["--pace", "0", "--max-tokens", "15", "--continuations", "1"]
    done = typed(["chat", "-m", "sim", *short], "write 40 words", "/continue")
    shown = [line for line in done.out.replace("sim> ", "\n").splitlines() if line.strip()]
    assert len(shown[0].split()) == 30
    assert whole.startswith(shown[0])
    assert whole[len(shown[0]) :].startswith(shown[1])
    assert "max_attempts=1 continuations were made. /continue  /retry  /undo" in done.err


def test_another_model(typed: Run) -> None:
    done = typed(["chat", "trip", "-m", "sim"], "say hi", "/model sim", "/model openai/x", "/model nope/x", "/model")
    assert "sim answers from here on" in done.err
    assert "openai/x answers from here on" in done.err
    assert "unknown backend 'nope'" in done.err
    assert "x> " in done.out
    assert "openai/x (/model)" in done.out
    assert "resume with: agentkit chat trip -m openai/x" in done.err


def test_ctrl_c_at_the_prompt(typed: Run) -> None:
    done = typed(
        ["chat", "-m", "sim"], KeyboardInterrupt(), "say hi", KeyboardInterrupt(), KeyboardInterrupt(), "say x"
    )
    assert done.code == 130
    assert "hi\n" in done.out


def test_an_interrupted_conversation_reopened(typed: Run) -> None:
    typed(["chat", "trip", "-m", "sim", "--pace", "0"], "write 30 words, drop after 9 words")
    done = typed(["chat", "-c", "-m", "sim"], "/continue", "/undo", "/continue")
    assert "trip: 2 messages; the last one ends:" in done.err
    assert "its last reply was interrupted. /continue finishes it" in done.err
    assert "there is nothing to continue" in done.err
    assert typed(["chat", "-c", "x", "-m", "sim"]).code == 2


def test_a_failed_question_can_be_sent_again(typed: Run) -> None:
    done = typed(["chat", "trip", "-m", "sim", "--pace", "0"], "fail with 400, say hi", "/continue")
    assert "HTTP 400" in done.err
    assert "hi\n" in done.out


def test_a_terminal_without_a_screen(typed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    done = typed(["chat", "-m", "sim"], "say hi", screen=io.StringIO)
    assert done.out == "hi\n"
    assert "sim> " in done.err


def test_chat_from_a_pipe(call: Run) -> None:
    assert call("chat", "-m", "sim", given="say hi\n/quit\nsay x").out == "hi\n"
    assert call("chat", "-m", "sim", given='"""say a').out == "a\n"
    assert call("chat", "-m", "sim", given="fail with 400\nsay x").code == 1
    assert call("chat", "-m", "sim", given="/continue\n").code == 2


def test_thinking_is_shown_to_who_watches(typed: Run, call: Run) -> None:
    done = typed(["-m", "sim", "--pace", "0", "think 5 words, say hi"])
    assert done.out == "hi\n"
    assert done.err.startswith("  thinking: ")
    assert len(done.err.split()) == 6
    assert call("-m", "sim", "think 5 words, say hi").err == ""


# Stored conversations


def test_lists(call: Run) -> None:
    assert call("ls").err.startswith("  nothing is stored yet")
    assert call("chat", "-m", "sim", "--no-store", given="/list").out == "nothing is stored yet\n"
    for number in range(22):
        call("-m", "sim", "-n", f"c{number}", f"fail with 400, say {number}" if number == 21 else f"say {number}")
    short = call("ls")
    assert len(short.out.splitlines()) == 20
    assert short.err == "  the last 20 of 22; --all lists the others, too\n"
    assert short.out.splitlines()[0].endswith("(cut)")
    assert len(call("ls", "--all").out.splitlines()) == 22
    facts = json.loads(call("ls", "--json").out)
    assert facts[1]["name"] == "c20"
    assert facts[1]["messages"] == 2
    assert facts[1]["first_words"] == "say 20"


def test_ages() -> None:
    from agentkit.cli.stored import _age

    assert [_age(seconds) for seconds in (5, 60, 7300, 86400 * 3)] == ["now", "1 min", "2 h", "3 d"]


def test_show_and_rm(call: Run) -> None:
    assert call("show").code == 2
    call("-m", "sim", "-n", "trip", "--continuations", "0", "stop at 1 token, say hi there")
    assert json.loads(call("show", "trip", "--json").out)
    assert "agentkit resume trip" in call("show").err
    assert "did you mean 'trip'?" in call("show", "trop").err
    assert call("rm", "trip", "nope").code == 2
    assert call("rm", "trip").err == "  deleted trip\n"
    assert call("show", "trip").code == 2


# Doctor and models


def test_doctor_on_a_fresh_machine(call: Run) -> None:
    done = call("doctor")
    assert done.code == 0
    assert "note   model: none is configured" in done.out
    assert "made by the first conversation" in done.out
    assert "nothing is wrong" in done.err


def test_doctor_finds_what_is_there(call: Run, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    call("-m", "sim", "hi")
    (home / "config.toml").write_text(
        'model = "sim"\n[openai]\napi_key = "sk-very-secret"\nbase_url = "http://h"\n', encoding="utf-8"
    )
    (home / "config.toml").chmod(0o644)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:very-secret@proxy.example:8080")
    monkeypatch.setenv("NO_PROXY", "localhost")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("AGENTKIT_OFFLINE", "1")
    done = call("doctor")
    assert done.code == 0
    assert "very-secret" not in done.out
    for said in (
        "chmod 600",
        "sim, from ",
        "found [openai] in ",
        "addresses: [openai]",
        "1 conversations",
        "https by proxy.example; not for localhost",
        "certificates from SSL_CERT_DIR",
        "only servers on this machine",
    ):
        assert said in done.out
    (home / "config.toml").chmod(0o600)
    assert "chmod" not in call("doctor").out


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AGENTKIT_MODEL", "nope/x", "no such backend"),
        ("AGENTKIT_MODEL", "openai", "the model is missing"),
        ("AGENTKIT_STORE", "what", "unknown store"),
        ("AGENTKIT_STORE", "sqlite:////proc/none/x.db", "cannot be"),
        ("SSL_CERT_FILE", "/none", "does not exist"),
        ("HTTPS_PROXY", "ftp://x", "is no address"),
        ("AGENTKIT_CONFIG", "/proc/self/mem", "cannot be read"),
    ],
)
def test_doctor_finds_what_is_wrong(
    call: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith("/proc"))
    done = call("doctor")
    assert done.code == 1
    assert said in done.out
    assert "->" in done.out
    assert "Traceback" not in done.err


def test_doctor_and_a_store_in_memory(call: Run) -> None:
    assert "store: memory" in call("doctor", "--store", "memory").out


def test_models(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = call("models")
    assert fresh.code == 0
    assert "OPENAI_API_KEY is not set" in fresh.out
    assert "in use: none" in fresh.err
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")
    monkeypatch.setenv("AGENTKIT_MODEL", "openai/x")
    found = call("models")
    assert "from OPENAI_API_KEY" in found.out
    assert "http://127.0.0.1:8000/v1 (from OPENAI_BASE_URL)" in found.out
    assert "in use: openai/x (from AGENTKIT_MODEL)" in found.err
    facts = json.loads(call("models", "--json").out)
    assert facts["configured"] == {"model": "openai/x", "origin": "AGENTKIT_MODEL"}
    assert "very-secret" not in json.dumps(facts) + found.out
    monkeypatch.setenv("OPENAI_BASE_URL", "nonsense")
    assert "(" in call("models").out


# Simulator and demo


def test_the_server(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    announce = sim._announce

    def announce_and_end(addresses: dict[str, str], *, as_json: bool) -> None:
        announce(addresses, as_json=as_json)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(sim, "_announce", announce_and_end)
    for words, wanted in ((("--json",), '"openai"'), ((), "no AI behind this")):
        done = call("sim", "serve", *words)
        assert done.code == 0
        assert wanted in done.out


def test_the_server_refuses(call: Run) -> None:
    assert call("sim", "serve", "--port", "70000").code == 2
    assert call("sim", "serve", "--host", "0.0.0.0").code == 2
    assert call("sim", "serve", "--pace", "-1").code == 2
    assert "there are openai, vllm-0.11" in call("sim", "serve", "--profile", "vllm").err
    assert call("sim").code == 2
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = call("sim", "serve", "--port", str(taken.getsockname()[1]))
    assert done.code == 1
    assert "Traceback" not in done.err


def test_the_demo(call: Run) -> None:
    done = call("demo", "--fast")
    assert done.code == 0
    assert done.out.count("[ok]") == 6


def test_the_demo_does_not_pretend(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_uncut", lambda prompt: "something else")
    monkeypatch.setattr(demo, "PATIENCE", 5.0)
    done = call("demo", "--fast")
    assert done.code == 1
    assert "FAILED" in done.out


# Smaller parts


def test_errors_say_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "export OPENAI_API_KEY=" in explain(AuthError("no"), OPENAI)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://h")
    assert "The key (set, ends in 'et') came from environment OPENAI_API_KEY" in explain(AuthError("no"), OPENAI)
    assert "http://h (from environment OPENAI_BASE_URL)" in explain(ConnectError("cannot connect to h:80"), OPENAI)
    hinted = ConnectError("no")
    hinted.hint = "Do this"
    assert explain(hinted, OPENAI) == "no. Do this"
    assert "outgrown" in explain(ContextOverflow("no"))
    assert "to wait 3 s" in explain(RateLimited("no", retry_after=3))
    assert "--no-store" in explain(StoreError("no"))
    assert "agentkit models" in explain(Unsupported("no"))
    assert explain(NotConfigured("a\nb")) == "a b"
    assert explain(FileNotFoundError(2, "none", "x")) == "'x': none"
    assert explain(RuntimeError()) == "RuntimeError"


def test_a_broken_settings_file(call: Run, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("model = ", encoding="utf-8")
    assert call("hi").code == 2
    assert explain(AuthError("no"), OPENAI) == "no"


def test_visible() -> None:
    assert visible("a\r\nb\tc\x1b[1m\x7f\x85\r") == "a\nb\tc^[[1m^?\\x85^M"
    assert one_line("a\n b" * 9, 10) == "a ba ba..."
    assert last_line("word " * 100, 12) == "...rd word word "
    assert last_line("short", 12) == "short"


def test_a_line_end_in_two_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Shown()
    monkeypatch.setattr(sys, "stdout", out)
    screen = Screen()
    for piece in ("a\r", "\nb\r", "c", ""):
        screen.reply(piece)
    screen.end_reply()
    assert out.getvalue() == "a\nb^Mc\n"


def test_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    def styled(**variables: str) -> bool:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", Shown())
            for name, value in variables.items():
                patch.setenv(name, value)
            return Screen().style("x", "2") != "x"

    assert styled()
    assert not styled(NO_COLOR="1", FORCE_COLOR="1")
    assert not styled(TERM="dumb")
    assert styled(TERM="dumb", FORCE_COLOR="1")


def test_what_was_seen_is_not_shown_again() -> None:
    same = Unshown("one two")
    assert "".join(same.rest(piece) for piece in ("one", " two th", "ree")) == " three"
    other = Unshown("one two")
    assert [other.rest("one"), other.rest(" three"), other.rest(" four")] == ["", "one three", " four"]
    assert other.anew


def test_completion_and_history(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = _keyboard.Editor(None, ["/help", "/quit"])
    assert [editor._complete("/h", state) for state in (0, 1)] == ["/help ", None]
    assert editor._complete("h", 0) is None
    editor.close()
    (home / "history").mkdir(parents=True)
    blocked = _keyboard.Editor(home / "history", [])
    blocked.close()
    monkeypatch.setattr("readline.__doc__", "libedit")
    assert not _keyboard.Editor(None, [])._marks_pastes


def test_lines_that_wait_belong_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    lines: Iterator[str] = iter(["one", "two"])
    waiting = iter([[1], []])
    monkeypatch.setattr("builtins.input", lambda prompt: next(lines))
    monkeypatch.setattr(_keyboard.select, "select", lambda *words: (next(waiting), [], []))
    assert _keyboard.Editor(None, []).read("> ") == "one\ntwo"


def test_the_server_ends_where_the_loop_takes_no_signals(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(work: Any) -> None:
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(sim.asyncio, "run", interrupted)
    assert call("sim", "serve").code == 0


def test_events_beside_the_text_are_noted(typed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    err = Shown()
    monkeypatch.setattr(sys, "stdout", Shown())
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("NO_COLOR", "1")
    _show(Notice("a note"), Screen(), Unshown(""))
    assert err.getvalue() == "  a note\n"


def test_a_filtered_reply_is_incomplete() -> None:
    reply = Reply(assistant("one two"), (), Outcome.FILTERED, FinishReason.FILTERED, Usage(), "t")
    assert _ending(Played(reply)) == "the backend's filter ended the reply after 2 words."
    assert code_of(Played(reply)) == 4


def test_a_turn_without_an_end_was_interrupted() -> None:
    shelf = open_shelf(None, kept=False)
    lease = shelf.store.acquire("trip", "me")
    assert lease is not None
    assert shelf.standing("trip") is None
    shelf.store.append("trip", [TurnStarted("t", user("hi"))], expect=0, lease=lease)
    assert shelf.standing("trip") is Outcome.INTERRUPTED


def test_a_pipe_that_closes_at_the_last_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Broken())
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["--version"]) == 141

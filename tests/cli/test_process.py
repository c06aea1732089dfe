"""The command as scripts use it: processes, pipes and exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_the_reply_is_all_that_is_on_standard_output(run: Run) -> None:
    done = run("-m", "sim", "say one, two")
    assert (done.code, done.out, done.err) == (0, "one, two\n", "")


def test_a_pipe_gets_the_reply_byte_by_byte(run: Run) -> None:
    assert run("-m", "sim", "say \x1b[31mred\x07 \N{SNOWMAN}\r.").out == "\x1b[31mred\x07 \N{SNOWMAN}\r.\n"


def test_utf8_whatever_the_locale_says(run: Run) -> None:
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    assert run("-m", "sim", given="say \N{SNOWMAN}", env=env).out == "\N{SNOWMAN}\n"


def test_piped_input_comes_before_the_prompt(run: Run) -> None:
    run("-m", "sim", "-n", "trip", "say done", given="line one\nline two\n")
    assert run("show", "trip").out == "user: line one\nline two\n\nsay done\n\nassistant: done\n\n"
    assert run("-m", "sim", given="say alone").out == "alone\n"


def test_nothing_configured_is_told_in_four_lines(run: Run) -> None:
    done = run("hello")
    assert (done.code, done.out, done.err.count("\n")) == (3, "", 4)
    assert "AGENTKIT_MODEL" in done.err
    assert "-m sim" in done.err
    assert run("chat", given="hello").code == 3
    assert "GRAVIX" not in done.err
    found = run("hello", env={"OPENAI_API_KEY": "sk-very-secret"})
    assert "OPENAI_API_KEY is there" in found.err
    assert "very-secret" not in found.err


def test_nothing_to_ask(run: Run) -> None:
    assert run("-m", "sim").code == 2
    assert run("-m", "sim", "  ").code == 2


@pytest.mark.parametrize(
    ("prompt", "code", "said"),
    [
        ("say all is well", 0, ""),
        ("fail with 400", 1, "HTTP 400"),
        ("fail with 401 every time", 1, "HTTP 401"),
        ("write 50 words, stop at 4 tokens", 4, "reply cut after 36 words: the backend's limit of"),
        ("write 50 words, drop after 9 words", 4, "reply interrupted, 9 words kept. Finish it: agentkit resume"),
    ],
)
def test_exit_codes(run: Run, prompt: str, code: int, said: str) -> None:
    done = run("-m", "sim", prompt)
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err


def test_usage_errors_are_one_line(run: Run) -> None:
    for words in (("--wat",), ("-m", "nope/x", "hi"), ("-m", "sim", "--max-tokens", "0", "hi"), ("docter",)):
        done = run(*words)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert run("--", "docter").code == 3


def test_a_server_that_is_not_there(run: Run) -> None:
    done = run("-m", "openai/x", "--base-url", "http://127.0.0.1:9/v1", "hi", env={"OPENAI_API_KEY": "sk-very-secret"})
    assert done.code == 1
    assert "Is the server running there?" in done.err
    assert "very-secret" not in done.err


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    command = f"{sys.executable} -m agentkit -m sim --pace 0.001 'write 3000 words' | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=tmp_path, timeout=60, check=False)
    assert (done.returncode, done.stdout.count(b"\n"), done.stderr) == (0, 1, b"")


def shell(words: str, cwd: Path, *, unbuffered: bool = False) -> tuple[int, bytes, bytes]:
    env = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    if unbuffered:
        env["PYTHONUNBUFFERED"] = "1"
    command = ["bash", "-c", f"{sys.executable} -m agentkit {words}"]
    done = subprocess.run(command, capture_output=True, cwd=cwd, env=env, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
@pytest.mark.parametrize("unbuffered", [False, True])
def test_a_full_disk_is_told(tmp_path: Path, unbuffered: bool) -> None:
    shell("-m sim 'say hi'", tmp_path)  # something for `ls` to show
    for words in ("-m sim 'say hi'", "ls", "--version"):
        told = b"agentkit: input or output failed: No space left on device\n"
        assert shell(f"{words} > /dev/full", tmp_path, unbuffered=unbuffered) == (1, b"", told)
        assert shell(f"{words} > /dev/full 2> /dev/full", tmp_path, unbuffered=unbuffered) == (1, b"", b"")
        assert shell(f"{words} > /dev/full 2>&-", tmp_path, unbuffered=unbuffered) == (1, b"", b"")


def test_closed_standard_streams(tmp_path: Path) -> None:
    for closed in ("2>&-", "<&-"):
        assert shell(f"-m sim 'say hi' {closed}", tmp_path) == (0, b"hi\n", b"")


@pytest.mark.parametrize("unbuffered", [False, True])
def test_a_reply_that_went_nowhere_is_no_success(tmp_path: Path, unbuffered: bool) -> None:
    for words in ("-m sim 'say hi'", "ls", "--version"):
        code, out, err = shell(f"{words} >&-", tmp_path, unbuffered=unbuffered)
        assert (code, out, err.count(b"\n")) == (1, b"", 1)
        assert err.startswith(b"agentkit: input or output failed: ")


def test_continuing_the_last_conversation(run: Run) -> None:
    assert run("-m", "sim", "-c", "hi").code == 2
    run("-m", "sim", "my name is Ada")
    assert "Your name is Ada." in run("-m", "sim", "-c", "what is my name").out
    assert "2 turns" in run("ls").out


def test_an_interrupted_question_keeps_its_partial(tmp_path: Path, run: Run) -> None:
    words = ["-m", "sim", "--pace", "0.02", "-n", "trip", "write 100 words"]
    child = subprocess.Popen(
        [sys.executable, "-m", "agentkit", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    with child:
        assert child.stdout is not None
        seen = os.read(child.stdout.fileno(), 100)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert b"reply stopped" in err
    shown = (seen + out).decode().rstrip("\n")
    assert f"assistant (interrupted): {shown}" in run("show", "trip").out
    whole = run("-m", "sim", "--no-store", "write 100 words").out
    assert run("resume", "-m", "sim", "trip").out == whole


def test_chat_from_a_pipe(run: Run) -> None:
    done = run("chat", "trip", "-m", "sim", given='say a\n\nsay b\n"""say c\nd"""\n/list\n')
    assert done.code == 0
    assert done.out.startswith("a\nb\nc\nd\ntrip")
    assert done.err == ""
    failed = run("chat", "-m", "sim", given="say a\nfail with 400\nsay b")
    assert (failed.code, failed.out) == (1, "a\n")
    cut = run("chat", "-m", "sim", "--continuations", "0", given="write 9 words, stop at 2 tokens\nsay b\n")
    assert cut.code == 4
    assert cut.out.endswith("\nb\n")
    unknown = run("chat", "-m", "sim", given="/nope\n//nope\n/etc/hosts is what?\n")
    assert unknown.code == 2
    assert "unknown command /nope" in unknown.err
    assert len(unknown.out.splitlines()) == 2


def test_the_server_serves_until_it_is_told_to_end(tmp_path: Path, run: Run) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        command = [sys.executable, "-m", "agentkit", "sim", "serve", "--json"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
        with child:
            assert child.stdout is not None
            addresses = json.loads(child.stdout.readline())
            body = json.dumps({"model": "sim", "messages": [{"role": "user", "content": "say hi"}]}).encode()
            request = urllib.request.Request(
                f"{addresses['openai']}/chat/completions", body, {"content-type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert json.load(answer)["choices"][0]["message"]["content"] == "hi"
            asked = run("-m", "openai/sim", "--base-url", addresses["openai"], "say hello")
            assert (asked.code, asked.out) == (0, "hello\n")
            child.send_signal(number)
            out, err = child.communicate(timeout=30)
        assert (child.returncode, out, err) == (0, b"", b"")


def test_the_demo_verifies_all_that_it_shows(run: Run) -> None:
    done = run("demo", "--fast")
    assert done.code == 0, done.out + done.err
    assert done.out.count("[ok]") == 6
    assert "FAILED" not in done.out
    assert done.out.count("cut and joined: ") == 2
    assert done.err == "".join(f"  ... continuing {n}/8, native, {40 * n} tokens\n" for n in (1, 2))


def test_starting_is_fast(run: Run) -> None:
    began = time.monotonic()
    done = run("--version")
    assert done.out.startswith("agentkit ")
    assert time.monotonic() - began < 2
    probe = "import sys; from agentkit.cli import main; main(['--version']); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, encoding="utf-8", check=True).stdout
    for heavy in ("httpx", "attr", "sqlite3", "asyncio", "argparse"):
        assert f"'{heavy}'" not in loaded


def test_help(run: Run) -> None:
    assert "examples:" in run("--help").out
    assert "Traceback" in run("-v", "-m", "sim", "fail with 400").err

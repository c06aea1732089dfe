"""The command in three ways: in this process, as a process of its own, and on a terminal of its own."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen
from pretended import Shown, Typed

from agentkit.cli import main

ROOT = Path(__file__).parents[2]
PATIENCE = 15.0
MARKS = re.compile(r"\x1b\[[?0-9;]*[a-zA-Z]|\r")
"""What readline and styles send to a terminal beside text."""


@frozen
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without settings, keys or conversations."""
    folder = tmp_path / "home"
    for name in list(os.environ):
        ours = name.startswith(("AGENTKIT_", "OLLAMA_", "LLAMA_"))
        if ours or name.endswith(("_API_KEY", "_BASE_URL", "_API_BASE", "_MODEL")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr("agentkit.discovery.PORTS", ())
    for name in ("NO_COLOR", "FORCE_COLOR", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AGENTKIT_HOME", str(folder))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("INPUTRC", "/dev/null")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Ran]:
    """The command as a process, with pipes for a terminal."""

    def run(*words: str, given: str | bytes | None = None, env: dict[str, str] | None = None) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "agentkit", *words],
            input=given.encode() if isinstance(given, str) else given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, **(env or {})},
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """The command in this process, with pipes for a terminal."""

    def call(*words: str, given: str | None = None) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.StringIO(given or ""))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = main(list(words))
        return Ran(code, out.getvalue(), err.getvalue())

    return call


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """The command in this process, as if on a terminal where these lines are typed."""

    def typed(words: list[str], *lines: str | BaseException, screen: type[io.StringIO] = Shown) -> Ran:
        out, err = screen(), screen()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", Typed(*lines))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setenv("NO_COLOR", "1")
            code = main(words)
        return Ran(code, out.getvalue(), err.getvalue())

    return typed


class Terminal:
    """The command on a pseudo-terminal."""

    def __init__(self, words: tuple[str, ...], cwd: Path) -> None:
        self.text = ""
        self._place = 0
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execv(sys.executable, [sys.executable, "-m", "agentkit", *words])

    def expect(self, wanted: str, *, seconds: float = PATIENCE) -> str:
        """Wait for a text that comes after the last one waited for; what came before it."""
        deadline = time.monotonic() + seconds
        while (place := self.text.find(wanted, self._place)) < 0:
            if not self._read(deadline):
                raise AssertionError(
                    f"{wanted!r} did not come; after {self.text[: self._place][-80:]!r} came"
                    f" {self.text[self._place :]!r}"
                )
        before, self._place = self.text[self._place : place], place + len(wanted)
        return before

    def _read(self, deadline: float) -> bool:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._fd], [], [], left)[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            return False
        self.text += MARKS.sub("", data.decode("utf-8", "replace"))
        return bool(data)

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def line(self, text: str) -> None:
        self.type(f"{text}\r")

    def interrupt(self) -> None:
        self.type("\x03")

    def interrupt_prompt(self, shown: str = "sim> ") -> None:
        """Ctrl-C at the prompt. Python's input() misses a signal that comes just before it begins to wait for keys."""
        self.expect(shown)
        time.sleep(0.3)
        self.interrupt()

    def end(self) -> int:
        """Wait for the end; the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        raise AssertionError(f"it did not end; it showed {self.text[-300:]!r}")

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Terminal]]:
    """The command on a terminal of its own."""
    monkeypatch.setenv("NO_COLOR", "1")
    opened: list[Terminal] = []

    def terminal(*words: str) -> Terminal:
        opened.append(Terminal(words, tmp_path))
        return opened[-1]

    yield terminal
    for one in opened:
        one.close()

"""What the user types: lines with editing and history on a terminal, plain lines from a pipe, messages of many lines.

A paste is one message. Where the terminal marks pastes and readline understands the marks, that is exact; elsewhere
lines that arrive together belong together.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

FENCE = '"""'
HISTORY_LENGTH = 1000
TOGETHER = 0.03
"""Seconds between lines of one paste, at most."""


class Lines(Protocol):
    """A source of lines, without their ends."""

    def read(self, prompt: str) -> str:
        """The next line.

        Raises:
            EOFError: there is none.
        """
        ...


class Keys(Protocol):
    """A person who can be asked."""

    def ask(self, prompt: str, filled: str = "") -> str:
        """What is answered; `filled` stands there already, to be edited, where that is possible.

        Raises:
            EOFError, KeyboardInterrupt: nothing.
        """
        ...


class Plain:
    """Answers without editing, where replies do not go to the terminal: the questions are on standard error."""

    def ask(self, prompt: str, filled: str = "") -> str:
        print(prompt, end="", file=sys.stderr, flush=True)
        return Piped().read(prompt)


class Piped:
    """Lines of standard input; nobody is prompted."""

    def read(self, prompt: str) -> str:
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\n")


class Editor:
    """A line editor on the terminal, with a history that outlives it."""

    def __init__(self, history: Path | None, words: Iterable[str]) -> None:
        self._history = history
        self._words = sorted(words)
        self._marks_pastes = False
        with contextlib.suppress(ImportError):
            self._set_up()

    def read(self, prompt: str) -> str:
        line = input(prompt)
        while not self._marks_pastes and _more_waits():
            line += "\n" + input("")
        return line

    def ask(self, prompt: str, filled: str = "") -> str:
        """An answer that is no message, so it stays out of the history."""
        with contextlib.ExitStack() as after, contextlib.suppress(ImportError):
            import readline

            readline.set_auto_history(False)
            after.callback(_keep_history)
            readline.set_startup_hook(lambda: readline.insert_text(filled))
            after.callback(readline.set_startup_hook)
            return input(prompt)
        return input(prompt)

    def close(self) -> None:
        """Store the history, readable by nobody else."""
        if self._history is None:
            return
        with contextlib.suppress(ImportError, OSError):
            import readline

            _make_private(self._history)
            readline.set_history_length(HISTORY_LENGTH)
            readline.write_history_file(self._history)
            self._history.chmod(0o600)

    def _set_up(self) -> None:
        import readline

        gnu = "libedit" not in (readline.__doc__ or "")
        self._marks_pastes = gnu and os.environ.get("TERM", "dumb") != "dumb"
        readline.set_completer(self._complete)
        readline.set_completer_delims(" \t\n")
        readline.parse_and_bind("tab: complete" if gnu else "bind ^I rl_complete")
        if self._marks_pastes:
            readline.parse_and_bind("set enable-bracketed-paste on")
        readline.clear_history()
        if self._history is not None:
            with contextlib.suppress(OSError):
                readline.read_history_file(self._history)

    def _complete(self, text: str, state: int) -> str | None:
        found = [word for word in self._words if text.startswith("/") and word.startswith(text)]
        return f"{found[state]} " if state < len(found) else None


def forget_typed() -> None:
    """What was typed before a question was asked is no answer to it."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import termios

        with contextlib.suppress(termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _keep_history() -> None:
    import readline

    readline.set_auto_history(True)


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))


def _more_waits() -> bool:
    try:
        return bool(select.select([sys.stdin], [], [], TOGETHER)[0])
    except (OSError, ValueError):
        return False


def read_message(lines: Lines, prompt: str) -> str:
    """The next message: a line, a paste, or all that stands between two fences.

    Raises:
        EOFError: there is none.
    """
    text = lines.read(prompt)
    if not text.lstrip().startswith(FENCE):
        return text.strip("\n")
    text = text.lstrip().removeprefix(FENCE)
    block = [text]
    with contextlib.suppress(EOFError):
        while not text.rstrip().endswith(FENCE):
            text = lines.read("... ")
            block.append(text)
    return "\n".join(block).rstrip().removesuffix(FENCE).strip("\n")

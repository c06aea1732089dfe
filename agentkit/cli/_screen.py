"""What the user sees: replies on standard output, everything else on standard error.

May hold how text gets onto a terminal or into a pipe. A pipe receives the reply exactly; a terminal never receives a
control character from outside, because an escape sequence could rewrite what the user has read or typed.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import IO

from agentkit.cli._below import Below, moves

VISIBLE = {
    code: f"^{chr(code ^ 64)}" if code < 128 else f"\\x{code:02x}"  # noqa: PLR2004 - the end of ASCII
    for code in (*range(32), *range(127, 160))
    if chr(code) not in "\n\t"
}
"""What stands for each control character."""

DIM, RED = "2", "31"
MARGIN = 3
"""Columns of a line below the reply that hold no text of it."""
LABEL = len("thinking: ...")
THOUGHT = 1000
"""Characters of the model's thinking that are remembered."""


def visible(text: str) -> str:
    """`text` with its control characters spelled out; line ends and tabs stay."""
    return text.replace("\r\n", "\n").translate(VISIBLE)


def one_line(text: str, width: int) -> str:
    """The beginning of `text` on one line, control characters spelled out."""
    line = " ".join(visible(text).split())
    return line if len(line) <= width else f"{line[: width - 3].rstrip()}..."


def last_line(text: str, width: int) -> str:
    """The end of `text` on one line, control characters spelled out; a blank at its end stays."""
    line = " ".join(visible(text[-4 * width :]).split())
    blank = " " if text[-1:].isspace() else ""
    shown = line if len(line) <= width and len(text) <= 4 * width else f"...{line[-width:].lstrip()}"
    return shown + blank


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a person may be looking at `stream`."""
    return stream is not None and not stream.closed and stream.isatty()


def _are_one(first: IO[str] | None, second: IO[str] | None) -> bool:
    """Whether both streams lead to the same place, such as one terminal or one file."""
    if first is None or second is None or first.closed or second.closed:
        return False
    try:
        places = os.fstat(first.fileno()), os.fstat(second.fileno())
    except (OSError, ValueError):
        return is_terminal(first) and is_terminal(second)
    known = places[0].st_ino != 0  # some systems do not number pipes
    return os.path.samestat(*places) if known else is_terminal(first) and is_terminal(second)


def speak_utf8() -> None:
    """Write UTF-8 whatever the locale says; what cannot be written is replaced, never fatal."""
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors=errors)


def _colourful(stream: IO[str]) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream) and os.environ.get("TERM", "") not in ("", "dumb")


class Screen:
    """Standard output and standard error, as one picture."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.terminal = is_terminal(sys.stdout)
        self.watched = is_terminal(sys.stderr)
        self.shared = _are_one(sys.stdout, sys.stderr)
        """Replies and all else are seen in the same place."""
        self._below = Below() if self.shared and self.terminal and moves() else None
        self._waiting: list[str] = []
        """Notes that would have torn a line of the reply."""
        self._styled = _colourful(sys.stderr)
        self._last = "\n"
        """The last character of the reply."""
        self._held = ""
        """A carriage return that may be half of a line end."""
        self._thinking = False
        self._thought = ""

    def reply(self, text: str) -> None:
        """A piece of the reply, shown at once."""
        if not text:
            return
        self._end_thought()
        self.clear()
        if self.terminal:
            text, self._held = self._held + text, ""
            if text.endswith("\r"):
                text, self._held = text[:-1], "\r"
            text = visible(text)
        print(text, end="", flush=True)
        self._follow(text)

    def end_reply(self) -> None:
        """The reply is over: a text ends with a line end, in a file, too."""
        self._end_thought()
        self.clear()
        self._held = ""
        if self._last != "\n":
            print(flush=True)
            self._follow("\n")
        self._tell_waiting()

    def thinking(self, text: str) -> None:
        """A piece of the model's thinking, for those who watch; in the middle of a line of the reply, below it."""
        if not self.watched or self.quiet:
            return
        self._thought = self._thought[-THOUGHT:] + text
        if self._within_line():
            self._show_below(f"thinking: {last_line(self._thought, max(columns() - MARGIN - LABEL, LABEL))}")
            return
        label = "" if self._thinking else "  thinking: "
        self._thinking = True
        self._write(self.style(label + visible(text), DIM))

    def lead_in(self, text: str) -> None:
        """Before a reply that goes on where it stopped: its last words, for those who watch, on the same line."""
        if self.terminal and self.watched:
            self._write(self.style(visible(text), DIM))
            self._follow(text)

    def say(self, text: str) -> None:
        """A line that the user asked for, such as a list."""
        self.end_reply()
        print(visible(text) if self.terminal else text, flush=True)

    def note(self, text: str) -> None:
        """A line beside the reply that may be of interest; one that would tear a line of the reply comes after it."""
        if self.quiet:
            return
        if self._within_line():
            self._show_below(text)
            self._waiting.append(text)
        else:
            self._tell_waiting()
            self.warn(text)

    def passing(self, text: str) -> None:
        """What goes on while the reply waits: a line that goes again where the reply is, and stays elsewhere."""
        if self.quiet:
            return
        self._end_thought()
        if self.shared:
            self._show_below(text)
        else:
            self.warn(text)

    def clear(self) -> None:
        """Take away what is shown below the reply."""
        if self._below is not None:
            self._raw(self._below.clear())

    def warn(self, text: str) -> None:
        """A line beside the reply that must be seen."""
        self._new_line()
        self._write(self.style(f"  {visible(text)}", DIM) + "\n")

    def error(self, text: str) -> None:
        """What went wrong."""
        self._new_line()
        self._write(self.style(f"agentkit: {visible(text)}", RED) + "\n")

    def plain(self, text: str) -> None:
        """Lines on standard error as they are."""
        self._new_line()
        self._write(visible(text) + "\n")

    def aside(self, text: str) -> None:
        """A piece of a line beside the reply, on standard error: spelled out and styled by who says it."""
        self._new_line()
        self._write(text)

    def style(self, text: str, code: str) -> str:
        """`text` in a style, where standard error shows styles."""
        return f"\x1b[{code}m{text}\x1b[0m" if self._styled else text

    def _follow(self, text: str) -> None:
        """This was written, and belongs to the reply."""
        self._last = text[-1:] or self._last
        if self._below is not None:
            self._below.follow(text)

    def _tell_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for text in waiting:
            self.warn(text)

    def _within_line(self) -> bool:
        return self.shared and self._last != "\n"

    def _show_below(self, text: str) -> None:
        if self._below is not None:
            self._raw(self._below.show(self.style(f"  {one_line(text, max(columns() - MARGIN, LABEL))}", DIM)))

    def _new_line(self) -> None:
        """Streams that lead to one place share a line; a pipe gets nothing that is not the reply."""
        self._end_thought()
        if self._within_line():
            self._write("\n")
            self._follow("\n")

    def _end_thought(self) -> None:
        self._thought = ""
        if self._thinking:
            self._thinking = False
            self._write("\n")

    def _write(self, text: str) -> None:
        self.clear()
        self._raw(text)

    def _raw(self, text: str) -> None:
        if text and sys.stderr is not None:  # pyright: ignore[reportUnnecessaryComparison] - it may be closed
            print(text, end="", file=sys.stderr, flush=True)


def columns() -> int:
    """Of the terminal."""
    return shutil.get_terminal_size().columns

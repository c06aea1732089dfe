"""What the user sees: replies on standard output, everything else on standard error.

May hold how text gets onto a terminal or into a pipe. A pipe receives the reply exactly; a terminal never receives a
control character from outside, because an escape sequence could rewrite what the user has read or typed.
"""

from __future__ import annotations

import os
import sys
from typing import IO

VISIBLE = {
    code: f"^{chr(code ^ 64)}" if code < 128 else f"\\x{code:02x}"  # noqa: PLR2004 - the end of ASCII
    for code in (*range(32), *range(127, 160))
    if chr(code) not in "\n\t"
}
"""What stands for each control character."""

DIM, RED, BOLD = "2", "31", "1"


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
        self._styled = _colourful(sys.stderr)
        self._last = "\n"
        """The last character of the reply."""
        self._held = ""
        """A carriage return that may be half of a line end."""
        self._thinking = False

    def reply(self, text: str) -> None:
        """A piece of the reply, shown at once."""
        if not text:
            return
        self._end_thought()
        if self.terminal:
            text, self._held = self._held + text, ""
            if text.endswith("\r"):
                text, self._held = text[:-1], "\r"
            text = visible(text)
        print(text, end="", flush=True)
        self._last = text[-1:] or self._last

    def end_reply(self) -> None:
        """The reply is over: a text ends with a line end, in a file, too."""
        self._end_thought()
        self._held = ""
        if self._last != "\n":
            print(flush=True)
            self._last = "\n"

    def thinking(self, text: str) -> None:
        """A piece of the model's thinking, for those who watch."""
        if self.watched and not self.quiet:
            label = "" if self._thinking else "  thinking: "
            self._thinking = True
            self._write(self.style(label + visible(text), DIM))

    def lead_in(self, text: str) -> None:
        """Before a reply that goes on where it stopped: its last words, for those who watch, on the same line."""
        if self.terminal and self.watched:
            self._write(self.style(visible(text), DIM))
            self._last = text[-1:]

    def say(self, text: str) -> None:
        """A line that the user asked for, such as a list."""
        self.end_reply()
        print(visible(text) if self.terminal else text, flush=True)

    def note(self, text: str) -> None:
        """A line beside the reply that may be of interest."""
        if not self.quiet:
            self.warn(text)

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

    def style(self, text: str, code: str) -> str:
        """`text` in a style, where standard error shows styles."""
        return f"\x1b[{code}m{text}\x1b[0m" if self._styled else text

    def _new_line(self) -> None:
        """On a terminal both streams share a line; a pipe gets nothing that is not the reply."""
        self._end_thought()
        if self.terminal and self.watched and self._last != "\n":
            print(flush=True)
            self._last = "\n"

    def _end_thought(self) -> None:
        if self._thinking:
            self._thinking = False
            self._write("\n")

    def _write(self, text: str) -> None:
        if sys.stderr is not None:  # pyright: ignore[reportUnnecessaryComparison] - it may be closed
            print(text, end="", file=sys.stderr, flush=True)

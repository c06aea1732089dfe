"""Standard streams that pretend to be a terminal."""

from __future__ import annotations

import io


class Typed(io.StringIO):
    """Standard input of a terminal: texts are lines, exceptions are keys."""

    def __init__(self, *lines: str | BaseException) -> None:
        super().__init__()
        self._lines = list(lines)

    def isatty(self) -> bool:
        return True

    def readline(self, size: int | None = -1, /) -> str:
        line = self._lines.pop(0) if self._lines else ""
        if isinstance(line, BaseException):
            raise line
        return f"{line}\n" if self._lines or line else ""


class Shown(io.StringIO):
    """An output that is a terminal."""

    def isatty(self) -> bool:
        return True

"""One line below a reply under way, on the terminal where the reply is: it goes before more of the reply comes.

May hold what a terminal must be told for that. The cursor stays at the end of the reply, so nothing of it moves.
"""

from __future__ import annotations

import os
import shutil
import unicodedata

ROOM, SAVE, BACK, ERASE = "\x1bD\x1b[A", "\x1b7", "\x1b8", "\x1b[J"
"""Scroll if the cursor is on the last line; keep its place; go back there; erase what is below."""
DOWN, WRAP = "\x1b[B\r\x1b[?7l", "\x1b[?7h"
"""To the line below, which is not to become two; lines may be two again."""
TAB = 8


def moves() -> bool:
    """Whether the terminal can move its cursor."""
    return os.environ.get("TERM", "") not in ("", "dumb")


class Below:
    """What is to be written to show such a line and to take it away; `follow` is told of everything else."""

    def __init__(self) -> None:
        self._column = 0
        self._shown = False

    def follow(self, text: str) -> None:
        """The reply went on."""
        width = shutil.get_terminal_size().columns
        _, end, rest = text.rpartition("\n")
        column = 0 if end else self._column
        for letter in rest:
            if letter == "\t":
                column = min((column // TAB + 1) * TAB, width - 1)
            else:
                wide = cells(letter)
                column = wide if column + wide > width else column + wide
        self._column = column

    def show(self, line: str) -> str:
        """Write this to have the line below the reply, in place of the one before it."""
        before = self.clear() + self._wrapped()
        self._shown = True
        return f"{before}{ROOM}{SAVE}{DOWN}{line}{WRAP}{BACK}"

    def clear(self) -> str:
        """Write this before anything else is written."""
        shown, self._shown = self._shown, False
        return ERASE if shown else ""

    def _wrapped(self) -> str:
        """After a full line the cursor waits beside its last letter, and would come back upon it."""
        if self._column < shutil.get_terminal_size().columns:
            return ""
        self._column = 0
        return " \b"


def cells(letter: str) -> int:
    """How many columns a letter takes."""
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1

"""What tools do, beside the reply: a line when a call begins, which says how far it is, and a line with its result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypeAlias

from agentkit.cli._below import moves
from agentkit.cli._safe import in_short
from agentkit.cli._screen import DIM, MARGIN, RED, Screen, columns, one_line
from agentkit.events import ApprovalNeeded, ToolCallFinished, ToolCallStarted, ToolProgress
from agentkit.messages import ToolCall, ToolResult
from agentkit.pending import REFUSED

ToolEvent: TypeAlias = ToolCallStarted | ToolProgress | ToolCallFinished | ApprovalNeeded

PAUSE = 1.0
"""Seconds between two lines of progress of one call, where lines cannot be written anew."""
SHORTEST = 20
LONGEST = 2000
"""Characters of a result that are looked at."""
AGAIN, NO_WRAP, WRAP = "\r\x1b[K", "\x1b[?7l", "\x1b[?7h"
"""To the beginning of the line, which is erased; what is too long for a line is cut; and no longer."""


class Activity:
    """The calls of one turn. `given` are the arguments of the user for some of them."""

    def __init__(self, screen: Screen, given: Mapping[str, Mapping[str, Any]]) -> None:
        self._screen = screen
        self._given = given
        self._began: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._open: str | None = None
        """The call whose line is still being written."""
        self._rewrites = screen.watched and moves()

    def show(self, event: ToolEvent) -> None:
        """Show what has happened. Texts before and after it are apart from each other."""
        self._screen.end_reply()
        if self._screen.quiet:
            return
        match event:
            case ToolCallStarted():
                self._began[event.call.id] = time.monotonic()
                self._begin(event.call.id, self._said(event.call))
            case ToolProgress():
                self._progress(event)
            case ToolCallFinished():
                self.rest()
                self._finish(event.call, event.result)
            case ApprovalNeeded():
                self.rest()

    def rest(self) -> None:
        """Something else is to be shown: the line under way ends."""
        if self._open is not None:
            self._open = None
            self._screen.aside("\n")

    def _begin(self, call_id: str, text: str) -> None:
        self.rest()
        self._write(text)
        self._open = call_id if self._rewrites else None

    def _progress(self, event: ToolProgress) -> None:
        whole = f"{self._said(event.call)}: {event.message}"
        text = whole if len(whole) <= columns() - MARGIN else f"{event.call.name}: {event.message}"
        if not self._rewrites:
            now = time.monotonic()
            if now - self._told.get(event.call.id, -PAUSE) >= PAUSE:
                self._told[event.call.id] = now
                self._write(text)
        elif self._open == event.call.id:
            self._screen.aside(AGAIN)
            self._write(text)
        else:
            self._begin(event.call.id, text)

    def _said(self, call: ToolCall) -> str:
        """The call as it runs."""
        return in_short(call.name, self._given.get(call.id, call.arguments))

    def _finish(self, call: ToolCall, result: ToolResult) -> None:
        began = self._began.pop(call.id, None)
        took = "" if began is None else f" ({time.monotonic() - began:.1f} s)"
        if result.is_error and result.content.startswith(REFUSED):
            self._line(call.name, "not run, as you said", took, DIM)
        elif result.is_error:
            self._line(f"{call.name} failed", result.content, took, RED)
        else:
            told, _, rest = result.content.partition("\n")
            self._line(
                call.name, rest if call.id in self._given and told.startswith("(") else result.content, took, DIM
            )

    def _line(self, name: str, content: str, took: str, style: str) -> None:
        """The result is shortened, the time it took is not."""
        text = one_line(f"{name}: {content[:LONGEST]}", max(columns() - MARGIN - len(took), SHORTEST))
        self._screen.aside(self._screen.style(f"  {text}{took}", style) + "\n")

    def _write(self, text: str) -> None:
        line = self._screen.style(f"  {one_line(text, max(columns() - MARGIN, SHORTEST))}", DIM)
        self._screen.aside(f"{NO_WRAP}{line}{WRAP}" if self._rewrites else f"{line}\n")

"""Time for tests: pauses between requests take none."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from agentkit._runtime.clock import CLOCKS
from agentkit.errors import InvalidInput


class FakeClock:
    """In its `with` block no pause is waited for: not before a retry, not for a rate limit, not between two polls.

    Each pause moves the clock on by what it would have taken. What is waited for from outside, bytes of a server or a
    tool that runs, still takes its time.
    """

    def __init__(self, start: float = 0.0) -> None:
        self.pauses: list[float] = []
        """The seconds of each pause, in order."""
        self._now = start
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._before, CLOCKS.current = CLOCKS.current, self
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        CLOCKS.current = self._before

    def now(self) -> float:
        """The seconds that it shows."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass, as between two turns."""
        if seconds < 0:
            raise InvalidInput(f"time goes forward only, not by {seconds!r} seconds")
        with self._lock:
            self._now += seconds

    def pause(self, seconds: float) -> float:
        """A pause begins, and is over."""
        self.advance(max(0.0, seconds))
        self.pauses.append(seconds)
        return 0.0

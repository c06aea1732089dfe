"""The clock that pauses go by: retries, rate limits, polls, continuations. A test may put another in its place.

What is waited for from outside (bytes of a server, a tool that runs) goes by real time, whatever clock is here.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time, and how long a pause really takes."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def pause(self, seconds: float) -> float:
        """A pause of so many seconds begins: the real seconds to wait for it."""
        ...


class RealClock:
    """The clock of the machine."""

    def now(self) -> float:
        return time.monotonic()

    def pause(self, seconds: float) -> float:
        return seconds


class Clocks:
    """Where the clock in use is found."""

    def __init__(self) -> None:
        self.current: Clock = RealClock()


CLOCKS = Clocks()

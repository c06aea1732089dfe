"""How fast requests may leave for one backend, over all conversations that use it.

May hold arithmetic on times only: a caller is told how long to wait and waits in its own way, blocking or async.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable

from attrs import define

from agentkit.errors import InvalidInput


@define(eq=False)
class _Sent:
    at: float
    tokens: int


class RateLimiter:
    """At most `requests` requests and `tokens` tokens in any `per` seconds; first come, first served."""

    def __init__(self, requests: int | None = None, tokens: int | None = None, per: float = 60.0) -> None:
        self._requests = None if requests is None else _whole("requests", requests, low=1)
        self._limit = None if tokens is None else _whole("tokens", tokens, low=1)
        self._per = _seconds("per", per)
        if self._per == 0:
            raise InvalidInput(f"per must be more than 0 seconds, not {per!r}")
        self._lock = threading.Lock()
        self._starts: deque[float] = deque()
        self._sent: deque[_Sent] = deque()
        """Requests whose tokens still count for the latest start; later ones cannot start before it."""
        self._spent = 0
        self._latest = -math.inf
        self._held_until = -math.inf

    def reserve(self, tokens: int, now: float) -> float:
        """Take a place for one request; the seconds to wait before it is sent."""
        amount = _whole("tokens", tokens)
        with self._lock:
            start = max(now, self._held_until, self._latest)
            start = self._after_tokens(amount, self._after_requests(start))
            self._latest = start
            return start - now

    def _after_requests(self, start: float) -> float:
        if self._requests is None:
            return start
        if len(self._starts) == self._requests:
            start = max(start, self._starts.popleft() + self._per)
        return start

    def _after_tokens(self, amount: int, start: float) -> float:
        """The first time at which so many tokens fit; what is more than the limit goes alone."""
        if self._limit is not None:
            while self._sent and (self._spent + amount > self._limit or self._sent[0].at + self._per <= start):
                gone = self._sent.popleft()
                self._spent -= gone.tokens
                start = max(start, gone.at + self._per)
            self._sent.append(_Sent(start, amount))
            self._spent += amount
        if self._requests is not None:
            self._starts.append(start)
        return start

    def settle(self, reserved: int, actual: int) -> None:
        """Put right what a request really took, as long as it counts: a refund, or a charge to those who come."""
        before, after = _whole("reserved", reserved), _whole("actual", actual)
        with self._lock:
            line: Iterable[_Sent] = self._sent if after < before else reversed(self._sent)
            sent = next((sent for sent in line if sent.tokens == before), None)
            if sent is not None:
                sent.tokens = after
                self._spent += after - before

    def brake(self, seconds: float, now: float) -> None:
        """The backend asked to wait: nobody who comes from here on sends sooner."""
        pause = _seconds("seconds", seconds)
        with self._lock:
            self._held_until = max(self._held_until, now + pause)


def _whole(name: str, value: object, *, low: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise InvalidInput(f"{name} must be a whole number of at least {low}, not {value!r}")
    return value


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InvalidInput(f"{name} must be a number of seconds of at least 0, not {value!r}")
    return float(value)

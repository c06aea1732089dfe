"""The rate limiter: arithmetic that must hold for everyone who waits as told."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit._runtime.ratelimit import RateLimiter
from agentkit.errors import InvalidInput

SLACK = 1e-6
steps = st.lists(st.tuples(st.floats(0, 5), st.integers(0, 60), st.integers(0, 60), st.floats(0, 3)), max_size=60)


@given(steps, st.integers(1, 5), st.integers(1, 100), st.floats(0.5, 20))
def test_no_window_holds_more_than_allowed(events: list[Any], requests: int, tokens: int, per: float) -> None:
    limiter = RateLimiter(requests, tokens, per)
    now = 1000.0
    sent: list[tuple[float, int]] = []
    held = 0.0
    for pause, amount, _, brake in events:
        now += pause
        if brake > 2.5:
            limiter.brake(brake, now)
            held = max(held, now + brake)
        wait = limiter.reserve(amount, now)
        assert wait >= 0
        sent.append((now + wait, amount))
        assert now + wait >= held - SLACK
    assert sent == sorted(sent, key=lambda one: one[0])
    for start, _ in sent:
        window = [amount for at, amount in sent if start <= at < start + per - SLACK]
        assert len(window) <= requests
        assert sum(window) <= tokens or max(window) > tokens


@given(steps, st.integers(10, 100))
def test_settling_never_lets_more_through(events: list[Any], tokens: int) -> None:
    limiter = RateLimiter(tokens=tokens, per=10.0)
    now = 0.0
    sent: list[list[float]] = []
    for pause, amount, actual, _ in events:
        now += pause
        reserved = min(amount, tokens)
        start = now + limiter.reserve(reserved, now)
        sent.append([start, reserved])
        limiter.settle(reserved, min(actual, reserved))
        assert limiter._spent == sum(one.tokens for one in limiter._sent) >= 0


def test_first_come_first_served_and_free_again() -> None:
    limiter = RateLimiter(requests=2, per=60)
    assert [limiter.reserve(0, 100.0) for _ in range(5)] == [0, 0, 60, 60, 120]
    assert limiter.reserve(0, 1000.0) == 0


def test_tokens_refunded_and_charged() -> None:
    limiter = RateLimiter(tokens=100, per=60)
    assert limiter.reserve(80, 0.0) == 0
    limiter.settle(80, 10)
    assert limiter.reserve(90, 1.0) == 0
    limiter.settle(90, 95)
    assert limiter.reserve(1, 2.0) == 58
    limiter.settle(7777, 1)
    assert limiter.reserve(0, 62.0) == 0


def test_more_than_the_limit_goes_alone() -> None:
    limiter = RateLimiter(tokens=10, per=60)
    assert [limiter.reserve(amount, 0.0) for amount in (5, 50, 5)] == [0, 60, 120]


def test_the_brake_holds_everyone() -> None:
    limiter = RateLimiter()
    assert limiter.reserve(10**9, 5.0) == 0
    limiter.brake(30, 5.0)
    limiter.brake(1, 5.0)
    assert limiter.reserve(1, 10.0) == 25
    assert limiter.reserve(1, 36.0) == 0


def test_many_threads() -> None:
    limiter = RateLimiter(requests=10, per=1.0)
    waits: list[float] = []
    threads = [threading.Thread(target=lambda: waits.append(limiter.reserve(1, 0.0))) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [float(number // 10) for number in range(50)]


@pytest.mark.parametrize(
    "settings",
    [
        {"requests": 0},
        {"requests": True},
        {"requests": 1.5},
        {"tokens": -1},
        {"per": 0},
        {"per": -1},
        {"per": float("inf")},
        {"per": float("nan")},
        {"per": "60"},
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(settings))):
        RateLimiter(**settings)


def test_calls_that_make_no_sense() -> None:
    limiter = RateLimiter()
    for call in (lambda: limiter.reserve(-1, 0.0), lambda: limiter.settle(-1, 0), lambda: limiter.brake(-1.0, 0.0)):
        with pytest.raises(InvalidInput):
            call()

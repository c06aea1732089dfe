"""No history is ever poisoned: whatever happened, each backend takes the next request."""

from __future__ import annotations

import os

import pytest
from history_maker import case_of
from history_requests import NAMES, shrunk, story, wrong

SHARES = 8
ALL = int(os.environ.get("AGENTKIT_HISTORIES", "100000"))
SHARING = {"gradient": ("gradient", "gradient, role of the system", "gradient, no pairs")}
SHARING["pixigpt"] = ("pixigpt", "pixigpt, assistant")
"""Settings of one backend: they have its turn in turns."""
TURNS = tuple(name for name in NAMES if name in SHARING or not name.startswith(tuple(SHARING)) or "threads" in name)
FIFTHS = 13
"""Of a backend that meet one history: they take turns, so that each meets a tenth of all."""


def takers(number: int) -> tuple[str, ...]:
    """The two or three backends that meet this history."""
    first, last = number * FIFTHS // 5, (number + 1) * FIFTHS // 5
    return tuple(_setting(TURNS[place % len(TURNS)], place // len(TURNS)) for place in range(first, last))


def _setting(name: str, turn: int) -> str:
    settings = SHARING.get(name, (name,))
    return settings[turn % len(settings)]


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.timeout(0)
@pytest.mark.parametrize("share", range(SHARES))
def test_each_request_is_taken_whatever_happened_before(share: int) -> None:
    for number in range(share, ALL, SHARES):
        names = takers(number)
        case = case_of(number)
        said = wrong(case, names, number=number)
        if said is not None:
            small = shrunk(case, names, number)
            pytest.fail(f"history {number}: {wrong(small, names, number=number)}\n{story(small)}", pytrace=False)

"""No history is ever poisoned: whatever happened, each backend takes the next request."""

from __future__ import annotations

import os

import pytest
from history_maker import case_of
from history_requests import NAMES, shrunk, story, wrong

SHARES = 8
ALL = int(os.environ.get("AGENTKIT_HISTORIES", "100000"))
EACH = 3
"""Backends that meet one history: they take turns, so that each meets a ninth of all."""


def takers(number: int) -> tuple[str, ...]:
    """The backends that meet this history."""
    return tuple(NAMES[(number * EACH + place) % len(NAMES)] for place in range(EACH))


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

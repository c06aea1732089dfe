"""A long reply through the whole engine takes time in proportion to its length."""

from __future__ import annotations

import pytest
from seam_engine import WINDOW, cost


@pytest.mark.slow
@pytest.mark.no_cover
def test_four_times_the_attempts_take_about_four_times_as_long() -> None:
    cost(20, prefix=True, window=WINDOW)  # loads the vocabulary
    short, _ = cost(100, prefix=True, window=WINDOW)
    long, sent = cost(400, prefix=True, window=WINDOW)
    assert long < 10 * short
    assert sent < 400 * 40_000

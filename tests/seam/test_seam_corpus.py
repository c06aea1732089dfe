"""What must hold of joined replies, over the whole corpus; `python -m tests.seam.report` prints the figures."""

from __future__ import annotations

import pytest
from seam_repeats import deleted
from seam_tally import found_cut, taken_for_cut, tally
from seam_trials import COUNTED, ECHO, cuts


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.timeout(1200)
def test_what_must_hold_of_joined_replies() -> None:
    assert len(cuts()) >= 2000
    found = tally()

    def percent(strategy: str, habits: tuple[str, ...] = (), repeats: bool | None = None) -> float:
        right, of = found.share(strategy, habits or COUNTED[strategy], repeats)
        return 100 * right / of

    assert found.total("deleted") == 0, [key for key in found.kinds if key[2] == "deleted"]
    for native in ("native", "native repeats", "native unknown", "raw"):
        assert percent(native) == 100
    assert percent("native unknown repeats") >= 99
    assert percent("echo", repeats=False) >= 99
    assert percent("echo", tuple(habit for habit in ECHO if habit != "repeat")) >= 99
    assert percent("echo", ("echo", "remark", "restart", "fence_closed", "fenced", "trimmed")) == 100
    assert percent("overlap", repeats=False) >= 95
    assert percent("overlap", ("exact",)) >= 99.8
    for strategy in ("native", "echo", "overlap"):
        assert set(found.row(strategy, "silence")) == {"guarded"}
        assert set(found.row(strategy, "loop")) <= {"guarded", "reported"}
        assert found.row(strategy, "paraphrase")["reported"] >= 0.95 * found.row(strategy, "paraphrase").total()


def test_complete_replies_are_not_taken_for_cut() -> None:
    wrong, of = taken_for_cut()
    assert of > 600
    assert not wrong


def test_cuts_within_json_show() -> None:
    shows = found_cut()
    for kind in ("records", "pretty"):
        assert shows[kind, False] == 0
    assert shows["english", True] == 0


def test_what_is_said_several_times_in_a_row_is_kept() -> None:
    lost, every = deleted()
    assert sum(every.values()) > 10_000
    assert {times for (_, times), count in lost.items() if count} <= {2}
    assert sum(lost.values()) <= 0.002 * sum(every.values())

"""Every fault of the table, streamed and plain, over blocking, asyncio and trio.

Each run is judged alike (`fault_run`): no hang, the exact text or one of the errors that are meant, its message on one
line, the delivered text kept on the error and in history, no request too many, the next turn works, no key anywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from fault_run import EARS, Fault, run_all
from fault_table import TABLE


@pytest.fixture(autouse=True, scope="module")
def ears() -> Iterator[None]:
    """All loggers of the process at DEBUG."""
    root = logging.getLogger()
    level = root.level
    root.addHandler(EARS)
    root.setLevel(logging.DEBUG)
    yield
    root.setLevel(level)
    root.removeHandler(EARS)


BUSY = {"an event of endless lines", "blank lines for ever, fast", "thousands of chunks in one packet"}
"""Measuring coverage makes six busy threads ten times as slow, which would be judged as a server that stalls."""


@pytest.mark.parametrize(
    "fault",
    [pytest.param(row, id=row.name, marks=[pytest.mark.no_cover] if row.name in BUSY else []) for row in TABLE],
)
def test_fault(fault: Fault) -> None:
    bad = [str(verdict) for verdict in run_all(fault) if not verdict.is_good]
    assert not bad, "\n" + "\n".join(bad)


def test_the_table_is_long_and_its_names_differ() -> None:
    assert len(TABLE) >= 75
    assert len({fault.name for fault in TABLE}) == len(TABLE)

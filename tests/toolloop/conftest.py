"""The scenarios of tests/runtime and the hand-stepped flows of tests/engine are used here as well."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

for folder in ("runtime", "engine"):
    tests = str(Path(__file__).resolve().parent.parent / folder)
    if tests not in sys.path:
        sys.path.append(tests)


@pytest.fixture(params=("blocking", "asyncio", "trio"))
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def no_threads_left() -> Iterator[None]:
    """The threads of tools end with the test."""
    before = set(threading.enumerate())
    yield

    def left() -> list[str]:
        return [each.name for each in set(threading.enumerate()) - before if each.name.startswith("agentkit tool")]

    deadline = time.monotonic() + 10
    while left():
        assert time.monotonic() < deadline, f"threads are left: {left()}"
        time.sleep(0.005)

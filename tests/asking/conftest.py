"""The scenarios of tests/runtime are used here as well."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

tests = str(Path(__file__).resolve().parent.parent / "runtime")
if tests not in sys.path:
    sys.path.append(tests)


@pytest.fixture(params=("blocking", "asyncio", "trio"))
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=("native", "call", "words"))
def way(request: pytest.FixtureRequest) -> str:
    """How a backend is asked for a value."""
    return str(request.param)

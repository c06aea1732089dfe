from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agentkit.stores.memory import MemoryStore

RUNTIME_TESTS = str(Path(__file__).parents[1] / "runtime")
if RUNTIME_TESTS not in sys.path:
    sys.path.append(RUNTIME_TESTS)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str | MemoryStore:
    """A store that several conversations can be opened in, one after the other."""
    return MemoryStore() if request.param == "memory" else f"sqlite:///{tmp_path}/chat.db"

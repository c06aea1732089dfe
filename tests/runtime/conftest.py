from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scenarios import RUNTIMES

from agentkit.sim import SimServer, Simulator


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    """Each behaviour is shown without an event loop, on asyncio and on trio."""
    return str(request.param)


@pytest.fixture(params=["in process", "server"])
def backend(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The simulator without a socket, and over loopback HTTP: what opens a conversation with it."""
    simulator = Simulator(seed=7)
    if request.param == "in process":
        yield {"model": simulator}
        return
    with SimServer(simulator) as server:
        from agentkit.providers.openai_chat import SIM, OpenAIChat

        yield {"model": OpenAIChat(name="sim", base_url=server.describe()["openai"], dialect=SIM)}


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory" if request.param == "memory" else f"sqlite:///{tmp_path}/chat.db"

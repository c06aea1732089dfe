"""The pytest plugin: the fixture `agentkit_sim`. Loaded by pytest where agentkit is installed."""

from __future__ import annotations

import pytest

from agentkit.sim import Simulator


@pytest.fixture
def agentkit_sim() -> Simulator:
    """A fresh simulator: give it to a `Conversation` as its model, and script it."""
    return Simulator()

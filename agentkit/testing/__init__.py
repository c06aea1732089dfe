"""Fakes and checks for tests of programs that use agentkit, and of agentkit itself. Only `plugin` imports pytest."""

from __future__ import annotations

from agentkit.testing._clock import FakeClock
from agentkit.testing._provider_contract import RecordedAnswer, provider_contract
from agentkit.testing._recording import RecordingStore, StoreCall
from agentkit.testing._scripted import Cut, ScriptedProvider
from agentkit.testing._store_contract import StoreContract, store_contract

__all__ = [
    "Cut",
    "FakeClock",
    "RecordedAnswer",
    "RecordingStore",
    "ScriptedProvider",
    "StoreCall",
    "StoreContract",
    "provider_contract",
    "store_contract",
]

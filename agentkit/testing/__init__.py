"""Fakes and checks for tests of programs that use agentkit, and of agentkit itself. Nothing here imports pytest."""

from __future__ import annotations

from agentkit.testing._recording import RecordingStore, StoreCall
from agentkit.testing._store_contract import StoreContract, store_contract

__all__ = ["RecordingStore", "StoreCall", "StoreContract", "store_contract"]

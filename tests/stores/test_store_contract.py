"""Every store, alone and through RecordingStore, keeps the contract."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from agentkit.errors import StoreError
from agentkit.store import PartialReply
from agentkit.stores.memory import MemoryStore
from agentkit.stores.sqlite import SQLiteStore
from agentkit.testing import RecordingStore, StoreCall, StoreContract, store_contract


class TemporaryStore(SQLiteStore):
    """A store in a folder of its own, which close() removes."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="agentkit-test-"))
        super().__init__(self.folder / "store.db")

    def close(self):
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)


TestMemory = store_contract(MemoryStore)
TestSQLite = store_contract(TemporaryStore)
TestRecordedMemory = store_contract(lambda: RecordingStore(MemoryStore()))
TestRecordedSQLite = store_contract(lambda: RecordingStore(TemporaryStore()))


def test_the_contract_asks_for_a_store():
    with pytest.raises(NotImplementedError, match="make_store"):
        StoreContract().setup_method()


def test_calls_are_noted():
    store = RecordingStore(MemoryStore())
    assert store.blocking is False
    lease = store.acquire("trip", "ann")
    store.append("trip", [PartialReply("t", "a")], expect=0, lease=lease)
    store.close()
    assert [call.method for call in store.calls] == ["acquire", "append", "close"]
    assert store.calls[0] == StoreCall("acquire", ("trip", "ann"))
    assert store.calls[1].options == {"expect": 0, "lease": lease, "durable": True}
    assert "MemoryStore" in repr(store)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_nth_call_fails_before_or_after_it_was_done(when):
    store = RecordingStore(MemoryStore(), fail_at=2, when=when)
    lease = store.acquire("trip", "ann")
    with pytest.raises(StoreError, match=r"2 \(append\)"):
        store.append("trip", [PartialReply("t", "a")], expect=0, lease=lease)
    assert len(store.read("trip")) == (when == "after")

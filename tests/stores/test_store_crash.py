"""Processes killed at random moments: what was acknowledged is there, and the lease is free at once.

AGENTKIT_KILLS says how many kills; a run by hand takes 500.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentkit.store import PartialReply
from agentkit.stores import new_owner
from agentkit.stores.sqlite import SQLiteStore

WORKER = [sys.executable, str(Path(__file__).with_name("store_worker.py"))]
KILLS = int(os.environ.get("AGENTKIT_KILLS", "20"))


@pytest.mark.timeout(60 + 3 * KILLS)
def test_killed_processes_lose_nothing_that_was_acknowledged(tmp_path):
    path = tmp_path / "store.db"
    store = SQLiteStore(path)
    acknowledged = 0
    for _ in range(KILLS):
        worker = subprocess.Popen([*WORKER, "until_killed", path], stdout=subprocess.PIPE, encoding="utf-8")
        acknowledged = int(worker.stdout.readline())
        time.sleep(random.random() * 0.1)
        worker.kill()
        worker.wait()
        lines = worker.stdout.read().splitlines(keepends=True)
        worker.stdout.close()
        acknowledged = max([acknowledged, *(int(line) for line in lines if line.endswith("\n"))])
        lease = store.acquire("trip", new_owner())
        assert lease is not None, "the lease of a dead owner is taken over at once"
        texts = [entry.record.text for entry in store.read("trip")]
        assert texts == [f"{number}" for number in range(1, len(texts) + 1)]
        assert acknowledged <= len(texts) <= acknowledged + 1
        version = store.append("trip", [PartialReply("test", f"{len(texts) + 1}")], expect=len(texts), lease=lease)
        assert version == len(texts) + 1
        store.release(lease)
    assert store._file.run("PRAGMA integrity_check", ()) == [("ok",)]
    store.close()

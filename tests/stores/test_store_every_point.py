"""Every call of a store, and every statement of SQLite, fails once: nothing is lost, doubled or half."""

from __future__ import annotations

import sqlite3

import pytest

from agentkit.errors import StoreError
from agentkit.store import PartialReply
from agentkit.stores import _sqlite_file
from agentkit.stores.memory import MemoryStore
from agentkit.stores.sqlite import SQLiteStore
from agentkit.testing import RecordingStore

WORDS = ("one", "two", "three")


def say(store, name, owner, words):
    """What a careful caller does: ask, read what is there, add what is missing, give the lease back."""
    lease = store.acquire(name, owner)
    assert lease is not None
    done = [entry.record.text for entry in store.read(name)]
    assert done == list(words[: len(done)])
    store.renew(lease)
    for version, word in list(enumerate(words))[len(done) :]:
        records = [PartialReply("t", word)]
        assert store.append(name, records, expect=version, lease=lease, durable=version % 2 == 0) == version + 1
    store.release(lease)


def scenario(store):
    say(store, "trip", "ann", WORDS)
    if "fork" not in {info.name for info in store.list()}:
        store.fork("trip", "fork", at=2)
    say(store, "fork", "bob", (*WORDS[:2], "other"))
    say(store, "short", "ann", ("x",))
    store.delete("short")


def settle(store):
    """The scenario, again and again as long as it fails; how often it failed."""
    failed = 0
    while True:
        try:
            scenario(store)
        except StoreError:
            failed += 1
            continue
        return failed


def check(store):
    assert [entry.record.text for entry in store.read("trip")] == list(WORDS)
    assert [entry.record.text for entry in store.read("fork")] == ["one", "two", "other"]
    assert sorted((info.name, info.busy) for info in store.list()) == [("fork", False), ("trip", False)]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_every_call_fails_once(kind, when, tmp_path):
    number = failed = 1
    while failed:
        inner = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / f"{number}.db")
        failed = settle(RecordingStore(inner, fail_at=number, when=when))
        check(inner)
        inner.close()
        number += 1
    assert number > 20


def test_every_statement_fails_once(tmp_path, monkeypatch):
    left = [0]

    class Failing(_sqlite_file.Connection):
        def execute(self, *arguments):
            self.count()
            return super().execute(*arguments)

        def executemany(self, *arguments):
            self.count()
            return super().executemany(*arguments)

        def count(self):
            left[0] -= 1
            if left[0] == 0:
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorname = "SQLITE_IOERR"
                raise error

    monkeypatch.setattr(_sqlite_file, "Connection", Failing)
    number = failed = 1
    while failed:
        left[0] = number
        store = SQLiteStore(tmp_path / f"{number}.db")
        failed = settle(store)
        left[0] = 0
        check(store)
        assert store._file.run("PRAGMA integrity_check", ()) == [("ok",)]
        store.close()
        number += 1
    assert number > 80

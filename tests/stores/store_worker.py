"""What the tests run in processes of their own: python store_worker.py WORK PATH ..."""

from __future__ import annotations

import sys
import time

from agentkit.store import PartialReply
from agentkit.stores import new_owner
from agentkit.stores.sqlite import SQLiteStore


def say(text):
    print(text, flush=True)


def turn(store, owner):
    """Take the lease, append to what was just read, give the lease back; the number of the record, as in its text."""
    while (lease := store.acquire("trip", owner)) is None:
        time.sleep(0.002)
    version = len(store.read("trip"))
    record = PartialReply(owner, f"{version + 1}")
    store.append("trip", [record], expect=version, lease=lease, durable=version % 3 == 0)
    return version + 1, lease


def many(path, count):
    """So many turns of one of several processes."""
    store, owner = SQLiteStore(path), new_owner()
    for _ in range(int(count)):
        _, lease = turn(store, owner)
        store.release(lease)
    store.close()


def first_uses(folder, count):
    """Open so many new files, at the same times as the other processes."""
    for number in range(int(count)):
        time.sleep(-time.time() % 0.02)
        store = SQLiteStore(f"{folder}/{number}.db")
        store.list()
        store.close()


def until_killed(path):
    """Turns for ever, each acknowledged on the output; the lease is mostly held when the end comes."""
    store, owner = SQLiteStore(path), new_owner()
    while True:
        version, lease = turn(store, owner)
        say(version)
        store.release(lease)


def hold(path):
    store = SQLiteStore(path)
    store.acquire("trip", new_owner())
    say("held")
    time.sleep(600)


def wait(path):
    """Ask for the lease that the test holds, and wait for ever."""
    store = SQLiteStore(path)
    say(store.acquire("trip", new_owner()))
    time.sleep(600)


def small_disk(path, limit):
    """Append until the file may grow no more; then with a higher limit."""
    import resource

    from agentkit.errors import StoreError

    store, owner = SQLiteStore(path), new_owner()
    version = 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    for attempt in ("full", "still full"):
        try:
            while True:
                lease = store.acquire("trip", owner)
                version = store.append("trip", [PartialReply("t", "x" * 20_000)], expect=version, lease=lease)
        except StoreError as error:
            say(f"{attempt}: {error}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert len(store.read("trip")) == version > 0
    lease = store.acquire("trip", owner)
    say(store.append("trip", [PartialReply("t", "x" * 20_000)], expect=version, lease=lease))
    store.close()


if __name__ == "__main__":
    work, *arguments = sys.argv[1:]
    globals()[work](*arguments)

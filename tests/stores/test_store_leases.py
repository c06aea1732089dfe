"""Leases that end without being given back: dead and silent owners, clocks that jump."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentkit.errors import StaleWriter
from agentkit.store import PartialReply
from agentkit.stores import _owner, _rules, new_owner
from agentkit.stores._owner import is_dead, is_silent, this_process
from agentkit.stores.memory import MemoryStore
from agentkit.stores.sqlite import SQLiteStore

WORKER = [sys.executable, str(Path(__file__).with_name("store_worker.py"))]
linux = pytest.mark.skipif(not Path("/proc/self/ns/pid").exists(), reason="needs /proc")


class Clock:
    def __init__(self, monkeypatch):
        self.wall, self.tick = time.time(), time.monotonic()
        monkeypatch.setattr(time, "time", lambda: self.wall)
        monkeypatch.setattr(time, "monotonic", lambda: self.tick)

    def sleep(self, seconds):
        self.wall += seconds
        self.tick += seconds


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def store(path):
    made = SQLiteStore(path, lease_seconds=10)
    yield made
    made.close()


@pytest.fixture(params=["memory", "sqlite"])
def any_store(request, path):
    made = MemoryStore() if request.param == "memory" else SQLiteStore(path)
    yield made
    made.close()


# --- silence


def test_a_silent_owner_is_taken_over_and_refused(store, clock):
    old = store.acquire("trip", "ann")
    assert store.append("trip", [PartialReply("t", "a")], expect=0, lease=old) == 1
    clock.sleep(9.9)
    assert store.acquire("trip", "bob") is None
    assert store.list()[0].busy
    clock.sleep(0.2)
    assert not store.list()[0].busy
    new = store.acquire("trip", "bob")
    assert new.token > old.token
    for call in (
        lambda: store.append("trip", [PartialReply("t", "b")], expect=1, lease=old),
        lambda: store.renew(old),
    ):
        with pytest.raises(StaleWriter, match="'bob' took"):
            call()
    store.release(old)
    assert store.renew(new) is False
    assert store.append("trip", [PartialReply("t", "b")], expect=1, lease=new) == 2


def test_renewing_and_appending_keep_a_lease_alive(store, clock):
    lease = store.acquire("trip", "ann")
    for version in range(5):
        clock.sleep(6)
        store.append("trip", [PartialReply("t", "a")], expect=version, lease=lease, durable=False)
        clock.sleep(6)
        assert store.renew(lease) is False
        assert store.acquire("trip", "bob") is None


def test_asking_again_keeps_a_lease_alive_too(store, clock):
    lease = store.acquire("trip", "ann")
    for _ in range(3):
        clock.sleep(6)
        assert store.acquire("trip", "ann") == lease
        assert store.acquire("trip", "bob") is None


def test_a_silent_owner_that_nobody_took_over_goes_on(store, clock):
    lease = store.acquire("trip", "ann")
    clock.sleep(1000)
    assert store.append("trip", [PartialReply("t", "a")], expect=0, lease=lease) == 1
    assert store.renew(lease) is False
    assert store.acquire("trip", "bob") is None


def test_a_silent_owner_does_not_hinder_a_deletion(store, clock):
    lease = store.acquire("trip", "ann")
    store.append("trip", [PartialReply("t", "a")], expect=0, lease=lease)
    clock.sleep(11)
    assert store.delete("trip") is True
    with pytest.raises(StaleWriter, match="holds no lease"):
        store.append("trip", [PartialReply("t", "a")], expect=1, lease=lease)
    with pytest.raises(StaleWriter, match="holds no lease"):
        store.renew(lease)


def test_a_lease_in_memory_does_not_end_by_itself(clock):
    store = MemoryStore()
    lease = store.acquire("trip", "ann")
    clock.sleep(10_000)
    assert store.acquire("trip", "bob") is None
    assert store.renew(lease) is False


def test_who_stops_asking_loses_its_place(any_store, clock):
    lease = any_store.acquire("trip", "ann")
    assert any_store.acquire("trip", "bob") is None
    clock.sleep(_rules.PATIENCE - 1)
    any_store.renew(lease)
    assert any_store.acquire("trip", "cyd") is None
    clock.sleep(2)
    any_store.release(lease)
    assert any_store.acquire("trip", "dan") is None
    assert any_store.acquire("trip", "bob") is None
    assert any_store.acquire("trip", "cyd") is not None


def test_who_keeps_asking_keeps_its_place(any_store, clock):
    lease = any_store.acquire("trip", "ann")
    for _ in range(5):
        assert any_store.acquire("trip", "bob") is None
        assert any_store.acquire("trip", "cyd") is None
        clock.sleep(_rules.PATIENCE - 1)
        any_store.renew(lease)
    any_store.release(lease)
    assert any_store.acquire("trip", "cyd") is None
    assert any_store.acquire("trip", "bob") is not None


# --- clocks


@pytest.mark.parametrize("jump", [-3600, 86_400])
@linux
def test_setting_the_clock_ends_no_lease_on_this_machine(any_store, clock, jump):
    lease = any_store.acquire("trip", "ann")
    assert any_store.acquire("trip", "bob") is None
    clock.wall += jump
    assert any_store.acquire("trip", "cyd") is None
    assert any_store.append("trip", [PartialReply("t", "a")], expect=0, lease=lease) == 1
    any_store.release(lease)
    assert any_store.acquire("trip", "cyd") is None
    assert any_store.acquire("trip", "bob") is not None


def test_the_list_keeps_its_order_when_the_clock_is_set_back(any_store, clock):
    for number in range(5):
        lease = any_store.acquire(f"{number}", "ann")
        any_store.append(f"{number}", [PartialReply("t", "a")], expect=0, lease=lease)
        clock.wall -= 100
    assert [info.name for info in any_store.list()] == ["4", "3", "2", "1", "0"]


def test_owners_elsewhere_are_judged_by_the_wall_clock(clock):
    elsewhere = "another-boot:pid:[1]/5/6/nonce"
    assert not is_silent(elsewhere, clock.wall - 9, -1e9, 10)
    assert is_silent(elsewhere, clock.wall - 11, clock.tick, 10)
    assert is_silent(elsewhere, clock.wall + 11, clock.tick, 10)
    assert not is_silent(new_owner(), -1e9, clock.tick - 9, 10)
    assert is_silent(new_owner(), clock.wall, clock.tick - 11, 10)


# --- death


def test_owners_differ_and_live():
    assert new_owner() != new_owner()
    assert not is_dead(new_owner())
    assert not is_dead(this_process())


def test_only_the_surely_dead_are_dead():
    place, pid, start = this_process().split("/")
    assert is_dead(f"{place}/{pid}/{start}1/x") == bool(start)
    assert not is_dead(f"other{place}/{pid}/1/x")
    for owner in ("", "ann", "a/b", f"{place}/x/y", f"{place}/-1/1", f"{place}/²/1"):
        assert not is_dead(owner)


def sleeper():
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


@linux
def test_a_killed_process_is_dead_even_before_its_parent_asks():
    process = sleeper()
    owner = f"{this_process().split('/')[0]}/{process.pid}/{_owner._start(process.pid)}/x"
    assert not is_dead(owner)
    process.kill()
    deadline = time.monotonic() + 10
    while not is_dead(owner) and time.monotonic() < deadline:
        time.sleep(0.001)
    assert is_dead(owner)
    process.wait()
    assert is_dead(owner)


def test_without_proc_a_signal_tells(monkeypatch):
    monkeypatch.setattr(_owner, "_place", lambda pid: "host")
    process = sleeper()
    owner = f"host/{process.pid}//x"
    assert not is_dead(owner)
    process.kill()
    process.wait()
    assert is_dead(owner)
    assert not is_dead(f"host/{'9' * 30}//x")
    monkeypatch.setattr(_owner.os, "name", "nt")
    assert not is_dead(owner)


def test_without_proc_the_place_is_the_name_of_the_machine(monkeypatch):
    monkeypatch.setattr(_owner, "Path", lambda name: Path("/nothing") / name.strip("/"))
    _owner._place.cache_clear()
    _owner._process.cache_clear()
    try:
        assert this_process().endswith(f"/{os.getpid()}/")
        assert this_process().count("/") == 2
        assert not is_dead(new_owner())
    finally:
        _owner._place.cache_clear()
        _owner._process.cache_clear()


@linux
def test_the_lease_of_a_killed_process_is_taken_over_at_once(store, path):
    holder = subprocess.Popen([*WORKER, "hold", path], stdout=subprocess.PIPE, encoding="utf-8")
    assert holder.stdout.readline() == "held\n"
    assert store.acquire("trip", "ann") is None
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert store.acquire("trip", "ann") is not None


@linux
def test_a_killed_process_is_not_waited_for_in_line(store, path):
    lease = store.acquire("trip", "ann")
    waiter = subprocess.Popen([*WORKER, "wait", path], stdout=subprocess.PIPE, encoding="utf-8")
    assert waiter.stdout.readline() == "None\n"
    assert store.acquire("trip", "bob") is None
    waiter.kill()
    waiter.wait()
    waiter.stdout.close()
    store.release(lease)
    assert store.acquire("trip", "bob") is not None


@linux
def test_a_stopped_process_is_only_silent(store, path):
    holder = subprocess.Popen([*WORKER, "hold", path], stdout=subprocess.PIPE, encoding="utf-8")
    assert holder.stdout.readline() == "held\n"
    os.kill(holder.pid, signal.SIGSTOP)
    impatient = SQLiteStore(path, lease_seconds=0.2)
    try:
        assert store.acquire("trip", "ann") is None
        time.sleep(0.3)
        assert impatient.acquire("trip", "ann") is not None
    finally:
        impatient.close()
        holder.kill()
        holder.wait()
        holder.stdout.close()

"""Any sequence of calls has the same results in SQLite as in memory."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agentkit.errors import AgentKitError
from agentkit.store import Lease, PartialReply
from agentkit.stores.memory import MemoryStore
from agentkit.stores.sqlite import SQLiteStore

names = st.sampled_from(["a", "b", "c", "d"])
owners = st.sampled_from(["ann", "bob", "cyd"])
wrongs = st.sampled_from([0, 0, 0, 0, 1, -1])
ages = st.sampled_from([0, 0, 0, 1])


class Stores(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="agentkit-test-")
        self.stores = (MemoryStore(), SQLiteStore(Path(self.folder) / "store.db"))
        self.leases = {}
        self.letters = 0

    def teardown(self):
        for store in self.stores:
            store.close()
        shutil.rmtree(self.folder)

    def both(self, call):
        """The result of both, which is the same: leases but for their tokens, errors but for their details."""
        first, second = (self.one(call, number) for number in (0, 1))
        if isinstance(first, Lease) and isinstance(second, Lease):
            self.leases.setdefault(first.name, []).append((first, second))
            first, second = (first.name, first.owner), (second.name, second.owner)
        assert first == second
        return first

    def one(self, call, number):
        try:
            return call(self.stores[number], number)
        except AgentKitError as error:
            return type(error), str(error)

    def lease(self, name, age):
        held = self.leases.get(name, [])
        return held[-1 - age] if len(held) > age else (Lease(name, "nobody", 0),) * 2

    @rule(name=names, owner=owners)
    def acquire(self, name, owner):
        self.both(lambda store, _: store.acquire(name, owner))

    @rule(
        name=names,
        count=st.integers(0, 3),
        wrong=st.sampled_from([0, 0, 0, 0, 1, -1]),
        age=st.sampled_from([0, 0, 0, 1]),
    )
    def append(self, name, count, wrong, age):
        lease = self.lease(name, age)
        expect = max((entry.version for entry in self.stores[0].read(name)), default=0) + wrong
        records = [PartialReply("t", f"{self.letters + number}") for number in range(count)]
        self.letters += count
        durable = self.letters % 2 == 0
        self.both(lambda store, it: store.append(name, records, expect=expect, lease=lease[it], durable=durable))

    @rule(name=names, age=st.integers(0, 1))
    def release(self, name, age):
        lease = self.lease(name, age)
        self.both(lambda store, it: store.release(lease[it]))

    @rule(name=names, age=st.integers(0, 1))
    def renew(self, name, age):
        lease = self.lease(name, age)
        self.both(lambda store, it: store.renew(lease[it]))

    @rule(name=names, owner=owners)
    def withdraw(self, name, owner):
        self.both(lambda store, _: store.withdraw(name, owner))

    @rule(name=names)
    def interrupt(self, name):
        self.both(lambda store, _: store.interrupt(name))

    @rule(name=names, new_name=names, at=st.integers(-1, 6))
    def fork(self, name, new_name, at):
        self.both(lambda store, _: store.fork(name, new_name, at=at))

    @rule(name=names)
    def delete(self, name):
        self.both(lambda store, _: store.delete(name))

    @rule(name=names, after=st.integers(-1, 6))
    def read(self, name, after):
        self.both(lambda store, _: [(entry.version, entry.record) for entry in store.read(name, after=after)])

    @invariant()
    def lists_are_the_same(self):
        self.both(lambda store, _: [(info.name, info.version, info.parent, info.busy) for info in store.list()])

    @invariant()
    def entries_are_the_same(self):
        for name in "abcd":
            self.both(lambda store, _, name=name: [(entry.version, entry.record) for entry in store.read(name)])


Stores.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestStores = pytest.mark.timeout(300)(Stores.TestCase)

"""What every store must do, as tests for pytest: each method is one rule of `agentkit.store.Store`."""
# ruff: noqa: S101, PLR2004 - these are tests, although they are installed

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from agentkit.errors import AgentKitError, ConversationBusy, InvalidInput, StaleWriter
from agentkit.store import Entry, Lease, PartialReply, Record, Store
from agentkit.testing._store_values import BAD_NAMES, NAMES, RECORDS


def store_contract(make: Callable[[], Store]) -> type[StoreContract]:
    """A class of tests over the stores that `make` makes, each empty: `TestMine = store_contract(MyStore)`."""
    return type("StoreContract", (StoreContract,), {"make_store": staticmethod(make)})


class StoreContract:
    """The rules, over a new store each."""

    store: Store

    @staticmethod
    def make_store() -> Store:
        raise NotImplementedError("use store_contract, or override make_store")

    def setup_method(self) -> None:
        self.store = self.make_store()

    def teardown_method(self) -> None:
        self.store.close()

    # --- reading and appending

    def test_an_unknown_name_has_no_entries(self) -> None:
        assert list(self.store.read("trip")) == []
        assert list(self.store.read("trip", after=5)) == []

    def test_entries_are_numbered_from_1_in_the_order_of_appending(self) -> None:
        before = time.time()
        assert _write(self.store, "trip", _texts("abc")) == 3
        assert _write(self.store, "trip", _texts("d"), expect=3, durable=False) == 4
        entries = self.store.read("trip")
        assert [entry.version for entry in entries] == [1, 2, 3, 4]
        assert _said(entries) == "abcd"
        assert all(before - 1 <= entry.at <= time.time() + 1 for entry in entries)

    def test_reading_begins_after_a_version(self) -> None:
        _write(self.store, "trip", _texts("abc"))
        for after, said in ((-1, "abc"), (0, "abc"), (1, "bc"), (3, ""), (4, ""), (2**80, "")):
            assert _said(self.store.read("trip", after=after)) == said

    def test_every_record_comes_back_equal(self) -> None:
        _write(self.store, "trip", RECORDS)
        assert tuple(entry.record for entry in self.store.read("trip")) == RECORDS

    def test_conversations_do_not_mix(self) -> None:
        for name, letter in zip(NAMES, _letters(), strict=False):
            _write(self.store, name, _texts(letter))
        for name, letter in zip(NAMES, _letters(), strict=False):
            assert _said(self.store.read(name)) == letter
        assert sorted(info.name for info in self.store.list()) == sorted(NAMES)
        assert all(self.store.delete(name) for name in NAMES)

    def test_what_is_no_name_is_refused_everywhere(self) -> None:
        _write(self.store, "trip", _texts("a"))
        for name in BAD_NAMES:
            lease = Lease(name, "ann", 1)
            _raises(InvalidInput, self.store.read, name)
            _raises(InvalidInput, self.store.append, name, (), expect=0, lease=lease)
            _raises(InvalidInput, self.store.acquire, name, "ann")
            _raises(InvalidInput, self.store.renew, lease)
            _raises(InvalidInput, self.store.release, lease)
            _raises(InvalidInput, self.store.withdraw, name, "ann")
            _raises(InvalidInput, self.store.interrupt, name)
            _raises(InvalidInput, self.store.fork, name, "new", at=0)
            _raises(InvalidInput, self.store.fork, "trip", name, at=0)
            _raises(InvalidInput, self.store.delete, name)

    def test_a_wrong_version_writes_nothing(self) -> None:
        lease = _lease(self.store, "trip", "ann")
        for expect in (1, -1, 2**40):
            _raises(StaleWriter, self.store.append, "trip", _texts("a"), expect=expect, lease=lease)
        assert self.store.append("trip", _texts("ab"), expect=0, lease=lease) == 2
        for expect in (0, 1, 3):
            _raises(StaleWriter, self.store.append, "trip", _texts("c"), expect=expect, lease=lease)
        assert _said(self.store.read("trip")) == "ab"

    # --- leases

    def test_a_lease_is_for_one_owner_and_one_conversation(self) -> None:
        lease = _lease(self.store, "trip", "ann")
        assert (lease.name, lease.owner) == ("trip", "ann")
        assert self.store.acquire("trip", "bob") is None
        assert self.store.acquire("trip", "ann") == lease
        assert self.store.acquire("Trip", "bob") is not None
        other = _lease(self.store, "other", "ann")
        _raises(StaleWriter, self.store.append, "trip", _texts("a"), expect=0, lease=other)

    def test_an_append_needs_the_lease_in_force(self) -> None:
        lease = _lease(self.store, "trip", "ann")
        never = (
            Lease("trip", "ann", lease.token + 1),
            Lease("trip", "bob", lease.token),
            Lease("none", "ann", lease.token),
        )
        self.store.release(lease)
        self._refused(lease, *never)
        newer = _lease(self.store, "trip", "bob")
        self._refused(lease, Lease("trip", "ann", newer.token))
        assert list(self.store.read("trip")) == []
        assert self.store.append("trip", _texts("a"), expect=0, lease=newer) == 1

    def _refused(self, *leases: Lease) -> None:
        for lease in leases:
            _raises(StaleWriter, self.store.append, "trip", _texts("x"), expect=0, lease=lease)
            _raises(StaleWriter, self.store.renew, lease)
            self.store.release(lease)

    def test_tokens_increase_for_ever(self) -> None:
        tokens = [0]
        for _ in range(3):
            lease = _lease(self.store, "trip", "ann")
            self.store.append("trip", _texts("a"), expect=0, lease=lease)
            self.store.release(lease)
            tokens.append(lease.token)
            self.store.delete("trip")
            lease = _lease(self.store, "trip", "bob")
            self.store.release(lease)
            tokens.append(lease.token)
        assert tokens == sorted(set(tokens))

    def test_giving_back_twice_or_too_late_does_nothing(self) -> None:
        old = _lease(self.store, "trip", "ann")
        self.store.release(old)
        self.store.release(old)
        new = _lease(self.store, "trip", "ann")
        self.store.release(old)
        assert self.store.renew(new) is False

    def test_owners_are_served_in_the_order_of_first_asking(self) -> None:
        lease = _lease(self.store, "trip", "ann")
        for owner in ("bob", "cyd", "dan", "cyd", "bob"):
            assert self.store.acquire("trip", owner) is None
        for first, later in (("bob", "cyd"), ("cyd", "dan"), ("dan", "ann")):
            self.store.release(lease)
            assert self.store.acquire("trip", later) is None
            assert self.store.acquire("trip", "eve") is None
            lease = _lease(self.store, "trip", first)

    def test_who_withdraws_is_not_waited_for(self) -> None:
        lease = _lease(self.store, "trip", "ann")
        assert self.store.acquire("trip", "bob") is None
        assert self.store.acquire("trip", "cyd") is None
        self.store.withdraw("trip", "bob")
        self.store.withdraw("trip", "nobody")
        self.store.withdraw("nothing", "bob")
        self.store.release(lease)
        assert self.store.acquire("trip", "cyd") is not None

    def test_an_interrupt_is_seen_by_the_holder_alone(self) -> None:
        self.store.interrupt("trip")
        lease = _lease(self.store, "trip", "ann")
        other = _lease(self.store, "other", "ann")
        assert self.store.renew(lease) is False
        self.store.interrupt("trip")
        assert self.store.renew(lease) is True
        assert self.store.renew(lease) is True
        assert self.store.renew(other) is False
        assert self.store.append("trip", _texts("a"), expect=0, lease=lease) == 1
        self.store.release(lease)
        assert self.store.renew(_lease(self.store, "trip", "ann")) is False

    # --- forks

    def test_a_fork_begins_with_the_entries_up_to_a_version(self) -> None:
        _write(self.store, "trip", _texts("abc"))
        self.store.fork("trip", "fork", at=2)
        assert list(self.store.read("fork")) == list(self.store.read("trip"))[:2]
        assert _write(self.store, "fork", _texts("xy"), expect=2) == 4
        _write(self.store, "trip", _texts("d"), expect=3)
        assert _said(self.store.read("fork")) == "abxy"
        assert _said(self.store.read("trip")) == "abcd"
        for after, said in ((1, "bxy"), (2, "xy"), (3, "y"), (4, "")):
            assert _said(self.store.read("fork", after=after)) == said

    def test_forks_of_forks(self) -> None:
        _write(self.store, "trip", _texts("abc"))
        self.store.fork("trip", "one", at=3)
        _write(self.store, "one", _texts("de"), expect=3)
        for at, said in enumerate(("", "a", "ab", "abc", "abcd", "abcde")):
            self.store.fork("one", f"at {at}", at=at)
            assert _write(self.store, f"at {at}", _texts("z"), expect=at) == at + 1
            assert _said(self.store.read(f"at {at}")) == said + "z"

    def test_a_long_chain_of_forks(self) -> None:
        _write(self.store, "0", _texts("."))
        for number in range(1, 300):
            self.store.fork(f"{number - 1}", f"{number}", at=number)
            _write(self.store, f"{number}", _texts("."), expect=number, durable=False)
        entries = self.store.read("299")
        assert [entry.version for entry in entries] == list(range(1, 301))
        assert _said(self.store.read("299", after=298)) == ".."

    def test_a_fork_of_what_is_not_there_or_onto_what_is_is_refused(self) -> None:
        _write(self.store, "trip", _texts("ab"))
        _write(self.store, "other", _texts("c"))
        _lease(self.store, "asked", "ann")
        for name, new_name, at in (
            ("trip", "new", 3), ("trip", "new", -1), ("trip", "new", 2**80), ("none", "new", 0), ("none", "new", 1),
            ("asked", "new", 0), ("trip", "other", 1), ("trip", "trip", 1),
        ):  # fmt: skip
            _raises(InvalidInput, self.store.fork, name, new_name, at=at)
        assert _said(self.store.read("other")) == "c"
        assert list(self.store.read("new")) == []
        assert len(self.store.list()) == 2

    def test_a_fork_onto_a_name_that_is_asked_for_only(self) -> None:
        _write(self.store, "trip", _texts("ab"))
        lease = _lease(self.store, "new", "ann")
        self.store.fork("trip", "new", at=1)
        assert self.store.append("new", _texts("c"), expect=1, lease=lease) == 2
        assert _said(self.store.read("new")) == "ac"

    # --- lists and deletion

    def test_the_list_begins_with_what_was_last_written(self) -> None:
        assert list(self.store.list()) == []
        for name in ("one", "two", "three"):
            _write(self.store, name, _texts("a"))
        _write(self.store, "one", _texts("b"), expect=1)
        self.store.fork("two", "fork", at=1)
        lease = _lease(self.store, "two", "ann")
        _lease(self.store, "asked", "ann")
        infos = self.store.list()
        assert [(info.name, info.version, info.parent, info.busy) for info in infos] == [
            ("fork", 1, "two", False), ("one", 2, None, False), ("three", 1, None, False), ("two", 1, None, True),
        ]  # fmt: skip
        assert all(info.created_at <= info.updated_at <= time.time() + 1 for info in infos)
        self.store.release(lease)
        assert not any(info.busy for info in self.store.list())

    def test_what_is_deleted_is_gone_and_its_name_is_free(self) -> None:
        assert self.store.delete("trip") is False
        _write(self.store, "trip", _texts("abc"))
        assert self.store.delete("trip") is True
        assert self.store.delete("trip") is False
        assert list(self.store.read("trip")) == []
        assert list(self.store.list()) == []
        assert _write(self.store, "trip", _texts("x")) == 1
        assert _said(self.store.read("trip")) == "x"

    def test_who_writes_is_not_disturbed_by_a_deletion(self) -> None:
        for name in ("trip", "asked"):
            lease = _lease(self.store, name, "ann")
            if name == "trip":
                self.store.append(name, _texts("a"), expect=0, lease=lease)
            _raises(ConversationBusy, self.store.delete, name)
            self.store.release(lease)
        assert self.store.delete("trip") is True
        assert self.store.delete("asked") is False

    def test_forks_keep_what_they_inherited(self) -> None:
        _write(self.store, "trip", _texts("abcd"))
        self.store.fork("trip", "one", at=3)
        _write(self.store, "one", _texts("xyz"), expect=3)
        self.store.fork("one", "two", at=5)
        self.store.fork("one", "three", at=1)
        _write(self.store, "two", _texts("!"), expect=5)
        assert self.store.delete("trip")
        assert self.store.delete("one")
        _write(self.store, "one", _texts("new"))
        assert _said(self.store.read("two")) == "abcxy!"
        assert _said(self.store.read("three")) == "a"
        assert {info.name: info.parent for info in self.store.list()} == {"one": None, "two": None, "three": None}
        self.store.fork("two", "four", at=4)
        assert self.store.delete("two")
        assert self.store.delete("three")
        assert _said(self.store.read("four")) == "abcx"
        assert self.store.delete("four")
        assert _said(self.store.read("one")) == "new"

    def test_deleting_a_fork_leaves_what_it_came_from(self) -> None:
        _write(self.store, "trip", _texts("abc"))
        self.store.fork("trip", "one", at=2)
        self.store.fork("trip", "two", at=3)
        assert self.store.delete("one")
        assert self.store.delete("two")
        assert _said(self.store.read("trip")) == "abc"
        assert _write(self.store, "trip", _texts("d"), expect=3) == 4

    def test_closing_again_does_nothing(self) -> None:
        self.store.close()
        self.store.close()

    # --- many at once

    def test_many_threads_lose_nothing(self) -> None:
        """Eight writers in line for one lease, each appending to what it has just read."""

        def work(owner: str) -> None:
            for number in range(50):
                _append_in_line(self.store, owner, number)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, (f"owner {number}" for number in range(8))))
        entries = self.store.read("trip")
        assert [entry.version for entry in entries] == list(range(1, 401))
        done: dict[str, int] = {}
        for entry in entries:
            assert isinstance(entry.record, PartialReply)
            assert done.get(entry.record.turn_id, 0) == int(entry.record.text)
            done[entry.record.turn_id] = int(entry.record.text) + 1
        assert set(done.values()) == {50}


def _append_in_line(store: Store, owner: str, number: int) -> None:
    lease = store.acquire("trip", owner)
    while lease is None:
        time.sleep(0.001)
        lease = store.acquire("trip", owner)
    version = len(store.read("trip"))
    store.append("trip", [PartialReply(owner, f"{number}")], expect=version, lease=lease, durable=number % 10 == 0)
    store.release(lease)


def _write(store: Store, name: str, records: Sequence[Record], *, expect: int = 0, durable: bool = True) -> int:
    lease = _lease(store, name, "writer")
    version = store.append(name, records, expect=expect, lease=lease, durable=durable)
    store.release(lease)
    return version


def _lease(store: Store, name: str, owner: str) -> Lease:
    lease = store.acquire(name, owner)
    assert lease is not None
    return lease


def _texts(letters: str) -> list[PartialReply]:
    return [PartialReply("t", letter) for letter in letters]


def _said(entries: Iterable[Entry]) -> str:
    return "".join(entry.record.text for entry in entries if isinstance(entry.record, PartialReply))


def _letters() -> Iterator[str]:
    return map(chr, range(0x4E00, 0x9FFF))


def _raises(kind: type[AgentKitError], call: Callable[..., object], *arguments: Any, **options: Any) -> None:
    try:
        result = call(*arguments, **options)
    except kind as error:
        assert str(error)  # noqa: PT017 - without pytest
    else:
        raise AssertionError(f"{kind.__name__} should be raised, but the answer is {result!r}")

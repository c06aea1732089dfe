"""A store in memory: the reference of what a store does, gone with the process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count
from threading import Lock

from attrs import define, field

from agentkit.store import ConversationInfo, Entry, Lease, Record
from agentkit.stores import _rules as rules


@define(eq=False)
class _Journal:
    """One conversation. Its first `base` entries are those of `parent`, which lives on as long as anyone needs it."""

    name: str
    created: float
    updated: float
    written: int
    parent: _Journal | None = None
    base: int = 0
    deleted: bool = False
    entries: list[Entry] = field(factory=list[Entry])

    @property
    def version(self) -> int:
        return self.base + len(self.entries)

    def read(self, after: int) -> list[Entry]:
        parts: list[list[Entry]] = []
        journal: _Journal | None = self
        upto = self.version
        while journal is not None and upto > after:
            parts.append(journal.entries[max(after - journal.base, 0) : max(upto - journal.base, 0)])
            upto = min(upto, journal.base)
            journal = journal.parent
        return [entry for part in reversed(parts) for entry in part]


@define(eq=False)
class _Turnstile:
    """Who holds the lease of one name, and who waits for it, in order, with the time they last asked."""

    lease: Lease | None = None
    stop: bool = False
    waiting: dict[str, float] = field(factory=dict[str, float])

    def admits(self, owner: str, now: float) -> bool:
        """Note that `owner` asks; True where the lease is free and nobody came first."""
        for other in [other for other, asked in self.waiting.items() if now - asked > rules.PATIENCE]:
            del self.waiting[other]
        self.waiting[owner] = now
        return self.lease is None and next(iter(self.waiting)) == owner


class MemoryStore:
    """Journals in memory. Calls never wait, and leases last until they are released."""

    blocking = False

    def __init__(self) -> None:
        self._lock = Lock()
        self._journals: dict[str, _Journal] = {}
        self._turnstiles: dict[str, _Turnstile] = {}
        self._tokens = count(1)
        self._writes = count(1)
        self._closed = False

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._journals)} conversations)"

    def read(self, name: str, /, *, after: int = 0) -> Sequence[Entry]:
        self._check(name)
        with self._lock:
            journal = self._journals.get(name)
            return journal.read(max(after, 0)) if journal else []

    def append(
        self, name: str, records: Sequence[Record], /, *, expect: int, lease: Lease, durable: bool = True
    ) -> int:
        self._check(name)
        records = tuple(records)
        with self._lock:
            self._check_lease(name, lease)
            journal = self._journals.get(name)
            version = journal.version if journal else 0
            if version != expect:
                raise rules.outdated(name, version, expect)
            now = time.time()
            journal = journal or self._create(name, now)
            journal.updated, journal.written = now, next(self._writes)
            journal.entries += [Entry(number, now, record) for number, record in enumerate(records, version + 1)]
            return journal.version

    def acquire(self, name: str, owner: str, /) -> Lease | None:
        self._check(name)
        rules.check_name(owner, of="an owner")
        with self._lock:
            turnstile = self._turnstiles.setdefault(name, _Turnstile())
            if turnstile.lease is not None and turnstile.lease.owner == owner:
                return turnstile.lease
            if not turnstile.admits(owner, time.monotonic()):
                return None
            del turnstile.waiting[owner]
            turnstile.lease, turnstile.stop = Lease(name, owner, next(self._tokens)), False
            return turnstile.lease

    def renew(self, lease: Lease, /) -> bool:
        self._check(lease.name)
        with self._lock:
            self._check_lease(lease.name, lease)
            return self._turnstiles[lease.name].stop

    def release(self, lease: Lease, /) -> None:
        self._check(lease.name)
        with self._lock:
            turnstile = self._turnstiles.get(lease.name)
            if turnstile is not None and turnstile.lease == lease:
                turnstile.lease = None
                self._tidy(lease.name, turnstile)

    def withdraw(self, name: str, owner: str, /) -> None:
        self._check(name)
        rules.check_name(owner, of="an owner")
        with self._lock:
            turnstile = self._turnstiles.get(name)
            if turnstile is not None and turnstile.waiting.pop(owner, None) is not None:
                self._tidy(name, turnstile)

    def interrupt(self, name: str, /) -> None:
        self._check(name)
        with self._lock:
            turnstile = self._turnstiles.get(name)
            if turnstile is not None and turnstile.lease is not None:
                turnstile.stop = True

    def fork(self, name: str, new_name: str, /, *, at: int) -> None:
        self._check(name)
        rules.check_name(new_name)
        with self._lock:
            parent = self._journals.get(name)
            version = parent.version if parent else None
            rules.check_fork(name, version, new_name, at, taken=new_name in self._journals)
            journal = self._create(new_name, time.time())
            journal.parent, journal.base = parent, at

    def list(self) -> Sequence[ConversationInfo]:
        self._check_open()
        with self._lock:
            journals = sorted(self._journals.values(), key=lambda journal: -journal.written)
            return [self._info(journal) for journal in journals]

    def delete(self, name: str, /) -> bool:
        self._check(name)
        with self._lock:
            turnstile = self._turnstiles.get(name)
            if turnstile is not None and turnstile.lease is not None:
                raise rules.busy(name, turnstile.lease.owner)
            journal = self._journals.pop(name, None)
            if journal is not None:
                journal.deleted = True
            return journal is not None

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._journals.clear()
            self._turnstiles.clear()

    def _check(self, name: object) -> None:
        rules.check_name(name)
        self._check_open()

    def _check_open(self) -> None:
        if self._closed:
            raise rules.closed(self)

    def _check_lease(self, name: str, lease: Lease) -> None:
        turnstile = self._turnstiles.get(name)
        held = turnstile.lease if turnstile else None
        if held != lease:
            raise rules.lost(lease, name, held.owner if held else None)

    def _create(self, name: str, now: float) -> _Journal:
        journal = self._journals[name] = _Journal(name, now, now, next(self._writes))
        return journal

    def _busy(self, name: str) -> bool:
        turnstile = self._turnstiles.get(name)
        return turnstile is not None and turnstile.lease is not None

    def _tidy(self, name: str, turnstile: _Turnstile) -> None:
        if turnstile.lease is None and not turnstile.waiting:
            del self._turnstiles[name]

    def _info(self, journal: _Journal) -> ConversationInfo:
        parent = journal.parent.name if journal.parent and not journal.parent.deleted else None
        version = journal.version
        return ConversationInfo(
            journal.name, version, journal.created, journal.updated, parent=parent, busy=self._busy(journal.name)
        )

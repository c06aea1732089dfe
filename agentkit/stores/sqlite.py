"""A store in one SQLite file, for any number of threads and processes of one machine."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from agentkit.codec import decode_record, encode_record
from agentkit.errors import InvalidDocument, InvalidInput, StaleWriter, StoreError
from agentkit.store import ConversationInfo, Entry, Lease, Record
from agentkit.stores import _rules as rules
from agentkit.stores import _sqlite_journals as journals
from agentkit.stores._owner import is_dead, is_silent, this_process
from agentkit.stores._sqlite_file import Connection, Row, SQLiteFile

_HOLDER = "SELECT id, created, version, token, owner, process, wall, tick FROM conversations WHERE name = ?"
_GRANT = """UPDATE conversations SET token = token + 1, owner = ?, process = ?, wall = ?, tick = ?, stop = 0
    WHERE name = ? RETURNING token"""
_TAKE = """UPDATE conversations SET token = token + 1, owner = ?, process = ?, wall = ?, tick = ?, stop = 0
    WHERE name = ? AND owner IS NULL
    AND NOT EXISTS (SELECT 1 FROM waiters WHERE waiters.name = conversations.name) RETURNING token"""
_RENEW = """UPDATE conversations SET process = ?, wall = ?, tick = ? WHERE name = ? AND owner = ? AND token = ?
    RETURNING stop"""
_RELEASE = "UPDATE conversations SET owner = NULL WHERE name = ? AND owner = ? AND token = ? RETURNING created"
_WAIT = """INSERT INTO waiters (owner, process, wall, tick, name) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET process = excluded.process, wall = excluded.wall, tick = excluded.tick"""
_WRITE = """UPDATE conversations
    SET version = version + ?, updated = ?, created = ifnull(created, ?), wall = ?, tick = ?
    WHERE name = ? AND owner = ? AND token = ? AND version = ? RETURNING id"""
_BRANCH = "UPDATE conversations SET parent = ?, base = ?, version = ?, created = ?, updated = ? WHERE name = ?"
_LIST = """SELECT c.name, c.version, c.created, c.updated, older.name, c.owner, c.process, c.wall, c.tick
    FROM conversations AS c LEFT JOIN conversations AS older ON older.id = c.parent
    WHERE c.name IS NOT NULL AND c.created IS NOT NULL ORDER BY c.updated DESC, c.id DESC"""


@frozen
class _Holder:
    """A conversation as far as its lease is concerned."""

    id: int
    created: float | None
    version: int
    token: int
    owner: str | None
    process: str
    wall: float
    tick: float


def _holder(db: Connection, name: str) -> _Holder | None:
    row = db.execute(_HOLDER, (name,)).fetchone()
    return _Holder(*row) if row else None


def _sign() -> tuple[str, float, float]:
    return this_process(), time.time(), time.monotonic()


class SQLiteStore:
    """Journals in the SQLite file at `path`, which is made, with its folder, when it is first used.

    A lease that is not renewed for `lease_seconds` may be taken over; that of a process which has ended, at once.
    """

    blocking = True

    def __init__(self, path: str | os.PathLike[str], *, lease_seconds: float = 10.0) -> None:
        if not rules.is_number_above_0(lease_seconds):
            raise InvalidInput(f"lease_seconds must be a number above 0, not {lease_seconds!r}")
        self._file = SQLiteFile(path)
        self._lease_seconds = lease_seconds
        self._latest = 0.0

    def __repr__(self) -> str:
        return f"SQLiteStore({self._file.path!r})"

    @property
    def identity(self) -> str:
        """The same for every store object of this process that leads to the same file."""
        return os.path.realpath(self._file.path)

    def read(self, name: str, /, *, after: int = 0) -> Sequence[Entry]:
        self._check(name)
        rows = self._file.read(lambda db: journals.read(db, name, after))
        return [self._entry(name, *row) for row in rows]

    def append(
        self, name: str, records: Sequence[Record], /, *, expect: int, lease: Lease, durable: bool = True
    ) -> int:
        self._check(name)
        data = [encode_record(record) for record in records]
        at = self._now()

        def work(db: Connection) -> int:
            values = (len(data), at, at, time.time(), time.monotonic(), name, lease.owner, lease.token, expect)
            found = db.execute(_WRITE, values).fetchone() if lease.name == name else None
            if found is None:
                raise _refusal(db, name, expect, lease)
            journals.add(db, found[0], expect, at, data)
            return expect + len(data)

        return self._file.write(work, durable=durable)

    def acquire(self, name: str, owner: str, /) -> Lease | None:
        self._check(name)
        rules.check_name(owner, of="an owner")
        asking = (owner, *_sign(), name)
        for (token,) in self._file.run(_TAKE, asking, in_place=True):
            return Lease(name, owner, token)
        return self._file.write(lambda db: self._queue(db, name, owner, asking))

    def renew(self, lease: Lease, /) -> bool:
        self._check(lease.name)
        for (stop,) in self._file.run(_RENEW, (*_sign(), lease.name, lease.owner, lease.token)):
            return bool(stop)
        found = self._file.read(lambda db: _holder(db, lease.name))
        raise rules.lost(lease, lease.name, found.owner if found else None)

    def release(self, lease: Lease, /) -> None:
        self._check(lease.name)
        rows = self._file.run(_RELEASE, (lease.name, lease.owner, lease.token))
        if rows == [(None,)]:
            self._file.write(lambda db: journals.forget(db, lease.name))

    def withdraw(self, name: str, owner: str, /) -> None:
        self._check(name)
        rules.check_name(owner, of="an owner")
        self._file.run("DELETE FROM waiters WHERE name = ? AND owner = ?", (name, owner))

    def interrupt(self, name: str, /) -> None:
        self._check(name)
        self._file.run("UPDATE conversations SET stop = 1 WHERE name = ? AND owner IS NOT NULL", (name,))

    def fork(self, name: str, new_name: str, /, *, at: int) -> None:
        self._check(name)
        rules.check_name(new_name)
        now = self._now()

        def work(db: Connection) -> None:
            parent, new = _holder(db, name), _holder(db, new_name)
            version = parent.version if parent and parent.created is not None else None
            rules.check_fork(name, version, new_name, at, taken=new is not None and new.created is not None)
            if new is None:
                journals.insert(db, new_name)
            db.execute(_BRANCH, (parent and parent.id, at, at, now, now, new_name))

        self._file.write(work, durable=True)

    def list(self) -> Sequence[ConversationInfo]:
        self._check_open()
        rows = self._file.read(lambda db: db.execute(_LIST).fetchall())
        return [self._info(*row) for row in rows]

    def delete(self, name: str, /) -> bool:
        self._check(name)

        def work(db: Connection) -> bool:
            found = _holder(db, name)
            if found is None:
                return False
            holder = self._in_force(found.owner, found.process, found.wall, found.tick)
            if holder is not None:
                raise rules.busy(name, holder)
            journals.delete(db, found.id)
            return found.created is not None

        return self._file.write(work, durable=True)

    def close(self) -> None:
        self._file.close()

    def _check(self, name: object) -> None:
        rules.check_name(name)
        self._check_open()

    def _check_open(self) -> None:
        if self._file.closed:
            raise rules.closed(self)

    def _now(self) -> float:
        """The time, never earlier than the one before: the order in the list survives a clock that is set back."""
        self._latest = max(time.time(), self._latest)
        return self._latest

    def _in_force(self, owner: str | None, process: str, wall: float, tick: float) -> str | None:
        """The owner, unless it is dead or has been silent for too long."""
        if owner is None or is_dead(process) or is_silent(process, wall, tick, self._lease_seconds):
            return None
        return owner

    def _info(
        self,
        name: str,
        version: int,
        created: float,
        updated: float,
        parent: str | None,
        *holder: Any,
    ) -> ConversationInfo:
        busy = self._in_force(*holder) is not None
        return ConversationInfo(name, version, created, updated, parent=parent, busy=busy)

    def _entry(self, name: str, version: int, at: float, data: str) -> Entry:
        try:
            return Entry(version, at, decode_record(data))
        except InvalidDocument as error:
            raise StoreError(f"{self._file.path!r}: version {version} of {name!r} is damaged: {error}") from error

    def _queue(self, db: Connection, name: str, owner: str, asking: Row) -> Lease | None:
        """Take the lease where nobody holds it and nobody came first; else wait in line."""
        found = _holder(db, name)
        if found is not None:
            if found.owner == owner:
                db.execute(_RENEW, (*asking[1:], owner, found.token))
                return Lease(name, owner, found.token)
            holder = self._in_force(found.owner, found.process, found.wall, found.tick)
        else:
            holder = None
        first = self._first(db, name)
        if holder is not None or first not in (None, owner):
            db.execute(_WAIT, asking)
            return None
        if found is None:
            journals.insert(db, name)
        db.execute("DELETE FROM waiters WHERE name = ? AND owner = ?", (name, owner))
        (token,) = db.execute(_GRANT, asking).fetchone()
        return Lease(name, owner, token)

    def _first(self, db: Connection, name: str) -> str | None:
        """Who is next, of those who still wait."""
        sql = "SELECT place, owner, process, wall, tick FROM waiters WHERE name = ? ORDER BY place"
        for place, owner, process, wall, tick in db.execute(sql, (name,)).fetchall():
            if not (is_dead(process) or is_silent(process, wall, tick, rules.PATIENCE)):
                return str(owner)
            db.execute("DELETE FROM waiters WHERE place = ?", (place,))
        return None


def _refusal(db: Connection, name: str, expect: int, lease: Lease) -> StaleWriter:
    """Why nothing was appended."""
    found = _holder(db, name)
    if found is None or (name, found.owner, found.token) != (lease.name, lease.owner, lease.token):
        return rules.lost(lease, name, found.owner if found else None)
    return rules.outdated(name, found.version, expect)

"""One SQLite file: opening and checking it, its schema and migrations, connections, transactions, errors.

Nothing here knows what a conversation is, except the SQL of the schema. Connections are lent to one call at a time and
kept for the next one, so there are never more than calls at once, and none belongs to a thread.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from agentkit.errors import AgentKitError, InvalidInput, StoreError

T = TypeVar("T")
Row = tuple[Any, ...]
File = tuple[int, int]
"""Device and number: a file that takes the place of another has others."""

APPLICATION_ID = 0x41674B74
"""Says in the header of the file whose it is ("AgKt")."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # A conversation without `created` does not exist yet: it is a name that somebody holds the lease of.
        # One without a name was deleted, and is kept because forks begin with its entries.
        """CREATE TABLE conversations (
            id INTEGER PRIMARY KEY,
            name TEXT UNIQUE,
            parent INTEGER REFERENCES conversations (id),
            base INTEGER NOT NULL DEFAULT 0,
            version INTEGER NOT NULL DEFAULT 0,
            created REAL,
            updated REAL,
            token INTEGER NOT NULL,
            owner TEXT,
            process TEXT,
            wall REAL,
            tick REAL,
            stop INTEGER NOT NULL DEFAULT 0
        ) STRICT""",
        "CREATE INDEX children ON conversations (parent, base) WHERE parent IS NOT NULL",
        # The key is the conversation in the upper and the version in the lower 32 bits: one conversation is one range
        # of one tree, and long texts stay in it, unlike in a table WITHOUT ROWID.
        "CREATE TABLE records (key INTEGER PRIMARY KEY, at REAL NOT NULL, data TEXT NOT NULL) STRICT",
        """CREATE TABLE waiters (
            place INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            owner TEXT NOT NULL,
            process TEXT NOT NULL,
            wall REAL NOT NULL,
            tick REAL NOT NULL,
            UNIQUE (name, owner)
        ) STRICT""",
        # No token of a deleted conversation is given again.
        "CREATE TABLE tokens (floor INTEGER NOT NULL) STRICT",
        "INSERT INTO tokens VALUES (0)",
        """CREATE VIEW journal AS
            SELECT name, key & 0xFFFFFFFF AS version, datetime(at, 'unixepoch') AS at, data ->> 'type' AS kind, data
            FROM conversations JOIN records ON key > id << 32 AND key <= (id << 32) + version""",
    ),
)
"""How a file of the version that is the index comes to the next version. Never change one that was released."""

_PATIENCE = 30.0
"""Seconds to wait for another process that writes."""
_IDLE = 8
"""Connections kept open for the next call."""
_OLDEST = (3, 38, 0)
_SMALLEST = 512
"""Bytes of the smallest database."""

_ADVICE = {
    "SQLITE_FULL": "make room on the disk and try again; everything acknowledged is kept",
    "SQLITE_IOERR": "check the disk and its free space; everything acknowledged is kept",
    "SQLITE_BUSY": f"another program has kept it locked for {_PATIENCE:g} seconds",
    "SQLITE_READONLY": "make it and its folder writable, or choose another path",
    "SQLITE_CANTOPEN": "check that the path is a file, and that it and its folder may be read and written",
    "SQLITE_PERM": "check that it and its folder may be read and written",
    "SQLITE_NOTADB": "it is no SQLite database; choose another path or move it away",
    "SQLITE_CORRUPT": "it is damaged; restore it from a copy, or save what `sqlite3 FILE .recover` finds",
}


class Connection(sqlite3.Connection):
    """A connection that remembers whether a commit of it waits for the disk, and which file it has open."""

    durable: bool | None = None
    file: File | None = None


class SQLiteFile:
    """The file at `path`. Any number of threads and processes may use it at once."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = _checked(path)
        self.closed = False
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        # SQLite lets waiting writers sleep; within the process they take turns here without.
        self._writing = Lock()
        self._ready: File | None = None
        """The file whose schema is as it should be."""
        self._idle: deque[Connection] = deque()
        self._finalizer = weakref.finalize(self, _finish, self._idle, self._pid)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Call `work` within one unchanging view of the file."""
        return self._lend(work, "BEGIN")

    def write(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Call `work` in a transaction, which is there whole or not at all; see `_set_durable` and `_check_place`."""
        self._after_fork()
        with self._writing:
            return self._lend(work, "BEGIN IMMEDIATE", durable=durable, in_place=durable)

    def run(self, sql: str, parameters: Row | dict[str, Any], *, in_place: bool = False) -> list[Row]:
        """One statement, in a transaction of its own, and its rows; see `_check_place`."""
        self._after_fork()
        with self._writing:
            return self._lend(lambda db: db.execute(sql, parameters).fetchall(), None, durable=False, in_place=in_place)

    def close(self) -> None:
        self.closed = True
        self._after_fork()
        _close_all(self._idle)

    def _lend(
        self,
        work: Callable[[Connection], T],
        begin: str | None,
        *,
        durable: bool | None = None,
        in_place: bool = False,
    ) -> T:
        self._after_fork()
        db: Connection | None = None
        try:
            db = self._idle.pop() if self._idle else self._open()
            if in_place:
                self._check_place(db)
            if durable is not None and db.durable is not durable:
                _set_durable(db, durable)
            if begin is not None:
                db.execute(begin)
            result = work(db)
            if begin is not None:
                db.execute("COMMIT")
        except BaseException as error:
            if db is not None:
                _close(db)  # which rolls back, whatever state it is in
            explained = self._explained(error)
            if explained is None:
                raise
            raise explained from error
        self._keep(db)
        return result

    def _keep(self, db: Connection) -> None:
        if self.closed or len(self._idle) >= _IDLE or db.file != self._ready:
            _close(db)
            return
        self._idle.append(db)
        if self.closed:  # meanwhile, in another thread
            _close_all(self._idle)

    def _check_place(self, db: Connection) -> None:
        """What is written into a file that was deleted is lost with its last connection; the next call opens anew."""
        if db.file == self._there():
            return
        self._ready = None
        _close_all(self._idle)
        raise StoreError(
            f"{self.path!r} was deleted or replaced while it was in use, so nothing more is stored in it; "
            "put the file back, or go on with what is there now"
        )

    def _there(self) -> File | None:
        try:
            found = os.stat(self.path)  # noqa: PTH116 - a Path costs more than the call
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_dev, found.st_ino

    def _after_fork(self) -> None:
        """SQLite forbids a child to use, or even to close, the connections of its parent."""
        if self._pid != os.getpid():
            self._finalizer()
            self._begin()

    def _explained(self, error: BaseException) -> AgentKitError | None:
        match error:
            case sqlite3.Error():
                advice = (text for code, text in _ADVICE.items() if _kind(error).startswith(code))
                return StoreError(f"{self.path!r}: {error}; {next(advice, 'the store is unusable')}")
            case OSError():
                return StoreError(f"{self.path!r}: {error.strerror or error}; choose another path or its permissions")
            case OverflowError() | UnicodeError():
                return InvalidInput(f"this cannot be stored: {error}")
            case _:
                return None

    # --- opening

    def _open(self) -> Connection:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._try_open()
            except sqlite3.OperationalError as error:
                # Some locks, such as that of switching to WAL, are refused without waiting.
                if not _kind(error).startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _try_open(self) -> Connection:
        if self._ready != self._there():
            self._ready = None
        new = self._ready is None and self._prepare()
        db = sqlite3.connect(
            self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False, factory=Connection
        )
        try:
            if new:
                Path(self.path).chmod(0o600)  # SQLite gives its side files the same mode
            db.file = self._there()
            if self._ready is None:
                self._set_up(db)
                self._ready = db.file
            db.execute("PRAGMA fullfsync = ON")  # macOS only: there an fsync alone does not reach the disk
            db.execute("PRAGMA journal_size_limit = 16777216")
        except BaseException:
            _close(db)
            raise
        return db

    def _prepare(self) -> bool:
        """Make the folder; True where the file is yet to be made.

        The file is never opened here: closing it would end the locks that other connections of this process have.
        """
        if sqlite3.sqlite_version_info < _OLDEST:
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; at least 3.38 is needed")
        path = Path(self.path)
        for folder in reversed([folder for folder in path.parents if not folder.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            return True
        if path.is_dir():
            raise StoreError(f"{self.path!r} is a folder; name a file in it")
        if 0 < path.stat().st_size < _SMALLEST:  # which SQLite would take for empty, and overwrite
            raise StoreError(f"{self.path!r}: {_ADVICE['SQLITE_NOTADB']}")
        return False

    def _set_up(self, db: Connection) -> None:
        db.execute("BEGIN")  # one view of the file, whatever another thread or process commits meanwhile
        version = self._version(db)
        db.execute("COMMIT")
        if version == len(MIGRATIONS):
            return
        if db.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            raise StoreError(f"{self.path!r}: this file system lacks what SQLite's WAL needs; choose a local disk")
        _set_durable(db, durable=True)
        db.execute("BEGIN IMMEDIATE")
        for statements in MIGRATIONS[self._version(db) :]:  # asked again: another process may have been faster
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        db.execute("COMMIT")

    def _version(self, db: Connection) -> int:
        """The version of the schema; 0 for an empty file. Within a transaction: it takes three statements."""
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if application != APPLICATION_ID and (application or version or tables):
            raise StoreError(f"{self.path!r} is a database of another program; choose another path")
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{self.path!r} was written by a newer agentkit (schema {version}, this one knows {len(MIGRATIONS)}); "
                "upgrade agentkit; nothing was changed"
            )
        return int(version)


_OF_PARENTS: list[deque[Connection]] = []
"""Connections of parent processes: kept, so that nothing closes them here."""


def _kind(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", "")


def _set_durable(db: Connection, durable: bool) -> None:  # noqa: FBT001 - the one argument
    """FULL waits for the disk at the end of each commit, and so for all that was written before it; NORMAL does not.

    Switching one connection costs 1.5 us. A second connection beside it would cost more: each reads anew what the
    other wrote.
    """
    db.execute("PRAGMA synchronous = FULL" if durable else "PRAGMA synchronous = NORMAL")
    db.durable = durable


def _close(db: Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        db.close()


def _close_all(idle: deque[Connection]) -> None:
    with contextlib.suppress(IndexError):
        while True:
            _close(idle.pop())


def _finish(idle: deque[Connection], pid: int) -> None:
    if pid == os.getpid():
        _close_all(idle)
    else:
        _OF_PARENTS.append(idle)


def _checked(path: object) -> str:
    if not isinstance(path, str | os.PathLike):
        raise InvalidInput(f"the path of a store is a text or a Path, not {path!r}")
    text: object = os.fspath(path)  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidInput(f"{path!r} cannot be the path of a store")
    if text == ":memory:":
        raise InvalidInput("':memory:' would be another database for each connection; use MemoryStore")
    return os.path.abspath(text)  # noqa: PTH100 - resolves no links

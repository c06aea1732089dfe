"""What SQLiteStore promises beyond the contract: its file, its errors, forks of the process, its cost."""

from __future__ import annotations

import gc
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from agentkit import Conversation
from agentkit.errors import InvalidInput, NotConfigured, StaleWriter, StoreError
from agentkit.sim import Simulator
from agentkit.store import Lease, PartialReply
from agentkit.stores import _sqlite_file, new_owner, open_store
from agentkit.stores.memory import MemoryStore
from agentkit.stores.sqlite import SQLiteStore

WORKER = [sys.executable, str(Path(__file__).with_name("store_worker.py"))]
FIXTURE = Path(__file__).with_name("schema_1.sql")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def store(path):
    made = SQLiteStore(path)
    yield made
    made.close()


def write(store, name="trip", count=1, *, expect=0, durable=True, text="x"):
    lease = store.acquire(name, "ann")
    version = store.append(
        name, [PartialReply("t", text) for _ in range(count)], expect=expect, lease=lease, durable=durable
    )
    store.release(lease)
    return version


def sql(path, statement):
    db = sqlite3.connect(path)
    try:
        rows = db.execute(statement).fetchall()
        db.commit()
        return rows
    finally:
        db.close()


# --- the file


def test_nothing_is_opened_before_the_first_use(path):
    with_nothing = SQLiteStore(path)
    with_nothing.close()
    assert not path.exists()
    assert repr(with_nothing) == f"SQLiteStore({str(path)!r})"
    assert with_nothing.blocking is True


def test_file_and_folders_are_for_the_owner_alone(tmp_path):
    store = SQLiteStore(tmp_path / "new" / "folder" / "store.db")
    write(store)
    for name in ("store.db", "store.db-wal", "store.db-shm"):
        assert stat.S_IMODE((tmp_path / "new" / "folder" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new" / "folder").stat().st_mode) == 0o700
    store.close()
    assert [file.name for file in (tmp_path / "new" / "folder").iterdir()] == ["store.db"]


def test_a_relative_path_is_meant_as_it_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = SQLiteStore("store.db")
    monkeypatch.chdir("/")
    write(store)
    store.close()
    assert (tmp_path / "store.db").exists()


def test_no_name_becomes_a_file(store, tmp_path):
    for name in ("../x", "/etc/x", "a\0b", "x" * 300, "con"):
        write(store, name)
    assert {file.name for file in tmp_path.iterdir()} == {"store.db", "store.db-wal", "store.db-shm"}


def test_the_file_says_whose_it_is_and_can_be_read_by_people(store, path):
    write(store, "trip", 2, text="hé")
    assert sql(path, "PRAGMA application_id") == [(_sqlite_file.APPLICATION_ID,)]
    assert sql(path, "PRAGMA user_version") == [(len(_sqlite_file.MIGRATIONS),)]
    assert sql(path, "PRAGMA journal_mode") == [("wal",)]
    ((name, version, at, kind, data), _) = sql(path, "SELECT * FROM journal")
    assert (name, version, kind, data) == (
        "trip", 1, "partial_reply", '{"type":"partial_reply","turn_id":"t","text":"hé"}',
    )  # fmt: skip
    assert at.startswith("20")


@pytest.mark.parametrize("path", ["", "a\0b", b"bytes", None, 5, Path()])
def test_what_is_no_path_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((InvalidInput, StoreError)):
        SQLiteStore(path).list()


def test_memory_is_another_store():
    with pytest.raises(InvalidInput, match="MemoryStore"):
        SQLiteStore(":memory:")


@pytest.mark.parametrize("seconds", [0, -1, True, "10", None, float("nan")])
def test_what_is_no_time_is_refused(path, seconds):
    with pytest.raises(InvalidInput, match="lease_seconds"):
        SQLiteStore(path, lease_seconds=seconds)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(StoreError, match="is a folder") as caught:
        SQLiteStore(tmp_path).list()
    assert repr(str(tmp_path)) in str(caught.value)


def test_a_file_is_no_folder(path):
    path.touch()
    for wrong in (path / "store.db", path / "folder" / "store.db"):
        with pytest.raises(StoreError, match=r"check that the path is a file|choose another path"):
            SQLiteStore(wrong).list()


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"x" * 600, b"x", b"SQLite format 3\0" + b"garbage" * 999])
def test_a_file_that_is_no_database_is_left_alone(path, content):
    path.write_bytes(content)
    store = SQLiteStore(path)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"another path|damaged|usable"):
            store.list()
    store.close()
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_left_alone(path):
    sql(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        SQLiteStore(path).list()
    assert path.read_bytes() == before


def test_a_file_of_a_newer_version_is_left_alone(store, path):
    write(store)
    store.close()
    sql(path, "PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"newer agentkit.*upgrade"):
        SQLiteStore(path).list()
    assert path.read_bytes() == before


def test_an_empty_file_is_a_new_store(path):
    path.touch()
    store = SQLiteStore(path)
    assert write(store) == 1
    store.close()


def test_a_file_of_schema_version_1_opens(path):
    db = sqlite3.connect(path)
    db.executescript(FIXTURE.read_text(encoding="utf-8"))
    db.close()
    store = SQLiteStore(path)
    assert [(info.name, info.version, info.parent) for info in store.list()] == [("fork", 3, "trip"), ("trip", 2, None)]
    assert [entry.record.text for entry in store.read("fork")] == ["hé", "two", "three"]
    assert write(store, "trip", expect=2) == 3
    store.close()


def test_a_migration_that_fails_changes_nothing(path, monkeypatch):
    monkeypatch.setattr(_sqlite_file, "MIGRATIONS", (*_sqlite_file.MIGRATIONS, ("CREATE TABLE x (y)", "no sql")))
    with pytest.raises(StoreError, match="syntax error"):
        SQLiteStore(path).list()
    monkeypatch.undo()
    store = SQLiteStore(path)
    assert write(store) == 1
    store.close()


def test_an_older_file_is_migrated(store, path, monkeypatch):
    write(store)
    store.close()
    monkeypatch.setattr(_sqlite_file, "MIGRATIONS", (*_sqlite_file.MIGRATIONS, ("CREATE TABLE x (y)",)))
    newer = SQLiteStore(path)
    assert len(newer.read("trip")) == 1
    newer.close()
    assert sql(path, "PRAGMA user_version") == [(2,)]
    with monkeypatch.context() as older:
        older.setattr(_sqlite_file, "MIGRATIONS", _sqlite_file.MIGRATIONS[:1])
        with pytest.raises(StoreError, match="schema 2, this one knows 1"):
            SQLiteStore(path).list()


def test_a_file_system_without_wal_is_named(path, monkeypatch):
    class Old(_sqlite_file.Connection):
        def execute(self, statement, *rest):
            return super().execute(statement.replace("journal_mode = WAL", "journal_mode = DELETE"), *rest)

    monkeypatch.setattr(_sqlite_file, "Connection", Old)
    with pytest.raises(StoreError, match="local disk"):
        SQLiteStore(path).list()


def test_an_old_sqlite_is_named(path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 37, 9))
    with pytest.raises(StoreError, match="too old"):
        SQLiteStore(path).list()


@pytest.fixture
def nobody():
    """Root may read and write everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


def test_a_missing_permission_is_named(nobody):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        store = SQLiteStore(path)
        write(store)
        store.close()
        path.chmod(0o400)
        with pytest.raises(StoreError, match=r"readonly.*make it and its folder writable"):
            write(SQLiteStore(path), expect=1)
        path.chmod(0)
        with pytest.raises(StoreError, match=r"check that"):
            SQLiteStore(path).list()
        Path(folder).chmod(0)
        for wrong in (path, Path(folder) / "new" / "store.db"):
            with pytest.raises(StoreError, match=r"choose another path or its permissions") as caught:
                SQLiteStore(wrong).list()
            assert repr(str(wrong)) in str(caught.value)
        Path(folder).chmod(0o700)


def test_a_damaged_record_is_named(store, path):
    write(store, count=2)
    sql(path, "UPDATE records SET data = '{\"type\":5}' WHERE key & 15 = 2")
    assert len(store.read("trip", after=2)) == 0
    with pytest.raises(StoreError, match=r"version 2 of 'trip' is damaged.*\$"):
        store.read("trip")


def test_errors_of_the_disk_are_explained(store, monkeypatch):
    write(store)
    file = store._file
    for code, advice in (
        ("SQLITE_IOERR_WRITE", "check the disk"), ("SQLITE_FULL", "make room"), ("SQLITE_BUSY", "30 seconds"),
        ("SQLITE_READONLY_DBMOVED", "writable"), ("SQLITE_ODD", "unusable"),
    ):  # fmt: skip
        error = sqlite3.OperationalError("odd")
        error.sqlite_errorname = code

        def fail(db, error=error):
            raise error

        with pytest.raises(StoreError, match=advice) as caught:
            file.write(fail)
        assert caught.value.__cause__ is error
    for lease in (Lease("trip", "ann", 2**80), Lease("trip", "\ud800", 1)):
        with pytest.raises(InvalidInput, match="cannot be stored"):
            store.renew(lease)
    assert len(store.read("trip")) == 1


def test_a_failed_transaction_leaves_nothing(store):
    def fail(db):
        db.execute("DELETE FROM conversations")
        raise KeyboardInterrupt

    write(store)
    with pytest.raises(KeyboardInterrupt):
        store._file.write(fail)
    assert len(store.read("trip")) == 1


# --- a full disk


def test_a_full_disk_loses_nothing_and_later_appends_work(path):
    done = subprocess.run(
        [*WORKER, "small_disk", path, str(400_000)], capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.stderr == ""
    full, still, version = done.stdout.splitlines()
    assert full.startswith("full: ")
    assert still.startswith("still full: ")
    assert "everything acknowledged is kept" in full
    store = SQLiteStore(path)
    assert len(store.read("trip")) == int(version) > 5
    store.close()


def test_a_file_that_may_have_no_more_pages_is_full(store):
    write(store)
    version = 1
    store._file._idle[0].execute("PRAGMA max_page_count = 60")
    with pytest.raises(StoreError, match=r"full.*make room"):
        while True:
            version = write(store, expect=version, text="x" * 9000)
    assert len(store.read("trip")) == version > 1
    assert write(store, expect=version) == version + 1


# --- locks and processes


def test_a_locked_file_is_waited_for(store, path, monkeypatch):
    write(store)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.2, lambda: other.execute("COMMIT"))
    timer.start()
    assert write(store, expect=1) == 2
    timer.join()
    other.execute("BEGIN IMMEDIATE")
    store.close()
    monkeypatch.setattr(_sqlite_file, "_PATIENCE", 0.05)
    impatient = SQLiteStore(path)
    with pytest.raises(StoreError, match=r"locked.*another program has kept it"):
        write(impatient)
    assert len(impatient.read("trip")) == 2
    other.execute("COMMIT")
    other.close()
    assert write(impatient, expect=2) == 3
    impatient.close()


def test_a_lock_that_is_refused_at_once_is_waited_for_too(path, monkeypatch):
    """Such as that of switching a new file to WAL."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(_sqlite_file, "_PATIENCE", 0.05)
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match="locked"):
        store.list()
    monkeypatch.setattr(_sqlite_file, "_PATIENCE", 10)
    timer = threading.Timer(0.2, lambda: db.execute("COMMIT"))
    timer.start()
    assert store.list() == []
    timer.join()
    db.close()
    store.close()


def test_what_is_refused_without_waiting_is_asked_again(path, monkeypatch):
    refused = [5]

    class Busy(_sqlite_file.Connection):
        def execute(self, statement, *rest):
            if statement == "PRAGMA journal_mode = WAL" and refused[0]:
                refused[0] -= 1
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorname = "SQLITE_BUSY"
                raise error
            return super().execute(statement, *rest)

    monkeypatch.setattr(_sqlite_file, "Connection", Busy)
    store = SQLiteStore(path)
    assert write(store) == 1
    assert refused == [0]
    store.close()


def test_processes_share_a_file(path):
    """Four processes open a file that is not there yet, and take turns in one conversation."""
    workers = [subprocess.Popen([*WORKER, "many", path, "25"]) for _ in range(4)]
    assert [worker.wait(60) for worker in workers] == [0] * 4
    store = SQLiteStore(path)
    entries = store.read("trip")
    assert [entry.record.text for entry in entries] == [f"{entry.version}" for entry in entries]
    owners = [entry.record.turn_id for entry in entries]
    assert len(entries) == 100
    assert {owners.count(owner) for owner in owners} == {25}
    store.close()


def test_threads_that_open_a_new_file_at_once_agree_that_it_is_ours(tmp_path):
    failed = []

    def first_use(path, barrier):
        store = SQLiteStore(path)
        barrier.wait(30)
        try:
            store.list()
        except StoreError as error:
            failed.append(error)
        store.close()

    for number in range(20):
        barrier = threading.Barrier(24)
        arguments = (tmp_path / f"{number}.db", barrier)
        threads = [threading.Thread(target=first_use, args=arguments) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []


def test_processes_that_open_new_files_at_once_agree_that_they_are_ours(tmp_path):
    workers = [subprocess.Popen([*WORKER, "first_uses", tmp_path, "40"]) for _ in range(4)]
    assert [worker.wait(60) for worker in workers] == [0] * 4


def test_a_fork_of_the_process_opens_its_own_connections(store):
    write(store)
    parents = list(store._file._idle)
    child = os.fork()
    if child == 0:
        ok = False
        try:
            ok = write(store, expect=1) == 2 and not set(parents) & set(store._file._idle)
            store.close()
        finally:
            os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert list(store._file._idle) == parents
    assert len(store.read("trip")) == 2
    assert write(store, expect=2) == 3


def test_a_child_keeps_the_connections_of_its_parent_aside(store, monkeypatch):
    write(store)
    parents = store._file._idle
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: 1)
        assert len(store.read("trip")) == 1
        assert store._file._idle is not parents
        store.close()
    assert len(parents) == 1
    assert _sqlite_file._OF_PARENTS.pop() is parents
    _sqlite_file._close_all(parents)


def test_a_fork_while_another_thread_writes(store):
    write(store)
    inside, go = threading.Event(), threading.Event()

    def slow(db):
        inside.set()
        go.wait(10)

    thread = threading.Thread(target=store._file.write, args=(slow,))
    thread.start()
    inside.wait(10)
    child = os.fork()
    if child == 0:
        ok = False
        try:
            ok = len(store.read("trip")) == 1 and store._file._writing.acquire(timeout=1)
        finally:
            os._exit(0 if ok else 1)
    go.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("kind", [MemoryStore, SQLiteStore])
def test_a_class_is_no_store(kind):
    with pytest.raises(InvalidInput, match=f"{kind.__name__} is a class"):
        open_store(kind)


# --- a file that goes away


def replace(path, how):
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink()
    if how == "replaced":
        other = SQLiteStore(path)
        write(other, "other")
        other.close()


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_nothing_is_written_into_a_file_that_is_no_longer_there(store, path, how):
    lease = store.acquire("trip", "ann")
    store.append("trip", [PartialReply("t", "one")], expect=0, lease=lease)
    store._file.read(lambda db: store.list())  # a second connection
    assert len(store._file._idle) == 2
    replace(path, how)
    with pytest.raises(StoreError, match=r"deleted or replaced.*put the file back, or go on") as caught:
        store.append("trip", [PartialReply("t", "two")], expect=1, lease=lease)
    assert repr(str(path)) in str(caught.value)
    assert len(store._file._idle) == 0
    with pytest.raises(StaleWriter):
        store.append("trip", [PartialReply("t", "two")], expect=1, lease=lease)
    assert [info.name for info in store.list()] == ["other"] * (how == "replaced")
    assert write(store) == 1
    store.close()
    assert len(sql(path, "SELECT * FROM records")) == 1 + (how == "replaced")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_connection_in_use_while_the_file_was_deleted_is_not_kept(store, path):
    write(store)

    def meanwhile(db):
        store._file.write(lambda other: None, durable=True)
        replace(path, "deleted")
        with pytest.raises(StoreError, match="deleted"):
            store._file.write(lambda other: None, durable=True)

    store._file.read(meanwhile)
    assert len(store._file._idle) == 0


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_turn_finds_out_before_anything_is_sent(store, path, how):
    simulator = Simulator()
    with Conversation(simulator, store=store, name="trip") as talk:
        talk.send("one")
        replace(path, how)
        with pytest.raises(StoreError, match="deleted or replaced"):
            talk.send("two")
    assert len(simulator.requests) == 1
    with Conversation(simulator, store=store, name="trip") as talk:
        talk.send("three")
        assert [message.text for message in talk.messages if message.role == "user"] == ["three"]


# --- connections


def test_use_after_close_is_an_error(store):
    write(store)
    store.close()
    for call in (lambda: store.read("trip"), store.list, lambda: write(store)):
        with pytest.raises(StoreError, match="after close"):
            call()
    memory = MemoryStore()
    memory.close()
    with pytest.raises(StoreError, match="after close"):
        memory.read("trip")


def test_a_store_closed_in_the_middle_of_a_call_ends_with_it(store):
    write(store)

    def close(db):
        store.close()

    store._file.write(close)
    assert len(store._file._idle) == 0


def test_a_store_closed_just_after_a_call_keeps_no_connection(store):
    write(store)
    file = store._file

    class Idle(type(file._idle)):
        def append(self, db):
            super().append(db)
            file.closed = True

    file._idle = Idle(file._idle)
    assert len(store.read("trip")) == 1
    assert len(file._idle) == 0


def test_connections_end_with_the_store_and_are_few(path):
    store = SQLiteStore(path)
    write(store)
    barrier = threading.Barrier(12)

    def together(db):
        barrier.wait(10)

    threads = [threading.Thread(target=store._file.read, args=(together,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store._file._idle) == _sqlite_file._IDLE
    del store, threads
    gc.collect()
    assert not path.with_name("store.db-wal").exists()


# --- cost


def test_a_fork_of_a_long_conversation_is_one_row(store, path):
    for _ in range(10):
        lease = store.acquire("trip", "ann")
        version = len(store.read("trip"))
        store.append("trip", [PartialReply("t", "x" * 50)] * 1000, expect=version, lease=lease, durable=False)
        store.release(lease)
    store._file.run("PRAGMA wal_checkpoint(TRUNCATE)", ())
    before = path.stat().st_size
    for number in range(20):
        store.fork("trip", f"fork {number}", at=10_000)
    store._file.run("PRAGMA wal_checkpoint(TRUNCATE)", ())
    assert path.stat().st_size - before <= 2 * 4096
    assert len(store.read("fork 19")) == 10_000
    assert write(store, "fork 19", expect=10_000) == 10_001


def test_a_chain_of_a_thousand_forks_is_read_and_deleted(store):
    write(store, "0")
    for number in range(1, 1000):
        store.fork(f"{number - 1}", f"{number}", at=1)
    assert write(store, "999", expect=1) == 2
    assert len(store.read("999")) == 2
    for number in range(999):
        assert store.delete(f"{number}")
    assert len(store.read("999")) == 2
    assert store.delete("999")
    assert store._file.run("SELECT (SELECT count(*) FROM conversations), (SELECT count(*) FROM records)", ()) == [
        (0, 0)
    ]


def test_a_deleted_conversation_leaves_only_what_forks_need(store):
    write(store, "trip", 10)
    store.fork("trip", "fork", at=4)
    store.delete("trip")
    assert store._file.run("SELECT count(*) FROM records", ()) == [(4,)]
    write(store, "fork", expect=4)
    store.delete("fork")
    assert store._file.run("SELECT (SELECT count(*) FROM conversations), (SELECT count(*) FROM records)", ()) == [
        (0, 0)
    ]


def test_an_append_costs_the_same_in_a_long_conversation(store):
    lease = store.acquire("trip", "ann")

    def appends(version, count):
        began = time.process_time()
        for number in range(version, version + count):
            store.append("trip", [PartialReply("t", "x" * 400)], expect=number, lease=lease, durable=False)
        return time.process_time() - began

    appends(0, 200)
    short = min(appends(200 + i * 300, 300) for i in range(3))
    store.append("trip", [PartialReply("t", "x" * 400)] * 50_000, expect=1100, lease=lease, durable=False)
    long = min(appends(51_100 + i * 300, 300) for i in range(3))
    assert long < 3 * short


def test_durable_appends_wait_for_the_disk_and_others_do_not(store):
    levels = []
    store.list()
    (db,) = store._file._idle
    db.set_trace_callback(lambda statement: levels.append(statement) if "synchronous" in statement else None)
    lease = store.acquire("trip", "ann")
    for version, durable in enumerate((True, True, False, False, True)):
        store.append("trip", [PartialReply("t", "x")], expect=version, lease=lease, durable=durable)
    assert [level.rpartition(" ")[2] for level in levels] == ["NORMAL", "FULL", "NORMAL", "FULL"]


# --- opening by name


def test_stores_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_store(), MemoryStore)
    assert isinstance(open_store("memory"), MemoryStore)
    assert repr(open_store("sqlite:///a.db")) == f"SQLiteStore({str(tmp_path / 'a.db')!r})"
    assert repr(open_store(f"sqlite:///{tmp_path}/a.db")) == f"SQLiteStore({str(tmp_path / 'a.db')!r})"
    assert (
        repr(open_store("sqlite", default_path=lambda: tmp_path / "d.db")) == f"SQLiteStore({str(tmp_path / 'd.db')!r})"
    )
    memory = MemoryStore()
    assert open_store(memory) is memory


@pytest.mark.parametrize("spec", ["postgresql://x", "sqlite://a.db", "sqlite:///", "", "file.db", 5, Path("a.db"), []])
def test_an_unknown_store_is_named(spec):
    with pytest.raises(InvalidInput, match="choose 'memory', 'sqlite'") as caught:
        open_store(spec)
    assert repr(spec) in str(caught.value)


def test_sqlite_alone_needs_a_default():
    with pytest.raises(NotConfigured, match=r"sqlite:///file.db"):
        open_store("sqlite")


def test_stores_are_loaded_when_they_are_asked_for():
    code = "import sys, agentkit.stores; agentkit.stores.open_store(); sys.exit('sqlite3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_owners_are_names(store):
    assert store.acquire("trip", new_owner()) is not None
    for owner in ("", "\ud800", None):
        for each in (store, MemoryStore()):
            with pytest.raises(InvalidInput, match="owner"):
                each.acquire("trip", owner)
            with pytest.raises(InvalidInput, match="owner"):
                each.withdraw("trip", owner)


def test_a_stale_writer_is_told_what_happened(store):
    lease = store.acquire("trip", "ann")
    store.append("trip", [], expect=0, lease=lease)
    store.release(lease)
    store.acquire("trip", "bob")
    with pytest.raises(StaleWriter, match="'bob' took conversation 'trip' over from 'ann'"):
        store.append("trip", [PartialReply("t", "x")], expect=0, lease=lease)

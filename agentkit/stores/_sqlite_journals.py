"""The rows of conversations and their records, within a transaction of the caller."""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.stores._sqlite_file import Connection, Row

_LAST = 0xFFFFFFFF
"""The highest version of a conversation, and the mask of the version in a key."""

_LINEAGE = """WITH RECURSIVE lineage (depth, id, parent, base, upto) AS (
        SELECT 0, id, parent, base, version FROM conversations WHERE id = :id
        UNION ALL
        SELECT depth + 1, older.id, older.parent, older.base, min(lineage.base, lineage.upto)
        FROM lineage JOIN conversations AS older ON older.id = lineage.parent WHERE lineage.base > :after
    ) SELECT id, max(base, :after), upto FROM lineage ORDER BY depth DESC"""
_RANGE = "SELECT key & 0xFFFFFFFF, at, data FROM records WHERE key > ? AND key <= ? ORDER BY key"


def read(db: Connection, name: str, after: int) -> list[Row]:
    """Version, time and data of each entry above `after`, those of ancestors first."""
    after = min(max(after, 0), _LAST)
    found = db.execute("SELECT id, base, version FROM conversations WHERE name = ?", (name,)).fetchone()
    if found is None:
        return []
    id_, base, version = found
    if base <= after:  # nothing is asked for that an ancestor has
        return _range(db, id_, after, version)
    lineage = db.execute(_LINEAGE, {"id": id_, "after": after}).fetchall()
    return [row for part in lineage for row in _range(db, *part)]


def _range(db: Connection, id_: int, after: int, upto: int) -> list[Row]:
    return db.execute(_RANGE, (_key(id_, after), _key(id_, upto))).fetchall()


def add(db: Connection, id_: int, version: int, at: float, data: Sequence[str]) -> None:
    key = _key(id_, version)
    rows = [(key + place, at, text) for place, text in enumerate(data, 1)]
    db.executemany("INSERT INTO records VALUES (?, ?, ?)", rows)


def insert(db: Connection, name: str) -> None:
    """A row for a name that has none; its tokens go on where those of deleted conversations ended."""
    db.execute("INSERT INTO conversations (name, token) SELECT ?, floor FROM tokens", (name,))


def forget(db: Connection, name: str) -> None:
    """Remove the row of a conversation that was never begun, unless somebody holds its lease again."""
    sql = "SELECT id FROM conversations WHERE name = ? AND owner IS NULL AND created IS NULL"
    for (id_,) in db.execute(sql, (name,)).fetchall():
        delete(db, id_)


def delete(db: Connection, id_: int) -> None:
    """Remove a conversation and what only it needed of its ancestors; what forks begin with stays, without a name."""
    db.execute("UPDATE tokens SET floor = max(floor, (SELECT token FROM conversations WHERE id = ?))", (id_,))
    db.execute("UPDATE conversations SET name = NULL, owner = NULL WHERE id = ?", (id_,))
    nameless: int | None = id_
    while nameless is not None:
        nameless = _trim(db, nameless)


def _trim(db: Connection, id_: int) -> int | None:
    """Remove the records that no fork begins with; without any fork the row too, and name its parent as the next."""
    name: str | None
    parent: int | None
    name, parent = db.execute("SELECT name, parent FROM conversations WHERE id = ?", (id_,)).fetchone()
    if name is not None:
        return None
    (needed,) = db.execute("SELECT max(base) FROM conversations WHERE parent = ?", (id_,)).fetchone()
    db.execute("DELETE FROM records WHERE key > ? AND key <= ?", (_key(id_, needed or 0), _key(id_, _LAST)))
    if needed is not None:
        return None
    db.execute("DELETE FROM conversations WHERE id = ?", (id_,))
    return parent


def _key(id_: int, version: int) -> int:
    return (id_ << 32) + version

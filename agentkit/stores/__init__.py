"""Stores of journals, by name. Each is loaded when it is asked for, and opens nothing before its first use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from agentkit.errors import InvalidInput, NotConfigured
from agentkit.store import Store
from agentkit.stores._owner import new_owner

__all__ = ["new_owner", "open_store"]

_KNOWN = "'memory', 'sqlite', 'sqlite:///file.db' (relative), 'sqlite:////path/file.db' (absolute), or a Store"


def open_store(spec: object = None, *, default_path: Callable[[], Path] | None = None) -> Store:
    """The store that `spec` names; None is a new one in memory. A Store is given back as it is.

    Raises:
        InvalidInput: nothing is known by that name.
        NotConfigured: "sqlite" alone, and `default_path` says no file.
    """
    match spec:
        case None | "memory":
            from agentkit.stores.memory import MemoryStore

            return MemoryStore()
        case "sqlite":
            return _sqlite(_default(default_path))
        case str() if spec.startswith("sqlite:///") and len(spec) > len("sqlite:///"):
            return _sqlite(spec.removeprefix("sqlite:///"))
        case str():
            raise InvalidInput(f"unknown store {spec!r}; choose {_KNOWN}")
        case type():
            raise InvalidInput(f"{spec.__name__} is a class; a store is an instance of it, as in {spec.__name__}(...)")
        case _ if callable(getattr(spec, "append", None)) and callable(getattr(spec, "acquire", None)):
            return cast("Store", spec)
        case _:
            raise InvalidInput(f"{spec!r} is no store; choose {_KNOWN}")


def _sqlite(path: str | Path) -> Store:
    from agentkit.stores.sqlite import SQLiteStore

    return SQLiteStore(path)


def _default(default_path: Callable[[], Path] | None) -> Path:
    if default_path is None:
        raise NotConfigured("the store 'sqlite' has no default file here; name one: 'sqlite:///file.db'")
    return default_path()

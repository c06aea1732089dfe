"""A store that conversations and turns use together, and forks within it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from agentkit._runtime.session import Session, holder_of
from agentkit.store import Rewound, Store
from agentkit.stores import open_store


class OpenStore:
    """A store that was opened here, closed with the last conversation or turn that uses it."""

    def __init__(self, spec: str | Store | None) -> None:
        from agentkit.config import store_path

        self.store = open_store(spec, default_path=store_path)
        self._ours = self.store is not spec
        self._users = 0
        self._lock = threading.Lock()

    def enter(self) -> Callable[[], None]:
        """Use the store, until what this returns is called."""
        with self._lock:
            self._users += 1
        return self.leave

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last and self._ours:
            self.store.close()

    def fork(self, name: str, new_name: str, *, known: int, keep: int | None) -> None:
        """Make `new_name` from `name` as it is now, with what a turn that is not over has delivered so far; from there
        back to the first `keep` messages. `known` is a version that it has at least: what came before is not read."""
        holder = holder_of(self.store, name)
        if holder is not None:
            holder.look_after(renew=False)
        later = self.store.read(name, after=known)
        version = later[-1].version if later else known
        self.store.fork(name, new_name, at=version)
        if keep is not None:
            self._rewind(new_name, keep, version)

    def _rewind(self, name: str, keep: int, version: int) -> None:
        session = Session(self.store, name, None, lambda: None)
        try:
            if session.acquire(version) is not None:
                _ = session.append([Rewound(keep)], durable=True)
        finally:
            session.release()

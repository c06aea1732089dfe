"""The one background thread of the process: it looks after the turns that are running on a durable store.

Four times a second it writes what each has delivered, and every two seconds it renews their leases. It lives only while
there is something to look after.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Protocol

TICK = 0.2
"""Seconds between two rounds: with the write itself, a delivered text is stored within 250 ms."""
RENEW_EVERY = 1.0


class Kept(Protocol):
    def look_after(self, *, renew: bool) -> None: ...


class Keeper:
    """Calls `look_after` of each of its charges, until it is removed."""

    def __init__(self) -> None:
        self._forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """A forked child has neither the thread nor the turns."""
        self._lock = threading.Lock()
        self._charges: set[Kept] = set()
        self._thread: threading.Thread | None = None

    def add(self, charge: Kept) -> None:
        with self._lock:
            self._charges.add(charge)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="agentkit-keeper", daemon=True)
                self._thread.start()

    def remove(self, charge: Kept) -> None:
        with self._lock:
            self._charges.discard(charge)

    def _run(self) -> None:
        renewed = time.monotonic()
        while True:
            time.sleep(TICK)
            now = time.monotonic()
            renew = now - renewed >= RENEW_EVERY
            if renew:
                renewed = now
            with self._lock:
                charges = list(self._charges)
                if not charges and renew:
                    self._thread = None
                    return
            for charge in charges:
                charge.look_after(renew=renew)


KEEPER = Keeper()

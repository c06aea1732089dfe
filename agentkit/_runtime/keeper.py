"""The one background thread of the process: it looks after the turns that are running on a durable store.

Five times a second it writes what each has delivered, and every second it renews their leases. It also ends turns that
nobody reads any more, where the place they were dropped at cannot. It lives only while there is something to do, and
nothing that a charge does can end it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

TICK = 0.2
"""Seconds between two rounds: with the write itself, a delivered text is stored within 250 ms."""
RENEW_EVERY = 1.0


class Kept(Protocol):
    def look_after(self, *, renew: bool) -> None: ...


class Keeper:
    """Calls `look_after` of each of its charges, until it is removed, and other things once."""

    def __init__(self) -> None:
        self._forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """A forked child has neither the thread nor the turns."""
        self._lock = threading.RLock()
        """Re-entrant: a garbage collection may drop a turn in the middle of `add`."""
        self._charges: set[Kept] = set()
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def add(self, charge: Kept) -> None:
        with self._lock:
            self._charges.add(charge)
            self._wake()

    def remove(self, charge: Kept) -> None:
        with self._lock:
            self._charges.discard(charge)

    def call(self, call: Callable[[], object], *, wait: float = 0) -> None:
        """Have `call` called in the keeper's thread, and wait for that for up to so many seconds."""
        done = threading.Event()

        def called() -> None:
            try:
                _ = call()
            finally:
                done.set()

        self._calls.put(called)
        with self._lock:
            self._wake()
            here = self._thread is threading.current_thread()
        if wait and not here:
            _ = done.wait(wait)

    def _wake(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="agentkit-keeper", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        renewed = time.monotonic()
        while True:
            self._call_until(time.monotonic() + TICK)
            renew = time.monotonic() - renewed >= RENEW_EVERY
            if renew:
                renewed = time.monotonic()
            with self._lock:
                charges = list(self._charges)
                if renew and not charges and self._calls.empty():
                    self._thread = None
                    return
            for charge in charges:
                with suppress(Exception):
                    charge.look_after(renew=renew)

    def _call_until(self, end: float) -> None:
        while (left := end - time.monotonic()) > 0:
            try:
                call = self._calls.get(timeout=left)
            except Empty:
                return
            with suppress(Exception):
                call()


KEEPER = Keeper()

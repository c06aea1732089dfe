"""One turn's dealings with the store: its lease, its appends, and the partial reply that is kept meanwhile.

The same object serves both drivers; where the store is blocking, the async one calls it in a thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any

from agentkit._runtime.clock import CLOCKS
from agentkit._runtime.keeper import KEEPER
from agentkit.effects import (
    Acquire,
    Append,
    Brake,
    Divert,
    Draft,
    Effect,
    Interrupt,
    Keep,
    Look,
    Release,
    Reserve,
    Settle,
)
from agentkit.errors import AgentKitError, ConversationBusy, StaleWriter
from agentkit.store import Entry, Lease, Record, Store
from agentkit.stores import new_owner

if TYPE_CHECKING:
    from agentkit._runtime.ratelimit import RateLimiter

_holders: dict[tuple[object, str], Session] = {}
"""Which session of this process holds a conversation, so that another one here can stop it at once."""


_within: ContextVar[tuple[Session, ...]] = ContextVar("agentkit_within", default=())
"""The turns that wait for the tool which this code is a part of."""


def holder_of(store: Store, name: str) -> Session | None:
    """The session of this process that holds a conversation."""
    return _holders.get(_key(store, name))


def _key(store: Store, name: str) -> tuple[object, str]:
    """Two store objects may lead to the same file; those that can say so have an `identity`."""
    return getattr(store, "identity", id(store)), name


def new_id() -> str:
    """A name that nothing else has: for a turn, a conversation, a fork. The uuid module takes 2 ms to import."""
    return os.urandom(16).hex()


class Session:
    """The right to write to one conversation, from asking for it to giving it back."""

    def __init__(self, store: Store, name: str, limiter: RateLimiter | None, on_interrupt: Callable[[], None]) -> None:
        self.store = store
        self.name = name
        self.context: object = None
        """The thread or task that the turn runs in."""
        self._limiter = limiter
        self._owner = new_owner()
        self.on_interrupt = on_interrupt
        self._lease: Lease | None = None
        self._asked = False
        self._unsure = False
        """The store failed when it was asked: it may have granted the lease."""
        self._version = 0
        self._tried: list[Record] | None = None
        """An append that was begun, and of which it is not known whether it was done."""
        self._last: list[Record] | None = None
        """The last append that was done. To ask for the same once more is to be told of it again."""
        self._draft: Draft | None = None
        self._lock = threading.RLock()
        """Re-entrant: an interruption may come in the middle of an append, and what ends the turn appends as well."""
        self._pid = os.getpid()

    def perform(self, effect: Effect[Any]) -> Any:
        """Do what an effect asks of the store or of the rate limit."""
        match effect:
            case Append():
                return self.append(effect.records, durable=effect.durable)
            case Acquire():
                return self.acquire(effect.after)
            case Keep():
                return self.keep(effect.draft)
            case Release():
                return self.release()
            case Interrupt():
                return self.interrupt_holder()
            case Look():
                return self.store.read(self.name)
            case Divert():
                return self.divert(effect.at)
            case _:
                return self._pace(effect)

    def _pace(self, effect: Effect[Any]) -> Any:
        if self._limiter is None:
            return 0.0
        match effect:
            case Reserve():
                return self._limiter.reserve(effect.tokens, CLOCKS.current.now())
            case Settle():
                return self._limiter.settle(effect.reserved, effect.actual)
            case Brake():
                return self._limiter.brake(effect.seconds, CLOCKS.current.now())
            case _:
                raise AssertionError(f"no driver knows {effect!r}")

    def acquire(self, after: int) -> Sequence[Entry] | None:
        self._asked = self._unsure = True
        lease = self.store.acquire(self.name, self._owner)
        self._unsure = False
        if lease is None:
            self._refuse_deadlock()
            return None
        self._lease = lease
        _holders[_key(self.store, self.name)] = self
        if self.store.blocking:
            KEEPER.add(self)
        entries = self.store.read(self.name, after=after)
        self._version = entries[-1].version if entries else after
        return entries

    def _refuse_deadlock(self) -> None:
        holder = holder_of(self.store, self.name)
        if holder in _within.get():
            raise ConversationBusy(
                f"conversation {self.name!r} is in the middle of the turn that runs this tool, and waits for it; "
                "use another conversation, or a fork of this one"
            )
        if holder is not None and self.context is not None and holder.context == self.context:
            raise ConversationBusy(
                f"conversation {self.name!r} is in the middle of a turn that this same thread or task is reading; "
                "finish or stop that one first"
            )

    def context_of_tools(self) -> Context:
        """What a tool of this turn runs in: there it is known that the turn waits for it."""
        made = copy_context()
        made.run(_within.set, (*_within.get(), self))
        return made

    def append(self, records: Sequence[Record], *, durable: bool) -> int:
        with self._lock:
            self._draft = None
            return self._write(list(records), durable=durable)

    def _write(self, records: list[Record], *, durable: bool) -> int:
        if self._lease is None or self._pid != os.getpid():
            raise StaleWriter(f"conversation {self.name!r} is not held by this turn any more")
        if self._tried is not None:
            self._find_out(self._tried)
        if records != self._last:
            self._tried = records
            self._version = self.store.append(
                self.name, records, expect=self._version, lease=self._lease, durable=durable
            )
            self._last = records  # first: an interruption between the two must not have them written again
            self._tried = None
        return self._version

    def _find_out(self, tried: list[Record]) -> None:
        """An append was interrupted: see whether the store has it."""
        entries = self.store.read(self.name, after=self._version)
        if entries:
            self._version = entries[-1].version
            self._last = [entry.record for entry in entries][-len(tried) :]
        self._tried = None

    def keep(self, draft: Draft) -> None:
        """Never waits: an event loop calls this itself. There was no draft before, so no lock is needed."""
        self._draft = draft

    @property
    def draft(self) -> Draft | None:
        """The reply in the making."""
        return self._draft

    def look_after(self, *, renew: bool) -> None:
        """Write what was delivered since, and see whether somebody wants this turn to stop, or has taken its place.

        What else fails is not raised: the append at the end of the turn meets the same store, and tells the caller.
        """
        try:
            with self._lock:
                record = self._draft.take() if self._draft is not None else None
                if record is not None:
                    _ = self._write([record], durable=False)
                stop = renew and self._lease is not None and self.store.renew(self._lease)
        except StaleWriter:
            stop = True
        except AgentKitError:
            return
        if stop:
            self.on_interrupt()

    def interrupt_holder(self) -> None:
        holder = holder_of(self.store, self.name)
        if holder is not None:
            holder.on_interrupt()
        else:
            self.store.interrupt(self.name)

    def divert(self, at: int) -> str:
        name = f"{self.name}-{new_id()[:8]}"
        if at:
            self.store.fork(self.name, name, at=at)
        self.name = name
        return name

    def release(self) -> None:
        """Give back what was asked for; called again, it does nothing. What cannot be given back runs out by itself."""
        if not self._asked or self._pid != os.getpid():
            return
        KEEPER.remove(self)
        with self._lock:
            lease, self._draft = self._lease, None
        key = _key(self.store, self.name)
        if _holders.get(key) is self:
            del _holders[key]
        for _ in range(2):  # what fails once would keep the next turn waiting
            with suppress(AgentKitError):
                self._give_back(lease)
                break
        self._lease = None
        self._asked = self._unsure = False

    def _give_back(self, lease: Lease | None) -> None:
        if lease is None and self._unsure:
            lease = self.store.acquire(self.name, self._owner)
        if lease is not None:
            self.store.release(lease)
        elif self._asked:
            self.store.withdraw(self.name, self._owner)

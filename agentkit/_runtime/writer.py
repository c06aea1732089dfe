"""A long text on its way from the turns of a conversation into a file.

The journal is the truth, and the file follows it: what comes is written to the journal first and to the file right
after, by the keeper's thread, five times a second. So the file never holds what the journal does not, whenever the
process is killed, and bringing it up to date is always to add to its end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from agentkit._checks import plain_function
from agentkit._engine.journal import Journal
from agentkit._engine.writing import Ask, Order, Running, Wanted, Work
from agentkit._runtime.keeper import KEEPER
from agentkit._runtime.session import holder_of
from agentkit._runtime.writer_file import PageFile
from agentkit._runtime.writer_order import order_for
from agentkit.errors import StoreError
from agentkit.events import Event, Reply, TextDelta
from agentkit.store import Store
from agentkit.usage import Outcome
from agentkit.writing import WriteProgress, Written

PROGRESS_EVERY = 1.0
"""Seconds."""


class Writer:
    """One long text under way. Both faces run its turns; all else is done here."""

    def __init__(
        self,
        order: Order,
        journal: Callable[[], Journal],
        store: Store,
        name: str,
        on_progress: Callable[[WriteProgress], object] | None,
    ) -> None:
        self._order = order
        self._journal = journal
        self._store = store
        self._name = name
        self._on_progress = on_progress
        self._lock = threading.RLock()
        self._stuck: set[str] = set()
        self._work = Work(order, journal())
        self._running: Running | None = None
        self._heard: list[str] = []
        self._before = 0
        """Characters of the running turn's reply when it began."""
        self._pace = _Pace()
        self._stopped: str | None = None
        self._trouble: StoreError | None = None
        self._file = None if order.into is None else PageFile(order, self._work.text)
        if self._file is not None:
            KEEPER.add(self)

    def next(self) -> Ask | None:
        """The turn to be run now; None at the end."""
        self._work = work = Work(self._order, self._journal(), frozenset(self._stuck))
        self._save(work.text, durable=True)
        ask = None if self._stopped else work.next()
        with self._lock:
            self._heard = []
            self._running = None if ask is None else work.running(ask)
        turn = None if ask is None else work.journal.turns.get(ask.turn_id)
        self._before = len(turn.last_reply().text) if turn is not None else 0
        return ask

    def tell(self, ask: Ask) -> None:
        """A turn is about to run."""
        self._tell(ask.chapter, self._work.words, ask.title)

    def hear(self, event: Event) -> None:
        """An event of the running turn.

        Raises:
            StoreError: the file cannot be written any more.
        """
        if self._trouble is not None:
            raise self._trouble
        if not isinstance(event, TextDelta) or self._running is None:
            return
        self._heard.append(event.text)
        ask = self._running.ask
        if ask.chapter and self._pace.is_due():
            self._tell(ask.chapter, self._running.words + len("".join(self._heard).split()), ask.title)

    def over(self, reply: Reply) -> None:
        """The running turn is over."""
        if reply.outcome is Outcome.INTERRUPTED:
            self._stopped = "it was interrupted"
        elif reply.outcome is Outcome.TRUNCATED and len(reply.text) <= self._before:
            self._stuck.add(reply.turn_id)

    def look_after(self, *, renew: bool) -> None:
        """Called by the keeper: the journal first, then the file."""
        with self._lock:
            if self._running is None or self._trouble is not None:
                return
            text = self._running.text("".join(self._heard))
            holder = holder_of(self._store, self._name) if self._store.blocking else None
            if holder is not None:
                holder.look_after(renew=False)
            try:
                self._save(text)
            except StoreError as error:
                self._trouble = error

    def close(self) -> None:
        """Bring the file up to what was heard, and let it go."""
        KEEPER.remove(self)
        self.look_after(renew=False)
        with self._lock:
            self._running = None
            if self._file is not None:
                self._file.close()

    def written(self) -> Written:
        """What it came to."""
        work = self._work
        self._tell(len(work.chapters), work.words, work.titles[-1])
        reason = self._stopped or work.shortcoming
        outcome = Outcome.INTERRUPTED if self._stopped else Outcome.TRUNCATED if reason else Outcome.COMPLETE
        return Written(
            text=work.text,
            words=work.words,
            target=self._order.words,
            titles=work.titles,
            path=None if self._order.into is None else Path(self._order.into),
            outcome=outcome,
            reason=reason,
            usage=work.usage,
            conversation=self._name,
        )

    def _save(self, text: str, *, durable: bool = False) -> None:
        if self._file is not None:
            with self._lock:
                self._file.bring_to(text, durable=durable)

    def _tell(self, chapter: int, words: int, title: str = "") -> None:
        rate = self._pace.rate(words) if chapter else None
        if self._on_progress is None:
            return
        left = max(self._order.words - words, 0)
        said = WriteProgress(
            chapter=chapter,
            chapters=len(self._work.chapters) if chapter else 0,
            title=title,
            words=words,
            target=self._order.words,
            words_per_second=rate,
            seconds_left=left / rate if rate else None,
        )
        self._on_progress(said)


def writer_for(
    wanted: Wanted,
    journal: Callable[[], Journal],
    store: Store,
    name: str,
    on_progress: Callable[[WriteProgress], object] | None,
) -> Writer:
    """A text that is new or goes on; its file is open.

    Raises:
        InvalidInput: an argument is wrong, or the file cannot be written.
    """
    plain_function("on_progress", on_progress)
    return Writer(order_for(journal(), wanted), journal, store, name, on_progress)


class _Pace:
    """Words over time, and when to speak of it again."""

    def __init__(self) -> None:
        self._begun: tuple[float, int] | None = None
        self._told = 0.0

    def is_due(self) -> bool:
        return time.monotonic() - self._told >= PROGRESS_EVERY

    def rate(self, words: int) -> float | None:
        """Words per second since this was first asked; None before there were any."""
        self._told = now = time.monotonic()
        if self._begun is None:
            self._begun = now, words
        seconds, more = now - self._begun[0], words - self._begun[1]
        return more / seconds if more > 0 and seconds > 0 else None

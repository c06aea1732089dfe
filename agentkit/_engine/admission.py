"""Winning the right to write, before a model call is paid for: queue, reject, interrupt or fork."""

from __future__ import annotations

from agentkit._engine.journal import Journal
from agentkit.effects import Acquire, Divert, Flow, Interrupt, Look, Release, Sleep, do
from agentkit.errors import ConversationBusy
from agentkit.options import OnBusy

SHORTEST_WAIT, LONGEST_WAIT = 0.001, 0.05


def admitted(name: str, on_busy: OnBusy, max_wait: float | None, journal: Journal) -> Flow[tuple[str, Journal]]:
    """Win the right to write to `name`, or get round it as `on_busy` says: where the turn goes on, and its journal.

    Raises:
        ConversationBusy
    """
    waited, pause = 0.0, SHORTEST_WAIT
    while (entries := (yield from do(Acquire(journal.version)))) is None:
        if on_busy == "fork":
            return (yield from _diverted())
        if on_busy == "reject":
            raise ConversationBusy(f"conversation {name!r} is in the middle of another turn; nothing was sent")
        if on_busy == "interrupt":
            yield from do(Interrupt())
        if max_wait is not None and waited >= max_wait:
            raise ConversationBusy(f"conversation {name!r} was still busy after {max_wait:g} seconds; nothing was sent")
        yield from do(Sleep(pause))
        waited += pause
        pause = min(pause * 1.5, LONGEST_WAIT)
    journal.replay(entries)
    return name, journal


def _diverted() -> Flow[tuple[str, Journal]]:
    """Leave the running turn alone: go on from where the conversation was before it."""
    yield from do(Release())
    seen = Journal()
    seen.replay((yield from do(Look())))
    name = yield from do(Divert(seen.settled))
    journal = Journal()
    entries = yield from do(Acquire(0))
    if entries is None:
        raise ConversationBusy(f"the fork {name!r} is held by another writer")
    journal.replay(entries)
    return name, journal

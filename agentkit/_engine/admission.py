"""Winning the right to write, before a model call is paid for: queue, reject, interrupt or fork."""

from __future__ import annotations

from agentkit._engine.beginning import Task
from agentkit._engine.journal import Journal
from agentkit.effects import Acquire, Divert, Flow, Interrupt, Look, Release, Sleep, do
from agentkit.errors import ConversationBusy

SHORTEST_WAIT, LONGEST_WAIT = 0.001, 0.05
SAYS_ITS_TURN = 0.5
"""Seconds within which whoever holds a conversation has said in its journal which turn runs."""


def admitted(task: Task, journal: Journal) -> Flow[tuple[str, Journal]]:
    """Win the right to write, or get round it as `on_busy` says: where the turn goes on, and its journal.

    Raises:
        ConversationBusy
    """
    name, policy, limit = task.conversation, task.on_busy, task.line.limits.max_wait
    if journal.torn:
        journal.clear()
    waited, pause = 0.0, SHORTEST_WAIT
    while (entries := (yield from do(Acquire(journal.version)))) is None:
        if policy in ("reject", "fork"):
            seen = yield from _seen(task)
            if task.named and seen.running is not None and seen.running.turn_id == task.turn_id:
                policy = "queue"  # it is this very turn that runs: its reply is waited for
            elif not task.named or seen.running is not None or waited > SAYS_ITS_TURN:
                return (yield from _turned_away(task, seen))
        elif policy == "interrupt":
            yield from do(Interrupt())
        if limit is not None and waited >= limit:
            raise ConversationBusy(f"conversation {name!r} was still busy after {limit:g} seconds; nothing was sent")
        yield from do(Sleep(pause))
        waited += pause
        pause = min(pause * 1.5, LONGEST_WAIT)
    journal.replay(entries)
    return name, journal


def _seen(task: Task) -> Flow[Journal]:
    """The conversation as its store has it, where that makes a difference."""
    seen = Journal()
    if task.named or task.on_busy == "fork":
        seen.replay((yield from do(Look())))
    return seen


def _turned_away(task: Task, seen: Journal) -> Flow[tuple[str, Journal]]:
    """Leave the running turn alone: refuse, or go on from where the conversation was before it."""
    if task.on_busy == "reject":
        raise ConversationBusy(f"conversation {task.conversation!r} is in the middle of another turn; nothing was sent")
    yield from do(Release())
    name = yield from do(Divert(seen.settled))
    journal = Journal()
    entries = yield from do(Acquire(0))
    if entries is None:
        raise ConversationBusy(f"the fork {name!r} is held by another writer")
    journal.replay(entries)
    return name, journal

"""Taking back the last question and what came of it. Nothing is destroyed: the journal keeps both."""

from __future__ import annotations

from agentkit._engine.admission import admitted
from agentkit._engine.beginning import Task, opening, question_index, write
from agentkit._engine.journal import NOTHING, Journal
from agentkit.effects import Flow, Release, do
from agentkit.events import Reply
from agentkit.store import Rewound
from agentkit.usage import FinishReason, Outcome, Usage


def undo(task: Task, journal: Journal) -> Flow[Reply]:
    """Rewind to before the last message of the user; the messages of the reply are what was taken back.

    Raises:
        InvalidInput: there is no message of the user.
    """
    try:
        name, journal = yield from admitted(task, journal)
        before = opening(task.system, task.imports, journal)
        if before:
            yield from write(journal, before)
        keep = question_index(journal, None)
        dropped = journal.history.since(keep)
        yield from write(journal, [Rewound(keep)], durable=True)
    finally:
        yield from do(Release())
    return Reply(NOTHING, dropped, Outcome.COMPLETE, FinishReason.UNKNOWN, Usage(), task.turn_id, name)

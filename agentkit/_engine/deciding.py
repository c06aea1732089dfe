"""What the user decides about calls that wait for it. Nothing runs here: that is for the turn that is resumed."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from agentkit._engine.admission import admitted
from agentkit._engine.beginning import Task, write
from agentkit._engine.journal import NOTHING, Journal
from agentkit.effects import Flow, Release, do
from agentkit.errors import InvalidInput
from agentkit.events import Reply
from agentkit.store import Decided
from agentkit.usage import FinishReason, Outcome, Usage

Decision = Callable[[str], Decided]
"""Makes the record for the turn with this id."""


def deciding(call_id: str, decision: Decision) -> Callable[[Task, Journal], Flow[Reply]]:
    """A flow that writes down what was decided about one call.

    Raises:
        InvalidInput: the call does not wait for a decision, or no longer.
    """

    def decide(task: Task, journal: Journal) -> Flow[Reply]:
        try:
            # a fork would hide what was decided, and a turn that runs need not stop for it
            patient = task if task.on_busy == "reject" else evolve(task, on_busy="queue")
            name, journal = yield from admitted(patient, journal)
            turn = journal.last_turn
            if turn is None or all(call.id != call_id for call in journal.pending):
                raise InvalidInput(f"the call {call_id!r} does not wait for a decision: it was decided, or passed over")
            yield from write(journal, [decision(turn.turn_id)], durable=True)
        finally:
            yield from do(Release())
        return Reply(NOTHING, (), Outcome.COMPLETE, FinishReason.UNKNOWN, Usage(), task.turn_id, name)

    return decide

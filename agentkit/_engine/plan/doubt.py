"""Where nothing but the margin of a count decides: the prompt that a server can be asked to count, and what follows."""

from __future__ import annotations

from attrs import evolve, frozen

from agentkit._engine.history import History
from agentkit._engine.plan.fit import Scales, Weight, fit
from agentkit._engine.plan.ledger import Held, Ledger
from agentkit._engine.plan.planner import arranged, beginning
from agentkit._engine.plan.selection import Selection, messages_of
from agentkit._engine.plan.state import PlanState
from agentkit._engine.plan.terms import Terms
from agentkit.messages import Message


@frozen(kw_only=True)
class Doubt:
    """A prompt that fits by its count, and may not fit by the margin of that."""

    messages: tuple[Message, ...]
    scales: Scales
    held: Held

    def settled(self, tokens: int) -> Ledger | None:
        """What is known once the server has counted this prompt; None where the number cannot be the whole of it."""
        ledger = self.scales.ledger.counted(self.scales.outline, self.held, tokens)
        return None if ledger is self.scales.ledger else ledger


def doubt(terms: Terms, history: History, state: PlanState | None = None, told: Ledger | None = None) -> Doubt | None:
    """The prompt whose count would decide what the next plan leaves out or shortens; None where the numbers are clear.

    `told`: what the server has said of the prompt that was asked about before.
    """
    if told is None and state is not None and _is_anchored(state, terms, history):
        return None
    terms, scales, selection = beginning(terms, history, state, told)
    weight = scales.weigh(selection)
    exceeded = scales.trigger.exceeded(weight.load)
    if _is_close(weight, scales.trigger.tokens, told):
        return _doubt(terms, scales, selection, weight)
    if exceeded:
        selection = fit(scales, selection, exceeded)
    weight = evolve(scales, hard=True).weigh(selection)
    return _doubt(terms, scales, selection, weight) if _is_close(weight, scales.room, told) else None


def _is_anchored(state: PlanState, terms: Terms, history: History) -> bool:
    if state.ledger.held is None or not state.terms.comparable(terms):
        return False
    return state.outline.kept(history) == len(state.outline)


def _is_close(weight: Weight, most: int | None, told: Ledger | None) -> bool:
    """The count keeps to the limit, and its margin does not. What follows from an answer of the server can be close
    once more, where much lies between what was asked about and what is left of it."""
    counted, load = weight.counted, weight.load.tokens or 0
    sure = ("exact", "server", "anchored") if told is None else ("exact", "server")
    return most is not None and counted.kind not in sure and counted.value <= most < load


def _doubt(terms: Terms, scales: Scales, selection: Selection, weight: Weight) -> Doubt:
    messages = arranged(terms, messages_of(scales.outline, selection))
    return Doubt(messages=messages, scales=scales, held=weight.held)

"""A backend refuses a request for its length: what that teaches, and how to plan once more."""

from __future__ import annotations

from attrs import evolve, frozen

from agentkit._engine.plan.planner import Plan
from agentkit._engine.plan.state import PlanState
from agentkit._engine.plan.terms import LESS, Terms
from agentkit.errors import ContextOverflow


@frozen(kw_only=True)
class Lesson:
    """What to plan with after a refusal. One refusal, one more plan: a second refusal is raised."""

    terms: Terms
    state: PlanState
    """With the backend's count as the anchor, where it said one."""
    window: int | None
    """The window as the backend says; to be remembered for this backend and model."""


def lesson(made: Plan, error: ContextOverflow) -> Lesson:
    """What the refusal of this plan teaches; its numbers are used where it has any."""
    terms, state = made.state.terms, made.state
    ledger = state.ledger
    if error.used is not None:
        ledger = evolve(ledger.counted(state.outline, state.held, error.used), taken=False)
    used = made.manifest.tokens.value if error.used is None else error.used
    rooms = [used * LESS[0] // LESS[1]]
    if error.limit is not None:
        rooms.append(error.limit - min(terms.reserve, error.limit // 2))
    return Lesson(
        terms=evolve(terms, window=terms.window if error.limit is None else error.limit, at_most=min(rooms)),
        state=evolve(state, ledger=ledger),
        window=error.limit,
    )

"""Backends that count wrongly: too much, or all that was ever sent. A conversation goes on all the same."""

from __future__ import annotations

import pytest

from agentkit._engine.history import History
from agentkit._engine.plan.planner import Plan, plan
from agentkit._engine.plan.refusal import lesson
from agentkit._engine.plan.state import PlanState, answered
from agentkit._engine.plan.terms import Terms
from agentkit.context import ContextPolicy
from agentkit.errors import ContextOverflow
from agentkit.messages import Message, assistant, user
from agentkit.tokens import TokenCount
from agentkit.usage import Usage
from tests.plan.counting import Words, history

WINDOW = 1000
TOLD = Terms(counter=Words("proxy", 0.2), window=WINDOW, max_tokens=100)
SET = Terms(counter=Words("proxy", 0.2), policy=ContextPolicy(window=WINDOW), max_tokens=100)


def talk(terms: Terms, turns: int, factor: int) -> list[Plan]:
    """Turns with a backend that counts all prompts since the beginning together, and that so many times."""
    said: list[Message] = []
    plans: list[Plan] = []
    total = 0
    for number in range(turns):
        said.append(user(f"{number} " + "word " * 20))
        made = plan(terms, history(*said), answered_state(plans, total))
        total += made.state.tokens * factor
        plans.append(made)
        said.append(assistant(f"answer {number}"))
    return plans


def answered_state(plans: list[Plan], reported: int) -> PlanState | None:
    return answered(plans[-1].state, Usage(reported, 5)) if plans else None


def test_more_than_the_backend_holds_is_no_count_of_what_it_has_taken() -> None:
    plans = talk(TOLD, 20, 2)
    assert all(made.state.ledger.reported <= WINDOW for made in plans)
    assert len(plans[-1].messages) > 5


def test_where_the_user_has_set_the_window_old_messages_go_and_nothing_is_refused() -> None:
    plans = talk(SET, 20, 2)
    assert plans[-1].state.ledger.reported > WINDOW
    assert [message.text for message in plans[-1].messages] == ["19 " + "word " * 20]
    again = answered(plans[-1].state, Usage(70, 5))
    said: History = history(plans[-1].messages[0], assistant("answer 19"), user("and now?"))
    assert plan(SET, said, again).manifest.tokens.value < 200, "a good count mends it"


def test_what_is_too_large_by_our_own_count_is_refused_all_the_same() -> None:
    first = plan(SET, history(user("hello")))
    state = answered(first.state, Usage(5000, 5))
    pinned_down = Terms(counter=SET.counter, policy=SET.policy, max_tokens=100, extra=(user("word " * 2000),))
    with pytest.raises(ContextOverflow):
        plan(pinned_down, history(user("hello")), state)


def test_a_count_that_came_with_a_refusal_is_believed() -> None:
    made = plan(SET, history(*(user("word " * 20) for _ in range(9))))
    error = ContextOverflow("too long")
    error.limit, error.used = WINDOW, 5000
    learnt = lesson(made, error)
    assert not learnt.state.ledger.taken
    assert learnt.state.ledger.estimate(learnt.state.outline, learnt.state.held) == TokenCount(5000, "server")

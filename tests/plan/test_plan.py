"""The plan: whatever the history and the budget, what is sent fits, is whole, is in order and is the same again."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit._engine.history import History, repair
from agentkit._engine.plan.outline import Outline
from agentkit._engine.plan.planner import Plan, plan
from agentkit._engine.plan.state import answered
from agentkit._engine.plan.terms import Terms
from agentkit.context import POLICIES, ContextPolicy
from agentkit.errors import ContextOverflow
from agentkit.messages import Message, Reasoning, Text, system, user
from agentkit.tokens import count_prompt
from agentkit.usage import Usage
from tests.plan.counting import Shape, Words, history, messages

policies = st.builds(
    ContextPolicy,
    policy=st.sampled_from([*POLICIES, lambda groups, most: range(0, len(groups), 2)]),
    keep=st.sampled_from([0.3, 0.6, 1.0]),
    max_history=st.none() | st.integers(1, 20),
    max_pairs=st.none() | st.integers(0, 5),
    shorten_tool_results=st.none() | st.just(8),
    reserve=st.just(20),
    summary_tokens=st.just(16),
)
terms_of = st.builds(
    Terms,
    counter=st.sampled_from([Words(), Words("proxy", 0.1), Words("estimate", 0.25)]),
    policy=policies,
    window=st.none() | st.integers(30, 600),
    max_pairs=st.none() | st.integers(0, 3),
    system=st.none() | st.just(system("be brief")),
    tools=st.sampled_from([(), (Shape("rain", "will it rain"),)]),
    extra=st.sampled_from([(), (user("go on"),), (Message("assistant", (Reasoning("so"), Text("and"))),)]),
)


def planned(terms: Terms, past: History, state: Any = None) -> Plan | None:
    """The plan; None where it says that nothing fits."""
    try:
        return plan(terms, past, state)
    except ContextOverflow as error:
        refused = error
    assert terms.room is not None
    assert refused.used is not None
    assert refused.used > terms.room
    assert refused.limit == terms.whole
    assert state is not None or _least(terms, past) > terms.room, "it would have fitted"
    return None


def _least(terms: Terms, past: History) -> int:
    """At most so many tokens are what must go along, none of it shortened."""
    outline = Outline.of(terms.counter, past)
    rows = [outline[place] for place in range(len(outline))]
    last = outline.last_group()
    groups = {row.group for row in rows if row.pinned} - {last}
    inside = [row for row in rows if row.group == last and row.message.role != "system"]
    units = {row.unit for row in inside if row.pinned or row.unit in (inside[0].unit, inside[-1].unit)}
    must = [row for row in rows if row.message.role == "system" or row.group in groups or row.unit in units]
    head = [] if terms.system is None else [terms.system]
    sent = [*head, *[row.message for row in must], *terms.extra]
    return count_prompt(terms.counter, sent, tools=terms.tools).upper + len(sent)


def check(terms: Terms, past: History, made: Plan, squeezed: AbstractSet[int] = frozenset()) -> None:
    """All that holds for every plan. `squeezed`: groups that lost units while their turn was under way."""
    _fits(terms, made)
    body = _body(terms, made)
    assert repair(body) == list(body), "calls and results belong together"
    _in_order_and_kept(terms, past, body, made, squeezed)


def _fits(terms: Terms, made: Plan) -> None:
    counted = count_prompt(terms.counter, made.messages, tools=terms.tools)
    anchored = made.manifest.tokens.kind in ("anchored", "server")
    assert anchored or made.manifest.tokens.value == counted.value
    if terms.room is not None:
        doubt = made.state.ledger.doubt(made.state.outline, made.state.held, terms.unseen)
        beyond = doubt if anchored else terms.unseen
        assert made.manifest.tokens.upper - beyond <= terms.room


def _body(terms: Terms, made: Plan) -> Sequence[Message]:
    """What of the history was sent."""
    body = list(made.messages)
    if terms.system is not None:
        assert body.pop(0) == terms.system
    if terms.extra:
        assert tuple(body[-len(terms.extra) :]) == terms.extra
        del body[-len(terms.extra) :]
    return body


def _in_order_and_kept(
    terms: Terms, past: History, body: Sequence[Message], made: Plan, squeezed: AbstractSet[int]
) -> None:
    outline = Outline.of(terms.counter, past)
    rows = [outline[place] for place in range(len(outline))]
    cuts = made.state.selection.cuts
    left = [place for gap in made.state.selection.gaps for place in range(gap.start, gap.stop)]
    assert left == sorted(set(left))
    assert list(body) == [
        cuts[place].message if place in cuts else row.message
        for place, row in enumerate(rows)
        if place not in set(left)
    ]
    last = outline.last_group()
    pinned_groups = {row.group for row in rows if row.pinned}
    for place in left:
        assert rows[place].message.role != "system"
        assert not rows[place].pinned
        assert rows[place].group == last or rows[place].group not in pinned_groups
    for group in {row.group for row in rows} - {last} - squeezed:
        inside = [
            place in left for place, row in enumerate(rows) if row.group == group and row.message.role != "system"
        ]
        assert all(inside) or not any(inside), "a group is whole"
    for unit in {row.unit for row in rows}:
        inside = [place in left for place, row in enumerate(rows) if row.unit == unit]
        assert all(inside) or not any(inside), "a unit is whole"
    assert not rows or last not in left or rows[last].message.role != "user", "the question stays"
    assert len(rows) - 1 not in left


@settings(max_examples=300, deadline=None)
@given(terms_of, messages)
def test_any_history_and_any_budget(terms: Terms, given_messages: list[Message]) -> None:
    past = history(*given_messages)
    made = planned(terms, past)
    if made is None:
        return
    check(terms, past, made)
    assert planned(terms, history(*given_messages)).messages == made.messages  # type: ignore[union-attr]
    again = plan(terms, past, made.state)
    assert again.messages == made.messages
    assert not again.trimmed
    assert again.manifest.shared == len(made.messages)
    str(again.manifest)


@settings(max_examples=200, deadline=None)
@given(terms_of, messages, st.lists(st.tuples(st.integers(1, 30), st.integers(-50, 300)), max_size=6))
def test_a_conversation_turn_by_turn(terms: Terms, said: list[Message], steps: list[tuple[int, int]]) -> None:
    """The history grows and goes back; the backend counts otherwise than we do."""
    whole, state, squeezed = history(*said), None, set[int]()
    sent: tuple[Message, ...] = ()
    for length, hidden in steps:
        past = whole.first(length)
        made = planned(terms, past, state)
        if made is None:
            continue
        check(terms, past, made, squeezed)
        assert made.messages[: made.manifest.shared] == sent[: made.manifest.shared]
        sent = made.messages
        last = made.state.outline.last_group()
        squeezed |= {last for gap in made.state.selection.gaps if gap.stop > last}
        counted = count_prompt(terms.counter, made.messages, tools=terms.tools).value
        state = answered(made.state, Usage(input_tokens=max(0, counted + hidden)))
    made = planned(terms, whole, state)
    if made is not None:
        check(terms, whole, made, squeezed)

"""A refusal for its length: the backend's numbers are believed, and the next plan is smaller."""

from __future__ import annotations

import pytest
from attrs import evolve

from agentkit._engine.fitting import Desk
from agentkit._engine.plan.planner import plan
from agentkit._engine.plan.refusal import lesson
from agentkit._engine.plan.terms import Terms
from agentkit.context import ContextPolicy
from agentkit.errors import ContextOverflow
from agentkit.messages import Media, Message, assistant, user
from tests.plan.counting import Words, history

PAST = history(*[say(f"{number} " + "word " * 20) for number in range(20) for say in (user, assistant)], user("so?"))


def refusal(limit: int | None, used: int | None) -> ContextOverflow:
    made = ContextOverflow("too long")
    made.limit, made.used = limit, used
    return made


@pytest.mark.parametrize(
    ("limit", "used", "room"),
    [(500, 1500, 400), (500, None, 400), (None, 1200, 900), (None, None, None), (None, 100, 75)],
)
def test_the_next_plan_is_smaller(limit: int | None, used: int | None, room: int | None) -> None:
    terms = Terms(counter=Words("proxy", 0.1), window=4000, max_tokens=100)
    first = plan(terms, PAST)
    learnt = lesson(first, refusal(limit, used))
    assert learnt.window == limit
    assert learnt.terms.window == (limit or 4000)
    assert learnt.terms.room == (first.manifest.tokens.value * 3 // 4 if room is None else room)
    second = plan(learnt.terms, PAST, learnt.state)
    assert len(second.messages) < len(first.messages)
    assert second.messages[-1] == PAST[-1]
    assert second.trimmed


def test_the_count_of_the_backend_is_the_anchor() -> None:
    terms = Terms(counter=Words(), window=4000, max_tokens=100)
    first = plan(terms, PAST)
    assert first.manifest.tokens.kind == "exact"
    learnt = lesson(first, refusal(1000, first.manifest.tokens.value + 200))
    second = plan(learnt.terms, PAST, learnt.state)
    assert second.manifest.tokens.kind == "anchored"
    own = plan(Terms(counter=Words(), window=4000), history(*second.messages)).manifest.tokens.value
    assert second.manifest.tokens.value == own + 200


def test_the_answer_of_a_backend_beats_the_users_window_for_this_request() -> None:
    policy = ContextPolicy(window=4000, reserve=600)
    first = plan(Terms(counter=Words(), policy=policy), PAST)
    learnt = lesson(first, refusal(1000, None))
    assert learnt.terms.room == 500, "half of the window at least is left for the prompt"
    assert plan(learnt.terms, PAST, learnt.state).manifest.tokens.upper <= 500


def test_a_crowded_window_is_learnt_once() -> None:
    desk = Desk()
    assert desk.crowded(1000)
    assert not desk.crowded(1000)
    assert desk.crowded(800)
    assert desk.at_most == 600


def test_a_desk_without_a_request_has_nothing_to_tell() -> None:
    assert Desk().manifest() is None
    assert Desk().learn(ContextOverflow("too long")) is None


@pytest.mark.parametrize("policy", [ContextPolicy(), ContextPolicy(max_pairs=3), ContextPolicy(window=4000)])
def test_a_desk_learns_from_a_refusal_however_it_has_counted(policy: ContextPolicy) -> None:
    desk, terms = Desk(), Terms(counter=Words(), policy=policy, max_tokens=100)
    first = desk.fit(terms, PAST)
    assert desk.learn(refusal(600, None)) == 600
    second = desk.fit(evolve(terms, window=600, at_most=desk.at_most), PAST)
    assert second.plan is not None
    assert second.plan.state.terms.counter == Words()
    assert len(second.messages) < len(first.messages)
    assert second.plan.manifest.tokens.upper <= 500


def test_an_image_has_no_bytes_that_say_what_it_costs() -> None:
    seen = history(Message("user", (Media("image/png", url="https://example.org/a.png"),)))
    desk, terms = Desk(), Terms(counter=Words(), window=100_000)
    assert desk.bytes_of(terms, seen) > 1 << 40
    assert desk.fit(terms, seen).plan is not None

"""Where nothing but a margin decides, there is a prompt to ask about; elsewhere there is none."""

from __future__ import annotations

from agentkit._engine.plan.doubt import doubt
from agentkit._engine.plan.planner import plan
from agentkit._engine.plan.state import answered
from agentkit._engine.plan.terms import Terms
from agentkit.context import ContextPolicy
from agentkit.messages import Media, Message, Text, assistant, user
from agentkit.usage import Usage
from tests.plan.counting import Words, history

WORDS = Words(kind="proxy", margin=0.5)
PAST = history(user("one two three"), assistant("four " * 90), user("and five"))
VALUE = 2 + 7 + 94 + 6
"""By the count alone; it may be half as much again."""


def terms(room: int, counter: Words = WORDS, **more: object) -> Terms:
    return Terms(counter=counter, at_most=room, **more)  # type: ignore[arg-type]


def test_the_margin_decides() -> None:
    found = doubt(terms(VALUE + 20), PAST)
    assert found is not None
    assert found.messages == tuple(PAST)
    assert plan(terms(VALUE + 20), PAST).trimmed
    told = found.settled(VALUE + 18)
    assert told is not None
    made = plan(terms(VALUE + 20), PAST, None, told)
    assert (made.trimmed, made.manifest.tokens.value, made.manifest.tokens.kind) == (False, VALUE + 18, "server")
    assert doubt(terms(VALUE + 20), PAST, None, told) is None
    assert doubt(terms(VALUE + 20), PAST, made.state) is None, "what follows a count is known by it"


def test_the_number_may_say_that_it_does_not_fit() -> None:
    found = doubt(terms(VALUE + 20), PAST)
    assert found is not None
    told = found.settled(VALUE + 30)
    assert plan(terms(VALUE + 20), PAST, None, told).trimmed


def test_a_number_that_cannot_be_the_whole_settles_nothing() -> None:
    found = doubt(terms(VALUE + 20), PAST)
    assert found is not None
    assert found.settled(3) is None


def test_numbers_that_are_clear() -> None:
    assert doubt(terms(2 * VALUE), PAST) is None, "it fits"
    assert doubt(terms(40), PAST) is None, "it does not, and what is left does"
    assert doubt(terms(VALUE + 20, Words()), PAST) is None, "the count is exact"
    assert doubt(Terms(counter=WORDS), PAST) is None, "there is no limit"


def test_what_cannot_be_counted_is_in_doubt_with_an_exact_counter_too() -> None:
    seen = history(user("look"), Message("user", (Text("here"), Media("image/png", url="https://example.org/a.png"))))
    value = plan(Terms(counter=Words()), seen).manifest.tokens.value
    assert doubt(terms(value + 1, Words()), seen) is not None
    assert doubt(terms(value + 200, Words()), seen) is None


def test_the_question_alone_is_in_doubt() -> None:
    past = history(user("one " * 300), assistant("two " * 300), user("three " * 60))
    found = doubt(terms(70), past)
    assert found is not None
    assert [message.text for message in found.messages] == ["three " * 60]


def test_what_is_left_after_an_answer_is_in_doubt_once_more() -> None:
    past = history(user("one " * 50), assistant("two " * 40), user("three " * 60))
    first = doubt(terms(170), past)
    assert first is not None
    told = first.settled(170)
    assert told is not None
    limits = terms(75, policy=ContextPolicy(keep=1.0))
    second = doubt(limits, past, None, told)
    assert second is not None
    assert [message.text for message in second.messages] == ["three " * 60]
    told = second.settled(66)
    made = plan(limits, past, None, told)
    assert not made.manifest.shortened
    assert made.manifest.tokens.value == 66


def test_an_anchor_that_is_gone_is_none() -> None:
    limits = terms(VALUE + 20)
    made = plan(terms(1000), PAST)
    state = answered(made.state, Usage(input_tokens=VALUE))
    assert doubt(limits, PAST, state) is None
    other = history(user("one two three"), assistant("four " * 89 + "x"), user("and five"))
    assert doubt(limits, other, state) is not None
    assert doubt(terms(VALUE + 20, model="another"), PAST, state) is not None

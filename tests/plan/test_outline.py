"""The outline of a history: as repaired at once and counted at once, however it came to be."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit._engine.history import History, repair
from agentkit._engine.plan.outline import Outline, asks, follows
from agentkit.messages import Message, Reasoning, Text, ToolCall, ToolResult, assistant, user
from agentkit.tokens import count_prompt
from tests.plan.counting import Words, any_message, history, messages

WORDS = Words()


def shown(outline: Outline) -> list[tuple[Message, int, int, int, int]]:
    rows = [outline[place] for place in range(len(outline))]
    return [(row.message, row.source, row.unit, row.group, row.total.tokens) for row in rows]


@settings(deadline=None)
@given(st.lists(any_message, max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_an_outline_is_the_repaired_history_however_it_grew(given_messages: list[Message], cuts: list[int]) -> None:
    whole = history(*given_messages)
    grown = Outline(WORDS)
    for length in sorted(cuts):
        grown = grown.following(whole.first(length))
    grown = grown.following(whole)
    at_once = Outline.of(WORDS, whole)
    assert grown.messages(0, len(grown)) == repair(given_messages)
    assert shown(grown) == shown(at_once)


@settings(deadline=None)
@given(messages, messages, st.integers(0, 30))
def test_a_history_that_goes_back_and_on_again(first: list[Message], second: list[Message], keep: int) -> None:
    before = Outline.of(WORDS, history(*first))
    kept = shown(before)
    other = before.following(before.history.first(keep).add(*second))
    assert shown(other) == shown(Outline.of(WORDS, History().add(*other.history)))
    assert shown(before) == kept
    assert shown(before.following(before.history)) == kept


@settings(deadline=None)
@given(messages)
def test_the_sum_is_the_count_of_the_prompt(given_messages: list[Message]) -> None:
    outline = Outline.of(WORDS, history(*given_messages))
    total = outline.sum(0, len(outline))
    live = sum(extra for _, extra in outline.live())
    counted = count_prompt(WORDS, outline.messages(0, len(outline)))
    assert WORDS.base + total.tokens + live == counted.value
    assert total.messages == sum(m.role != "system" for m in outline.messages(0, len(outline)))


@settings(deadline=None)
@given(messages)
def test_units_and_groups_are_whole(given_messages: list[Message]) -> None:
    outline = Outline.of(WORDS, history(*given_messages))
    for place in range(len(outline)):
        row = outline[place]
        assert row.group <= row.unit <= place
        if place and row.unit == place and asks(row.message):
            assert row.group == place
    assert outline.last_group() == (outline[len(outline) - 1].group if len(outline) else 0)


def test_nothing_is_left_where_history_goes_back_to_its_beginning() -> None:
    outline = Outline.of(WORDS, history(user("x"), assistant("y")))
    assert len(outline.following(outline.history.first(0))) == 0
    assert len(Outline.of(WORDS, History())) == 0


def test_only_the_new_is_counted() -> None:
    counted: list[Message] = []

    class Watching(Words):
        def message(self, message: Message, /, *, live: bool = False) -> int:
            counted.append(message)
            return super().message(message, live=live)

    counter = Watching()
    past = history(*[user(f"{number}") for number in range(100)])
    outline = Outline.of(counter, past)
    counted.clear()
    new = user("new")
    outline.following(past.add(new))
    assert counted == [new]


def test_thinking_counts_until_the_next_question() -> None:
    thought = Message("assistant", (Reasoning("one two three"), ToolCall("a", "rain")))
    outline = Outline.of(WORDS, history(user("x"), thought))
    assert list(outline.live()) == [(1, 3)]
    assert not list(outline.following(outline.history.add(user("y"))).live())


def test_what_follows_and_what_asks() -> None:
    result = ToolResult("a", "b")
    assert follows(Message("tool", (result,)))
    assert follows(Message("user", (result,)))
    assert not follows(assistant("x"))
    assert asks(user("x"))
    assert not asks(Message("user", (result, Text("x"))))

"""What a history needs before any backend takes it, besides a result for each call: ids and names."""

from __future__ import annotations

import pytest

from agentkit._engine.history import UNANSWERED, repair
from agentkit.messages import Message, Text, ToolCall, ToolResult, assistant, user


def calling(*ids: str, name: str = "f") -> Message:
    return Message("assistant", tuple(ToolCall(call_id, name) for call_id in ids))


def answers(*ids: str) -> Message:
    return Message("tool", tuple(ToolResult(call_id, f"{number}") for number, call_id in enumerate(ids)))


def lost(call_id: str) -> Message:
    return Message("tool", (ToolResult(call_id, UNANSWERED, is_error=True),))


def test_an_id_that_comes_again_is_another_one_with_its_own_result() -> None:
    once = [calling("a"), answers("a"), assistant("x")]
    assert repair([*once, *once, calling("a"), user("q")]) == [
        *once, calling("a-2"), answers("a-2"), assistant("x"), calling("a-3"), lost("a-3"), user("q")
    ]  # fmt: skip


def test_two_calls_under_one_id_have_their_results_in_order() -> None:
    assert repair([calling("a", "a", "a-2"), answers("a", "a", "a-2")]) == [
        calling("a", "a-2", "a-2-2"),
        answers("a", "a-2", "a-2-2"),
    ]


def test_the_result_of_an_earlier_turn_is_not_taken_for_that_of_a_later_one() -> None:
    history = [calling("a"), user("q"), answers("a"), calling("a"), answers("a")]
    assert repair(history) == [calling("a"), lost("a"), user("q"), calling("a-2"), answers("a-2")]


@pytest.mark.parametrize(
    ("call_id", "sent"),
    [
        ("functions.f:0", "functionsf0"),
        ("", "call"),
        ("é", "call"),
        ("chatcmpl-tool-" + "0" * 32, "chatcmpl-tool-" + "0" * 26),
        ("a" * 40, "a" * 40),
    ],
)
def test_an_id_is_one_that_every_backend_takes(call_id: str, sent: str) -> None:
    assert repair([calling(call_id), answers(call_id)]) == [calling(sent), answers(sent)]


def test_long_ids_that_are_cut_alike_stay_two() -> None:
    one, other = "a" * 50, "a" * 51
    cut = "a" * 40, "a" * 32 + "-2"
    assert repair([calling(one, other), answers(one, other)]) == [calling(*cut), answers(*cut)]


@pytest.mark.parametrize(("name", "sent"), [("get weather", "get_weather"), ("", "unknown"), ("é" * 70, "_" * 64)])
def test_a_name_is_one_that_every_backend_takes(name: str, sent: str) -> None:
    assert repair([calling("a", name=name), answers("a")]) == [calling("a", name=sent), answers("a")]


def test_a_result_in_a_message_of_the_user_answers_like_any_other() -> None:
    said = Message("user", (ToolResult("b", "0"), Text("and now?")))
    assert repair([calling("a", "b"), said]) == [calling("a", "b"), answers("b"), lost("a"), user("and now?")]
    assert repair([calling("a", "b"), user(ToolResult("b", "0")), answers("a")]) == [
        calling("a", "b"), answers("b"), answers("a")
    ]  # fmt: skip
    assert repair([user("q"), said]) == [user("q"), user("and now?")]


def test_a_message_without_parts_comes_between_nothing() -> None:
    assert repair([calling("a"), Message("tool", ()), answers("a"), Message("assistant", ())]) == [
        calling("a"),
        answers("a"),
    ]


def test_what_is_repaired_is_the_same_value_each_time() -> None:
    history = [calling("a b"), answers("a b", "z"), calling("x"), user("q", ToolResult("x", "0"))]
    first, again = repair(history), repair([*history, user("more")])
    assert all(one is other for one, other in zip(first, again, strict=False))
    assert repair([calling("a"), answers("a")]) == [calling("a"), answers("a")]
    fit = [calling("a"), answers("a")]
    assert all(one is other for one, other in zip(repair(fit), fit, strict=True))

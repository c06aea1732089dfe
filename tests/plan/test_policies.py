"""What each policy leaves out, by example."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from attrs import evolve

from agentkit._engine.history import UNANSWERED, History
from agentkit._engine.plan.planner import Plan, plan
from agentkit._engine.plan.state import answered
from agentkit._engine.plan.terms import ASKED, Summary, Terms
from agentkit.context import ContextPolicy, Group, pin
from agentkit.errors import ContextOverflow, InvalidInput
from agentkit.messages import Message, Reasoning, Text, ToolCall, ToolResult, assistant, system, user
from agentkit.usage import Usage
from tests.plan.counting import Shape, Words, history

WORDS = Words()
SYSTEM = system("be brief and kind")


def talk(count: int, *, size: int = 21) -> list[Message]:
    """Questions and answers; with their frames, each pair comes to twice `size` plus 10 tokens."""
    return [make(f"{number} " + "word " * size) for number in range(count) for make in (user, assistant)]


def look(number: int, size: int) -> list[Message]:
    """A question that is answered with the help of a tool."""
    call = ToolCall(f"c{number}", "look", {"at": number})
    result = Message("tool", (ToolResult(call.id, f"r{number} " + "found " * size),))
    return [user(f"what is {number}"), Message("assistant", (call,)), result, assistant(f"it is {number}")]


def terms(
    window: int | None = 1000, *, backend: int | None = None, system: Message | None = None, **policy: object
) -> Terms:
    settings = ContextPolicy(**{"reserve": 100, **policy})  # type: ignore[arg-type]
    return Terms(counter=WORDS, window=window, policy=settings, max_pairs=backend, system=system)


def firsts(made: Plan) -> list[str]:
    return [message.text.split()[0] for message in made.messages if message.text]


def test_all_goes_along_while_it_fits() -> None:
    past = history(*talk(10), user("so?"))
    made = plan(terms(system=SYSTEM), past)
    assert made.messages == (SYSTEM, *past)
    assert not made.trimmed
    assert made.manifest.excluded == ()
    assert made.manifest.included == (range(21),)


def test_the_oldest_go_in_blocks_and_stay_away() -> None:
    past = history(*talk(17), user("so?"))
    made = plan(terms(), past)
    lengths = [len(made.messages)]
    for _ in range(11):
        past = past.add(*talk(1), user("so?"))
        state = answered(made.state, Usage(input_tokens=made.manifest.tokens.value, output_tokens=20))
        made = plan(terms(), past, state)
        lengths.append(len(made.messages))
    trims = [now for before, now in pairwise(lengths) if now < before]
    assert len(trims) == 1, "trimmed once in twelve turns"
    assert trims[0] < max(lengths) * 0.6
    (gap,) = made.manifest.excluded
    assert (gap.start, gap.reason) == (0, "window")
    assert made.manifest.included == (range(gap.stop, len(past)),)


def test_pinned_and_system_messages_stay() -> None:
    said = [system("old rules"), *talk(20), user("so?")]
    said[5] = pin(said[5])
    said[9] = system("new rules")
    made = plan(terms(window=500), history(*said))
    assert made.messages[0] == said[0]
    assert all(any(message is other for other in made.messages) for message in (said[5], said[6], said[9]))
    assert [gap.reason for gap in made.manifest.excluded] == ["window"] * 3
    assert made.messages[-1] == said[-1]


def test_first_and_last() -> None:
    past = history(*talk(20), user("so?"))
    made = plan(terms(window=500, policy="keep_first_and_last", keep_first=2), past)
    assert firsts(made)[:4] == ["0", "0", "1", "1"]
    assert made.manifest.excluded[0].start == 4
    assert made.messages[-1] == past[-1]


def test_the_first_go_too_where_nothing_else_helps() -> None:
    past = history(user("word " * 700), assistant("ok"), user("so?"))
    made = plan(terms(window=500, policy="keep_first_and_last"), past)
    assert made.messages == (past[2],)


def test_the_first_stay_where_there_are_no_others() -> None:
    made = plan(terms(window=None, policy="keep_first_and_last", keep_first=9), history(*talk(2)))
    assert len(made.messages) == 4


def test_a_function_chooses() -> None:
    seen: list[tuple[Sequence[Group], int]] = []

    def every_second(groups: Sequence[Group], most: int) -> list[int]:
        seen.append((groups, most))
        return list(range(0, len(groups), 2))

    past = history(*talk(20), user("so?"))
    made = plan(terms(policy=every_second), past)
    assert firsts(made)[:4] == ["1", "1", "3", "3"]
    groups, most = seen[0]
    assert [group.index for group in groups] == [*range(0, 40, 2), 40]
    assert groups[3].messages == (past[6], past[7])
    assert groups[-1].pinned, "the question stays"
    assert groups[0].tokens == 52
    assert most == 450 - 1
    assert {gap.reason for gap in made.manifest.excluded} == {"policy"}


def test_what_a_function_leaves_too_much_the_oldest_make_up_for() -> None:
    past = history(*talk(20), user("so?"))
    made = plan(terms(policy=lambda groups, most: [len(groups) - 1, 19]), past)
    assert [gap.reason for gap in made.manifest.excluded] == ["window", "policy"]
    assert made.messages[-1] == past[-1]


def test_a_function_and_a_limit_that_is_not_of_tokens() -> None:
    seen: list[int] = []

    def none(groups: Sequence[Group], most: int) -> list[int]:
        seen.append(most)
        return []

    made = plan(terms(window=None, max_history=4, policy=none), history(*talk(4)))
    assert len(made.messages) == 2
    assert seen == [4 * 52]


@pytest.mark.parametrize("wrong", [lambda groups, most: [99], lambda groups, most: None, lambda groups, most: ["x"]])
def test_a_function_that_fails(wrong: object) -> None:
    with pytest.raises(InvalidInput, match="must return places in the list"):
        plan(terms(policy=wrong), history(*talk(20)))


def test_results_of_tools_are_shortened_before_anything_goes() -> None:
    said = [message for number in range(6) for message in look(number, 160)]
    past = history(*said, user("so?"))
    made = plan(terms(shorten_tool_results=60), past)
    assert len(made.messages) == len(past)
    assert made.trimmed
    assert made.manifest.excluded == ()
    assert [cut.index for cut in made.manifest.shortened] == [2, 6, 10, 14, 18, 22]
    assert all(cut.before > 160 and cut.after <= 60 for cut in made.manifest.shortened)
    result = made.messages[2].parts[0]
    assert isinstance(result, ToolResult)
    assert result.content.startswith("r0 found")
    assert "characters left out" in result.content
    again = plan(terms(shorten_tool_results=60), past.add(assistant("x"), user("y")), made.state)
    assert again.messages[: len(made.messages)] == made.messages
    assert again.manifest.shared == len(made.messages)


def test_groups_go_where_shortening_is_not_enough() -> None:
    said = [message for number in range(12) for message in look(number, 160)]
    made = plan(terms(shorten_tool_results=60), history(*said, user("so?")))
    assert made.manifest.excluded[0].start == 0
    assert made.manifest.shortened
    assert made.manifest.shortened[0].index > made.manifest.excluded[0].stop


@pytest.mark.parametrize(("limit", "sent"), [(41, 41), (40, 21), (20, 11), (4, 3), (2, 1), (1, 1)])
def test_a_limit_of_messages(limit: int, sent: int) -> None:
    made = plan(terms(window=None, max_history=limit), history(*talk(20), user("so?")))
    assert len(made.messages) == sent
    assert all(gap.reason == "max_history" for gap in made.manifest.excluded)


@pytest.mark.parametrize(("policy", "backend", "questions"), [(20, None, 21), (None, 19, 10), (5, 19, 3), (0, None, 1)])
def test_a_limit_of_pairs(policy: int | None, backend: int | None, questions: int) -> None:
    made = plan(terms(window=None, backend=backend, max_pairs=policy), history(*talk(20), user("so?")))
    assert sum(message.role == "user" for message in made.messages) == questions
    assert all(gap.reason == "max_pairs" for gap in made.manifest.excluded)


def test_a_question_larger_than_the_window_is_cut_in_its_middle() -> None:
    question = user("first " + "word " * 2000 + "last?")
    made = plan(terms(system=SYSTEM), history(*talk(3), question))
    assert made.messages[0] == SYSTEM
    assert len(made.messages) == 2
    text = made.messages[1].text
    assert text.startswith("first word")
    assert text.endswith("word last?")
    assert "characters left out ...]" in text
    assert 800 < made.manifest.tokens.value <= 900
    assert made.manifest.shortened[0].index == 6


def test_results_in_the_turn_under_way_are_cut_and_stay_cut() -> None:
    question, call, result, _ = look(1, 1500)
    past = history(question, call, result)
    made = plan(terms(), past)
    assert [message.role for message in made.messages] == ["user", "assistant", "tool"]
    assert made.messages[0] == question
    assert made.manifest.tokens.value <= 450 + 64
    more = past.add(*look(2, 30)[1:3])
    again = plan(terms(), more, made.state)
    assert again.messages[:3] == made.messages
    assert again.manifest.shared == 3


def test_older_calls_of_the_turn_under_way_go_where_cutting_is_not_enough() -> None:
    rounds = [message for number in range(40) for message in look(number, 20)[1:3]]
    rounds[8] = pin(rounds[8])
    past = history(user("work"), *rounds)
    made = plan(terms(), past)
    assert made.messages[0] == past[0]
    assert made.messages[-2:] == tuple(rounds[-2:])
    assert any(message is rounds[8] for message in made.messages)
    assert not any(message is rounds[0] for message in made.messages)
    assert made.manifest.excluded[0].start == 1
    more = past.add(*look(50, 20)[1:3])
    assert plan(terms(), more, made.state).manifest.shared == len(made.messages)


@pytest.mark.parametrize(
    ("past", "told", "words"),
    [
        (history(user("x")), system("rule " * 2000), "instructions and tools take 2,006 of it: shorten them"),
        (
            history(
                Message("user", (ToolResult("c", "x"), Text("q"))),
                pin(user("word " * 990)),
                user("so?"),
            ),
            None,
            "unpin others",
        ),
        (
            history(
                Message("assistant", (ToolCall("c", "write", {"text": "word " * 1000}),)),
                Message("tool", (ToolResult("c", "ok"),)),
            ),
            None,
            "shorten the message",
        ),
    ],
)
def test_what_cannot_fit_is_refused_with_the_numbers(past: History, told: Message | None, words: str) -> None:
    with pytest.raises(ContextOverflow, match=words) as caught:
        plan(evolve(terms(system=told), model="gpt-oss"), past)
    assert caught.value.limit == 1000
    assert caught.value.used is not None
    assert caught.value.used > 900
    assert "the window of gpt-oss has 900 for it (1,000 in all, 100 kept for the reply)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_reply_as_large_as_the_window_leaves_no_room() -> None:
    with pytest.raises(ContextOverflow, match="has 0 for it"):
        plan(Terms(counter=WORDS, window=500, max_tokens=600), history(user("x")))


def test_a_reserve_of_its_own() -> None:
    assert Terms(counter=WORDS, window=100_000).reserve == 4096
    assert Terms(counter=WORDS, window=8192).reserve == 2048
    assert Terms(counter=WORDS).reserve == 0
    assert Terms(counter=WORDS).room is None
    assert Terms(counter=WORDS, at_most=70).room == 70
    assert Terms(counter=WORDS, window=8192, policy=ContextPolicy(window=4096, reserve=96)).room == 4000


def test_what_was_left_out_comes_back_where_history_goes_back() -> None:
    past = history(*talk(40), user("so?"))
    made = plan(terms(), past)
    assert made.manifest.excluded
    edited = past.first(10).add(user("other"))
    again = plan(terms(), edited, made.state)
    assert again.messages == tuple(edited)


def test_asking_again_changes_nothing_before_the_question() -> None:
    past = history(*talk(40), user("so?"))
    made = plan(terms(), past)
    again = plan(terms(), past.first(80).add(user("or so?")), made.state)
    assert again.messages[:-1] == made.messages[:-1]
    assert again.manifest.shared == len(made.messages) - 1


def test_a_larger_window_lets_more_in() -> None:
    past = history(*talk(40), user("so?"))
    made = plan(terms(), past)
    assert len(plan(terms(window=8000), past, made.state).messages) == 81
    assert plan(terms(window=1100), past, made.state).messages == made.messages


def test_another_counter_counts_anew_and_keeps_what_was_chosen() -> None:
    past = history(*talk(40), user("so?"))
    made = plan(terms(), past)
    other = evolve(terms(), counter=Words("proxy", 0.1))
    again = plan(other, past, answered(made.state, Usage(input_tokens=500)))
    assert again.manifest.tokens.kind == "proxy"
    assert again.messages == made.messages
    assert again.manifest.shared == 0


def test_an_unanswered_call_that_is_answered_later() -> None:
    question, call, result, _ = look(1, 30)
    open_call = history(*talk(2), question, call)
    made = plan(terms(), open_call)
    assert isinstance(last := made.messages[-1].parts[0], ToolResult)
    assert last.content == UNANSWERED
    state = answered(made.state, Usage(input_tokens=300))
    again = plan(terms(), open_call.add(result), state)
    assert again.messages == (*talk(2), question, call, result)
    assert again.manifest.shared == len(made.messages) - 1


class TestSummaries:
    POLICY = terms(system=SYSTEM, policy="summarize", summary_tokens=50)

    def test_a_request_for_a_summary_begins_as_the_one_before(self) -> None:
        past = history(*talk(16))
        before = plan(self.POLICY, past.add(user("so?")))
        assert before.task is None
        longer = past.add(*talk(1), user("so?"))
        made = plan(self.POLICY, longer, before.state)
        assert made.task is not None
        assert made.task.messages[-1] == ASKED
        asked = made.task.messages[:-1]
        assert asked == before.messages[: len(asked)]
        assert len(asked) == 1 + made.task.upto
        assert made.task.max_tokens == 50
        assert made.messages[1] == longer[made.task.upto], "and without a summary, the plan stands"

    def test_a_summary_stands_for_what_was_left_out(self) -> None:
        past = history(*talk(18), user("so?"))
        first = plan(self.POLICY, past)
        assert first.task is not None
        summary = first.task.summary(" They talked. ")
        assert summary == Summary(first.task.upto, "They talked.")
        told = evolve(self.POLICY, summary=summary)
        made = plan(told, past)
        assert made.messages[:3] == (SYSTEM, ASKED, assistant("They talked."))
        assert made.messages[3:] == tuple(past)[first.task.upto :]
        assert made.manifest.excluded[0].reason == "summary"
        assert not made.trimmed
        assert made.task is None
        portion = {each.name: each.tokens for each in made.manifest.portions}
        assert portion["summary"] > 40
        assert sum(portion.values()) == made.manifest.tokens.value
        again = plan(told, past.add(assistant("yes"), user("and?")), made.state)
        assert again.messages[: len(made.messages)] == made.messages

    def test_a_summary_of_a_summary(self) -> None:
        past = history(*talk(18), user("so?"))
        task = plan(self.POLICY, past).task
        assert task is not None
        told = evolve(self.POLICY, summary=task.summary("They talked."))
        longer = past.add(*talk(12), user("so?"))
        made = plan(told, longer, plan(told, past).state)
        assert made.task is not None
        assert made.task.messages[:3] == (SYSTEM, ASKED, assistant("They talked."))
        assert made.task.upto > task.upto

    def test_a_history_that_went_back_behind_the_summary(self) -> None:
        told = evolve(self.POLICY, summary=Summary(10, "They talked."))
        assert plan(told, history(*talk(2))).messages == (SYSTEM, *talk(2))

    def test_the_summary_stays_where_history_goes_back_a_little(self) -> None:
        past = history(*talk(15), user("so?"))
        told = evolve(self.POLICY, summary=Summary(4, "They talked."))
        made = plan(told, past.first(28).add(user("or?")), plan(told, past).state)
        assert made.messages[1:4] == (ASKED, assistant("They talked."), past[4])

    def test_only_what_fits_is_shown_for_the_summary(self) -> None:
        made = plan(self.POLICY, history(*talk(60), user("so?")))
        assert made.task is not None
        counted = sum(WORDS.message(message) for message in made.task.messages) + WORDS.base
        assert counted + 50 <= 900
        assert made.task.messages[1].text.split()[0] != "0"

    def test_no_summary_where_nothing_would_fit(self) -> None:
        made = plan(self.POLICY, history(user("word " * 2000), assistant("ok"), user("so?")))
        assert made.task is None
        assert made.messages == (SYSTEM, user("so?"))

    def test_no_summary_of_the_turn_under_way(self) -> None:
        made = plan(self.POLICY, history(user("word " * 2000)))
        assert made.trimmed
        assert made.task is None

    def test_an_empty_answer_is_no_summary(self) -> None:
        made = plan(self.POLICY, history(*talk(18), user("so?")))
        assert made.task is not None
        assert made.task.summary(" \n") is None


def test_thinking_that_goes_shortens_what_is_shared() -> None:
    thought = Message("assistant", (Reasoning("one two three"), ToolCall("a", "rain")))
    past = history(user("x"), thought, Message("tool", (ToolResult("a", "wet"),)))
    first = plan(terms(), past)
    second = plan(terms(), past.add(assistant("rain"), user("y")), first.state)
    assert second.manifest.shared == 1, "the backend shows the thinking of one turn only"
    third = plan(terms(), past.add(assistant("rain"), user("y"), assistant("z"), user("w")), second.state)
    assert third.manifest.shared == 5


def test_words_that_ask_to_go_on_end_the_turn_for_thinking() -> None:
    past = history(user("x"), Message("assistant", (Reasoning("one two three"), Text("so"))))
    plain = plan(terms(), past).manifest.tokens.value
    assert plan(evolve(terms(), extra=(user("go on"),)), past).manifest.tokens.value == plain - 3 + 6


def test_equal_instructions_and_an_equal_summary_are_counted_once() -> None:
    past = history(*talk(2), user("so?"))
    told = terms(system=system("be brief and kind"))
    first = plan(evolve(told, summary=Summary(2, "They talked.")), past)
    again = evolve(told, system=system("be brief and kind"), summary=Summary(2, "They talked."))
    second = plan(again, past, first.state)
    assert all(one is other for one, other in zip(second.messages, first.messages, strict=True))


def test_other_tools_change_all() -> None:
    past = history(*talk(2), user("so?"))
    first = plan(terms(), past)
    second = plan(evolve(terms(), tools=(Shape("rain"),)), past, first.state)
    assert second.manifest.shared == 0
    assert second.manifest.shared_tokens == 0
    third = plan(evolve(terms(), tools=(Shape("rain"),)), past, second.state)
    assert third.manifest.shared == 5

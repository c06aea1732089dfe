"""What the backend's counts teach, by example."""

from __future__ import annotations

import pytest
from attrs import evolve

from agentkit._engine.plan.ledger import Held, Ledger
from agentkit._engine.plan.outline import Outline, Sum, sum_of
from agentkit._engine.plan.planner import plan
from agentkit._engine.plan.selection import Cut, difference
from agentkit._engine.plan.state import answered, carried
from agentkit._engine.plan.terms import Terms
from agentkit.messages import Message, Reasoning, Text, assistant, user
from agentkit.usage import Usage
from tests.plan.counting import Shape, Words, history

PROXY = Words("proxy", 0.1)
TALK = [make("word " * 10) for _ in range(10) for make in (user, assistant)]
OUTLINE = Outline.of(PROXY, history(*TALK))
"""Each message comes to 14 tokens."""


def held(*spans: tuple[int, int], **more: object) -> Held:
    return Held(spans=spans, **more)  # type: ignore[arg-type]


def told(*counts: tuple[int, int]) -> Ledger:
    """The backend has counted so many tokens for the first rows."""
    ledger = Ledger()
    for rows, tokens in counts:
        ledger = ledger.counted(OUTLINE, held((0, rows)), tokens)
    return ledger


def test_an_anchor_and_what_is_new() -> None:
    ledger = told((5, 170))
    assert ledger.estimate(OUTLINE, held((0, 5))).value == 170
    assert ledger.estimate(OUTLINE, held((0, 5))).kind == "server", "it is what was counted"
    more = ledger.estimate(OUTLINE, held((0, 7)))
    assert more.kind == "anchored"
    assert (more.value, more.margin) == (170 + 28, 2 * 2 + 2 * 4)
    less = ledger.estimate(OUTLINE, held((1, 5)))
    assert (less.value, less.margin) == (170 - 14, 2 + 4)


def test_what_lies_between_two_anchors_is_known() -> None:
    ledger = told((1, 30), (3, 70), (5, 110))
    assert ledger.estimate(OUTLINE, held((0, 1), (3, 5))).value == 70
    assert ledger.estimate(OUTLINE, held((0, 1), (3, 5))).margin == 0
    assert ledger.estimate(OUTLINE, held((0, 1), (4, 5))).value == 70 - 14


def test_the_frame_of_a_message_is_learnt_as_a_small_whole_number() -> None:
    assert told((1, 30), (3, 64)).frame == 0, "once is not enough"
    ledger = told((1, 30), (3, 64), (5, 98))
    assert ledger.frame == 3
    assert ledger.estimate(OUTLINE, held((0, 7))).value == 98 + 2 * 17
    assert told((1, 30), (3, 500), (5, 1000)).frame == 8, "text that we count badly is no frame"


def test_a_reply_that_the_backend_has_counted() -> None:
    ledger = told((1, 30)).with_reply(1, 19)
    assert ledger.estimate(OUTLINE, held((0, 3))).value == 30 + 19 + 14
    assert ledger.estimate(OUTLINE, held((0, 3))).margin == 2 + 4


def test_a_count_without_the_whole_prompt_is_not_believed() -> None:
    ledger = told((20, 300))
    assert ledger.counted(OUTLINE, held((0, 20)), 100) == ledger
    assert told((20, 30)).held is None


def test_a_shortened_row_is_counted_anew() -> None:
    shorter = Message("assistant", (Text("word word"),))
    cut = {1: Cut(shorter, sum_of(PROXY, shorter))}
    ledger = told((3, 60), (5, 90))
    assert ledger.estimate(OUTLINE, held((0, 5), cuts=cut)).value == 90 - 14 + 6
    assert ledger.estimate(OUTLINE, held((2, 5), cuts=cut)).value == 90 - 28, "it went whole"
    after = ledger.counted(OUTLINE, held((0, 5), cuts=cut), 80)
    assert after.estimate(OUTLINE, held((0, 5), cuts=cut)).value == 80
    later = {3: Cut(shorter, sum_of(PROXY, shorter))}
    assert ledger.estimate(OUTLINE, held((0, 5), cuts=later)).value == 90 - 14 + 6


def test_another_beginning_is_a_difference_too() -> None:
    ledger = told((3, 60))
    assert ledger.estimate(OUTLINE, held((0, 3), fixed=Sum(40, 4))).value == 100
    assert ledger.estimate(OUTLINE, held((0, 3), live=Sum(7, 1))).value == 67
    assert ledger.counted(OUTLINE, held((0, 5), fixed=Sum(40, 4)), 130).truths == ()


def test_a_request_with_two_gaps_filled_says_nothing_of_either() -> None:
    ledger = Ledger().counted(OUTLINE, held((2, 4)), 40)
    assert ledger.counted(OUTLINE, held((0, 6)), 90).truths == ()
    assert ledger.counted(OUTLINE, held((2, 6)), 30).truths == (), "less for more"


def test_an_anchor_after_trimming_forgets_what_went() -> None:
    ledger = told((1, 30), (3, 70), (5, 110)).with_reply(1, 19).with_reply(4, 20)
    after = ledger.counted(OUTLINE, held((3, 7)), 80)
    assert [truth.start for truth in after.truths] == [3]
    assert list(after.replies) == [4]


@pytest.mark.parametrize(("length", "value"), [(5, 110), (4, 70), (3, 70), (2, 30), (1, 30), (0, None)])
def test_where_history_goes_back_an_earlier_anchor_holds(length: int, value: int | None) -> None:
    ledger = told((1, 30), (3, 70), (5, 110)).with_reply(3, 19).within(length)
    assert ledger.held is None if value is None else ledger.reported == value
    assert (3 in ledger.replies) == (length > 3)


def test_shortened_rows_that_are_gone_take_the_anchor_with_them() -> None:
    shorter = Message("assistant", (Text("word word"),))
    cut = {3: Cut(shorter, sum_of(PROXY, shorter))}
    ledger = Ledger().counted(OUTLINE, held((0, 3), cuts=cut), 60)
    assert ledger.within(3).held is None
    assert ledger.within(4).held is not None


def test_a_surplus_may_have_gone_with_the_rows() -> None:
    ledger = told((20, 480))
    assert ledger.doubt(OUTLINE, held((0, 20)), 100) == 0
    assert ledger.doubt(OUTLINE, held((18, 20)), 100) == 100 * 252 // 280
    assert ledger.doubt(OUTLINE, held((18, 20)), 200) == 0
    assert Ledger().doubt(OUTLINE, held((18, 20)), 0) == 0
    assert told((1, 300), (20, 580)).doubt(OUTLINE, held((19, 20)), 100) == 186, "what is known is in no doubt"


def test_the_difference_of_spans() -> None:
    assert list(difference([(0, 10)], [(2, 4), (6, 7)])) == [(0, 2), (4, 6), (7, 10)]
    assert list(difference([(0, 3), (5, 9)], [(0, 6)])) == [(6, 9)]
    assert list(difference([(4, 6)], [(0, 4), (6, 9)])) == [(4, 6)]
    assert list(difference([(4, 6)], [(4, 6)])) == []


class TestReplies:
    TERMS = Terms(counter=PROXY, window=1000)

    def after(self, reply: Message, usage: Usage, terms: Terms = TERMS) -> int | None:
        """What the ledger says of a reply that is in the history now."""
        made = plan(terms, history(user("x")))
        state = answered(made.state, usage, reply)
        outline = state.outline.following(state.outline.history.add(reply))
        return carried(state, outline).replies.get(1)

    def test_the_count_of_the_backend_and_a_frame(self) -> None:
        assert self.after(assistant("word " * 20), Usage(10, 30)) == 34

    @pytest.mark.parametrize(
        ("reply", "usage"),
        [
            (assistant("word " * 20), Usage(10, 300)),
            (assistant("word " * 60), Usage(10, 1)),
            (assistant("word " * 20), Usage(0, 30)),
            (assistant("word " * 20), Usage(10, 30, estimated=True)),
            (Message("assistant", (Reasoning("hm"), Text("word " * 20))), Usage(10, 30)),
        ],
    )
    def test_numbers_that_cannot_be_meant_so(self, reply: Message, usage: Usage) -> None:
        assert self.after(reply, usage) is None

    def test_thinking_is_no_part_of_it(self) -> None:
        thought = Message("assistant", (Reasoning("hm"), Text("word " * 20)))
        assert self.after(thought, Usage(10, 130, reasoning_tokens=100)) == 34

    def test_a_counter_that_counts_thinking_later_too(self) -> None:
        class Keeps(Words):
            def message(self, message: Message, /, *, live: bool = False) -> int:
                return super().message(message, live=True)

        thought = Message("assistant", (Reasoning("hm"), Text("word " * 20)))
        usage = Usage(10, 130, reasoning_tokens=100)
        assert self.after(thought, usage, Terms(counter=Keeps("proxy", 0.1))) is None

    def test_an_exact_counter_knows_better(self) -> None:
        assert self.after(assistant("word " * 20), Usage(10, 30), Terms(counter=Words())) is None

    def test_a_reply_that_goes_on_from_a_beginning(self) -> None:
        terms = Terms(counter=PROXY, extra=(assistant("word"),))
        assert self.after(assistant("word " * 20), Usage(10, 30), terms) is None

    def test_another_message_in_its_place(self) -> None:
        made = plan(self.TERMS, history(user("x")))
        state = answered(made.state, Usage(10, 30), assistant("word " * 20))
        assert carried(state, state.outline).replies == {}
        other = state.outline.following(state.outline.history.add(user("y")))
        assert carried(state, other).replies == {}

    def test_no_usage_teaches_nothing(self) -> None:
        made = plan(self.TERMS, history(user("x")))
        assert answered(made.state, None) is made.state


def test_a_change_of_tools_is_counted_as_what_it_is() -> None:
    """The anchor was counted with other definitions: the difference has the margin of both, be it none by our count."""
    words = Words(kind="proxy", margin=0.25)
    past = history(user("one two three"), assistant("four"), user("five"))
    first = Terms(counter=words, window=4000, max_tokens=100, tools=(Shape("look", "finds it"),))
    made = plan(first, past)
    state = answered(made.state, Usage(input_tokens=made.manifest.tokens.value + 100))
    same = plan(first, past, state).manifest
    assert (same.tokens.margin, same.shared) == (0, 3)
    for other in (Shape("see", "shows it"), Shape("look", "finds it in all the world")):
        changed = plan(evolve(first, tools=(other,)), past, state).manifest
        added = words.tools((other,)) - words.tools(first.tools)
        assert changed.tokens.kind == "anchored"
        assert changed.tokens.value == same.tokens.value + added
        assert changed.tokens.margin >= words.tools(first.tools) * words.margin
        assert changed.shared == 0, "definitions come before all messages"
    none = plan(evolve(first, tools=()), past, state).manifest
    assert none.tokens.value == same.tokens.value - words.tools(first.tools)

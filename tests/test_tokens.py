"""Counts as values, and what the server's last count says of the next request."""

from __future__ import annotations

import random
import statistics

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.counters import HarmonyCounter, PlainCounter
from agentkit.counters._harmony import REFERENCE
from agentkit.counters._packed import QWEN
from agentkit.messages import Media, Message, Reasoning, ToolCall, ToolResult, assistant, user
from agentkit.tokens import Anchor, Ledger, TokenCount, _common, _without, cost, count_prompt, live_from, reply_tokens
from agentkit.usage import Usage


@attrs.frozen
class Words:
    """A counter that is easy to reckon with: words, and a frame of 3; thinking counts while the turn runs."""

    kind: str = "exact"
    margin: float = 0.0
    factor: float = 1.0
    base: int = 10

    def text(self, text):
        return int(len(text.split()) * self.factor)

    def message(self, message, *, live=False):
        results = sum(self.text(part.content) for part in message.parts if isinstance(part, ToolResult))
        thought = self.text(message.reasoning) if live else 0
        return 3 + self.text(message.text) + results + thought

    def tools(self, tools, *, system=False):
        return 100 * len(tools)


EXACT = Words()
ROUGH = Words("proxy", 0.5, 2.0)


def said(*numbers):
    """Messages of the user and the assistant in turn, with so many words each."""
    return [(user if place % 2 == 0 else assistant)("w " * number) for place, number in enumerate(numbers)]


def predicted(ledger, counter, messages, spans=None, key="k"):
    spans = ((0, len(messages)),) if spans is None else spans
    return ledger.predict(counter, messages, key=key, spans=spans, live=live_from(messages))


# --- counts


def test_a_sum_is_as_weak_as_its_weaker_half():
    assert TokenCount(1, "server") + TokenCount(2, "anchored", 3) == TokenCount(3, "anchored", 3)
    assert (TokenCount(5, "estimate", 2) + TokenCount(1)).upper == 8


def test_a_prompt_is_its_parts():
    messages = said(5, 6)
    assert count_prompt(EXACT, messages) == TokenCount(10 + 8 + 9)
    assert count_prompt(EXACT, messages, tools=[object()]).value == 127
    assert count_prompt(ROUGH, messages) == TokenCount(10 + 13 + 15, "proxy", 5 + 7 + 8)
    assert count_prompt(EXACT, [user(Media("image/png", url="u"))]).kind == "estimate"


def test_live_is_what_comes_after_the_last_user_message():
    assert live_from(said(1, 1, 1, 1)) == 3
    assert live_from([assistant("a")]) == 0
    assert live_from([]) == 0
    thinking = assistant(Reasoning("a b"), "c")
    assert count_prompt(EXACT, [user("x"), thinking]).value == 10 + 4 + 6
    assert count_prompt(EXACT, [thinking, user("x")]).value == 10 + 4 + 4
    assert cost(EXACT, thinking) == 4


# --- anchors


def test_an_anchor_takes_what_is_new():
    messages = said(5, 7, 9)
    ledger = Ledger().add(Anchor("k", 500, ((0, 1),), 1), EXACT, messages)
    assert predicted(ledger, EXACT, messages) == TokenCount(500 + 10 + 12, "anchored")
    assert predicted(ledger, ROUGH, messages) == TokenCount(500 + 17 + 21, "anchored", 20)
    assert predicted(ledger, EXACT, messages[:1]) == TokenCount(500, "anchored")


def test_another_key_or_no_anchor_says_nothing():
    messages = said(5)
    ledger = Ledger().add(Anchor("k", 500, ((0, 1),), 1), EXACT, messages)
    assert predicted(ledger, EXACT, messages, key="other") is None
    assert predicted(Ledger(), EXACT, messages) is None
    assert ledger.add(Anchor("other", 7, (), 0), EXACT, messages) == Ledger(Anchor("other", 7, (), 0))


def test_the_reply_counts_as_the_server_counted_it():
    messages = said(5, 7, 9)
    ledger = Ledger().add(Anchor("k", 500, ((0, 1),), 1, 70), ROUGH, messages)
    assert predicted(ledger, ROUGH, messages) == TokenCount(500 + 74 + 21, "anchored", 4 + 11)
    assert predicted(ledger, EXACT, messages) == TokenCount(500 + 10 + 12, "anchored")
    other = [messages[0], *messages[2:]]
    assert predicted(ledger, ROUGH, other) == TokenCount(500 + 21, "anchored", 11)
    empty = Ledger(Anchor("k", 500, (), 0, 70))
    assert predicted(empty, ROUGH, messages[:1]).value == 500 + 13


def test_differences_are_kept_and_make_dropping_exact():
    messages = said(5, 7, 9, 4, 2)
    ledger = Ledger()
    for stop, tokens in ((1, 500), (3, 600), (5, 640)):
        ledger = ledger.add(Anchor("k", tokens, ((0, stop),), stop), ROUGH, messages)
    assert ledger.measured == ((1, 3, 100), (3, 5, 40))
    dropped = predicted(ledger, ROUGH, messages, ((0, 1), (3, 5)))
    assert dropped == TokenCount(540, "anchored")
    half = predicted(ledger, ROUGH, messages, ((2, 5),))
    assert (half.value, half.kind) == (640 - 13 - 17, "anchored")
    assert half.margin == 7 + 9
    again = ledger.add(Anchor("k", 540, ((0, 1), (3, 5)), 5), ROUGH, messages)
    assert predicted(again, ROUGH, messages) == TokenCount(640, "anchored")


def test_a_difference_with_a_known_stretch_dropped_is_kept_too():
    messages = said(5, 7, 9, 4, 2)
    ledger = Ledger().add(Anchor("k", 500, ((0, 1),), 1), ROUGH, messages)
    ledger = ledger.add(Anchor("k", 600, ((0, 3),), 3), ROUGH, messages)
    ledger = ledger.add(Anchor("k", 540, ((0, 1), (3, 5)), 5), ROUGH, messages)
    assert ledger.measured == ((1, 3, 100), (3, 5, 40))


@pytest.mark.parametrize(
    ("spans", "tokens"),
    [(((1, 3),), 600), (((0, 1), (2, 3), (4, 5)), 600), (((0, 1),), 500), (((0, 3),), 400)],
    ids=["an unknown stretch dropped", "two added", "nothing added", "less than before"],
)
def test_differences_of_other_things_are_not_kept(spans, tokens):
    messages = said(5, 7, 9, 4, 2)
    ledger = Ledger().add(Anchor("k", 500, ((0, 1),), 1), ROUGH, messages)
    after = ledger.add(Anchor("k", tokens, spans, 5), ROUGH, messages)
    assert after.measured == ()
    assert after.anchor.tokens == tokens


def test_thinking_that_is_no_longer_shown_is_taken_off_and_never_kept():
    call = assistant(Reasoning("a b c d"), ToolCall("1", "f"))
    result = Message("tool", (ToolResult("1", "x y"),))
    messages = [user("q"), call, result, assistant("done now"), user("next one")]
    ledger = Ledger().add(Anchor("k", 100, ((0, 1),), 1), EXACT, messages[:1])
    ledger = ledger.add(Anchor("k", 112, ((0, 3),), 1), EXACT, messages[:3])
    assert ledger.measured == ()
    assert predicted(ledger, EXACT, messages) == TokenCount(112 + 5 + 5 - 4, "anchored")
    assert predicted(ledger, EXACT, messages[:3]) == TokenCount(112, "anchored")
    after = ledger.add(Anchor("k", 118, ((0, 5),), 5), EXACT, messages)
    assert after.measured == ()
    rough = predicted(Ledger(ledger.anchor), ROUGH, messages)
    assert rough.margin == 4 + 4 + 4


def test_a_history_that_goes_on_from_an_earlier_place_forgets_what_came_after():
    messages = said(5, 7, 9, 4, 2)
    ledger = Ledger()
    for stop, tokens in ((1, 500), (3, 600), (5, 640)):
        ledger = ledger.add(Anchor("k", tokens, ((0, stop),), stop), ROUGH, messages)
    assert ledger.first(5) == ledger
    assert ledger.first(4) == Ledger(None, ((1, 3, 100),))
    assert ledger.first(0) == Ledger()
    assert Ledger(Anchor("k", 1, (), 0)).first(0).anchor is not None


def test_a_prediction_is_never_below_nothing():
    messages = said(500, 500)
    ledger = Ledger().add(Anchor("k", 20, ((0, 2),), 1), EXACT, messages)
    assert predicted(ledger, EXACT, messages, ()).value == 0


def test_tokens_of_a_reply():
    plain, thought = assistant("a"), assistant(Reasoning("b"), "a")
    assert reply_tokens(Usage(10, 7), plain) == 7
    assert reply_tokens(Usage(10, 7, 3), thought) == 4
    assert reply_tokens(Usage(10, 7), thought) is None
    assert reply_tokens(Usage(10, 0), plain) is None
    assert reply_tokens(Usage(10, 7, estimated=True), plain) is None


PLACES = st.lists(st.booleans(), max_size=12)


def spans_of(flags):
    spans = []
    for place, flag in enumerate(flags):
        if flag and spans and spans[-1][1] == place:
            spans[-1] = (spans[-1][0], place + 1)
        elif flag:
            spans.append((place, place + 1))
    return tuple(spans)


@given(PLACES, PLACES)
def test_spans_are_sets_of_places(left, right):
    def places(spans):
        return {place for start, stop in spans for place in range(start, stop)}

    one, other = spans_of(left), spans_of(right)
    assert places(_without(one, other)) == places(one) - places(other)
    assert places(_common(one, other)) == places(one) & places(other)


@given(st.lists(st.integers(1, 30), min_size=2, max_size=14), st.data())
def test_with_an_exact_counter_every_prediction_is_right(numbers, data):
    """Whatever was dropped and taken in again in between, and whatever the server adds that nobody sees."""
    messages, ledger, hidden = said(*numbers), Ledger(), data.draw(st.integers(0, 300))
    for stop in range(1, len(messages) + 1, 2):
        spans = spans_of([data.draw(st.booleans()) for _ in range(stop - 1)] + [True])
        live = live_from(messages[:stop])
        truth = hidden + sum(EXACT.message(messages[place]) for start, end in spans for place in range(start, end))
        guess = ledger.predict(EXACT, messages, key="k", spans=spans, live=live)
        assert guess is None or guess == TokenCount(truth, "anchored")
        ledger = ledger.add(Anchor("k", truth, spans, live), EXACT, messages)


# --- servers with overhead that nobody knows

_WORDS = "the a of rain weather tomorrow function return {} [] 42 3.14 https://example.org/a Oslo naïve ; ... JSON"
WORDS = _WORDS.split()


@attrs.frozen
class Hidden:
    """What a server reckons with, unknown to its client: a system text, and a frame around each message."""

    text: int
    frame: int

    def message(self, message):
        return self.frame + QWEN.count(message.text)


@pytest.mark.parametrize("counter", [HarmonyCounter((REFERENCE,)), PlainCounter()], ids=["exact", "proxy"])
@pytest.mark.parametrize("dropping", [False, True])
def test_predictions_of_a_server_with_hidden_overhead(counter, dropping):
    """12 conversations of 40 turns. The client's counter is right, or that of another model."""
    errors, violations = [], 0
    for seed in range(12):
        rand = random.Random(seed)
        hidden = Hidden(rand.randint(40, 300), rand.randint(4, 9))
        server = counter if counter.kind == "exact" else hidden
        messages, ledger = [], Ledger()
        for turn in range(1, 41):
            messages.append(user(" ".join(rand.choices(WORDS, k=rand.randint(5, 80)))))
            spans, live = ((max(0, 2 * turn - 41) if dropping else 0, len(messages)),), live_from(messages)
            tokens = hidden.text + sum(server.message(message) for message in messages[spans[0][0] :])
            if guess := ledger.predict(counter, messages, key="k", spans=spans, live=live):
                violations += guess.upper < tokens
                errors += [abs(guess.value - tokens) / tokens] if turn > 5 else []
            messages.append(assistant(" ".join(rand.choices(WORDS, k=rand.randint(20, 300)))))
            written = QWEN.count(messages[-1].text) + 1
            ledger = ledger.add(Anchor("k", tokens, spans, live, written), counter, messages)
    print(f"mean error {statistics.mean(errors):.4%}, worst {max(errors):.3%}, above the bound {violations}")
    assert len(errors) == 12 * 35
    assert statistics.mean(errors) <= 0.002
    assert violations == 0

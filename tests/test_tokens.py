"""Counts as values, and the prompt as the sum of its parts."""

from __future__ import annotations

import attrs

from agentkit.messages import Media, Reasoning, assistant, user
from agentkit.tokens import TokenCount, cost, count_prompt, live_from, reply_tokens
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
        return 3 + self.text(message.text) + (self.text(message.reasoning) if live else 0)

    def tools(self, tools, *, system=False):
        return 100 * len(tools)


EXACT = Words()
ROUGH = Words("proxy", 0.5, 2.0)


def said(*numbers):
    """Messages of the user and the assistant in turn, with so many words each."""
    return [(user if place % 2 == 0 else assistant)("w " * number) for place, number in enumerate(numbers)]


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


def test_tokens_of_a_reply():
    plain, thought = assistant("a"), assistant(Reasoning("b"), "a")
    assert reply_tokens(Usage(10, 7), plain) == 7
    assert reply_tokens(Usage(10, 7, 3), thought) == 4
    assert reply_tokens(Usage(10, 7), thought) is None
    assert reply_tokens(Usage(10, 0), plain) is None
    assert reply_tokens(Usage(10, 7, estimated=True), plain) is None

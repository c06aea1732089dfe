"""The manifest as text and as a bar, and the user's policy as a value."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from agentkit.context import ContextPolicy, pin, pinned
from agentkit.counters import PlainCounter
from agentkit.errors import InvalidInput
from agentkit.manifest import PORTIONS, Excluded, Manifest, Portion, Shortened, bar, legend
from agentkit.messages import user
from agentkit.tokens import TokenCount

VALUES = {"template": 11, "system": 400, "tools": 300, "summary": 0, "user": 1200, "assistant": 1800, "tool": 500}
MANIFEST = Manifest(
    model="gpt-oss",
    window=8192,
    reserve=1024,
    tokens=TokenCount(4211, "anchored", 24),
    portions=tuple(Portion(name, VALUES[name], "exact") for name in PORTIONS),
    history=90,
    sent=32,
    excluded=(Excluded(0, 58, "window", 9000), Excluded(59, 60, "policy", 40)),
    shortened=(Shortened(70, 900, 200),),
    shared=30,
    shared_tokens=4000,
    reported=4215,
)


def test_as_text() -> None:
    assert str(MANIFEST).splitlines() == [
        "gpt-oss: 4,211 of 8,192 tokens (anchored, at most 4,235), 1,024 kept for the reply, 2,957 free",
        "  template        11  exact",
        "  system         400  exact",
        "  tools          300  exact",
        "  user         1,200  exact",
        "  assistant    1,800  exact",
        "  tool           500  exact",
        "left out: messages 0 to 57, 9,000 tokens, to fit the window",
        "left out: message 59, 40 tokens, by the policy's choice",
        "shortened: message 70, from 900 to 200 tokens",
        "as in the request before: the first 30 of 32 messages, 95% of the tokens",
        "the backend counted 4,215 tokens: the prediction was off by -0.09%",
    ]


def test_without_a_window() -> None:
    bare = evolve(MANIFEST, window=None, tokens=TokenCount(10), excluded=(), shortened=(), shared=0, reported=None)
    assert str(bare).splitlines()[0] == "gpt-oss: 10 tokens (exact); the window is not known; 1,024 kept for the reply"
    assert bare.free is None
    assert bare.error is None
    assert bare.included == (range(90),)


def test_its_numbers() -> None:
    assert MANIFEST.free == 2957
    assert MANIFEST.included == (range(58, 59), range(60, 90))
    assert MANIFEST.error == pytest.approx(-4 / 4215)
    assert evolve(MANIFEST, tokens=TokenCount(0)).shared_share == 0.0


def test_the_bar() -> None:
    drawn = bar(MANIFEST, 64, ascii_only=True)
    assert len(drawn) == 64
    assert drawn == "s" * 3 + "t" * 3 + "u" * 9 + "a" * 14 + "r" * 4 + "." * 23 + "#" * 8
    assert drawn.isascii()
    blocks = bar(MANIFEST, 64)
    assert len(blocks) == 64
    assert blocks.endswith("□" * 8)
    assert legend(MANIFEST, ascii_only=True) == (
        "m template  s system  t tools  u user  a assistant  r tool  . free  # reserve"
    )
    assert "□ reserve" in legend(MANIFEST)


@pytest.mark.parametrize("width", [0, 1, 7, 200])
def test_a_bar_is_as_wide_as_it_should_be(width: int) -> None:
    assert len(bar(MANIFEST, width)) == width
    assert len(bar(evolve(MANIFEST, window=None), width)) == width
    assert len(bar(evolve(MANIFEST, window=100), width)) == width
    negative = (Portion("template", -50, "anchored"), *MANIFEST.portions[1:])
    assert len(bar(evolve(MANIFEST, portions=negative), width)) == width


def test_a_pinned_message() -> None:
    message = user("remember this")
    assert not pinned(message)
    assert pinned(pin(message))
    assert pin(message).text == message.text


async def chosen_later(groups: object, most: int) -> tuple[int, ...]:
    return ()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"window": 0}, "window must be a whole number of at least 1, not 0"),
        ({"window": True}, "window must be"),
        ({"reserve": -1}, "reserve must be"),
        ({"reserve": 1.5}, "reserve must be"),
        ({"trigger": 1.2}, "trigger must be a number above 0 and at most 1"),
        ({"keep": 0}, "keep must be"),
        ({"keep": "half"}, "keep must be"),
        ({"trigger": True}, "trigger must be"),
        ({"policy": "newest"}, "policy is one of drop_oldest, summarize, keep_first_and_last, or a function"),
        ({"trigger": 0.5, "keep": 0.6}, "above trigger"),
        ({"window": 100, "reserve": 100}, "leaves nothing of window=100"),
        ({"max_history": 0}, "max_history"),
        ({"max_pairs": -1}, "max_pairs"),
        ({"keep_first": 0}, "keep_first"),
        ({"keep_first": None}, "keep_first"),
        ({"summary_tokens": 5}, "summary_tokens"),
        ({"summary_tokens": None}, "summary_tokens"),
        ({"shorten_tool_results": 0}, "shorten_tool_results"),
        ({"policy": chosen_later}, "policy must be a plain function, not an async one"),
        ({"counter": "tekken.json"}, "counter must be a TokenCounter, such as counter_from_file"),
        ({"counter": PlainCounter}, "counter must be"),
    ],
)
def test_a_policy_is_checked(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        ContextPolicy(**wrong)


def test_a_policy_as_it_may_be() -> None:
    made = ContextPolicy(window=8192, reserve=0, policy=lambda groups, most: (), max_pairs=0, max_history=1)
    assert made.keep <= made.trigger

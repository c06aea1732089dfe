"""What holds of every join: of any text, habit and chunking."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seam_texts import samples
from seam_trials import Cut, judge, play, trials

from agentkit._engine.seam import Echo, Native, Overlap, Raw, Seam, Shape, Strategy
from agentkit._engine.seam.guards import repetition
from agentkit._engine.seam.joiner import MOST_HELD
from agentkit._engine.seam.scaffold import echo_quote
from agentkit.sim.habits import is_json, open_fence

SAMPLES = samples(2)
sizes = st.lists(st.integers(1, 40), max_size=60)
small = st.text(alphabet='ab \n.|"`#', max_size=60)
strategies = st.one_of(
    st.just(Native(repeats_prefix=True)),
    st.just(Native(repeats_prefix=False)),
    st.just(Native()),
    st.just(Raw()),
    st.just(Overlap()),
    small.map(Echo),
)


@st.composite
def cuts(draw: st.DrawFn) -> Cut:
    sample = draw(st.sampled_from(SAMPLES))
    return Cut(sample, draw(st.integers(2, len(sample.text) - 1)), draw(st.integers(0, 2**32)))


@settings(max_examples=60, deadline=None)
@given(cuts(), st.integers(0, 40), sizes)
def test_any_chunking_of_any_habit_gives_the_same(cut: Cut, which: int, sizes: list[int]) -> None:
    made = list(trials(cut))
    _, strategy, _, said = made[which % len(made)]
    assert play(cut.before, strategy, said) == play(cut.before, strategy, said, sizes)
    single = [1] * min(len(said), 700)
    assert play(cut.before, strategy, said) == play(cut.before, strategy, said, single)


@settings(max_examples=300, deadline=None)
@given(small, strategies, small, sizes)
def test_any_chunking_of_any_text_gives_the_same(text: str, strategy: Strategy, said: str, sizes: list[int]) -> None:
    whole, join = play(text, strategy, said)
    assert (whole, join) == play(text, strategy, said, sizes)
    assert whole.startswith(text)
    if join.failure is not None:
        assert whole == text


@settings(max_examples=200, deadline=None)
@given(small, small)
def test_all_that_is_not_dropped_is_shown(text: str, said: str) -> None:
    whole, join = play(text, Overlap(), said)
    shown = whole[len(text) :]
    if join.failure is None and "fence" not in join.how:
        assert shown == join.inserted + said[join.dropped :]


@settings(max_examples=60, deadline=None)
@given(cuts())
def test_an_echo_word_for_word_gives_the_whole(cut: Cut) -> None:
    quote = echo_quote(cut.before)
    if quote is not None:
        whole, join = play(cut.before, Echo(quote), quote + cut.sample.text[cut.at :])
        assert whole == cut.sample.text
        assert join.overlap == len(quote)


@settings(max_examples=40, deadline=None)
@given(cuts())
def test_json_parses_and_fences_balance_where_the_text_is_whole(cut: Cut) -> None:
    for label, strategy, habit, said in trials(cut):
        verdict = judge(cut, label, strategy, habit, said)
        if verdict.kind == "right":
            if is_json(cut.sample.text):
                json.loads(verdict.joined)
            assert open_fence(verdict.joined, len(verdict.joined)) is None


@given(st.text(alphabet='ab{}[]"\\\n`|- ', max_size=80), sizes)
def test_a_shape_is_the_same_however_the_text_arrives(text: str, sizes: list[int]) -> None:
    whole, parts, at = Shape(text), Shape(), 0
    for size in sizes:
        parts.feed(text[at : at + size])
        at += size
    parts.feed(text[at:])
    for name in ("length", "line", "fence", "table", "in_fence"):
        assert getattr(whole, name) == getattr(parts, name)
    assert (whole.json is None) == (parts.json is None)


@pytest.mark.parametrize("strategy", [Overlap(), Echo("the last words of the text so far")])
def test_what_is_held_back_is_bounded(strategy: Strategy) -> None:
    text = "0, " * 2000
    seam = Seam(text, strategy)
    said, shown = "0, " * 2000, 0
    for place in range(0, len(said), 3):
        shown += len(seam.feed(said[place : place + 3]))
        assert place + 3 - shown <= MOST_HELD + 3
    assert shown + len(seam.close()) == len(said)


def test_a_long_reply_in_many_attempts_is_joined_as_it_is() -> None:
    whole = "".join(
        f"Line {number} of this long reply, with {number * 7919 % 1000} things in it.\n" for number in range(4000)
    )
    shape = Shape(whole[:500])
    pieces = [whole[:500]]
    for at in range(500, len(whole), 500):
        text = "".join(pieces)
        quote = echo_quote(text)
        assert quote is not None
        seam = Seam(text, Echo(quote), shape)
        pieces += [seam.feed(quote), seam.feed(whole[at : at + 500]), seam.close()]
    assert "".join(pieces) == whole
    assert shape.length == len(whole)
    assert repetition(whole, 500) is None

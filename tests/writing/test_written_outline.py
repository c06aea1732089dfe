"""Outlines as models and people write them, and what of a reply goes onto the page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit._engine.writing_outline import MOST, titles_in
from agentkit._engine.writing_text import body, chapter_prompt, joined, more_prompt, outline_prompt, tail
from agentkit.sim.plan import Plan, Write
from agentkit.sim.script import parse

THREE = ("The splash zone", "The middle shore", "Below the tide")


@pytest.mark.parametrize(
    "said",
    [
        "1. The splash zone\n2. The middle shore\n3. Below the tide",
        "Sure, here is the outline:\n\n1) The splash zone\n2) The middle shore\n3) Below the tide\n\nShall I begin?",
        "**1. The splash zone**\n- first\n- second\n**2. The middle shore**\n- third\n**3. Below the tide**",
        "1. **The splash zone**: where only spray comes\n2. **The middle shore**\n3. **Below the tide**",
        "## Chapter 1: The splash zone\n\n1. Spray\n\n## Chapter 2: The middle shore\n## Chapter 3: Below the tide",
        "Chapter 1 \N{EN DASH} The splash zone\nChapter 2 \N{EN DASH} The middle shore\nChapter 3 - Below the tide",
        "# A field guide\n## The splash zone\n### Spray\n## The middle shore\n## Below the tide",
        "- The splash zone\n  - spray\n  - sun\n- The middle shore\n- Below the tide",
        '```json\n["The splash zone", "The middle shore", "Below the tide"]\n```',
        "Kapitel 1: The splash zone\nKapitel 2: The middle shore\nKapitel 3: Below the tide",
    ],
)
def test_titles_are_found_in_every_form(said: str) -> None:
    assert titles_in(said) == THREE


@pytest.mark.parametrize(
    "said",
    ["", "I cannot do that.", "1. Only one", "[1, 2", "[" * 100_000 + "]", "[oops]", "{}", "Some\n\nprose here."],
)
def test_what_is_no_list_gives_no_titles(said: str) -> None:
    assert titles_in(said) == ()


def test_a_plain_text_of_a_user_is_a_title_a_line() -> None:
    assert titles_in("The splash zone\n\nThe middle shore\nBelow the tide\n", plain=True) == THREE


def test_titles_are_short_and_not_without_number() -> None:
    many = titles_in("\n".join(f"{number}. Chapter about {'many ' * 60}" for number in range(1, 400)))
    assert len(many) <= MOST
    assert max(map(len, many)) <= 120


@given(st.text(max_size=300))
def test_any_text_is_read(said: str) -> None:
    assert all(title.strip() and "\n" not in title for title in titles_in(said, plain=True))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("The tide rose.", "The tide rose."),
        ("\n\n  The tide rose.\n", "The tide rose."),
        ("## The splash zone\n\nThe tide rose.", "The tide rose."),
        ("# Something else\nThe tide rose.", "The tide rose."),
        ("### Within it\n\nThe tide rose.", "### Within it\n\nThe tide rose."),
        ("Chapter 1: The splash zone\n\nThe tide rose.", "The tide rose."),
        ("**The Splash Zone**\nThe tide rose.", "The tide rose."),
        ("The splash zone is wet.", "The splash zone is wet."),
        ("The splash zone is wet.\nVery.", "The splash zone is wet.\nVery."),
        ("#include <tide.h>\n", "#include <tide.h>"),
        ("Part of it\nis wet.", "Part of it\nis wet."),
        ("## The splash zone", ""),
        ("", ""),
    ],
)
def test_a_heading_at_the_beginning_is_not_shown_twice(said: str, shown: str) -> None:
    assert body(said, "The splash zone", headed=True, over=True) == shown


def test_without_chapters_a_heading_of_the_text_stays() -> None:
    assert body("# A title\n\nText", "Part 1", headed=False, over=True) == "# A title\n\nText"


PIECES = st.sampled_from(
    ["#", "##", " ", "\n", "The splash zone", "The spl", "Chapter", " 1", ":", "**", "ash", "text.", "1", ".", "Part"]
)


@given(st.lists(PIECES, max_size=12).map("".join), st.booleans())
def test_what_is_shown_is_never_taken_back(said: str, headed: bool) -> None:
    whole = body(said, "The splash zone", headed=headed, over=True)
    shown = ""
    for end in range(len(said) + 1):
        now = body(said[:end], "The splash zone", headed=headed, over=False)
        assert now.startswith(shown)
        assert whole.startswith(now)
        shown = now


def test_a_chapter_that_was_cut_goes_on_in_the_same_sentence() -> None:
    assert joined(["The tide rose and", "fell.", "", "Night came."]) == "The tide rose and fell.\n\nNight came."


def test_the_end_of_a_text_begins_at_a_paragraph_or_a_sentence() -> None:
    assert tail("short") == "short"
    assert tail("x" * 5000 + "\n\n" + "word " * 180).startswith("word word")
    assert tail("x" * 5000 + ". " + "word " * 180).startswith("word word")
    assert tail("x" * 5000) == "x" * 1200


def test_the_simulator_hears_the_number_of_words_and_no_other_order() -> None:
    task = "A field guide to tide pools, 20,000 words"
    for named in (True, False):
        for number in (1, 3):
            said = chapter_prompt(task, THREE, number, 1234, "It was 300 words long.", named=named)
            assert parse(said) == Plan(speech=Write(1234))
        for cut in (True, False):
            said = more_prompt(task, THREE, 2, 1234, "It was 300 words long.", named=named, cut=cut)
            assert parse(said) == Plan(speech=Write(1234))
    assert parse(chapter_prompt(task, ("Part 1",), 1, 99, "", named=False)) == Plan(speech=Write(99))
    assert parse(outline_prompt("A field guide to tide pools", 20_000, 12)) == Plan()

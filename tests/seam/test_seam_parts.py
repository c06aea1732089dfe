"""The parts of the seam engine, by example."""

from __future__ import annotations

import pytest

from agentkit._engine.seam import (
    Echo,
    Joint,
    Native,
    Overlap,
    Raw,
    Seam,
    Shape,
    Strategy,
    rungs,
    strategy_name,
)
from agentkit._engine.seam.excerpt import excerpt
from agentkit._engine.seam.guards import no_progress, repetition
from agentkit._engine.seam.scaffold import echo_instruction, echo_quote, plain_instruction
from agentkit._engine.seam.truncation import open_end, truncation
from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.provider import Chunk, Finish
from agentkit.sim.talk import Said
from agentkit.sim.thread import unravel
from agentkit.usage import FinishReason

POEM = "The keeper of the light went down to count the boats again before the winter came, and the sea said nothing. "


def join(text: str, strategy: Strategy, said: str) -> str:
    seam = Seam(text, strategy)
    return text + seam.feed(said) + seam.close()


def how(text: str, strategy: Strategy, said: str) -> tuple[str, str | None]:
    seam = Seam(text, strategy)
    seam.feed(said)
    seam.close()
    return seam.joined.how, seam.joined.failure


# --- the ladder


def test_the_best_strategy_that_has_not_failed_comes_first() -> None:
    assert rungs(prefix=True, raw=True) == ("native", "raw", "echo", "overlap")
    assert rungs(prefix=True, failed={"native"}) == ("echo", "overlap")
    assert rungs(prefix=False) == ("echo", "overlap")
    assert [strategy_name(each) for each in (Native(), Raw(), Echo("x"), Overlap())] == [
        "native",
        "raw",
        "echo",
        "overlap",
    ]


# --- joins that the reference names


@pytest.mark.parametrize(
    ("text", "strategy", "said", "whole"),
    [
        ("over the lazy dog. Par", Overlap(), "the lazy dog. Paris is", "over the lazy dog. Paris is"),
        ("the quick brown fox", Overlap(), "the quick brown fox jumps", "the quick brown fox jumps"),
        ("He named the city of Par", Overlap(), "Paris at once.", "He named the city of Paris at once."),
        ("He said no no ", Overlap(), "no no!", "He said no no no no!"),
        ("the row is 0, 0, 0, ", Overlap(), "0, 0, 0]", "the row is 0, 0, 0, 0, 0, 0]"),
        ("One day the sun", Overlap(), "The end.", "One day the sun The end."),
        ("1. First thing here\n2. ", Overlap(), "2. Second", "1. First thing here\n2. Second"),
        ("1. First thing here", Overlap(), "2. Second", "1. First thing here\n2. Second"),
        ("- one thing", Overlap(), "- another", "- one thing\n- another"),
        ("1. one", Overlap(), "- another", "1. one- another"),
        ("- one", Overlap(), "3. another", "- one 3. another"),
        ("It is over.", Overlap(), "## Next", "It is over.\n\n## Next"),
        ("It costs 3", Overlap(), "euros", "It costs 3 euros"),
        ("It costs 3", Overlap(), "000", "It costs 3000"),
        ("first,", Overlap(), "second", "first, second"),
        ("Is it so?", Overlap(), "Yes", "Is it so? Yes"),
        ("a cut in the mid", Overlap(), "dle", "a cut in the middle"),
        ("e", Overlap(), "\u0301t", "e\u0301t"),
        ("\U0001f469\u200d", Overlap(), "\U0001f680!", "\U0001f469\u200d\U0001f680!"),
        ("\u597d\u7684", Overlap(), "\u662f\u7684", "\u597d\u7684\u662f\u7684"),
        ("The dog saw the dog and the ", Overlap(), "dog", "The dog saw the dog and the dog"),
        ("The cat saw a cat near the", Overlap(), "cat there", "The cat saw a cat near the cat there"),
        ("The sailor met one harbour and a harbour; a sailor saw 9", Overlap(), "2 of them", None),
        ("| a | b |\n|---|---|\n| 1 | 2 |", Overlap(), "| 3 | 4 |", "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |"),
        ("| a | b |\n|---|---|\n| 1 |", Overlap(), "2 |", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("| a | b |\n|---|---|\n| 1 |", Overlap(), "|", "| a | b |\n|---|---|\n| 1 ||"),
        ("```py\nx = 1\n", Overlap(), "```py\ny = 2\n```\n", "```py\nx = 1\ny = 2\n```\n"),
        ("```py\nx = 1\n", Overlap(), "```\n\nSo it is.", "```py\nx = 1\n```\n\nSo it is."),
        ("```py\nx = 1\n", Overlap(), "```\n\n```py\ny = 2\n```", "```py\nx = 1\ny = 2\n```"),
        ("```py\nx = 1\n", Overlap(), "Here is the rest:\n\ny = 2\n```", "```py\nx = 1\ny = 2\n```"),
        ("```py\nx = 1\n", Overlap(), "Here is a thing\n\ny = 2\n```", None),
        ('{"a": 1, ', Overlap(), '```json\n"b": 2}\n```', '{"a": 1, "b": 2}'),
        ('{"a": 1, ', Overlap(), '```json\n"b": 2}\n```\nDone.', '{"a": 1, "b": 2}\nDone.'),
        ('[{"a": 1}, ', Overlap(), '[{"a": 2}]', '[{"a": 1}, {"a": 2}]'),
        ('[{"a": 1}', Overlap(), '[{"a": 2}]', '[{"a": 1},{"a": 2}]'),
        ('{"a": {"b', Overlap(), '"b": 1}}', '{"a": {"b": 1}}'),
        ("some words to", Overlap(), "", "some words to"),
        ("", Overlap(), "all of it", "all of it"),
        (POEM, Overlap(), POEM + "It slept.", POEM + "It slept."),
        (POEM, Native(), POEM + "It slept.", POEM + "It slept."),
        (POEM, Native(), "It slept.", POEM + "It slept."),
        (POEM, Native(repeats_prefix=False), POEM + "It slept.", POEM + "It slept."),
        (POEM, Native(repeats_prefix=True), POEM.rstrip() + " It slept.", POEM + "It slept."),
        (POEM, Native(repeats_prefix=True), POEM[:80], POEM),
        (POEM, Native(repeats_prefix=True), "The keeper", POEM + "The keeper"),
        ("Hello", Native(), "Hello world", "Hello world"),
        ("no ", Native(), "no no", "no no no"),
        ("no no no no ", Native(), "no no no no no", "no no no no no no no no no"),
        ("ha ha ", Native(repeats_prefix=True), "ha ha ha", "ha ha ha"),
        (POEM, Raw(), "It slept.", POEM + "It slept."),
    ],
)
def test_joins(text: str, strategy: Strategy, said: str, whole: str | None) -> None:
    assert join(text, strategy, said) == (text + said if whole is None else whole)


@pytest.mark.parametrize(
    "said",
    [
        "count the boats again before the winter came, and the sea said nothing. It slept.",
        "Count the boats again, It slept.",
        '"count the boats again before the winter came, and the sea said nothing." It slept.',
        "**count** the boats again before\nthe winter came, and the sea said  nothing. It slept.",
        "... count the boats again before the winter came, and the sea said nothing. It slept.",
        "Well now:\n\ncount the boats again before the winter came, and the sea said nothing. It slept.",
        "Continuing: count the boats again before the winter came, and the sea said nothing. It slept.",
    ],
)
def test_an_echo_is_found_though_it_is_written_otherwise(said: str) -> None:
    quote = "count the boats again before the winter came, and the sea said nothing. "
    expected = POEM + (said if said.startswith("Count") else "It slept.")
    assert join(POEM, Echo(quote), said) == expected


def test_a_reply_that_begins_anew_is_a_failure_of_the_strategy() -> None:
    story = POEM + "Then the lamp was lit, and every sail along the coast turned slowly towards the old harbour, wh"
    other = story.replace("went down", "walked down").replace("again", "once more")
    for strategy in (
        Native(repeats_prefix=False),
        Native(),
        Raw(),
        Overlap(),
        Echo("Then the lamp was lit, and every"),
    ):
        assert how(story, strategy, other)[1] is not None, strategy
        assert join(story, strategy, other) == story
        assert how(story, strategy, story[:100])[1] is not None, strategy
        assert join(story, strategy, story + "ere it was.") == story + "ere it was."
    assert how(story, Overlap(), story[:90] + " and then something else happened there.")[1] is not None
    assert how(story, Native(repeats_prefix=False), story[:90] + " and something else.")[1] is not None


def test_a_refrain_at_the_beginning_is_no_restart() -> None:
    refrain = "Oh, the lantern and the letter, and the wind that never ends, and the long road home.\n"
    song = f"{refrain}\nThe first verse is about the sea and its birds.\n"
    native = Native(repeats_prefix=False)
    assert join(song, native, f"{refrain}\nThe second verse.") == f"{song}{refrain}\nThe second verse."
    for strategy in (native, Overlap()):
        assert join(song, strategy, refrain) == song + refrain
        assert join(song, strategy, f"{refrain}Another verse.") == f"{song}{refrain}Another verse."


def test_a_restart_after_a_short_pause_shows_what_is_no_likeness() -> None:
    story = POEM + "Then the lamp was lit, and every sail along the coast turned slowly towards the old harbour. "
    said = "The keeper of the light was never seen there afterwards. " + "Nobody knew why it had been so quiet. " * 4
    assert join(story, Native(repeats_prefix=False), said) == story + said
    assert join(story, Native(repeats_prefix=False), said[:60]) == story + said[:60]
    assert join(story, Overlap(), said[:60]) == story + said[:60]


def test_a_block_that_begins_anew_is_skipped() -> None:
    block = "".join(f"def step_{number}(value):\n    return value * {number * 37}\n\n" for number in range(60))
    text = f"Here is the code:\n\n```python\n{block}def last"
    assert join(text, Overlap(), f"```python\n{block}def last(): ...\n```\n") == f"{text}(): ...\n```\n"


# --- chunks


def test_a_joint_joins_text_and_reasoning() -> None:
    def shown(joint: Joint, *chunks: Chunk) -> list[Chunk]:
        return [each for chunk in chunks for each in joint.pass_on(chunk)]

    end = Finish(FinishReason.STOP)
    echo = Joint("said before ", Native(repeats_prefix=True), reasoning="thought before ")
    assert shown(echo, ReasoningDelta("thought before and"), Notice("n"), TextDelta("said before more"), end) == [
        ReasoningDelta("and"),
        Notice("n"),
        TextDelta("more"),
        end,
    ]
    assert echo.joined.overlap == len("said before ")
    assert shown(
        Joint("said", Native(repeats_prefix=True), reasoning="thought"), ReasoningDelta("tho"), TextDelta("sa"), end
    ) == [
        ReasoningDelta("\n\ntho"),
        TextDelta("sa"),
        end,
    ]
    thinking = ReasoningDelta("anew")
    assert shown(Joint("said", Overlap()), thinking, end) == [thinking, end]
    for before, gap in (("A.", "\n\n"), ("A.\n", "\n"), ("A.\n\n", ""), ("A.\n\n\n", "")):
        more = Joint("said", Overlap(), reasoning=before)
        assert shown(more, ReasoningDelta("B"), thinking, end) == [ReasoningDelta(f"{gap}B"), thinking, end]
    plain = TextDelta(" more words to say")
    assert Joint("said", Native(repeats_prefix=False)).pass_on(plain) == (plain,)


# --- truncation


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("It is done.", None),
        ("```py\nx = 1\n", "code"),
        ("```py\nx = 1\n```", None),
        ("```py\nx = 1\n```\n", None),
        ("It is done.\n\n```", None),
        ("~~~\nx\n```\n", "code"),
        ("```markdown\n# A\n```py\nx\n```\nmore\n```\n", None),
        ('{"a": [1, "b\\"', "JSON"),
        ('{"a": "\\\\"}', None),
        ('{"a": 1}', None),
        ("{not so", None),
        ("[1] A source, [2] another", None),
        ("[link", None),
        ("[-", None),
        ("[tr", None),
        ("", None),
        ("```json\n{\n", "code"),
        ("| a | b |\n|---|---|\n| 1 |", None),
        ("| a | b |\n|---|---|\n| 1", "table"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", None),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n", None),
        ("| a | b |\nno rule", None),
    ],
)
def test_what_a_text_ends_in_the_middle_of(text: str, reason: str | None) -> None:
    found = open_end(Shape(text))
    assert (found is None) if reason is None else (reason in (found or ""))


def test_json_is_followed_over_any_border() -> None:
    shape = Shape('{"a": "b\\')
    shape.feed('"c')
    assert shape.json is not None
    assert shape.json.in_text
    shape.feed('"}')
    assert shape.json is None


def test_truncation_by_the_word_of_the_backend_by_the_cap_and_by_evidence() -> None:
    whole, cut = Shape("It is done."), Shape("```py\nx = 1\n")
    assert truncation(whole, FinishReason.LENGTH) is not None
    assert truncation(whole, FinishReason.STOP) is None
    assert truncation(whole, FinishReason.STOP, output_tokens=64, max_tokens=64) is not None
    assert truncation(whole, FinishReason.STOP, output_tokens=63, max_tokens=64) is None
    assert truncation(cut, FinishReason.STOP) is not None
    for other in (FinishReason.TOOL_CALLS, FinishReason.FILTERED, FinishReason.ERROR, FinishReason.UNKNOWN):
        assert truncation(cut, other) is None


# --- guards


def test_an_attempt_that_adds_nothing_is_no_progress() -> None:
    assert no_progress(" \n") == "the attempt added nothing"
    assert no_progress(" a\n") == "the attempt added almost nothing"
    assert no_progress("four") is None


def test_a_loop_is_told_from_text_that_repeats_itself_a_little() -> None:
    assert repetition("short", 5) is None
    assert repetition(POEM * 2, 100) is None
    assert "'The keeper" in (repetition(POEM * 40, 3000) or "")
    assert repetition("Once. " + "ab " * 300, 900) is None
    assert "'ab'" in (repetition("ab " * 2000, 3000) or "")
    assert repetition(POEM * 20 + "It stopped at last, and all was quiet.", 3000) is None
    assert repetition("".join(f"{number}, " for number in range(3000)), 4000) is None
    inner = "ab, " * 30 + "then once more: "
    assert repetition(inner * 60, 4000) is not None


# --- what is said to the model


def test_a_quotation_is_the_only_one_of_its_kind() -> None:
    quote = echo_quote(POEM)
    assert quote is not None
    assert POEM.endswith(quote)
    assert echo_quote("0, " * 500) is None
    assert echo_quote("") is None
    assert echo_quote("  \n") is None
    assert echo_quote("short") == "short"
    song = "And the wind goes on and on and on, my dear, until the very end of days.\n"
    longer = echo_quote(f"{song}A verse of its own, about a ship.\n{song}")
    assert longer is not None
    assert "ship" in longer
    found = echo_quote("".join(chr(0x4E00 + place * 7) + "\u0301" for place in range(90)))
    assert found is not None
    assert found[0] != "\u0301"


def test_the_simulator_understands_the_instructions() -> None:
    text = 'He said "```" and then `this`, and went on about "that'
    quote = echo_quote(text)
    assert quote is not None
    for instruction, echo in ((echo_instruction(quote), quote), (plain_instruction(), "")):
        thread = unravel(
            (Said(role="user", text="Tell"), Said(role="assistant", text=text), Said(role="user", text=instruction))
        )
        assert thread.request == instruction
        assert thread.echo == echo.strip()


def words(text: str) -> int:
    return len(text) // 4 + text.count("\n")


def test_a_large_reply_is_its_head_an_outline_and_its_end() -> None:
    book = "".join(
        f"# Chapter {chapter}\n\n" + "".join(f"Sentence {n} of chapter {chapter}. " for n in range(60)) + "\n\n"
        for chapter in range(200)
    )
    made = excerpt(book, 2000, words)
    assert words(made) <= 2000
    assert made.startswith("# Chapter 0\n")
    assert book.endswith(made[-2000:])
    assert "are left out here; in it:" in made
    assert made.count("# Chapter") > 5
    assert excerpt(book, 10**7, words) == book


@pytest.mark.parametrize("budget", [0, 1, 5, 12, 40, 100, 1000])
@pytest.mark.parametrize("text", ["x" * 5000, POEM * 50, "word\n" * 3000, "```\n# no heading\n```\n" * 400])
def test_an_excerpt_keeps_to_its_budget_and_keeps_the_end(text: str, budget: int) -> None:
    made = excerpt(text, budget, words)
    assert words(made) <= budget
    assert made == "" or text.endswith(made[-20:])


def test_headings_that_find_no_room_are_thinned_out() -> None:
    text = "".join(f"## {'A long heading about many things ' * 3}{place}\n\n{POEM}\n\n" for place in range(300))
    made = excerpt(text, 1200, words)
    assert words(made) <= 1200
    assert "## A long heading" in made
    assert excerpt("# A\n" + "y" * 9000, 60, words).endswith("y")

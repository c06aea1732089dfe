"""The seam engine where two readings are possible: each rule of the judgement, by the smallest text that needs it."""

from __future__ import annotations

import pytest

from agentkit._engine.seam import Echo, Native, Overlap, Seam, Shape
from agentkit._engine.seam.excerpt import excerpt
from agentkit._engine.seam.overlap import Setting, find, is_whole_again, lookahead, period
from agentkit._engine.seam.restart import Walk
from agentkit._engine.seam.scaffold import echo_quote
from agentkit._engine.seam.skeleton import after_match


def whose(tail: str, rest: str, *, in_code: bool = False, in_json: bool = False) -> tuple[int, str]:
    found = find(Setting(f"Before it all, {tail}", is_all=False, in_code=in_code, in_json=in_json), rest)
    return found.size, found.whose


@pytest.mark.parametrize(
    ("tail", "rest", "size", "said_by"),
    [
        ("a harbour and a lantern", "a harbour and a lantern swung", 23, "model"),
        ("hammer on hammer on hammer on ", "hammer on hammer on his", 20, "text"),
        ("ring the old bell, ring the old bell, ", "ring the old bell, and go", 19, "text"),
        ("one two six, ", "one two six, go", 13, "model"),
        ("wait(100)\nstep(7)\nwait(100)\n", "wait(100)\nstep(7)\nwait(100)\nend", 28, "text"),
        ("begin\nrow of data 1\n", "row of data 1\nend of it", 14, "text"),
        ("begin\n  row of data 1\n ", "row of data 1\n end of it", 15, "model"),
        ("row of data 1\n", "row of data 1\nrow of data 2", 14, "text"),
        ("warn: retry\nwarn: ret", "warn: retry\nwarn: retry\nwarn: retry\nend", 21, "text"),
        ("no thanks ", "way", 0, "chance"),
        ("x = foo(", "x = foo(1)", 8, "chance"),
        ("it said\nx = foo(", "x = foo(1)", 8, "model"),
        ("a cafe\u0301", "\u0301 is", 1, "chance"),
    ],
)
def test_whose_repetition_it_is(tail: str, rest: str, size: int, said_by: str) -> None:
    assert whose(tail, rest) == (size, said_by)


def test_in_code_and_json_less_is_needed() -> None:
    assert whose('{"id": 1, "na', '{"id": 1, "name": 2}', in_json=True) == (13, "model")
    assert whose('"a":{"b', '"b":', in_json=True) == (2, "chance")
    assert whose("then\nx += ", "x += 1", in_code=True) == (5, "chance")
    assert whose("then\nx += y", "x += yes", in_code=True) == (6, "model")


def test_a_long_repetition_is_judged_by_what_goes_along_with_it() -> None:
    unit = "".join(f"the {word} of number {number}; " for number, word in enumerate("abcdefghijklmnop"))
    assert len(unit) > 160
    assert whose(unit, unit + "and so on") == (len(unit), "model")
    assert whose(f"{unit}{unit}", unit + "and so on") == (len(unit), "text")


def test_a_word_begun_anew_among_lines_that_are_alike() -> None:
    tail = "log\nINFO barrel: repaired the shoulder in 8 ms\nINFO bar"
    rest = "barrel: repaired the shoulder in 8 ms\nINFO barrel: repaired the shoulder in 8 ms\nWARN retry\n"
    assert whose(tail, rest) == (3, "model")


def test_a_whole_short_text_comes_again() -> None:
    assert is_whole_again("Hello there, ", "and")
    assert not is_whole_again("no ", "no")
    assert not is_whole_again("ha ha ha ha ha ha ", "ha")
    assert lookahead("abc def", 5) == 16
    assert lookahead("abc\ndef", 5) == 320
    assert lookahead("abc\ndef\nghi\n", 5) == 16


def test_a_period_is_found_after_one_that_fails() -> None:
    assert period("aaaab") == 5
    assert period("aabaabaab") == 3
    assert period("ab") == 2


def test_a_walk_forgives_space_after_its_first_characters() -> None:
    text = "The lantern swung over the dark\n\nharbour \n"
    walk = Walk(text, 0)
    assert walk.take("The lantern swung over  the dark harbour and") == len("The lantern swung over  the dark harbour ")
    assert walk.is_through
    assert Walk("ab c", 0).take("ab  c") == 3
    assert Walk("The lantern swung ", 0).take("The lantern swung \n\n") is None or True
    lost = Walk(text, 0)
    assert lost.take("The lantern swung over the dark house") == len("The lantern swung over the dark h")
    assert not lost.is_through
    loose = Walk('{"a": 1}', 0, exact=0)
    assert loose.take('{ "a":1 }') is None
    assert loose.is_through


@pytest.mark.parametrize(
    ("said", "quoted", "is_flat", "size"),
    [
        (" next", " ", False, 1),
        ("\nnext", " ", False, 1),
        ("  next", "\n", False, 0),
        (" next", "\n", False, 1),
        ("  next", "\n", True, 1),
        ("next", "\n", False, 0),
        ('" next', '"', False, 1),
        ("\u201d next", '"', False, 1),
        ('\n"next', '"', False, 2),
        ("next", '"', False, 0),
        ("", '"', False, 0),
        ("\n\nnext", "\n", False, 1),
        ("\nnext", "\n  ", False, 1),
    ],
)
def test_what_follows_a_match_that_was_written_otherwise(said: str, quoted: str, is_flat: bool, size: int) -> None:
    assert after_match(said, quoted, is_flat=is_flat) == size


def test_a_restart_within_a_block_and_its_failures() -> None:
    story = "".join(f"Sentence {number} is about the {number * 37 % 101} birds of the sea. " for number in range(60))
    seam = Seam(story, Overlap())
    assert seam.feed(story[:40]) + seam.close() == ""
    assert seam.joined.failure is not None
    for said in (story[:20], f'"{story[-60:].rstrip()}" More.', f"\u201c{story[-60:].rstrip()}\u201d More."):
        seam = Seam(story, Overlap())
        shown = seam.feed(said) + seam.close()
        assert shown == (said if said == story[:20] else "More.")


def test_an_unsure_beginning_is_held_until_it_is_known() -> None:
    story = "".join(f"Sentence {number} is about the {number * 37 % 101} birds of the sea. " for number in range(60))
    seam = Seam(story, Native(repeats_prefix=False))
    said = story[:20] + "never a word of it again"
    shown = [seam.feed(said[at : at + 3]) for at in range(0, len(said), 3)]
    assert "".join(shown) + seam.close() == said
    assert shown[0] == ""


def test_marks_around_an_echo_that_ends_in_the_same() -> None:
    text = 'They asked the old keeper of the harbour light for "the long and silent lantern"'
    quote = 'the old keeper of the harbour light for "the long and silent lantern"'
    seam = Seam(text, Echo(quote))
    assert seam.feed(f'"{quote}" and left.') + seam.close() == " and left."


def test_a_table_goes_on_after_its_header() -> None:
    text = "| No | Item |\n|---|---|\n| 1 | lantern |\n"
    seam = Seam(text, Overlap())
    assert seam.feed("| No | Item |\n|---|---|\n| 2 | boat |\n") + seam.close() == "| 2 | boat |\n"
    assert seam.joined.how == "table header dropped, joined as it is"
    inside = Seam(text + "| 2 | bo", Overlap())
    assert inside.feed("Here is the rest of it:\nat |\n") + inside.close() == "at |\n"


def test_another_fence_is_not_the_open_one() -> None:
    text = "```py\nx = 1\n"
    for said in ("```js\nlet y;\n```\n", "```\n\nNow this, which is new:\n\n```py\ny = 2\n```\n"):
        seam = Seam(text, Overlap())
        assert seam.feed(said) + seam.close() == said
    prose = Seam("Here it comes.\n\n", Overlap())
    assert prose.feed("```js\nlet y;\n```\n") + prose.close() == "```js\nlet y;\n```\n"


def test_an_excerpt_whose_mark_finds_no_room_is_its_end() -> None:
    text = "".join(f"# Heading {number}\n\n{'words of it ' * 9}\n\n" for number in range(90))

    def strange(piece: str) -> int:
        return 10**6 if "; in it:" in piece else len(piece)

    assert text.endswith(excerpt(text, 1000, strange))


def test_a_quotation_never_begins_within_a_character() -> None:
    text = "".join(chr(0x1F400 + number) + "\u200d" for number in range(80))
    quote = echo_quote(text)
    assert quote is not None
    assert quote[0] != "\u200d"
    marks = "".join(f"-{chr(0x2200 + number)}\u0301" for number in range(40))
    found = echo_quote(marks)
    assert found is not None
    assert found[0] != "\u0301"


def test_a_shape_knows_a_fence_by_its_own_mark() -> None:
    assert Shape("~~~\n```py\n~~~\n").fence is None
    shape = Shape("```\n\n")
    assert shape.fence is not None
    assert not shape.fence.has_content


@pytest.mark.parametrize(
    ("text", "said", "joined"),
    [
        ("She bought salt and pepper", "s: two of each", "She bought salt and peppers: two of each"),
        ("Er las die alte", "n Briefe", "Er las die alten Briefe"),
        ("It was a pepper, and pepper", "a ground fine", "It was a pepper, and pepper a ground fine"),
        ("Und Das", "Boot kam", "Und Das Boot kam"),
        ("It was JavaScript, and Java", "Script it is", "It was JavaScript, and JavaScript it is"),
        ("He said no.\n\nShe went.\n", '"Why?" he asked.', 'He said no.\n\nShe went.\n\n"Why?" he asked.'),
    ],
)
def test_where_a_word_ends_and_where_a_paragraph_begins(text: str, said: str, joined: str) -> None:
    seam = Seam(text, Overlap())
    assert text + seam.feed(said) + seam.close() == joined


STORY = "The ferry left the harbour at nine, and the gulls"


@pytest.mark.parametrize(
    ("text", "remark", "is_dropped"),
    [
        (STORY, "Sure, here is the rest:\n\n", True),
        (f"{STORY} ", "Certainly! Continuing from where I left off:\n", True),
        ("渡船九点离开港口，而海鸥", "当然\uff0c以下是余下的内容\uff1a\n\n", True),
        (STORY, "\n\nSure, here is the rest:\n\n", False),
        (STORY, "sure, the rest of them:\n", False),
        (STORY, "The rest of them:\n", False),
        (STORY, "Sure, here is the rest: ", False),
        (STORY, "Sure.\n\n", False),
        (f"{STORY} cried.", "Sure, here is the rest:\n\n", False),
        (f"{STORY} cried\n", "Sure, here is the rest:\n\n", False),
    ],
)
def test_an_answer_within_a_sentence_is_none_of_the_authors_words(text: str, remark: str, is_dropped: bool) -> None:
    rest = "followed it far beyond the pier, as they did in all weathers and all the year."
    seam = Seam(text, Overlap())
    shown = seam.feed(remark + rest) + seam.close()
    assert (remark.strip() in shown) is not is_dropped
    assert shown.endswith(rest)

"""A document while it comes: any cutting gives the same, and what is shown is always the beginning of the whole."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentkit.structured import InvalidReply, PartialJson, wanted

CHECKS = settings(deadline=None, suppress_health_check=list(HealthCheck))

TEXTS = st.text(max_size=6) | st.sampled_from(["😀", "\ud83d", "\ude00\ud83d", 'a"b\\', "\n\u2028\x7f", "\x00"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
ROOTS = st.lists(VALUES, max_size=4) | st.dictionaries(TEXTS, VALUES, max_size=4)
BEFORE = st.sampled_from(["", "\n", "\ufeff", "```json\n", "Sure, [as asked], {you}: ", "- [ ] [x] {", "[tru", "{ "])
AFTER = st.sampled_from(["", "\n", "\n```", " That is [all] {of it}.", '}]{"a": 1}', "\\"])
SIGNS = [
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "1",
    "-",
    "2.5e",
    "tru",
    "true",
    "null ",
    " ",
    "\n",
    "x",
    "```",
    "\\",
    "\\u",
]
WORDS = ['"a"', "\\ud83d", "\\ude00", "\\n", "00e9", "\x01", '{"a": 1}', "[]"]
NOISE = st.lists(st.sampled_from(SIGNS + WORDS), max_size=30).map("".join)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, Any]:
    """The text of a document, and what it comes to."""
    root = draw(ROOTS)
    text = json.dumps(
        root,
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 1, "\t"])),
        separators=draw(st.sampled_from([None, (",", ":"), (" ,\r\n", " : ")])),
    )
    return text, json.loads(text)


def snapshots(text: str, under: str | None = None) -> list[Any]:
    """What is shown after each sign."""
    partial = PartialJson(under=under)
    made = [(partial.begun, partial.complete, None)]
    for sign in text:
        changed = partial.feed(sign)
        made.append((partial.begun, partial.complete, copy.deepcopy(partial.value)))
        assert changed or made[-1][2] == made[-2][2]
    return made


def begins(part: Any, whole: Any) -> bool:
    """What is shown is a beginning of the whole: only the last thing in it may grow."""
    match part:
        case str():
            return isinstance(whole, str) and whole.startswith(part)
        case list():
            is_list = isinstance(whole, list) and len(part) <= len(whole)
            return (
                is_list and part[:-1] == whole[: len(part[:-1])] and all(map(begins, part[-1:], whole[len(part) - 1 :]))
            )
        case dict():
            keys = list(part)
            is_dict = isinstance(whole, dict) and keys == list(whole)[: len(keys)]
            return is_dict and all(begins(part[key], whole[key]) for key in keys)
        case _:
            return type(part) is type(whole) and part == whole


@given(documents(), BEFORE, AFTER, st.data())
@settings(CHECKS, max_examples=200)
def test_the_whole_comes_to_what_json_makes_of_it(
    document: tuple[str, Any], before: str, after: str, data: st.DataObject
) -> None:
    text, whole = document
    partial = PartialJson()
    place, said = 0, before + text + after
    while place < len(said):
        size = data.draw(st.integers(1, 20))
        partial.feed(said[place : place + size])
        assert partial.begun == (partial.value is not None)
        assert not partial.begun or begins(partial.value, whole)
        place += size
    assert partial.complete
    assert partial.value == whole


@given(st.one_of(documents().map(lambda it: it[0]), NOISE), BEFORE, st.sampled_from([None, "a"]), st.data())
@settings(CHECKS, max_examples=60)
def test_any_cutting_shows_the_same_at_the_same_place(
    text: str, before: str, under: str | None, data: st.DataObject
) -> None:
    said = before + text
    shown = snapshots(said, under)
    partial, place = PartialJson(under=under), 0
    while place < len(said):
        size = data.draw(st.integers(0, 12))
        partial.feed(said[place : place + size])
        place = min(place + size, len(said))
        if data.draw(st.booleans()):
            assert (partial.begun, partial.complete, partial.value) == shown[place]
    assert (partial.begun, partial.complete, partial.value) == shown[-1]


@given(NOISE)
@settings(CHECKS, max_examples=500)
def test_what_is_read_was_shown(text: str) -> None:
    try:
        value = wanted(dict[str, Any]).read(text)
    except InvalidReply:
        return
    assert snapshots(text)[-1] in ((True, True, value), (True, True, {"value": value}))


def test_what_is_shown_step_by_step() -> None:
    shown = snapshots('{"a": "x\\ud83d\\ude00\\n", "b": [12, true, {}], "c": -1.5e3}')
    values: list[Any] = []
    for _, _, value in shown:
        if not values or value != values[-1]:
            values.append(value)
    text = "x😀\n"
    assert values == [
        None,
        {},
        {"a": ""},
        {"a": "x"},
        {"a": "x😀"},
        {"a": text},
        {"a": text, "b": []},
        {"a": text, "b": [12]},
        {"a": text, "b": [12, True]},
        {"a": text, "b": [12, True, {}]},
        {"a": text, "b": [12, True, {}], "c": -1500.0},
    ]


def test_what_is_shown_is_one_object_that_grows() -> None:
    partial = PartialJson()
    assert partial.value is None
    assert not partial.feed("Sure: {")
    assert partial.feed('"a": ["x')
    first = partial.value
    assert first == {"a": ["x"]}
    assert partial.feed('y"')
    assert partial.value is first
    assert first == {"a": ["xy"]}
    assert not partial.feed("]")
    assert not partial.feed("} and so on")
    assert partial.complete
    assert not partial.feed('{"b": 1}')
    assert partial.value is first


@pytest.mark.parametrize(
    ("into", "text", "shown"),
    [
        (list[int], "{", None),
        (list[int], '{"value"', None),
        (list[int], '{"value": [1, 2', [1]),
        (list[int], "[1, 2", [1]),
        (str | None, '{"value": "ab', "ab"),
        (int | None, '{"value": null}', None),
        (dict[str, int], '{"value": 1,', {"value": 1}),
        (dict[str, int] | int, '{"a": 1, "value": 2}', {"a": 1, "value": 2}),
    ],
)
def test_the_wrapper_of_a_value_is_not_shown(into: Any, text: str, shown: Any) -> None:
    partial = wanted(into).partial()
    partial.feed(text)
    assert partial.value == shown
    assert partial.begun == (shown is not None or "null" in text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("42", None),
        ('"a"', None),
        ("no JSON", None),
        ('{"a": 1x, "b": 2}', {}),
        ('{"a": NaN}', {}),
        ('{"a": 1e999}', {}),
        ('{"a": ' + "1" * 5_000 + "}", {}),
        ('{"a": 01}', {}),
        ('{"a": truth}', {}),
        ('{"a": ?}', {}),
        ('{"a" 1}', {}),
        ('{"a": "x\ny"}', {"a": "x"}),
        ('{"a": "x\\qy"}', {"a": "x"}),
        ('{"a": "x\\u00g0"}', {"a": "x"}),
        ('{"a": [1, 2}', {"a": [1, 2]}),
        ('{"a": 1, }', {"a": 1}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('{"a": 1, 2', {"a": 1}),
        ("[1, ]", [1]),
        ("[1 2]", [1]),
        ('[["a\x01b', [["a"]]),
    ],
)
def test_what_is_broken_stays_as_it_was_before(text: str, shown: Any) -> None:
    partial = PartialJson()
    partial.feed(text)
    assert not partial.complete or text.endswith("2}")
    partial.feed(' "more": 1}]}')
    assert partial.value == shown


def test_what_goes_too_deep_is_not_shown() -> None:
    partial = PartialJson()
    partial.feed("[" * 100_000)
    depth, value = 0, partial.value
    while value is not None:
        depth, value = depth + 1, (value[0] if value else None)
    assert depth == 500


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", ["records", "text", "escapes", "number", "blanks", "noise"])
def test_a_document_of_a_million_signs_in_a_hundred_thousand_pieces(kind: str) -> None:
    """Were each piece to cost as much as what came before, this would take many minutes."""
    made: Any = {
        "records": [{"name": "a text", "count": place, "tags": ["é", None, 0.5]} for place in range(15_000)],
        "text": {"it": "word " * 200_000},
        "escapes": {"it": "\n\u00e9" * 125_000},
        "number": [0.5],
        "blanks": [1],
        "noise": [2],
    }[kind]
    text = json.dumps(made)
    if kind == "number":
        text = f"[0.5{'0' * 1_000_000}]"
    elif kind == "blanks":
        text = f"[1{' ' * 1_000_000}]"
    elif kind == "noise":
        text = f"{'{x} [y] ' * 125_000}[2]"
    size = len(text) // 100_000
    partial = PartialJson()
    began = time.process_time()
    for place in range(0, len(text), size):
        partial.feed(text[place : place + size])
        assert partial.begun == (partial.value is not None)
    assert time.process_time() - began < 60
    assert partial.complete
    assert partial.value == made

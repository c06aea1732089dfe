"""The schema of a tool allows just what its converter takes; jsonschema and msgspec are the judges."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema.validators import extend
from rfc3339_validator import validate_rfc3339
from shapes import DATES, DATETIMES, JSON, TIMES, UUIDS, Colour, Left, Level, Node, Tree, Word, pairs

from agentkit.errors import Unsupported
from agentkit.tools import AnyTool, InvalidArguments, Tool
from agentkit.tools._define import define

CHECKS = settings(deadline=None, suppress_health_check=list(HealthCheck))


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Any:
    """As ECMA 262 has it: $ is the very end, where Python lets a line break come after it."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield jsonschema.ValidationError("no match")


FORMATS = jsonschema.FormatChecker(["date-time", "date", "uuid"])


@FORMATS.checks("date-time")
def _is_moment(instance: object) -> bool:
    """The validator behind it takes a line break at the end, which RFC 3339 does not know."""
    return not isinstance(instance, str) or (validate_rfc3339(instance) and not instance.endswith("\n"))


Validator: Any = extend(jsonschema.Draft202012Validator, {"pattern": _pattern})


def validator_of(schema: Mapping[str, Any]) -> Any:
    jsonschema.Draft202012Validator.check_schema(schema)
    return Validator(schema, format_checker=FORMATS)


def tool_of(hint: Any, *, optional: bool = False) -> AnyTool:
    """A tool with one parameter of this hint."""

    def look(it: Any = None) -> Any:
        return it

    def see(it: Any) -> Any:
        return it

    made = look if optional else see
    made.__annotations__["it"] = hint
    return define(made)


def takes(tool: Tool[..., Any], arguments: Any) -> bool:
    try:
        tool.bind(arguments)
    except InvalidArguments:
        return False
    return True


def check(data: st.DataObject) -> None:
    hint, values = data.draw(pairs())
    optional = data.draw(st.booleans())
    tool = tool_of(hint, optional=optional)
    schema = json.loads(json.dumps(tool.parameters))
    validator = validator_of(schema)
    for _ in range(10):
        arguments = data.draw(
            st.fixed_dictionaries({"it": values}) | st.dictionaries(st.sampled_from(["it", "x"]), JSON)
        )
        assert takes(tool, arguments) == validator.is_valid(arguments), (hint, arguments, schema)


@given(st.data())
@settings(CHECKS, max_examples=150)
def test_the_schema_allows_what_the_converter_takes(data: st.DataObject) -> None:
    check(data)


@pytest.mark.slow
@pytest.mark.timeout(900)
@given(st.data())
@settings(CHECKS, max_examples=1050)
def test_the_schema_allows_what_the_converter_takes_at_length(data: st.DataObject) -> None:
    check(data)


@given(st.data())
@settings(CHECKS, max_examples=100)
def test_the_strict_schema_allows_what_is_bound_strictly(data: st.DataObject) -> None:
    hint, values = data.draw(pairs())
    tool = tool_of(hint, optional=data.draw(st.booleans()))
    try:
        strict = tool.strictly()
    except Unsupported:
        return
    schema = strict.parameters
    _every_key_is_demanded(schema)
    validator = validator_of(schema)
    for _ in range(6):
        arguments = data.draw(st.fixed_dictionaries({"it": st.none() | values}) | st.just({}))
        assert takes(strict, arguments) == validator.is_valid(arguments), (hint, arguments, schema)


def _every_key_is_demanded(schema: Any) -> None:
    if isinstance(schema, list):
        for each in schema:
            _every_key_is_demanded(each)
    if isinstance(schema, dict):
        assert "default" not in schema or not isinstance(schema.get("type"), str)
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
            assert schema.get("required", []) == list(schema["properties"])
        for each in schema.values():
            _every_key_is_demanded(each)


# --- msgspec: another converter, where the types are the same

SHARED: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, st.text(max_size=3)),
    (bool, st.booleans()),
    (float, st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9)),
    (date, DATES),
    (UUID, UUIDS),
    (Word, st.sampled_from("abc")),
    (Colour, st.sampled_from(["red", "blue"])),
    (Level, st.integers(0, 4)),
    (Literal["a", 1], st.sampled_from(["a", 1, "b", 2])),
    (list[bool], st.lists(st.booleans())),
    (tuple[str, bool], st.tuples(st.text(max_size=1), st.booleans()).map(list)),
    (dict[str, bool], st.dictionaries(st.text(max_size=2), st.booleans())),
    (str | None, st.none() | st.text(max_size=2)),
    (Node, st.fixed_dictionaries({"a": st.integers(-9, 9)}, optional={"b": st.just([{"a": 1}])})),
    (Tree, st.fixed_dictionaries({}, optional={"b": st.integers(-9, 9) | st.none(), "a": st.just({"x": {}})})),
]


@given(st.data())
@settings(CHECKS, max_examples=600)
def test_msgspec_reads_the_same_values(data: st.DataObject) -> None:
    hint, values = data.draw(st.sampled_from(SHARED))
    value = data.draw(values | st.none() | st.text(max_size=2) | st.booleans())
    tool = tool_of(hint)
    try:
        expected = msgspec.convert(value, hint)
    except msgspec.ValidationError:
        assert not takes(tool, {"it": value}), (hint, value)
        return
    if hint is UUID and "-" not in value:  # msgspec takes a form that the format does not have
        assert not takes(tool, {"it": value})
        return
    assert tool.bind({"it": value}).arguments["it"] == expected


@given(DATETIMES | TIMES)
@settings(CHECKS, max_examples=500)
def test_dates_mean_what_they_mean_to_msgspec(text: str) -> None:
    """msgspec takes more forms; what is taken here it reads alike."""
    for hint in (datetime, time):
        tool = tool_of(hint)
        if takes(tool, {"it": text}):
            written = f"{text}:00" if hint is time and len(text) == 5 else text
            assert tool.bind({"it": text}).arguments["it"] == msgspec.convert(written, hint)


def test_a_moment_has_an_offset() -> None:
    tool = tool_of(datetime)
    assert tool.bind({"it": "2031-01-02T10:00:00+01:00"}).arguments["it"].utcoffset() is not None
    with pytest.raises(
        InvalidArguments, match=r'\$\.it: expected a date and time with an offset.*not "2031-01-02T10:00"'
    ):
        tool.bind({"it": "2031-01-02T10:00"})


def test_values_are_of_the_type_that_was_asked_for() -> None:
    for hint, value, expected in [
        (float, 5, 5.0),
        (int, 5.0, 5),
        (Decimal, 0.1, Decimal("0.1")),
        (Decimal, "2.50", Decimal("2.50")),
        (Path, "a/b", Path("a/b")),
        (set[int], [1, 1, 2], {1, 2}),
        (frozenset[str], ["a"], frozenset("a")),
        (tuple[int, ...], [1, 2], (1, 2)),
        (Level, 2.0, Level.HIGH),
        (time, "08:30", time(8, 30)),
    ]:
        made = tool_of(hint).bind({"it": value}).arguments["it"]
        assert (made, type(made)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("hint", "good", "bad", "words"),
    [
        (bool, True, 1, "true or false"),
        (int, -5, 5.5, "a whole number"),
        (float, 0.5, "1", "a number"),
        (None, None, 0, "null"),
        (UUID, "00000000-0000-4000-8000-00000000000A", "0" * 32, "a UUID such as "),
        (date, "2024-02-29", "2023-02-29", 'a date such as "2031-01-02"'),
        (dict[str, int], {"a": 1}, {"a": "b"}, "a whole number"),
        (dict[str, int], {}, [], "an object"),
        (list[dict[str, int]] | None, [{"a": 1}], [1], "an object"),
        (list[int] | str, [1], 5, "an array or a text"),
        (tuple[int, str] | bool, [1, "a"], [1], "an array of 2 or true or false"),
        (dict[str, str] | None, None, "x", "an object or null"),
        (Annotated[int, "said of it"] | None, 1, "x", "a whole number or null"),
        (Level | None, 1, 5, "one of 1, 2 or null"),
        (Tree | None, {}, 5, "an object with a, b or null"),
    ],
)
def test_what_is_taken_and_what_is_not(hint: Any, good: Any, bad: Any, words: str) -> None:
    tool = tool_of(hint)
    validator = validator_of(tool.parameters)
    assert takes(tool, {"it": good})
    assert validator.is_valid({"it": good})
    assert not validator.is_valid({"it": bad})
    with pytest.raises(InvalidArguments) as found:
        tool.bind({"it": bad})
    assert found.value.problems[0].message.startswith(f"expected {words}")


def test_what_no_schema_can_say() -> None:
    """A whole number beyond all floats is a number to a schema."""
    huge = 10**400
    assert validator_of(tool_of(float).parameters).is_valid({"it": huge})
    assert not takes(tool_of(float), {"it": huge})
    assert tool_of(int).bind({"it": huge}).arguments["it"] == huge
    assert tool_of(Decimal).bind({"it": huge}).arguments["it"] == huge
    assert not takes(tool_of(float), {"it": float("inf")})
    assert not takes(tool_of(int), {"it": float("nan")})


def test_choices_within_choices_take_no_time() -> None:
    """Each of forty levels fits two classes, which would be a million million ways."""
    value: Any = "no number"
    for _ in range(40):
        value = {"child": value}
    with pytest.raises(InvalidArguments) as found:
        tool_of(Left).bind({"it": value})
    assert [problem.path for problem in found.value.problems] == ["$.it" + ".child" * 40]


def test_arguments_without_a_bottom() -> None:
    value: Any = {}
    for _ in range(100_000):
        value = {"a": {"x": value}}
    with pytest.raises(InvalidArguments, match="nested too deeply"):
        tool_of(Tree).bind({"it": value})

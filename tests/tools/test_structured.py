"""Replies that are values: what is asked for, what is taken, and what the model is told where it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Optional, TypedDict
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapes import JSON, Colour, Level, Node, Tree, pairs
from test_tool_schema import validator_of

from agentkit.errors import AgentKitError, InvalidInput
from agentkit.provider import ReplyShape
from agentkit.structured import InvalidReply, Wanted, wanted
from agentkit.tools import InvalidArguments, text_of
from agentkit.tools._results import plain
from agentkit.tools._schema import schema_of

CHECKS = settings(deadline=None, suppress_health_check=list(HealthCheck))


@attrs.frozen
class Step:
    what: str
    minutes: int = 5


@attrs.frozen
class Plan:
    """What is planned.

    And more about it.
    """

    title: str
    steps: list[Step]


@dataclass(frozen=True)
class Stop:
    where: str
    when: date | None = None
    notes: list[str] = field(default_factory=list)


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Film(TypedDict):
    name: str
    year: NotRequired[int]


class Model(pydantic.BaseModel):
    """A model."""

    name: str
    made: date


class Wheel(msgspec.Struct):
    size: int


class Car(msgspec.Struct):
    wheels: list[Wheel]


class Pair(msgspec.Struct, array_like=True):
    a: int
    b: int


class Even(pydantic.RootModel[list[int]]):
    pass


@attrs.frozen
class Box:
    value: int


@attrs.frozen
class Seats:
    count: int = attrs.field(validator=attrs.validators.ge(1))


PLAN = Plan("Monday", [Step("swim", 30), Step("rest")])
PLAN_JSON = '{"title": "Monday", "steps": [{"what": "swim", "minutes": 30}, {"what": "rest", "minutes": null}]}'


def refused(into: Any, text: str) -> InvalidReply:
    with pytest.raises(InvalidReply) as found:
        wanted(into).read(text)
    assert found.value.text == text
    assert len(str(found.value)) < 6_000
    return found.value


# --- what is taken


@pytest.mark.parametrize(
    ("into", "text", "value"),
    [
        (Plan, PLAN_JSON, PLAN),
        (Stop, '{"where": "Rome", "when": "2031-01-02", "notes": ["a"]}', Stop("Rome", date(2031, 1, 2), ["a"])),
        (Point, '{"x": 1, "y": 2.5}', Point(1.0, 2.5)),
        (Film, '{"name": "M", "year": null}', {"name": "M"}),
        (Model, '{"name": "a", "made": "2031-01-02"}', Model(name="a", made=date(2031, 1, 2))),
        (Car, '{"wheels": [{"size": 3}]}', Car([Wheel(3)])),
        (Pair, '{"value": [1, 2]}', Pair(1, 2)),
        (Even, '{"value": [2, 4]}', Even([2, 4])),
        (Node, '{"a": 1, "b": [{"a": 2, "b": null}]}', Node(1, [Node(2)])),
        (Tree, '{"a": {"x": {}}}', Tree({"x": Tree()})),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (dict[str, Any], '{"value": {"a": 1}}', {"value": {"a": 1}}),
        (Colour, '{"value": "red"}', Colour.RED),
        (Level, '{"value": 2}', Level.HIGH),
        (Literal["yes", "no"], '{"value": "yes"}', "yes"),
        (int | str, '{"value": "5"}', "5"),
        (Plan | None, '{"value": null}', None),
        (Optional[Step], '{"value": {"what": "a", "minutes": 1}}', Step("a", 1)),  # noqa: UP045
        (list[Step], '{"value": [{"what": "a", "minutes": 1}]}', [Step("a", 1)]),
        (tuple[int, str], '{"value": [1, "a"]}', (1, "a")),
        (set[int], '{"value": [1, 1]}', {1}),
        (int, '{"value": 5}', 5),
        (float, '{"value": 5}', 5.0),
        (bool, '{"value": true}', True),
        (None, '{"value": null}', None),
        (datetime, '{"value": "2031-01-02T10:00:00Z"}', datetime(2031, 1, 2, 10, tzinfo=UTC)),
        (Decimal, '{"value": "2.50"}', Decimal("2.50")),
        (Path, '{"value": "a/b"}', Path("a/b")),
        (Any, '{"value": [1, {"a": 2}]}', [1, {"a": 2}]),
        (Annotated[list[int], "three primes"], '{"value": [2, 3, 5]}', [2, 3, 5]),
        (Annotated[Step, "the next"], '{"what": "a", "minutes": 1}', Step("a", 1)),
        (Box, '{"value": 5}', Box(5)),
        (Box | int, '{"value": {"value": 5}}', Box(5)),
        (Box | int, '{"value": 5}', 5),
    ],
)
def test_each_kind_of_value(into: Any, text: str, value: Any) -> None:
    want = wanted(into)
    made = want.read(text)
    assert (made, type(made)) == (value, type(value))
    assert validator_of(json.loads(json.dumps(want.schema))).is_valid(json.loads(text)) or not want.strict
    assert want.schema["type"] == "object"
    assert want.take(json.loads(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        f"\n\t {PLAN_JSON} \r\n",
        f"\ufeff{PLAN_JSON}",
        f"```json\n{PLAN_JSON}\n```",
        f"```\r\n{PLAN_JSON}\r\n```\n",
        f"Here is the plan:\n\n```json\n{PLAN_JSON}\n```\nHave fun!",
        f"Here is [a plan] for {{you}}, as asked, {PLAN_JSON} - [x] done, [ ] open.",
        f"```json\n{PLAN_JSON}",
        f"3 words: {PLAN_JSON}",
        f'"Gladly!" {PLAN_JSON}, I said, "always".',
        json.dumps({"value": json.loads(PLAN_JSON)}),
        f"Sure: {json.dumps({'value': json.loads(PLAN_JSON)}, indent=2)}",
        '{"title": "Monday", "steps": [{"what": "swim", "minutes": 30.0}, {"what": "rest"}]}',
    ],
)
def test_what_is_around_the_json_is_forgiven(text: str) -> None:
    assert wanted(Plan).read(text) == PLAN


@pytest.mark.parametrize(
    ("into", "text", "value"),
    [
        (list[int], "[1, 2]", [1, 2]),
        (list[int], "```json\n[1, 2]\n```", [1, 2]),
        (list[int], "They are [1, 2].", [1, 2]),
        (list[int], "[]", []),
        (int, "42", 42),
        (int, "```\n42\n```", 42),
        (bool, " true\n", True),
        (Colour, '"red"', Colour.RED),
        (Step | None, "null", None),
        (Step | None, '{"what": "a", "minutes": null}', Step("a")),
        (Step | Point, '{"what": "a"}', Step("a")),
        (dict[str, int], '{"value": {"a": 1}}', {"a": 1}),
        (Even, "[2]", Even([2])),
    ],
)
def test_the_wrapper_may_be_there_or_not(into: Any, text: str, value: Any) -> None:
    assert wanted(into).read(text) == value


def test_a_text_is_taken_as_it_is() -> None:
    want = wanted(str)
    assert want.is_text
    assert want.read(' {"value": 1}\n') == ' {"value": 1}\n'
    assert want.instructions == ""
    assert not wanted(str | None).is_text
    assert wanted(str | None).read('"a"') == "a"


# --- what is not


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no JSON in the reply"),
        ("```json\n```", "there is no JSON in the reply"),
        ("I cannot do that [sorry].", "there is no JSON in the reply"),
        (PLAN_JSON[:-20], "the JSON ends before it is whole"),
        (PLAN_JSON[:12], "the JSON ends before it is whole"),
        (f"Sure: {PLAN_JSON[:-1]}", "the JSON ends before it is whole"),
        ("{", "the JSON ends before it is whole"),
        ("{title: 1}", "this is not valid JSON: "),
        ("```json\n{title: 1}\n```", "this is not valid JSON: "),
        ('{"title": "a" "steps": []}', "this is not valid JSON: "),
        ("{'title': 'a', 'steps': []}", "this is not valid JSON: "),
        ('{"title": "a", "steps": [],}', "this is not valid JSON: "),
        ('{"title": "a\nb", "steps": []}', "this is not valid JSON: "),
        ('{"title": tr, "steps": []}', "this is not valid JSON: "),
        (f"{PLAN_JSON}\n{PLAN_JSON}", "there is more than one JSON document in the reply; it has to be exactly one"),
        (f"[1] says: {PLAN_JSON}", "there is more than one JSON document in the reply"),
        (f"{PLAN_JSON}}}", "there are brackets or keys outside of the JSON"),
        (f'{PLAN_JSON}, "more": 1}}', "there are brackets or keys outside of the JSON"),
        (f"Sure: {{{PLAN_JSON}", "there are brackets or keys outside of the JSON"),
        (f"{PLAN_JSON} {{", "there are brackets or keys outside of the JSON"),
        (f"{{{PLAN_JSON}}}", "this is not valid JSON: "),
        ('{title: {"title": "a", "steps": []}, more: 1}', "this is not valid JSON: "),
        (f'"plan": {PLAN_JSON}', "there are brackets or keys outside of the JSON"),
        ('{"title": "a", "steps": [], "title": "b"}', 'the key "title" stands twice in one object'),
        ('Sure: {"title": NaN, "steps": []}', "NaN is not valid JSON"),
        ('{"title": -Infinity, "steps": []}', "-Infinity is not valid JSON"),
        ('{"title": 1e999, "steps": []}', "the number 1e999 is too large"),
        ('{"title": ' + "1" * 5_000 + "}", "a whole number of 5,000 digits is too long"),
        ("[" * 100_000, "the JSON is nested too deeply"),
        ('{"a":' * 100_000, "the JSON is nested too deeply"),
        ("Sure: " + "[" * 100_000 + "]" * 100_000, "the JSON is nested too deeply"),
    ],
)
def test_what_is_no_json_is_refused(text: str, says: str) -> None:
    error = refused(Plan, text)
    assert [problem.path for problem in error.problems] == ["$"]
    assert error.problems[0].message.startswith(says)
    assert f"\n- $: {says}" in str(error)


def test_what_the_model_is_told() -> None:
    error = refused(Plan, '{"title": 1, "steps": [{"what": "a", "minutes": "5"}, 3], "more": 1}')
    assert isinstance(error, AgentKitError)
    assert not isinstance(error, InvalidInput)
    assert str(error) == (
        "This is not the JSON that was asked for:\n"
        "- $.title: expected a text, not 1\n"
        '- $.steps[0].minutes: expected a whole number, not "5"\n'
        "- $.steps[1]: expected an object with what, minutes, not 3\n"
        "- $.more: there is nothing of this name; the names are: title, steps\n"
        "Write the whole JSON once more, put right, and nothing else."
    )


@pytest.mark.parametrize(
    ("into", "text", "lines"),
    [
        (Step, '"a"', ['$: expected an object with what, minutes, not "a"']),
        (list[int], '[1, "a"]', ['$.value[1]: expected a whole number, not "a"']),
        (list[int], '{"value": [1.5]}', ["$.value[0]: expected a whole number, not 1.5"]),
        (list[int], "5", ["$.value: expected an array, not 5"]),
        (
            list[int],
            '{"items": [1]}',
            ["$.value: is missing: an array", "$.items: there is nothing of this name; the names are: value"],
        ),
        (Step | None, '{"what": 1, "minutes": 2}', ["$.value.what: expected a text, not 1"]),
        (Colour, '{"value": "blue"}', ['$.value: expected one of "red", "green", not "blue"']),
        (Step, '{"value": {"what": 1}}', None),
        (Seats, '{"count": 0}', None),
        (Model, '{"name": 1, "made": "2031-01-02"}', ["$.name: Input should be a valid string"]),
        (float, "1" + "0" * 400, None),
        (tuple[int, str], "[1]", ["$.value: expected an array of 2, not [1]"]),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(into: Any, text: str, lines: list[str] | None) -> None:
    error = refused(into, text)
    if lines is not None:
        assert [f"{problem.path}: {problem.message}" for problem in error.problems] == lines


def test_what_is_told_is_bounded() -> None:
    fields = [(f"field_with_a_long_name_{number}", int) for number in range(300)]
    wide = make_dataclass("Wide", fields)
    text = json.dumps({"k" * 10_000 + str(number): "v" * 10_000 for number in range(200)})
    error = refused(wide, text)
    assert len(error.problems) == 500
    assert "- and 490 more\n" in str(error)
    assert len(str(refused(Plan, json.dumps({"title": ["v" * 100_000], "more" * 1_000: 1})))) < 2_000
    assert len(str(refused(Plan, '{"%s": 1, "%s": 1}' % (("k" * 5_000,) * 2)))) < 500


def test_half_a_character_is_told_as_json_writes_it() -> None:
    error = refused(Step, '{"what": 1, "\\ud83d": "\\ud83d"}')
    assert str(error).encode("utf-8")
    assert '$["\\ud83d"]: ' in str(error)


def test_an_object_that_goes_very_deep() -> None:
    deep = '{"a": {"x": ' * 300 + "{}" + "}}" * 300
    assert "nested too deeply" in str(refused(Tree, deep))


# --- what a backend is told


def test_the_shape_of_a_request() -> None:
    want = wanted(Plan)
    assert want.shape == ReplyShape(name="Plan", schema=want.schema, strict=True)
    assert want.schema == {
        "description": "What is planned.",
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "steps": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"what": {"type": "string"}, "minutes": {"type": ["integer", "null"]}},
                    "required": ["what", "minutes"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["title", "steps"],
        "additionalProperties": False,
    }
    assert wanted(list[int]).schema == {
        "type": "object",
        "properties": {"value": {"type": "array", "items": {"type": "integer"}}},
        "required": ["value"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("into", "name", "strict", "about"),
    [
        (Plan, "Plan", True, "What is planned."),
        (Node, "Node", True, "Holds itself."),
        (Film, "Film", True, ""),
        (Model, "Model", False, "A model."),
        (Car, "Car", False, ""),
        (Annotated[Step, "the next"], "answer", True, "the next"),
        (list[Plan], "answer", True, ""),
        (Plan | None, "answer", True, ""),
        (dict[str, int], "answer", False, ""),
        (list[Any], "answer", False, ""),
        (int, "int", True, ""),
        (make_dataclass("Größe" * 30, [("a", int)]), ("Gr_e" * 30)[:64], True, ""),
        (make_dataclass("計画", [("a", int)]), "answer", True, ""),
    ],
)
def test_names_and_strictness(into: Any, name: str, strict: bool, about: str) -> None:
    want = wanted(into)
    assert (want.name, want.strict) == (name, strict)
    assert want.schema.get("description", "") == about
    assert "schema" not in repr(want)


def test_what_a_model_without_the_mode_is_told() -> None:
    told = wanted(Plan).instructions
    words, _, schema = told.partition("\n\n")
    assert json.loads(schema) == wanted(Plan).schema
    assert "JSON alone" in words
    assert len(words) < 200


def without_schema() -> Any:
    class Self(pydantic.BaseModel):
        call: Callable[[], int]

    return Self


@pytest.mark.parametrize(
    ("into", "says"),
    [
        (bytes, "into=bytes: bytes cannot be described to a model; take a str"),
        (list[bytes], r"into=list\[bytes\]: bytes cannot be described"),
        (5, "into=5: 5 cannot be described to a model; use str, int"),
        ("Plan", "into='Plan': 'Plan' cannot be described"),
        ([int], "cannot be described"),
        (dict[int, str], "the keys of an object are texts"),
        (object(), "cannot be described"),
        (make_dataclass("Bad", [("a", complex)]), "Bad, field 'a': complex cannot be described"),
        (without_schema(), "Self has no schema: PydanticInvalidForJsonSchema"),
        (msgspec.defstruct("Odd", [("a", complex)]), "Odd has no schema: TypeError"),
        (Enum("Empty", {}), "needs values that JSON has"),
    ],
)
def test_what_cannot_be_described_is_an_error_at_once(into: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        wanted(into)


# --- as a tool


def test_the_value_as_the_arguments_of_a_call() -> None:
    want = wanted(Plan)
    tool = want.as_tool()
    assert (tool.name, tool.ends_turn, tool.strict, tool.parameters) == ("answer", True, True, want.schema)
    assert (tool.approve, tool.rerun) == ("auto", "rerun")
    assert tool.description.endswith(" Call it once. What is planned.")
    call = tool.bind(json.loads(PLAN_JSON))
    assert call.arguments == {"value": PLAN}
    assert text_of(call.run()) == "Received."
    assert want.take(json.loads(PLAN_JSON)) == PLAN
    with pytest.raises(InvalidArguments, match=r"do not fit answer.*\n- \$\.steps: is missing: an array\n"):
        tool.bind({"title": "a"})
    assert tool.strictly().parameters == {key: value for key, value in want.schema.items() if key != "description"}


def test_the_tool_of_a_value_that_is_no_object() -> None:
    tool = wanted(list[int]).as_tool("numbers")
    assert (tool.name, tool.description) == (
        "numbers",
        "Give your answer with this tool: its arguments are the answer. Call it once.",
    )
    assert tool.bind({"value": [1]}).arguments == {"value": [1]}
    with pytest.raises(InvalidInput, match="cannot have the name"):
        wanted(int).as_tool("no name")


# --- by chance


def fits(want: Wanted[Any], validators: list[Any], value: Any) -> bool:
    """What the schemas say: that of the server, and that of the hint, where null and a key left out are two things."""
    is_object = isinstance(value, dict)
    wrapped = want._wrapped
    forms = [value] if is_object or not wrapped else []
    if wrapped:
        forms.append({"value": value})
    elif is_object and value.keys() == {"value"}:
        forms.append(value["value"])
    return any(validator.is_valid(form) for validator in validators for form in forms)


def check_against_the_schema(data: st.DataObject) -> None:
    hint, values = data.draw(pairs())
    want = wanted(hint)
    validators = [validator_of(json.loads(json.dumps(schema_of(outline)))) for outline in want._outlines]
    for _ in range(4):
        value = data.draw(values | st.fixed_dictionaries({"value": values}) | JSON)
        text = json.dumps(value, ensure_ascii=data.draw(st.booleans()))
        try:
            made = want.read(text)
        except InvalidReply:
            assert not fits(want, validators, value), (hint, value)
        else:
            assert want.is_text or fits(want, validators, value), (hint, value)
            assert want.is_text or text[0] != "{" or repr(made) == repr(want.read(f"Here: ```json\n{text}\n```"))


@given(st.data())
@settings(CHECKS, max_examples=60)
def test_what_the_schema_refuses_is_refused(data: st.DataObject) -> None:
    check_against_the_schema(data)


@pytest.mark.slow
@pytest.mark.no_cover
@given(st.data())
@settings(CHECKS, max_examples=450)
def test_what_the_schema_refuses_is_refused_at_length(data: st.DataObject) -> None:
    check_against_the_schema(data)


Instances = tuple[Any, st.SearchStrategy[Any]]

LEAVES: list[Instances] = [
    (str, st.text(max_size=5)),
    (int, st.integers()),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (bool, st.booleans()),
    (date, st.dates()),
    (datetime, st.datetimes(timezones=st.just(UTC))),
    (UUID, st.uuids()),
    (Decimal, st.decimals(-1000, 1000, places=2)),
    (Colour, st.sampled_from(Colour)),
    (Level, st.sampled_from(Level)),
    (Literal["a", 1, None], st.sampled_from(["a", 1, None])),
    (Step, st.builds(Step, st.text(max_size=3), st.integers())),
    (Stop, st.builds(Stop, st.text(max_size=3), st.none() | st.dates(), st.lists(st.text(max_size=2), max_size=2))),
    (Point, st.builds(Point, st.floats(-9, 9), st.floats(-9, 9))),
    (Box, st.builds(Box, st.integers())),
    (Node, st.recursive(st.builds(Node, st.integers()), lambda n: st.builds(Node, st.integers(), st.lists(n)))),
    (Model, st.builds(Model, name=st.text(max_size=3), made=st.dates())),
    (Car, st.builds(Car, st.lists(st.builds(Wheel, st.integers(0, 9)), max_size=2))),
]


@st.composite
def instances(draw: st.DrawFn, depth: int = 3) -> Instances:
    """A hint and its instances."""
    kind = draw(st.sampled_from(["leaf", "leaf", "list", "tuple", "row", "table", "optional", "attrs", "dataclass"]))
    if kind == "leaf" or not depth:
        return draw(st.sampled_from(LEAVES))
    hint, values = draw(instances(depth - 1))
    match kind:
        case "list":
            return list[hint], st.lists(values, max_size=3)
        case "tuple":
            return tuple[hint, ...], st.lists(values, max_size=3).map(tuple)
        case "row":
            other, more = draw(instances(depth - 1))
            return tuple[hint, other], st.tuples(values, more)
        case "table":
            return dict[str, hint], st.dictionaries(st.text(max_size=3), values, max_size=3)
        case "optional":
            return Optional[hint], st.none() | values  # noqa: UP045 - a hint may be a text
        case "attrs":
            made: Any = attrs.make_class("Made", {"a": attrs.field(type=hint), "value": attrs.field(type=hint)})
        case _:
            made = make_dataclass("Made", [("a", hint), ("value", hint)])
    return made, st.builds(made, values, values)


def check_there_and_back(data: st.DataObject) -> None:
    hint, values = data.draw(instances())
    want = wanted(hint)
    for _ in range(4):
        value = data.draw(values)
        bare = plain(value)
        written = {"value": bare} if want._wrapped and data.draw(st.booleans()) else bare
        text = json.dumps(written, indent=data.draw(st.sampled_from([None, 2])), ensure_ascii=data.draw(st.booleans()))
        made = want.read(text)
        assert made == text if want.is_text else (made, type(made)) == (value, type(value))


@given(st.data())
@settings(CHECKS, max_examples=60)
def test_a_value_comes_back_from_its_json(data: st.DataObject) -> None:
    check_there_and_back(data)


@pytest.mark.slow
@pytest.mark.no_cover
@given(st.data())
@settings(CHECKS, max_examples=450)
def test_a_value_comes_back_from_its_json_at_length(data: st.DataObject) -> None:
    check_there_and_back(data)


@given(
    st.lists(
        st.sampled_from(['{"a": 1}', "{", "}", "[", "]", '"', ":", ",", "1", "tru", "true", " ", "\n", "x", "```"])
    )
)
@settings(CHECKS, max_examples=300)
def test_whatever_a_model_says_is_read_or_refused(pieces: list[str]) -> None:
    text = "".join(pieces)
    try:
        made = wanted(dict[str, Any]).read(text)
    except InvalidReply:
        return
    assert text.count(json.dumps(made)) == 1 or made == json.loads(text.strip("`\n "))

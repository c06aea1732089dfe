"""Tool calls: who is called, with what, and what is said of the result."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_client import ask, stream, tool_schema, user

from agentkit.sim import Simulator
from agentkit.sim.schema import arguments, example

WEATHER = tool_schema(
    "get_weather",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 1, "maximum": 7},
            "unit": {"enum": ["celsius", "kelvin"]},
        },
        "required": ["city", "days", "unit"],
        "additionalProperties": False,
    },
)
TIDES = tool_schema("tides")


def valid(value: Any, schema: Any, root: Any) -> bool:
    """A checker of the part of JSON schema that is used here, written for the tests."""
    if schema is True or schema is False:
        return bool(schema)
    if "$ref" in schema:
        target = root
        for step in schema["$ref"].split("/")[1:]:
            target = target[step]
        if not valid(value, target, root):
            return False
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if any(not valid(value, part, root) for part in schema.get("allOf", ())):
        return False
    if "anyOf" in schema and not any(valid(value, part, root) for part in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(valid(value, part, root) for part in schema["oneOf"]) != 1:
        return False
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return (not kinds or any(_is(value, kind) for kind in kinds)) and _fits(value, schema, root)


def _is(value: Any, kind: str) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "string": isinstance(value, str),
        "integer": number and float(value).is_integer(),
        "number": number,
        "boolean": isinstance(value, bool),
        "null": value is None,
    }[kind]


def _fits(value: Any, schema: dict[str, Any], root: Any) -> bool:
    match value:
        case dict():
            known = schema.get("properties", {})
            more = schema.get("additionalProperties", True)
            return all(key in value for key in schema.get("required", ())) and all(
                valid(inner, known.get(key, more), root) for key, inner in value.items()
            )
        case list():
            unique = len({json.dumps(item) for item in value}) == len(value)
            first = schema.get("prefixItems", [])
            return (
                schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**6)
                and (unique or not schema.get("uniqueItems"))
                and all(
                    valid(item, first[place] if place < len(first) else schema.get("items", True), root)
                    for place, item in enumerate(value)
                )
            )
        case str():
            return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**6)
        case int() | float() if not isinstance(value, bool):
            step = schema.get("multipleOf", 0)
            return (
                schema.get("minimum", value) <= value <= schema.get("maximum", value)
                and schema.get("exclusiveMinimum", value - 1) < value < schema.get("exclusiveMaximum", value + 1)
                and (not step or abs(value / step - round(value / step)) < 1e-9)
            )
        case _:
            return True


def _bounded(kind: str, low: int, width: int) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from([("minimum", "maximum"), ("exclusiveMinimum", "exclusiveMaximum"), ("minimum", None)])
    return names.map(
        lambda pair: {"type": kind, pair[0]: low, **({pair[1]: low + width + 2} if pair[1] else {})},
    )


LEAVES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.sampled_from(
        [
            {"type": "boolean"},
            {"type": "null"},
            {"const": {"a": [1]}},
            {"enum": ["a", 5, None]},
            {"type": ["string", "null"]},
            {"type": "string", "format": "date-time"},
            {"type": "integer", "multipleOf": 7, "minimum": 3},
            {"type": "number", "multipleOf": 0.25, "maximum": -1},
            {"type": "number"},
            {"type": "integer", "exclusiveMinimum": 1.5, "maximum": 2},
            {"type": "integer", "default": 12},
            {"$ref": "#/$defs/leaf"},
            {"$ref": "#/$defs/tree"},
            {"allOf": [{"type": "object", "properties": {"a": {"type": "null"}}}, {"required": ["a"]}]},
            {"allOf": [{"$ref": "#/$defs/leaf"}, {"minLength": 1}]},
            {"minimum": 3},
            {"properties": {"x": {"type": "string"}}},
            {"items": {"type": "null"}},
            {},
            True,
        ]
    ),
    st.builds(_bounded, st.sampled_from(["integer", "number"]), st.integers(-50, 50), st.integers(0, 9)).flatmap(
        lambda strategy: strategy
    ),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more}, *[st.integers(0, 30)] * 2
    ),
)


def _deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["city", "name", "a", "b", "c"])
    return st.one_of(
        st.builds(
            lambda properties, wanted, closed: {
                "type": "object",
                "properties": properties,
                "required": [name for name in properties if name in wanted],
                **({"additionalProperties": False} if closed else {}),
            },
            st.dictionaries(names, inner, max_size=4),
            st.sets(names),
            st.booleans(),
        ),
        st.builds(lambda items, low, more: {"type": "array", "items": items, "minItems": low, "maxItems": low + more},
                  inner, st.integers(0, 3), st.integers(0, 3)),
        st.builds(lambda first, items: {"type": "array", "prefixItems": [first], "items": items}, inner, inner),
        st.builds(lambda *parts: {"anyOf": list(parts)}, inner, inner),
        st.builds(lambda value: {"type": "object", "additionalProperties": value}, inner),
    )  # fmt: skip


SCHEMAS = st.recursive(LEAVES, _deeper, max_leaves=8)
DEFS = {
    "leaf": {"type": "string"},
    "tree": {
        "type": "object",
        "properties": {"value": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]}},
        "required": ["value", "next"],
    },
}


@settings(max_examples=400, deadline=None)
@given(SCHEMAS, st.integers(0, 99))
def test_arguments_follow_the_schema(schema: Any, seed: int) -> None:
    whole = {"type": "object", "properties": {"it": schema}, "required": ["it"], "$defs": DEFS}
    made = arguments(whole, seed)
    assert json.loads(json.dumps(made)) == made
    assert valid(made, whole, whole), made
    assert arguments(whole, seed) == made


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "uniqueItems": True, "minItems": 4, "maxItems": 4, "items": {"type": "integer"}},
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": "number", "multipleOf": 0.25, "minimum": 1, "exclusiveMaximum": 3},
        {"type": "integer", "multipleOf": 7, "minimum": 3, "maximum": 20},
        {"type": ["integer", "null"], "default": 3},
        {"type": "object", "required": ["a"], "additionalProperties": {"type": "integer"}},
        *({"type": "string", "format": name} for name in ("date", "time", "duration", "email", "uri", "uuid", "ipv4")),
    ],
)
def test_other_shapes(schema: dict[str, Any]) -> None:
    for seed in range(30):
        assert valid(example(schema, seed), schema, schema)


NO_SCHEMAS: list[Any] = [
    {"$ref": "#/nowhere"},
    {"$ref": "#"},
    {"$ref": 5},
    {"$defs": {"a": {"$ref": "#/$defs/a"}}, "properties": {"x": {"$ref": "#/$defs/a"}}, "required": ["x"]},
    {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
    {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
    {"properties": {"x": {"$ref": "#"}, "y": {"$ref": "#"}}, "required": ["x", "y"]},
    {"type": "array", "minItems": 10**9, "items": {"type": "array", "minItems": 10**9, "items": {"minLength": 10**9}}},
    {"type": ["object", 5], "properties": 5, "required": 5, "enum": [], "anyOf": {}},
    {"properties": {"x": {"type": "widget"}, "y": False, "z": 5}, "required": ["x", "y", "z", 4]},
    {
        "properties": {"x": {"type": "integer", "minimum": "a", "maximum": float("nan"), "multipleOf": -3}},
        "required": ["x"],
    },
    {"properties": {"x": {"type": "number", "minimum": 9, "maximum": 1, "multipleOf": 0}}, "required": ["x"]},
    {"properties": {"x": {"type": "string", "minLength": -5, "maxLength": -9}}, "required": ["x"]},
    {"const": 5},
]


@pytest.mark.parametrize("schema", NO_SCHEMAS, ids=lambda schema: json.dumps(schema)[:40])
def test_what_is_no_schema_does_no_harm(schema: Any) -> None:
    for seed in range(4):
        assert isinstance(arguments(schema, seed), dict)
    heard = ask(Simulator(window=100_000), "call x", tools=[tool_schema("x", schema)])
    assert json.loads(heard.calls[0]["function"]["arguments"]) is not None


@pytest.mark.parametrize(
    ("order", "fields", "names"),
    [
        ("call get_weather", {}, ["get_weather"]),
        ("call GET_WEATHER", {}, ["get_weather"]),
        ("call weather", {}, ["get_weather"]),
        ("call a tool", {}, ["get_weather"]),
        ("call weather and call tides twice", {}, ["get_weather", "tides", "tides"]),
        ("call moon", {}, []),
        ("call weather", {"tool_choice": "none"}, []),
        ("hello", {"tool_choice": "required"}, ["get_weather"]),
        ("call tides", {"tool_choice": "required"}, ["tides"]),
        ("call moon", {"tool_choice": "required"}, ["get_weather"]),
        ("hello", {"tool_choice": {"type": "function", "function": {"name": "tides"}}}, ["tides"]),
    ],
)
def test_who_is_called(order: str, fields: dict[str, Any], names: list[str]) -> None:
    whole = ask(Simulator(), order, tools=[WEATHER, TIDES], **fields)
    streamed = stream(Simulator(), order, tools=[WEATHER, TIDES], **fields)
    assert [call["function"]["name"] for call in whole.calls] == names
    assert whole.calls == streamed.calls
    assert whole.finish == streamed.finish == ("tool_calls" if names else "stop")
    assert len({call["id"] for call in whole.calls}) == len(names)
    for call in whole.calls:
        if call["function"]["name"] == "get_weather":
            schema = WEATHER["function"]["parameters"]
            assert valid(json.loads(call["function"]["arguments"]), schema, schema)


def test_no_tool_of_that_name() -> None:
    assert "No tool named 'moon'" in ask(Simulator(), "call moon", tools=[TIDES]).text
    assert "No tool named 'any'" in ask(Simulator(), "call a tool").text


def test_the_result_is_quoted() -> None:
    simulator = Simulator()
    order = "call weather and call tides"
    first = ask(simulator, order, tools=[WEATHER, TIDES])
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": f"result {place}"}
        for place, call in enumerate(first.calls)
    ]
    heard = ask(simulator, [user(order), first.message(), *results], tools=[WEATHER, TIDES])
    assert "get_weather answered: result 0" in heard.text
    assert "tides answered: result 1" in heard.text
    assert not heard.calls
    history = [user(order), first.message(), *results, heard.message(), user("call tides")]
    assert ask(simulator, history, tools=[TIDES]).calls


def test_words_after_the_result() -> None:
    simulator = Simulator()
    order = "call tides and then write 40 words"
    first = ask(simulator, order, tools=[TIDES])
    result = {"role": "tool", "tool_call_id": first.calls[0]["id"], "content": "high at noon"}
    text = ask(simulator, [user(order), first.message(), result], tools=[TIDES]).text
    assert "high at noon" in text
    assert len(text.split()) > 40


def test_calling_without_end() -> None:
    simulator = Simulator()
    history: list[dict[str, Any]] = [user("call tides every time")]
    ids = set()
    for _ in range(4):
        heard = ask(simulator, history, tools=[TIDES])
        call = heard.calls[0]
        ids.add(call["id"])
        history += [heard.message(), {"role": "tool", "tool_call_id": call["id"], "content": "again"}]
    assert len(ids) == 4


def test_a_call_can_be_cut() -> None:
    heard = stream(Simulator(), "call weather", tools=[WEATHER], max_tokens=3)
    assert heard.finish == "length"
    assert heard.calls[0]["function"]["arguments"].startswith("{")
    with pytest.raises(ValueError, match="line 1"):
        json.loads(heard.calls[0]["function"]["arguments"])

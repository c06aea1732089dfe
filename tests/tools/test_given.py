"""Tools whose schema comes from elsewhere; and tools of several sources with the same names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import InvalidInput, Unsupported
from agentkit.messages import ToolCall, ToolResult
from agentkit.tools import (
    AnyTool,
    BoundCall,
    InvalidArguments,
    ToolContext,
    fit_name,
    gather,
    prepare,
    tool,
    tool_of_schema,
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "size": {"type": ["number", "null"]},
        "unit": {"enum": ["m", 1, None]},
        "flag": {"type": "boolean", "nullable": True},
        "list": {"type": "array"},
        "table": {"type": "object"},
        "odd": {"type": "decimal"},
        "any": True,
        "free": {},
    },
    "required": ["text", "any", 5],
    "additionalProperties": False,
}


def echo(arguments: dict[str, Any], context: ToolContext) -> str:
    return f"{context.call_id} {json.dumps(arguments)}"


def made(schema: dict[str, Any] = SCHEMA, **more: Any) -> AnyTool:
    return tool_of_schema("echo", "Say it again.", schema, echo, **more)


def problems(arguments: dict[str, Any], schema: dict[str, Any] = SCHEMA) -> dict[str, str]:
    try:
        made(schema).bind(arguments)
    except InvalidArguments as error:
        return {problem.path: problem.message for problem in error.problems}
    return {}


def test_all_arguments_come_in_one_object() -> None:
    arguments = {"text": "a", "any": None, "self": 1, "context": 2, "no name": 3}
    bound = made({"properties": {}}).bind(arguments)
    assert bound.run(ToolContext(call_id="7")) == f"7 {json.dumps(arguments)}"
    assert bound.run().startswith(" ")


def test_the_schema_is_that_of_an_object_and_a_copy() -> None:
    given_schema: dict[str, Any] = {"$defs": {"a": {}}}
    one = made(given_schema)
    given_schema["$defs"]["a"]["type"] = "string"
    assert one.parameters == {"$defs": {"a": {}}, "type": "object", "properties": {}}


@pytest.mark.parametrize("schema", [{"type": "string"}, {"default": {1, 2}}, {"type": ["object"]}])
def test_other_schemas_are_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="echo: the schema"):
        made(schema)


@pytest.mark.parametrize("function", [dict, "text"])
def test_it_is_made_of_a_function(function: Any) -> None:
    with pytest.raises(InvalidInput, match="made of a function"):
        tool_of_schema("echo", "", {}, function)


def test_the_settings_are_those_of_a_tool() -> None:
    one = made(timeout=2, approve="deny", rerun="rerun", max_output=500, retries=1, ends_turn=True)
    assert (one.timeout, one.approve, one.rerun, one.max_output) == (2, "deny", "rerun", 500)
    assert (one.retries, one.ends_turn, one.is_async) == (1, True, False)
    with pytest.raises(InvalidInput):
        made(timeout=-1)


def test_functions_and_objects_may_be_async() -> None:
    async def function(arguments: dict[str, Any], context: ToolContext) -> None: ...

    class Waiting:
        async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> None: ...

    assert tool_of_schema("a", "", {}, function).is_async
    assert tool_of_schema("a", "", {}, Waiting()).is_async


def test_it_cannot_be_made_strict() -> None:
    with pytest.raises(Unsupported, match="not ours"):
        made().strictly()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"count": 3},
        {"count": 3.0},
        {"size": None},
        {"size": 2.5},
        {"unit": "m"},
        {"unit": 1.0},
        {"unit": None},
        {"flag": None},
        {"list": [], "table": {}, "odd": object, "free": [1]},
    ],
)
def test_what_fits_is_let_pass(more: dict[str, Any]) -> None:
    assert problems({"text": "a", "any": 1} | more) == {}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"text": 5}, "expected string, not 5"),
        ({"text": None}, "expected string, not null"),
        ({"count": 2.5}, "expected integer, not 2.5"),
        ({"count": True}, "expected integer, not true"),
        ({"count": "3"}, 'expected integer, not "3"'),
        ({"size": True}, "expected number or null, not true"),
        ({"unit": True}, 'expected one of "m", 1, null, not true'),
        ({"unit": "km"}, 'expected one of "m", 1, null, not "km"'),
        ({"flag": 0}, "expected boolean, not 0"),
        ({"list": {}}, "expected array, not {}"),
        ({"table": []}, "expected object, not []"),
    ],
)
def test_what_cannot_be_right_is_told(more: dict[str, Any], message: str) -> None:
    (key,) = more
    assert problems({"text": "a", "any": 1} | more) == {f"$.{key}": message}


def test_keys_that_are_missing_or_unknown() -> None:
    names = ", ".join(SCHEMA["properties"])
    assert problems({"txt": "a"}) == {
        "$.text": "is missing: string",
        "$.any": "is missing",
        "$.txt": f"there is nothing of this name; the names are: {names}",
    }
    assert problems({"a": 1}, {"additionalProperties": False}) == {
        "$.a": "there is nothing of this name; the names are: none"
    }
    assert problems({"a": 1}, {"additionalProperties": False, "patternProperties": {"a": {}}}) == {}


@pytest.mark.parametrize(
    "schema",
    [{"properties": 5, "required": "a"}, {"properties": {"a": {"type": 5, "enum": 5}}}, {"additionalProperties": 0}],
)
def test_a_senseless_schema_is_not_held_against_the_model(schema: dict[str, Any]) -> None:
    assert problems({"a": 1}, schema) == {}


def test_the_model_is_told_what_to_mend() -> None:
    result = prepare({"echo": made()}, ToolCall("1", "echo", {"text": "a"}))
    assert isinstance(result, ToolResult)
    assert result.is_error
    assert "$.any: is missing" in result.content
    assert isinstance(prepare({"echo": made()}, ToolCall("1", "echo", {"text": "a", "any": 2})), BoundCall)


# --- names


@given(st.text(max_size=100))
def test_every_name_can_be_made_fit(name: str) -> None:
    fit = fit_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", fit)
    assert fit_name(name) == fit
    assert fit_name(fit) == fit
    assert fit_name(name, {fit}) != fit


def test_long_names_keep_their_differences() -> None:
    assert fit_name("x" * 100) != fit_name("x" * 101)
    assert fit_name("files.read") == "files_read"
    assert fit_name("") == "tool"
    assert made().name == "echo"
    assert tool_of_schema("a b", "", {}, echo).name == "a_b"


# --- sources with the same names


@frozen
class Shelf:
    """A source without a name of its own."""

    given: tuple[Any, ...]

    def tools(self) -> list[Any]:
        return list(self.given)


@frozen
class Named(Shelf):
    prefix_on_clash: str = "shop"


def answering(name: str) -> AnyTool:
    def function(word: str = "") -> str:
        return word

    return tool(name=name)(function)


def names(*given_tools: Any) -> list[str]:
    return list(gather(given_tools))


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (lambda a, b: (Named((a, b)),), ["find", "sell"]),
        (lambda a, b: (Named((a, b)), a), ["shop_find", "sell", "find"]),
        (lambda a, b: (a, Named((a, b))), ["find", "shop_find", "sell"]),
        (lambda a, b: (Named((a, b)), Named((a,), "my bank")), ["shop_find", "sell", "my_bank_find"]),
        (lambda a, b: (Shelf((Named((a,)), b)), a), ["shop_find", "sell", "find"]),
        (lambda a, b: (Named((Shelf((a,)), b)), a), ["shop_find", "sell", "find"]),
    ],
)
def test_tools_of_named_sources_get_a_prefix_on_a_clash(
    sources: Callable[[AnyTool, AnyTool], tuple[Any, ...]], expected: list[str]
) -> None:
    assert names(*sources(answering("find"), answering("sell"))) == expected


def test_a_renamed_tool_is_the_same_tool() -> None:
    one = answering("find")
    found = gather([Named((one,)), Named((one,), "bank")])
    assert found["bank_find"].function is one.function
    assert found["bank_find"].parameters == one.parameters
    assert found["bank_find"].bind({"word": "a"}).run() == "a"


@pytest.mark.parametrize(
    "sources",
    [
        lambda one: (one, one),
        lambda one: (Shelf((one,)), Shelf((one,))),
        lambda one: (Named((one,)), Named((one,))),
        lambda one: (Named((one,)), one, answering("shop_find")),
    ],
)
def test_a_clash_that_a_prefix_does_not_end_is_an_error(sources: Callable[[AnyTool], tuple[Any, ...]]) -> None:
    with pytest.raises(InvalidInput, match="two tools have the name"):
        gather(sources(answering("find")))

"""Tools whose JSON schema comes from elsewhere, such as a server that describes what it can do.

Arguments are looked at only as far as that is cheap and cannot be wrong: the keys of the object, and the plain types
and choices of its values. Everything else is for whoever wrote the schema.
"""

from __future__ import annotations

import inspect
import json
import re
import zlib
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, Protocol, TypedDict, TypeVar, Unpack

from agentkit.errors import InvalidInput
from agentkit.tools._approval import Approve
from agentkit.tools._errors import shown
from agentkit.tools._json import is_array, is_mapping, is_object
from agentkit.tools._shapes import Foreign, Outline
from agentkit.tools._tool import Rerun, Tool, ToolContext

R_co = TypeVar("R_co", covariant=True)

LONGEST_NAME = 64
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")

_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda it: it is None,
    "boolean": lambda it: isinstance(it, bool),
    "string": lambda it: isinstance(it, str),
    "number": lambda it: isinstance(it, int | float) and not isinstance(it, bool),
    "integer": lambda it: isinstance(it, int | float) and not isinstance(it, bool) and it % 1 == 0,
    "array": is_array,
    "object": is_object,
}


class Given(Protocol[R_co]):
    """What runs: all arguments come in one object, whatever their names are."""

    def __call__(self, arguments: dict[str, Any], context: ToolContext) -> R_co: ...


class Settings(TypedDict, total=False):
    """Those of a tool that do not follow from its schema."""

    timeout: float | None
    retries: int
    approve: Approve | None
    rerun: Rerun
    max_output: int
    ends_turn: bool


def tool_of_schema(
    name: str, description: str, parameters: Mapping[str, Any], function: Given[R_co], **settings: Unpack[Settings]
) -> Tool[[dict[str, Any], ToolContext], R_co]:
    """A tool with this JSON schema of an object. A name that servers of models do not take is made fit.

    Raises:
        InvalidInput: the schema is not that of an object, or is no JSON; or the function is none.
    """
    if isinstance(function, type) or not callable(function):
        raise InvalidInput(f"{name}: a tool with a schema is made of a function, not of {function!r:.80}")
    schema = _of_object(name, parameters)
    return Tool(
        name=fit_name(name),
        description=description,
        parameters=schema,
        function=function,
        is_async=inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__),
        outline=Outline(Foreign(name, schema, _Reader(schema)), {}),
        context="context",
        **settings,
    )


def fit_name(name: str, taken: Container[str] = ()) -> str:
    """A name that servers of models take, the same for the same; with a number that tells it from those in `taken`."""
    made = _UNFIT.sub("_", name) or "tool"
    if len(made) <= LONGEST_NAME and made not in taken:
        return made
    mark = f"_{zlib.crc32(name.encode(errors='surrogatepass')):08x}"
    return made[: LONGEST_NAME - len(mark)] + mark


def _of_object(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that nobody else can change, with the keys that servers look for."""
    try:
        schema: dict[str, Any] = json.loads(json.dumps(dict(parameters)))
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput(f"{name}: the schema of a tool is an object of JSON") from None
    if schema.get("type", "object") != "object":
        raise InvalidInput(f"{name}: the schema of a tool describes an object, not {shown(schema['type'])}")
    schema["type"] = "object"
    schema.setdefault("properties", {})
    return schema


class _Misfit(ValueError):
    """What is wrong with some arguments; told in the way of the libraries that bring schemas of their own."""

    def __init__(self, found: list[tuple[str, str]]) -> None:
        super().__init__("the arguments do not fit the schema")
        self._found = found

    def errors(self) -> list[dict[str, Any]]:
        return [{"loc": (key,), "msg": message} for key, message in self._found]


class _Reader:
    """Reads the arguments of one tool."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        given = schema["properties"]
        self._properties: Mapping[str, Any] = given if is_mapping(given) else {}

    def __call__(self, value: dict[str, Any]) -> dict[str, Any]:
        found = [*self._missing(value), *self._unknown(value), *self._unlike(value)]
        if found:
            raise _Misfit(found)
        return {"arguments": value}

    def _missing(self, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        required = self._schema.get("required")
        for key in required if is_array(required) else ():
            if isinstance(key, str) and key not in value:
                yield key, f"is missing{_described(self._properties.get(key))}"

    def _unknown(self, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        if self._schema.get("additionalProperties") is not False or "patternProperties" in self._schema:
            return
        known = ", ".join(self._properties) or "none"
        for key in value:
            if key not in self._properties:
                yield key, f"there is nothing of this name; the names are: {known}"

    def _unlike(self, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for key, item in value.items():
            about = self._properties.get(key)
            if is_object(about) and not _fits(about, item):
                yield key, f"expected {_expected(about)}, not {shown(item)}"


def _fits(about: Mapping[str, Any], item: Any) -> bool:
    if item is None and about.get("nullable") is True:
        return True
    options = about.get("enum")
    if is_array(options) and not any(_same(item, option) for option in options):
        return False
    kinds = _kinds(about)
    return not kinds or any(kind not in _KINDS or _KINDS[kind](item) for kind in kinds)


def _same(item: Any, option: Any) -> bool:
    """In JSON, 1 and 1.0 are the same, but not 1 and true."""
    return isinstance(item, bool) is isinstance(option, bool) and bool(item == option)


def _kinds(about: Mapping[str, Any]) -> list[str]:
    given = about.get("type")
    return [kind for kind in (given if is_array(given) else [given]) if isinstance(kind, str)]


def _expected(about: Mapping[str, Any]) -> str:
    options = about.get("enum")
    if is_array(options):
        return f"one of {', '.join(map(shown, options))}"
    return " or ".join(_kinds(about))


def _described(about: Any) -> str:
    said = _expected(about) if is_object(about) else ""
    return f": {said}" if said else ""

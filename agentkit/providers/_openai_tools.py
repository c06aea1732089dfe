"""What a request of the chat-completions dialect says of tools, and of the shape that a reply has to have. Pure.

The wire form of tools is remembered by their schemas, which never change: it is written once, not for each request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypeAlias, TypedDict

from agentkit.errors import InvalidInput
from agentkit.events import Notice
from agentkit.options import Options
from agentkit.provider import ChatRequest, ReplyShape
from agentkit.providers._json import dumps, utf8
from agentkit.providers._openai_dialect import Dialect
from agentkit.tokens import ToolShape


class Function(TypedDict):
    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: NotRequired[bool]


class WireTool(TypedDict):
    type: str
    function: Function


_WORDS = (None, "auto", "required", "none")
_MOST = 256
"""Sets of tools that are remembered."""
_Key: TypeAlias = tuple[tuple[str, str, int, bool], ...]
_written: dict[_Key, tuple[bytes, list[Mapping[str, Any]]]] = {}


def tools_of(request: ChatRequest, dialect: Dialect) -> bytes:
    """The tools that go along, as they are written; nothing where there are none, or the caller sends his own.

    Raises:
        InvalidInput: the one to be called is not among them, or a schema is no JSON.
    """
    tools = _offered(request, dialect)
    if not tools:
        return b""
    allows_strict = "strict" not in dialect.lacks
    schemas = [tool.parameters for tool in tools]
    key = tuple(
        [
            (tool.name, tool.description, id(schema), tool.strict and allows_strict)
            for tool, schema in zip(tools, schemas, strict=True)
        ]
    )
    found = _written.get(key)
    if found is None:
        if len(_written) >= _MOST:
            _written.clear()
        # the schemas are held: no other one can have their ids
        found = _written[key] = (b",".join([_wire(tool, strict=allows_strict) for tool in tools]), schemas)
    return found[0]


def tool_settings(request: ChatRequest, dialect: Dialect) -> tuple[dict[str, Any], list[Notice]]:
    """The fields besides the tools themselves, and what had to be left out; nothing for a request without tools."""
    options, can, own = request.options, dialect.capabilities, "tools" in request.options.extra
    if not (options.extra["tools"] if own else request.tools):
        return {}, []
    if not (own or can.tools):
        return {}, [Notice(f"the backend has no tools; {len(request.tools)} of them were left out")]
    if _choice(options) == "none" and not (own or can.tool_choice):
        return {}, []
    fields: dict[str, Any] = {}
    notices: list[Notice] = []
    _choose(_choice(options), dialect, fields, notices, own=own)
    parallel = options.parallel_tool_calls
    if parallel is not None and "parallel_tool_calls" in dialect.lacks:
        notices.append(Notice(f"the backend has no setting parallel_tool_calls; {parallel!r} was left out"))
    elif parallel is not None:
        fields["parallel_tool_calls"] = parallel
    if "strict" in dialect.lacks and not own and (strict := [tool.name for tool in request.tools if tool.strict]):
        notices.append(Notice(f"the backend has no strict tools; {', '.join(strict)} went as usual ones"))
    return fields, notices


def _choose(choice: str | None, dialect: Dialect, fields: dict[str, Any], notices: list[Notice], *, own: bool) -> None:
    if choice in (None, "auto"):
        return
    if not dialect.capabilities.tool_choice:
        notices.append(Notice(f"the backend has no setting tool_choice; {choice!r} was left out"))
    elif choice in _WORDS:
        fields["tool_choice"] = choice
    elif dialect.choice_in_words and not own:
        fields["tool_choice"] = "required"
    else:
        fields["tool_choice"] = {"type": "function", "function": {"name": choice}}


def shape_settings(request: ChatRequest, dialect: Dialect) -> tuple[dict[str, Any], list[Notice]]:
    """The field that binds the reply to a schema, or that it had to be left out."""
    shape = request.shape
    if shape is None or "response_format" in request.options.extra:
        return {}, []
    if not dialect.capabilities.json_mode:
        return {}, [Notice(f"the backend binds no reply to a JSON schema; {shape.name!r} was left out")]
    return {"response_format": {"type": "json_schema", "json_schema": _schema(shape, dialect)}}, []


def _schema(shape: ReplyShape, dialect: Dialect) -> dict[str, Any]:
    strict = {"strict": True} if shape.strict and "strict" not in dialect.lacks else {}
    return {"name": shape.name, "schema": dict(shape.schema), **strict}


def _choice(options: Options) -> str | None:
    """What the options say, unless the caller says it on the wire."""
    return None if "tool_choice" in options.extra else options.tool_choice


def _offered(request: ChatRequest, dialect: Dialect) -> Sequence[ToolShape]:
    """The tools that the model is to see."""
    tools, can, choice = request.tools, dialect.capabilities, _choice(request.options)
    if not tools or not can.tools or "tools" in request.options.extra:
        return ()
    if choice in _WORDS:
        return () if choice == "none" and not can.tool_choice else tools
    named = [tool for tool in tools if tool.name == choice]
    if not named:
        known = ", ".join(tool.name for tool in tools)
        raise InvalidInput(f"tool_choice is auto, required, none or the name of a tool ({known}), not {choice!r}")
    return named if can.tool_choice and dialect.choice_in_words else tools


def _wire(tool: ToolShape, *, strict: bool) -> bytes:
    function: Function = {
        "name": tool.name,
        "description": tool.description,  # also where it is empty: templates stumble over its absence
        "parameters": dict(tool.parameters),
    }
    if tool.strict and strict:
        function["strict"] = True
    wire: WireTool = {"type": "function", "function": function}
    try:
        return utf8(dumps(wire))
    except ValueError as error:
        raise InvalidInput(f"the parameters of the tool {tool.name!r} are no JSON schema: {error}") from None

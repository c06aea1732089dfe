"""Reads and checks the body of a chat completions request. Mistakes are told as OpenAI does; unknown fields pass."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from agentkit.sim.openai_history import read_messages, refuse, refuse_type
from agentkit.sim.talk import Ask, Failure, Refused, Said, Tool
from agentkit.sim.text import count_tokens
from agentkit.sim.wire import SimRequest, as_array, as_object, shown

_PER_MESSAGE = 4
"""Tokens that frame a message."""
_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}")


@frozen
class _Range:
    low: float
    high: float
    whole: bool = False


_NUMBERS: Mapping[str, _Range] = {
    "temperature": _Range(0, 2),
    "top_p": _Range(0, 1),
    "presence_penalty": _Range(-2, 2),
    "frequency_penalty": _Range(-2, 2),
    "max_tokens": _Range(1, math.inf, whole=True),
    "max_completion_tokens": _Range(1, math.inf, whole=True),
    "n": _Range(1, 1, whole=True),
    "seed": _Range(-math.inf, math.inf, whole=True),
}
_PLAIN: Mapping[str, tuple[type, str]] = {
    "stream": (bool, "a boolean"),
    "parallel_tool_calls": (bool, "a boolean"),
    "logprobs": (bool, "a boolean"),
    "reasoning_effort": (str, "a string"),
    "user": (str, "a string"),
}
_FREE_OBJECT: Mapping[str, Any] = {
    "type": "object",
    "properties": {"reply": {"type": "string"}},
    "required": ["reply"],
}


@frozen(kw_only=True)
class ChatBody:
    """One checked request."""

    model: str
    ask: Ask
    stream: bool = False
    include_usage: bool = False


def read_chat(request: SimRequest, window: int) -> ChatBody:
    """Read a request.

    Raises:
        Refused: it breaks the rules, or does not fit the window.
    """
    body = as_object(request.json)
    if body is None:
        refuse(f"We could not parse the JSON body of your request: {request.malformed or 'it must be an object'}.")
    given = {key: value for key, value in body.items() if value is not None}
    model = given.get("model")
    if not isinstance(model, str) or not model:
        refuse("you must provide a model parameter", "model")
    check_numbers(given)
    _check_plain(given)
    messages, tools = read_messages(given.get("messages")), read_tools(given)
    prompt = prompt_tokens(messages, tools)
    if prompt >= window:
        raise Refused(overflow(prompt, window))
    ask = Ask(
        messages=messages,
        tools=tools,
        choice=_choice(given, tools),
        limit=min((given[name] for name in ("max_tokens", "max_completion_tokens") if name in given), default=None),
        stop=_stop(given.get("stop", [])),
        shape=_shape(given.get("response_format", {"type": "text"})),
        prompt_tokens=prompt,
    )
    return ChatBody(model=model, ask=ask, stream=given.get("stream", False), include_usage=_include_usage(given))


def prompt_tokens(messages: tuple[Said, ...], tools: tuple[Tool, ...]) -> int:
    """The tokens of a prompt: all its texts, and four for each message and tool."""
    texts = [text for said in messages for text in (said.text, said.reasoning)]
    texts += [text for said in messages for call in said.calls for text in (call.name, call.arguments)]
    texts += [f"{tool.name} {json.dumps(tool.schema)}" for tool in tools]
    return sum(map(count_tokens, texts)) + _PER_MESSAGE * (len(messages) + len(tools))


def overflow(used: int, window: int) -> Failure:
    """What vLLM says of a prompt that is too long."""
    message = (
        f"This model's maximum context length is {window} tokens. However, your request has {used} input tokens. "
        "Please reduce the length of the input messages."
    )
    return Failure(status=400, message=message, type="BadRequestError", param="input_tokens", code=400)


def check_numbers(given: Mapping[str, Any]) -> None:
    """Refuse numbers that are out of range, or none."""
    for name, allowed in _NUMBERS.items():
        if name in given:
            _check_number(name, given[name], allowed)


def _check_number(name: str, value: Any, allowed: _Range) -> None:
    if isinstance(value, bool) or not isinstance(value, int if allowed.whole else int | float):
        refuse_type(name, "an integer" if allowed.whole else "a number", value)
    if not allowed.low <= value <= allowed.high:
        below = value < allowed.low
        words, code = ("minimum", "below_min") if below else ("maximum", "above_max")
        bound = f"{allowed.low if below else allowed.high:g}"
        kind = "integer" if allowed.whole else "decimal"
        refuse(
            f"Invalid '{name}': {words} value is {bound}, but got {shown(value)} instead.", name, f"{kind}_{code}_value"
        )


def _check_plain(given: Mapping[str, Any]) -> None:
    for name, (kind, words) in _PLAIN.items():
        if name in given and not isinstance(given[name], kind):
            refuse_type(name, words, given[name])


def _stop(value: Any) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else as_array(value)
    if stops is None or not all(isinstance(stop, str) for stop in stops):
        refuse_type("stop", "a string or an array of strings", value)
    return tuple(stop for stop in stops if stop)


def _include_usage(given: Mapping[str, Any]) -> bool:
    if "stream_options" not in given:
        return False
    if not given.get("stream"):
        refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    options = as_object(given["stream_options"])
    if options is None:
        refuse_type("stream_options", "an object", given["stream_options"])
    wanted = options.get("include_usage", False)
    if not isinstance(wanted, bool):
        refuse_type("stream_options.include_usage", "a boolean", wanted)
    return wanted


def read_tools(given: Mapping[str, Any]) -> tuple[Tool, ...]:
    """The tools that a request offers."""
    if "tools" not in given:
        return ()
    tools = as_array(given["tools"])
    if not tools:
        refuse_type("tools", "an array with at least one tool", given["tools"])
    return tuple(_tool(tool, f"tools[{place}]") for place, tool in enumerate(tools))


def _tool(tool: Any, where: str) -> Tool:
    fields = as_object(tool) or {}
    function = as_object(fields.get("function"))
    if fields.get("type") != "function" or function is None:
        refuse_type(where, "a tool of type 'function'", tool)
    name = function.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        refuse(f"Invalid '{where}.function.name': {shown(name)} does not match '^{_NAME.pattern}$'.", where)
    schema = as_object(function.get("parameters") or {})
    if schema is None:
        refuse_type(f"{where}.function.parameters", "an object", function["parameters"])
    return Tool(name, schema)


def _choice(given: Mapping[str, Any], tools: tuple[Tool, ...]) -> str:
    choice = given.get("tool_choice", "auto")
    if "tool_choice" in given and not tools:
        refuse("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    if choice in ("auto", "none", "required"):
        return str(choice)
    name = (as_object((as_object(choice) or {}).get("function")) or {}).get("name")
    offered = [tool.name for tool in tools]
    if name not in offered:
        refuse(f"Invalid 'tool_choice': {shown(choice)} names none of the tools {shown(offered)}.", "tool_choice")
    return f"={name}"


def _shape(value: Any) -> Mapping[str, Any] | None:
    wanted = as_object(value) or {}
    match wanted.get("type"):
        case "text":
            return None
        case "json_object":
            return _FREE_OBJECT
        case "json_schema":
            schema = as_object((as_object(wanted.get("json_schema")) or {}).get("schema"))
            if schema is None:
                refuse_type("response_format.json_schema.schema", "an object", wanted)
            return schema
        case _:
            return refuse(f"Invalid 'response_format': {shown(value)}.", "response_format")

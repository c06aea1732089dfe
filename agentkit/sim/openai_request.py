"""Reads and checks the body of a chat completions request. What is wrong is said as OpenAI says it; unknown fields pass."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from attrs import frozen

from agentkit.sim.openai_history import read_messages
from agentkit.sim.talk import Ask, Failure, Refused, Said, Tool
from agentkit.sim.text import count_tokens

_PER_MESSAGE = 4
"""Tokens that frame a message."""
_NAME = re.compile(r"^[a-zA-Z0-9_.-]{1,64}$")
_NUMBERS: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
_WHOLES: Mapping[str, tuple[float, float]] = {
    "max_tokens": (1, math.inf),
    "max_completion_tokens": (1, math.inf),
    "n": (1, 1),
    "seed": (-math.inf, math.inf),
}
_SWITCHES = ("stream", "parallel_tool_calls", "logprobs")


@frozen(kw_only=True)
class ChatBody:
    """One checked request."""

    model: str
    ask: Ask
    stream: bool = False
    include_usage: bool = False


def refuse(message: str, param: str | None = None, code: str | None = None) -> NoReturn:
    """The request breaks the rules."""
    raise Refused(Failure(status=400, message=message, param=param, code=code, invalid=True))


def read_chat(body: Any, window: int) -> ChatBody:
    """Read a request.

    Raises:
        Refused: it breaks the rules, or does not fit the window.
    """
    if not isinstance(body, dict):
        refuse("We could not parse the JSON body of your request: it must be an object.")
    given = {key: value for key, value in cast("dict[str, Any]", body).items() if value is not None}
    model = given.get("model")
    if not isinstance(model, str) or not model:
        refuse("you must provide a model parameter", "model")
    _check_settings(given)
    messages = read_messages(given.get("messages"))
    tools, choice = _tools(given), _choice(given)
    prompt = prompt_tokens(messages, tools)
    if prompt >= window:
        raise Refused(overflow(prompt, window))
    ask = Ask(
        messages=messages,
        tools=tools,
        choice=choice,
        limit=min((given[name] for name in ("max_tokens", "max_completion_tokens") if name in given), default=None),
        stop=_stop(given.get("stop", ())),
        shape=_shape(given.get("response_format", {"type": "text"})),
        prompt_tokens=prompt,
    )
    stream = given.get("stream", False)
    return ChatBody(model=model, ask=ask, stream=stream, include_usage=_include_usage(given, stream=stream))


def prompt_tokens(messages: tuple[Said, ...], tools: tuple[Tool, ...]) -> int:
    """The tokens of a prompt: all its texts, and four for each message and tool."""
    texts = [text for said in messages for text in (said.text, said.reasoning)]
    texts += [text for said in messages for call in said.calls for text in (call.name, call.arguments)]
    texts += [f"{tool.name} {json.dumps(tool.schema)}" for tool in tools]
    return sum(map(count_tokens, texts)) + _PER_MESSAGE * (len(messages) + len(tools))


def overflow(used: int, window: int) -> Failure:
    """What vLLM says of a prompt that is too long."""
    return Failure(
        status=400,
        message=f"This model's maximum context length is {window} tokens. However, your request has {used} input tokens. "
        "Please reduce the length of the input messages.",
        type="BadRequestError",
        param="input_tokens",
        code=400,
    )


def _check_settings(given: Mapping[str, Any]) -> None:
    for name, (low, high) in _NUMBERS.items():
        _check_number(name, given.get(name, low), low, high, int | float, "a number")
    for name, (low, high) in _WHOLES.items():
        _check_number(name, given.get(name, 1), low, high, int, "an integer")
    for name in _SWITCHES:
        if not isinstance(given.get(name, False), bool):
            refuse(
                f"Invalid type for '{name}': expected a boolean, but got {given[name]!r} instead.", name, "invalid_type"
            )
    for name in ("reasoning_effort", "user"):
        if not isinstance(given.get(name, ""), str):
            refuse(
                f"Invalid type for '{name}': expected a string, but got {given[name]!r} instead.", name, "invalid_type"
            )


def _check_number(name: str, value: Any, low: float, high: float, kind: Any, words: str) -> None:
    if isinstance(value, bool) or not isinstance(value, kind):
        refuse(f"Invalid type for '{name}': expected {words}, but got {value!r} instead.", name, "invalid_type")
    if not low <= value <= high:
        side, code = ("minimum", "below_min") if value < low else ("maximum", "above_max")
        bound = f"{low if value < low else high:g}"
        refuse(f"Invalid '{name}': {side} value is {bound}, but got {value!r} instead.", name, f"integer_{code}_value")


def _stop(value: Any) -> tuple[str, ...]:
    stops = (value,) if isinstance(value, str) else value
    if not isinstance(stops, list | tuple) or not all(isinstance(stop, str) for stop in cast("list[Any]", stops)):
        refuse(f"Invalid type for 'stop': expected a string or an array of strings, but got {value!r} instead.", "stop")
    return tuple(stop for stop in cast("list[str]", stops) if stop)


def _include_usage(given: Mapping[str, Any], *, stream: bool) -> bool:
    options = given.get("stream_options")
    if options is None:
        return False
    if not stream:
        refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    if not isinstance(options, dict):
        refuse(f"Invalid type for 'stream_options': expected an object, but got {options!r} instead.", "stream_options")
    wanted = cast("dict[str, Any]", options).get("include_usage", False)
    if not isinstance(wanted, bool):
        refuse(
            f"Invalid type for 'stream_options.include_usage': expected a boolean, but got {wanted!r} instead.",
            "stream_options",
        )
    return wanted


def _tools(given: Mapping[str, Any]) -> tuple[Tool, ...]:
    tools = given.get("tools", ())
    if not isinstance(tools, list | tuple) or (not tools and "tools" in given):
        refuse("Invalid 'tools': expected an array with at least one tool.", "tools")
    return tuple(_tool(tool, place) for place, tool in enumerate(cast("list[Any]", tools)))


def _tool(tool: Any, place: int) -> Tool:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    if not isinstance(function, dict):
        refuse(
            f"Invalid 'tools[{place}]': expected a tool of type 'function', but got {tool!r} instead.",
            f"tools[{place}]",
        )
    name = cast("dict[str, Any]", function).get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        refuse(f"Invalid 'tools[{place}].function.name': {name!r} does not match '{_NAME.pattern}'.", f"tools[{place}]")
    schema = cast("dict[str, Any]", function).get("parameters") or {}
    if not isinstance(schema, dict):
        refuse(f"Invalid 'tools[{place}].function.parameters': expected an object, not {schema!r}.", f"tools[{place}]")
    return Tool(name, cast("dict[str, Any]", schema))


def _choice(given: Mapping[str, Any]) -> str:
    choice = given.get("tool_choice", "auto")
    if "tool_choice" in given and "tools" not in given:
        refuse("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    if choice in ("auto", "none", "required"):
        return cast("str", choice)
    function = cast("dict[str, Any]", choice).get("function") if isinstance(choice, dict) else None
    name = cast("dict[str, Any]", function).get("name") if isinstance(function, dict) else None
    offered = [tool.name for tool in _tools(given)]
    if name not in offered:
        refuse(f"Invalid 'tool_choice': {choice!r} names none of the tools {offered!r}.", "tool_choice")
    return f"={name}"


def _shape(wanted: Any) -> Mapping[str, Any] | None:
    kind = cast("dict[str, Any]", wanted).get("type") if isinstance(wanted, dict) else None
    match kind:
        case "text":
            return None
        case "json_object":
            return {"type": "object", "properties": {"reply": {"type": "string"}}, "required": ["reply"]}
        case "json_schema":
            schema = wanted["json_schema"].get("schema") if isinstance(wanted.get("json_schema"), dict) else None
            if isinstance(schema, dict):
                return cast("dict[str, Any]", schema)
            refuse("Invalid 'response_format.json_schema.schema': expected an object.", "response_format")
        case _:
            refuse(f"Invalid 'response_format': {wanted!r}.", "response_format")

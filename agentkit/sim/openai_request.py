"""Reads and checks the body of a chat completions request, as the server of an accent does."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from agentkit.sim.accent import Accent, Asked, is_harmony
from agentkit.sim.openai_fit import fitted, overflow, prompt_tokens
from agentkit.sim.openai_history import read_messages, refuse, refuse_type
from agentkit.sim.openai_trailing import Opening, opening
from agentkit.sim.talk import Ask, Failure, Refused, Said, Tool
from agentkit.sim.wire import SimRequest, as_array, as_object, shown

__all__ = ["ChatBody", "check_numbers", "heard_messages", "overflow", "prompt_tokens", "read_chat", "read_tools"]

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
    counts_each: bool = False
    """Usage on every event."""
    echo: Said | None = None
    """What the reply repeats before it goes on."""
    hides: bool = False
    """Reasoning is not shown."""


def read_chat(request: SimRequest, window: int, accent: Accent, models: tuple[str, ...]) -> ChatBody:
    """Read a request; `models` are those that there are, or none where any name will do.

    Raises:
        Refused: it breaks the rules, or does not fit the window.
    """
    given = _given(request, accent)
    model = _model(given, models)
    accent = accent.of(model)
    check_numbers(given)
    _check_plain(given)
    _check_effort(given, accent)
    messages, tools = heard_messages(given, accent), read_tools(given)
    for check in accent.checks:
        check(Asked(given=given, messages=messages, harmony=is_harmony(model)))
    begun = opening(given, messages, accent)
    options = _stream_options(given)
    return ChatBody(
        model=model,
        ask=_ask(given, begun, tools, accent, window),
        stream=given.get("stream", False),
        include_usage=options.get("include_usage", False),
        counts_each=options.get("continuous_usage_stats", False),
        echo=begun.echo,
        hides=given.get("include_reasoning") is False,
    )


def _ask(given: Mapping[str, Any], begun: Opening, tools: tuple[Tool, ...], accent: Accent, window: int) -> Ask:
    asked = min((given[name] for name in ("max_tokens", "max_completion_tokens") if name in given), default=None)
    kept = fitted(begun.messages, tools, accent=accent, window=window, limit=asked)
    return Ask(
        messages=_without_last(kept) if begun.anew else kept,
        tools=tools,
        choice=_choice(given, tools, accent),
        parallel=given.get("parallel_tool_calls", True),
        limit=accent.limit if asked is None else asked,
        stop=_stop(given.get("stop", [])),
        shape=_shape(given.get("response_format", {"type": "text"})),
        prompt_tokens=prompt_tokens(kept, tools),
        anew=begun.anew,
        endless=not accent.too_long.startswith("refused"),
        thinks=_thinks(given),
    )


def _given(request: SimRequest, accent: Accent) -> dict[str, Any]:
    """The fields that the server reads."""
    if request.malformed is not None:
        message = f"We could not parse the JSON body of your request: {request.malformed}."
        raise Refused(Failure(status=accent.malformed, message=message, code="json_parse_error", invalid=True))
    body = as_object(request.json)
    if body is None:
        refuse("We could not parse the JSON body of your request: it must be an object.")
    unknown = sorted(set(body) - accent.known) if accent.known is not None else []
    if unknown:
        refuse(f"Unexpected fields in the request: {shown(unknown)}", unknown[0])
    given = {key: value for key, value in body.items() if value is not None and key not in accent.ignores}
    if "tools" in accent.loose and given.get("tools") == []:
        del given["tools"]
    if "stream_options" in accent.loose and not given.get("stream"):
        given.pop("stream_options", None)
    return given


def _model(given: Mapping[str, Any], models: tuple[str, ...]) -> str:
    model = given.get("model")
    if not isinstance(model, str) or not model:
        refuse("you must provide a model parameter", "model")
    if models and model not in models:
        message = f"The model `{model}` does not exist."
        raise Refused(Failure(status=404, message=message, param="model", code="model_not_found", invalid=True))
    return model


def heard_messages(given: Mapping[str, Any], accent: Accent) -> tuple[Said, ...]:
    """The messages of a request, without what the server reads over."""
    messages = read_messages(given.get("messages"), disorder=accent.disorder, hears=accent.hears)
    if not accent.one_system:
        return messages
    return tuple(said for place, said in enumerate(messages) if said.role != "system" or place == 0)


def _without_last(messages: tuple[Said, ...]) -> tuple[Said, ...]:
    """The messages up to the reply that is closed."""
    end = len(messages)
    while end and messages[end - 1].role == "assistant":
        end -= 1
    return messages[:end]


def _thinks(given: Mapping[str, Any]) -> bool | None:
    wanted = (as_object(given.get("chat_template_kwargs")) or {}).get("enable_thinking")
    return False if wanted is False else None


def _check_effort(given: Mapping[str, Any], accent: Accent) -> None:
    effort = given.get("reasoning_effort")
    if effort is not None and accent.efforts is not None and effort not in accent.efforts:
        words = ", ".join(sorted(accent.efforts))
        refuse(f"Invalid value for 'reasoning_effort': {shown(effort)}. It may be {words}.", "reasoning_effort")


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


def _stream_options(given: Mapping[str, Any]) -> Mapping[str, bool]:
    if "stream_options" not in given:
        return {}
    if not given.get("stream"):
        refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    options = as_object(given["stream_options"])
    if options is None:
        refuse_type("stream_options", "an object", given["stream_options"])
    for name in ("include_usage", "continuous_usage_stats"):
        if not isinstance(options.get(name, False), bool):
            refuse_type(f"stream_options.{name}", "a boolean", options[name])
    return options


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


def _choice(given: Mapping[str, Any], tools: tuple[Tool, ...], accent: Accent) -> str:
    choice = given.get("tool_choice", "auto")
    if "tool_choice" in accent.loose and not (isinstance(choice, str) and tools):
        return "auto"
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

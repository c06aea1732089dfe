"""What only some servers of the chat-completions format refuse, one function a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentkit.sim.accent import Asked
from agentkit.sim.openai_history import refuse
from agentkit.sim.wire import as_array, as_object, shown

_LEAKED = ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>")


def no_both_flags(asked: Asked) -> None:
    """vLLM: to continue and to begin a turn exclude each other."""
    if asked.given.get("continue_final_message") and asked.given.get("add_generation_prompt"):
        refuse("Cannot set both `continue_final_message` and `add_generation_prompt` to True.")


def no_demands(asked: Asked) -> None:
    """Parallax: a tool cannot be demanded."""
    choice = asked.given.get("tool_choice", "auto")
    if choice not in ("auto", "none"):
        refuse(f"tool_choice {shown(choice)} is not supported yet", "tool_choice")


def no_unsupported(asked: Asked) -> None:
    """Parallax: what the node's front end does not have."""
    for name in ("use_beam_search", "truncate_prompt_tokens", "length_penalty"):
        if asked.given.get(name):
            refuse(f"{name} is not supported", name)


def no_probabilities_of_calls(asked: Asked) -> None:
    """llama.cpp: no logprobs in a stream with tools."""
    if asked.given.get("logprobs") and asked.given.get("tools") and asked.given.get("stream"):
        refuse("logprobs is not supported with tools + stream")


def content_is_there(asked: Asked) -> None:
    """Ollama: no null but beside calls."""
    for item in as_array(asked.given.get("messages")) or ():
        fields = as_object(item) or {}
        if fields.get("content") is None and not fields.get("tool_calls"):
            refuse("invalid message content type: <nil>")


def no_leaks(asked: Asked) -> None:
    """The template of gpt-oss: no channels in what the assistant said."""
    for said in asked.messages:
        if asked.harmony and said.role == "assistant" and any(mark in said.text + said.reasoning for mark in _LEAKED):
            refuse(
                "You have passed a message containing <|channel|> tags in the content field. Instead of doing this, "
                "you should pass analysis messages (the string between '<|message|>' and '<|end|>') in the 'thinking' "
                "field."
            )


def thought_or_said(asked: Asked) -> None:
    """The template of gpt-oss: beside a call there is a text or a thought, not both."""
    for said in asked.messages:
        if asked.harmony and said.calls and said.text and said.reasoning:
            refuse("Cannot pass both content and thinking in an assistant message with tool calls!")


def parallel_needs_tools(asked: Asked) -> None:
    """OpenAI: nothing is called at once where there is nothing to call."""
    if "parallel_tool_calls" in asked.given and not asked.given.get("tools"):
        refuse("'parallel_tool_calls' is only allowed when 'tools' are specified.", "parallel_tool_calls")


def strict_is_strict(asked: Asked) -> None:
    """OpenAI: what is to be followed strictly closes each object, and requires all that is in it."""
    for tool in as_array(asked.given.get("tools")) or ():
        function = as_object((as_object(tool) or {}).get("function")) or {}
        if function.get("strict"):
            _check_strict(function.get("parameters"), f"function '{function.get('name')}'", "tools")
    shape = _json_schema(asked)
    if shape.get("strict"):
        _check_strict(shape.get("schema"), f"response_format '{shape.get('name')}'", "response_format")


def _check_strict(schema: Any, what: str, param: str) -> None:
    for spec in _schemas(schema):
        properties = as_object(spec.get("properties")) or {}
        if (spec.get("type") == "object" or properties) and spec.get("additionalProperties") is not False:
            refuse(
                f"Invalid schema for {what}: 'additionalProperties' is required to be supplied and to be false.",
                param,
                "invalid_function_parameters" if param == "tools" else None,
            )
        missing = sorted(set(properties) - {str(name) for name in as_array(spec.get("required")) or ()})
        if missing:
            refuse(f"Invalid schema for {what}: 'required' lacks {shown(missing)}.", param)


def _schemas(value: Any) -> list[Mapping[str, Any]]:
    """The schema and all that are within it."""
    spec = as_object(value)
    if spec is None:
        return []
    inner: list[Any] = [spec.get("items")]
    for name in ("properties", "$defs", "definitions"):
        inner += (as_object(spec.get(name)) or {}).values()
    for name in ("anyOf", "allOf", "prefixItems"):
        inner += as_array(spec.get(name)) or ()
    return [spec, *(found for each in inner for found in _schemas(each))]


def a_shape_has_a_name(asked: Asked) -> None:
    """OpenAI, and servers that check as it does: a schema for replies comes with a name."""
    shape = _json_schema(asked)
    if (as_object(asked.given.get("response_format")) or {}).get("type") == "json_schema" and not (
        isinstance(shape.get("name"), str) and shape["name"]
    ):
        refuse("Missing required parameter: 'response_format.json_schema.name'.", "response_format.json_schema.name")


def _json_schema(asked: Asked) -> dict[str, Any]:
    wanted = as_object(asked.given.get("response_format")) or {}
    return as_object(wanted.get("json_schema")) or {}


def words_only(asked: Asked) -> None:
    """LM Studio: a choice among tools is a word, and the only JSON is that of a schema."""
    if isinstance(asked.given.get("tool_choice", ""), dict):
        refuse("Invalid tool_choice type: 'object'. Supported string values: none, auto, required", "tool_choice")
    kind = (as_object(asked.given.get("response_format")) or {}).get("type", "text")
    if kind not in ("json_schema", "text"):
        refuse("'response_format.type' must be 'json_schema' or 'text'", "response_format")

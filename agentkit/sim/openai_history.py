"""Reads and checks the messages of a chat completions request: types, and the rules that make a history valid."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from attrs import evolve

from agentkit.sim.talk import Call, Failure, Refused, Said
from agentkit.sim.wire import as_array, as_object, shown

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_NOT_TEXT = {"image_url": "[image]", "input_audio": "[audio]", "file": "[file]"}


def refuse(message: str, param: str | None = None, code: str | None = None, status: int = 400) -> NoReturn:
    """The request breaks the rules.

    Raises:
        Refused
    """
    raise Refused(Failure(status=status, message=message, param=param, code=code, invalid=True))


def refuse_type(name: str, expected: str, value: Any) -> NoReturn:
    """A field has a value of another type."""
    refuse(f"Invalid type for '{name}': expected {expected}, but got {shown(value)} instead.", name, "invalid_type")


def read_messages(
    given: Any, *, disorder: int = 400, hears: tuple[str, ...] = ("reasoning_content", "reasoning")
) -> tuple[Said, ...]:
    """The messages of a request.

    `disorder` is the status where each is valid, but not their order; `hears` are the names under which reasoning is
    read, others are read over.

    Raises:
        Refused: one of them, or their order, breaks the rules.
    """
    items = as_array(given)
    if items is None:
        refuse_type("messages", "an array of objects", given)
    if not items:
        refuse("Invalid 'messages': empty array. Expected an array with minimum length 1.", "messages")
    messages = tuple(_message(item, f"messages.[{place}]", hears) for place, item in enumerate(items))
    _check_order(messages, disorder)
    return messages


def _message(item: Any, where: str, hears: tuple[str, ...]) -> Said:
    fields = as_object(item)
    if fields is None:
        refuse_type(where, "an object", item)
    given = fields.get("role")
    role = _ROLES.get(given) if isinstance(given, str) else None
    if role is None:
        refuse(f"Invalid value: {shown(given)}. Supported values are: {', '.join(_ROLES)}.", f"{where}.role")
    text = _content(fields.get("content"), f"{where}.content")
    call_id = fields.get("tool_call_id") if role == "tool" else ""
    if not isinstance(call_id, str):
        refuse(f"Missing parameter '{where}.tool_call_id': messages with role 'tool' must have it.", where)
    calls = _calls(fields.get("tool_calls"), where) if role == "assistant" else ()
    reasoning = _reasoning(fields, where) if role == "assistant" else ""
    said = Said(role=role, text=text, reasoning=reasoning, calls=calls, call_id=call_id)
    _check_filled(said, where)
    return said if any(fields.get(name) for name in hears) else evolve(said, reasoning="")


def _content(content: Any, where: str) -> str:
    match content:
        case None:
            return ""
        case str():
            return content
        case list():
            return "".join(_part(part, where) for part in as_array(content) or ())
        case _:
            refuse_type(where, "a string or an array", content)


def _part(part: Any, where: str) -> str:
    match part:
        case {"type": "text", "text": str() as text}:
            return text
        case {"type": str() as kind} if kind in _NOT_TEXT:
            return _NOT_TEXT[kind]
        case _:
            refuse(f"Invalid value in '{where}': {shown(part)} is no text, image, audio or file.", where)


def _reasoning(fields: dict[str, Any], where: str) -> str:
    """One of two names; where both are there, they hold the same text."""
    found = fields.get("reasoning_content") or fields.get("reasoning") or ""
    if not isinstance(found, str):
        refuse_type(f"{where}.reasoning_content", "a string", found)
    return found


def _calls(given: Any, where: str) -> tuple[Call, ...]:
    if given is None:
        return ()
    items = as_array(given)
    if not items:
        refuse_type(f"{where}.tool_calls", "an array with at least one call", given)
    calls = tuple(_call(call, f"{where}.tool_calls[{place}]") for place, call in enumerate(items))
    if len({call.id for call in calls}) < len(calls):
        refuse(f"Invalid '{where}.tool_calls': two calls have the same id.", where)
    return calls


def _call(call: Any, where: str) -> Call:
    match call:
        case {"id": str() as name, "function": {"name": str() as function, "arguments": str() as arguments}} if (
            name and function
        ):
            _check_arguments(arguments, where)
            return Call(name, function, arguments)
        case _:
            refuse(f"Invalid '{where}': {shown(call)} lacks an id, a name or arguments.", where)


def _check_arguments(text: str, where: str) -> None:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        refuse(f"Invalid '{where}.function.arguments': {shown(text)} is no JSON object.", where)


def _check_filled(said: Said, where: str) -> None:
    match said.role:
        case "tool":
            return
        case "assistant" if not (said.text or said.reasoning or said.calls):
            refuse(f"Invalid '{where}': an assistant message without text, reasoning or tool calls.", where)
        case "user" | "system" if not said.text.strip():
            refuse(f"Invalid '{where}.content': empty text.", where)
        case _:
            return


def _check_order(messages: tuple[Said, ...], status: int) -> None:
    """Each call is answered before the next message that is no result, and each result answers a call."""
    open_calls: set[str] = set()
    for place, said in enumerate(messages):
        where = f"messages.[{place}]"
        if said.role != "tool":
            _check_answered(open_calls, where, status)
            open_calls = {call.id for call in said.calls}
        elif said.call_id in open_calls:
            open_calls.discard(said.call_id)
        else:
            refuse(
                "Invalid parameter: messages with role 'tool' must be a response to a preceding message with "
                f"'tool_calls'; {shown(said.call_id)} answers none.",
                f"{where}.role",
                status=status,
            )
    _check_answered(open_calls, "messages", status)


def _check_answered(open_calls: set[str], where: str, status: int) -> None:
    if open_calls:
        refuse(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. These have no response: {', '.join(sorted(open_calls))}.",
            where,
            status=status,
        )

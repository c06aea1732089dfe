"""Reads and checks what PixiGPT is asked for.

Unknown fields pass, and have no effect: there is no model, no stream and no choice of a tool. A reply is always a new
one: a text of the assistant at the end of the messages is not continued.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from attrs import evolve

from agentkit.sim.openai_history import read_messages, refuse, refuse_type
from agentkit.sim.openai_request import check_numbers, overflow, prompt_tokens, read_tools
from agentkit.sim.pixigpt_platform import Assistant, Platform, Post
from agentkit.sim.talk import Ask, Failure, Refused, Said, Tool
from agentkit.sim.wire import SimRequest, as_array, as_object, shown

THINKING_FLOOR = 3000
"""The least limit while thinking is on."""
_MOST_LISTED = 100
_ROLES = ("user", "assistant")


def authorize(request: SimRequest) -> None:
    """Any key will do, but there must be one."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        message = "Missing API key: send 'Authorization: Bearer KEY'."
        raise Refused(Failure(status=401, message=message, type="authentication_error", invalid=True))


def missing(what: str, name: str) -> NoReturn:
    """There is nothing under this id."""
    raise Refused(Failure(status=404, message=f"No {what} found with id {shown(name)}."))


def fields_of(request: SimRequest) -> dict[str, Any]:
    """The fields of a body that are not null."""
    body = as_object(request.json)
    if body is None:
        refuse(f"We could not parse the JSON body of your request: {request.malformed or 'it must be an object'}.")
    return {name: value for name, value in body.items() if value is not None}


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """A text that must be there."""
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip():
        refuse_type(name, "a text that is not empty", value)
    return value


def limit_of(request: SimRequest) -> int:
    """How much of a list is wanted."""
    said = request.query.get("limit", "20")
    if not said.isascii() or not said.isdecimal() or not 1 <= int(said[:9]) <= _MOST_LISTED:
        refuse(f"Invalid 'limit': {shown(said)} is no whole number from 1 to {_MOST_LISTED}.", "limit")
    return int(said)


def assistant_of(fields: Mapping[str, Any], platform: Platform) -> Assistant:
    """The assistant that a body names."""
    name = text_of(fields, "assistant_id")
    found = platform.assistant(name)
    if found is None:
        raise Refused(Failure(status=400, message=f"Invalid 'assistant_id': there is no {shown(name)}."))
    return found


def read_chat(request: SimRequest, platform: Platform, window: int) -> Ask:
    """What a chat completion is asked for.

    Raises:
        Refused: the request breaks the rules, or does not fit the window.
    """
    fields = fields_of(request)
    messages = read_messages(fields.get("messages"))
    if fields.get("assistant_id"):
        messages = (_instructions(assistant_of(fields, platform)), *messages)
    elif messages[0].role != "system":
        refuse("Without 'assistant_id' the first message must have the role 'system'.", "messages")
    return _ask(messages, fields, window, read_tools(fields))


def read_run(fields: Mapping[str, Any], assistant: Assistant, posts: tuple[Post, ...], window: int) -> Ask:
    """What a run is asked for.

    Raises:
        Refused: the request breaks the rules, or the thread does not fit the window.
    """
    if not posts:
        refuse("The thread has no messages.", "thread_id")
    said = tuple(Said(role=post.role, text=post.text) for post in posts)
    return _ask((_instructions(assistant), *said), fields, window)


def read_posts(value: Any) -> list[tuple[str, str]]:
    """Several messages for a thread."""
    items = as_array(value)
    if not items:
        refuse_type("messages", "an array with at least one message", value)
    return [read_post(as_object(item) or {}) for item in items]


def read_post(fields: Mapping[str, Any]) -> tuple[str, str]:
    """The role and the text of a message for a thread."""
    role = fields.get("role")
    if role not in _ROLES:
        refuse(f"Invalid value for 'role': {shown(role)}; one of {', '.join(_ROLES)}.", "role")
    return role, text_of(fields, "content")


def _instructions(assistant: Assistant) -> Said:
    return Said(role="system", text=assistant.instructions)


def _ask(messages: tuple[Said, ...], fields: Mapping[str, Any], window: int, tools: tuple[Tool, ...] = ()) -> Ask:
    check_numbers({name: fields[name] for name in ("temperature", "max_tokens") if name in fields})
    thinks, limit = fields.get("enable_thinking", True), fields.get("max_tokens")
    if not isinstance(thinks, bool):
        refuse_type("enable_thinking", "a boolean", thinks)
    if limit is not None and thinks:
        limit = max(limit, THINKING_FLOOR)
    prompt = prompt_tokens(messages, tools)
    if prompt >= window:
        raise Refused(evolve(overflow(prompt, window), type="invalid_request_error", code=None))
    return Ask(messages=_asked(messages), tools=tools, limit=limit, prompt_tokens=prompt, thinks=thinks)


def _asked(messages: tuple[Said, ...]) -> tuple[Said, ...]:
    end = len(messages)
    while end and messages[end - 1].role == "assistant":
        end -= 1
    return messages[:end]

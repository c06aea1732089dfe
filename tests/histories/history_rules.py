"""What the strictest server of each family takes, as rules on the bytes of a request. Knows nothing of the encoders.

A rule stands here because some server of the family, one of its eras, or a template of a model that it serves refuses
the request otherwise, or reads it as something else. Where servers of a family differ, the strictest counts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NoReturn

from attrs import evolve, field, frozen

Wire = dict[str, Any]

_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONE = re.compile(r"[\ud800-\udfff]")
_HARMONY = re.compile(r"<\|channel\|>(analysis|final)<\|message\|>")
_LONGEST_HEAD = 40
_DEEPEST = 100
"""Levels of arguments: readers in other languages stop at 128."""

_BASE = frozenset({"model", "messages", "stream", "max_tokens", "temperature"})
_TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
_USUAL = _BASE | _TOOLS | {"stream_options", "reasoning_effort"}
_FLAGS = ("continue_final_message", "add_generation_prompt")
_BOTH = frozenset({"reasoning", "reasoning_content"})
_ONE = frozenset({"reasoning_content"})


class Refused(Exception):
    """The server answers 400, or reads something else than was meant."""


def refuse(what: str) -> NoReturn:
    raise Refused(what)


@frozen(kw_only=True)
class Rules:
    """In what the families differ."""

    fields: frozenset[str] = _USUAL
    """All that a body may hold."""
    needs: frozenset[str] = frozenset({"model"})
    reasoning: frozenset[str] = _BOTH
    """Keys of an assistant message that may carry its thinking."""
    media: bool = True
    addresses: bool = True
    """Images by their address, not only as bytes."""
    one_system: bool = False
    """Only a first message may be one of the system."""
    wants_system: bool = False
    template: bool = False
    """That of gpt-oss: one call a message, a text or a thought beside it, none of its own tokens in what was said."""
    alternates: bool = False
    """User and assistant take turns, calls and results aside."""
    prefix: bool = False
    """A reply that has begun may stand last."""
    flags: Mapping[str, bool] = field(factory=dict[str, bool])
    """What has to be said then, and only then."""


_VLLM_FLAGS = {"continue_final_message": True, "add_generation_prompt": False}
_TRANSFORMERS = Rules(fields=_BASE | _TOOLS - {"tool_choice", "parallel_tool_calls"}, reasoning=_ONE)
_VLLM = Rules(fields=_USUAL.union(_FLAGS), prefix=True, flags=_VLLM_FLAGS)
_LLAMACPP = Rules(reasoning=_ONE, prefix=True)
_OLLAMA = Rules(reasoning=frozenset({"reasoning"}), addresses=False)
_SGLANG = Rules(
    fields=_USUAL | {"continue_final_message"}, reasoning=_ONE, prefix=True, flags={"continue_final_message": True}
)
_PIXIGPT = Rules(
    fields=frozenset({"messages", "assistant_id", "temperature", "max_tokens", "enable_thinking", "tools"}),
    needs=frozenset({"messages"}),
    reasoning=frozenset(),
    media=False,
    wants_system=True,
)
_HARMONY_TEMPLATE = Rules(one_system=True, template=True)

RULES: Mapping[str, Rules] = {
    "openai": Rules(),
    "sim": Rules(prefix=True),
    "gravixlayer": Rules(reasoning=frozenset()),
    "pixigpt": _PIXIGPT,
    "pixigpt, assistant": evolve(_PIXIGPT, needs=frozenset({"messages", "assistant_id"}), wants_system=False),
    "parallax": Rules(fields=_USUAL | {"sampling_params"}, one_system=True, needs=frozenset({"model", "max_tokens"})),
    "vllm": _VLLM,
    "vllm, in turn": evolve(_VLLM, one_system=True, alternates=True),
    "vllm, gpt-oss": Rules(one_system=True),
    "llamacpp": _LLAMACPP,
    "llamacpp, 2025": evolve(_LLAMACPP, prefix=False),
    "llamacpp, in turn": evolve(_LLAMACPP, one_system=True, alternates=True),
    "llamacpp, gpt-oss": evolve(_LLAMACPP, one_system=True, template=True),
    "ollama": _OLLAMA,
    "ollama, gpt-oss": evolve(_OLLAMA, one_system=True, prefix=True),
    "lmstudio": Rules(),
    "lmstudio, gpt-oss": Rules(one_system=True),
    "sglang": _SGLANG,
    "sglang, gpt-oss": Rules(reasoning=_ONE, one_system=True, template=True),
    "transformers": _TRANSFORMERS,
    "transformers, gpt-oss": evolve(_TRANSFORMERS, one_system=True, template=True),
    "mlx": Rules(),
    "mlx, gpt-oss": _HARMONY_TEMPLATE,
    "gpt-oss": _HARMONY_TEMPLATE,
}
"""Of the servers of chat completions, by the name of the backend."""


def check(name: str, body: bytes, *, begun: bool = False) -> list[Wire]:
    """The messages of a request that this backend takes; `begun`: the last one is the beginning of the reply.

    Raises:
        Refused
    """
    wire = read(body)
    if not isinstance(wire, dict):
        refuse("the body is no object")
    if name.startswith("gradient"):
        return _gradient(wire, under_system="system" in name)
    if name == "pixigpt-threads":
        return _thread(wire)
    return _chat(wire, RULES[name], begun=begun)


_MARKS: Mapping[str, tuple[str, str]] = {"<|start|>": ("<|message|>", "<|end|>"), "<|im_start|>": ("\n", "<|im_end|>")}


def check_raw(body: bytes) -> str:
    """The text of a request that is completed: each message in it is whole and says something, the last one is open.

    Raises:
        Refused
    """
    prompt: str = json.loads(body.decode(), parse_constant=_constant)["prompt"]  # where null is no limit of tokens
    start = next((mark for mark in _MARKS if prompt.startswith(mark)), None)
    if start is None:
        refuse(f"a text that begins with {prompt[:40]!r}")
    middle, end = _MARKS[start]
    *whole, last = prompt.split(start)[1:]
    for each in whole:
        head, _, said = each.partition(middle)
        if not said.rstrip("\n").endswith(end) or not said.rstrip("\n").removesuffix(end).strip():
            refuse(f"the message {each!r:.100}")
        if "<|" in said.rstrip("\n").removesuffix(end) or len(head) > _LONGEST_HEAD:
            refuse(f"control words in {each!r:.100}")
    if not last.startswith("assistant") or end in last:
        refuse(f"the open end {last!r:.100}")
    return prompt


def read(body: bytes) -> Any:
    """The value of a JSON text, as strict readers have it: UTF-8, no name twice, no NaN, no half of a character."""
    try:
        text = body.decode()
        value = json.loads(text, parse_constant=_constant)
        if "null" in text or _written(value) != text:
            value = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        refuse(f"no JSON: {error}")
    if "\\ud" in text or "\\uD" in text:
        _check_whole(text, value)
    return value


_written = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""A text that is this of its value has no name twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        refuse(f"a name twice in {[name for name, _ in pairs]}")
    if None in made.values():
        refuse(f"null in {made!r:.200}")
    return made


def _constant(word: str) -> NoReturn:
    refuse(f"{word} is no JSON")


def _check_whole(text: str, value: Any) -> None:
    if _LONE.search(json.dumps(value, ensure_ascii=False)):
        refuse("half of a character")


# --- chat completions


def _chat(body: Wire, rules: Rules, *, begun: bool) -> list[Wire]:
    if not body.keys() <= rules.fields:
        refuse(f"unknown fields {sorted(body.keys() - rules.fields)}")
    if not body.keys() >= rules.needs:
        refuse(f"{sorted(rules.needs - body.keys())} is missing")
    if "stream_options" in body and body.get("stream") is not True:
        refuse("stream_options without stream")
    for name in _FLAGS:
        if body.get(name) != (rules.flags.get(name) if begun else None):
            refuse(f"{name} is {body.get(name)!r}")
    if "tools" in body:
        _check_tools(body["tools"])
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        refuse(f"the messages are {messages!r:.100}")
    for message in messages:
        _check_message(message, rules, begun=begun and message is messages[-1])
    _check_order(messages, rules)
    _check_end(messages, rules, begun=begun)
    if rules.alternates:
        _check_turns(messages)
    return messages


def _check_tools(tools: Any) -> None:
    if not isinstance(tools, list) or not tools:
        refuse(f"the tools are {tools!r:.100}")
    for tool in tools:
        match tool:
            case {"type": "function", "function": {"name": str(name), "parameters": {"type": "object"}}}:
                if not _NAME.fullmatch(name):
                    refuse(f"a tool with the name {name!r}")
            case _:
                refuse(f"the tool {tool!r:.200}")


_KEYS: Mapping[str, frozenset[str]] = {
    "system": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "tool_calls"}),
    "tool": frozenset({"role", "content", "tool_call_id"}),
}


def _check_message(message: Any, rules: Rules, *, begun: bool) -> None:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in _KEYS:
        refuse(f"role {role!r}")
    unknown = message.keys() - _KEYS[role]
    if unknown and not (role == "assistant" and unknown <= rules.reasoning):
        refuse(f"a message of the {role} with {sorted(unknown)}")
    content = message.get("content")
    if role == "user" and isinstance(content, list):
        _check_parts(content, rules)
    elif not isinstance(content, str):
        refuse(f"the content of a message of the {role} is {content!r:.100}")
    elif role == "assistant":
        _check_reply(message, rules, begun=begun)
    elif role != "tool" and not content.strip():
        refuse(f"an empty message of the {role}")


def _check_parts(parts: list[Any], rules: Rules) -> None:
    if not parts:
        refuse("a message of the user without parts")
    for part in parts:
        match part:
            case {"type": "text", "text": str(text)}:
                if not text.strip():
                    refuse("an empty part")
            case {"type": "image_url", "image_url": {"url": str(url)}} if rules.media:
                if not url.startswith("data:image/") and not rules.addresses:
                    refuse("images come as bytes, not by address")
            case _:
                refuse(f"the part {part!r:.200}")


def _check_reply(message: Wire, rules: Rules, *, begun: bool) -> None:
    content, calls = message["content"], message.get("tool_calls")
    thoughts = [message[name] for name in rules.reasoning if name in message]
    if not all(isinstance(thought, str) and thought for thought in thoughts):
        refuse(f"the thinking {thoughts!r:.100}")
    if "tool_calls" in message:
        if not isinstance(calls, list) or not calls:
            refuse(f"the calls are {calls!r:.100}")
        if begun:
            refuse("a call cannot be gone on with")
        for call in calls:
            _check_call(call)
    elif not (content if begun else content.strip()) and not (begun and thoughts):
        refuse("an empty message of the assistant")
    if rules.template:
        if calls and len(calls) > 1:
            refuse("only the first call of a message is read")
        if calls and thoughts and content:
            refuse("a text and a thought beside a call")
        if _HARMONY.search(content):
            refuse("the model's own tokens in what it has said")


def _check_call(call: Any) -> None:
    match call:
        case {"id": str(call_id), "type": "function", "function": {"name": str(name), "arguments": str(arguments)}}:
            if not _CALL_ID.fullmatch(call_id):
                refuse(f"the id {call_id!r}")
            if not _NAME.fullmatch(name):
                refuse(f"the name {name!r}")
            if len(call) > 3 or len(call["function"]) > 2:
                refuse(f"the call {call!r:.200}")
            if arguments != "{}":
                _check_arguments(arguments)
        case _:
            refuse(f"the call {call!r:.200}")


def _check_arguments(text: str) -> None:
    """An object that any reader takes: those of other languages refuse numbers beyond a double, and deep nesting."""
    try:
        value = json.loads(text, parse_constant=_constant)
    except (ValueError, RecursionError):
        refuse(f"the arguments {text!r:.100}")
    if not isinstance(value, dict):
        refuse(f"the arguments {text!r:.100}")
    if "\\ud" in text or "\\uD" in text:
        _check_whole(text, value)
    if value:
        _check_value(value, _DEEPEST)


def _check_value(value: Any, levels: int) -> None:
    if not levels:
        refuse("arguments of too many levels")
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        if isinstance(value, float) and not math.isfinite(value):
            refuse("a number beyond all bounds in arguments")
        return
    for each in value:
        _check_value(each, levels - 1)


def _check_order(messages: Sequence[Wire], rules: Rules) -> None:
    """Each call has its one result right after it, no result lacks its call, no id comes twice; the system is first."""
    used: set[str] = set()
    waiting: set[str] = set()
    for place, message in enumerate(messages):
        role = message["role"]
        if role == "tool":
            call_id = message.get("tool_call_id")
            if call_id not in waiting:
                refuse(f"a result for {call_id!r}, which nobody called")
            waiting.remove(call_id)
            continue
        if waiting:
            refuse(f"no results for {sorted(waiting)}")
        for call in message.get("tool_calls", ()):
            if call["id"] in used:
                refuse(f"the id {call['id']!r} twice")
            used.add(call["id"])
            waiting.add(call["id"])
        if role == "system" and place and rules.one_system:
            refuse(f"a message of the system in place {place}")
    if waiting:
        refuse(f"no results for {sorted(waiting)}")
    if rules.wants_system and messages[0]["role"] != "system":
        refuse("the first message is not of the system")


def _check_end(messages: Sequence[Wire], rules: Rules, *, begun: bool) -> None:
    last = messages[-1]["role"]
    if not begun:
        if last not in ("user", "tool"):
            refuse(f"the last message is of the {last}: there is nothing to answer")
        return
    if not rules.prefix or last != "assistant":
        refuse(f"the last message is of the {last}: no reply begins with that here")
    if len(messages) > 1 and messages[-2]["role"] == "assistant":
        refuse("two messages of the assistant at the end")


def _check_turns(messages: Sequence[Wire]) -> None:
    """As templates that know two roles count: calls and results aside, they take turns, and the user begins."""
    spoken = [each["role"] for each in messages if each["role"] not in ("tool", "system") and "tool_calls" not in each]
    for place, role in enumerate(spoken):
        if role != ("assistant" if place % 2 else "user"):
            refuse(f"the roles do not take turns: {spoken}")


# --- backends with another form


def _gradient(body: Wire, *, under_system: bool) -> list[Wire]:
    if body.keys() != {"model", "clusterMode", "messages", "enableThinking"}:
        refuse(f"the fields {sorted(body)}")
    messages: list[Wire] = body["messages"]
    spoken = messages[1:] if under_system and messages and messages[0].get("role") == "system" else messages
    if len(spoken) < len(messages) and not messages[0]["content"].strip():
        refuse("empty instructions")
    _check_spoken(spoken, frozenset({"role", "content", "reasoningContent"}))
    for before, after in pairwise(messages):
        if before["role"] == after["role"]:
            refuse(f"{after['role']!r} twice in a row")
    return messages


def _thread(body: Wire) -> list[Wire]:
    messages: list[Wire] = body["messages"]
    _check_spoken(messages, frozenset({"role", "content"}))
    return messages


def _check_spoken(messages: list[Wire], keys: frozenset[str]) -> None:
    for message in messages:
        if not {"role", "content"} <= message.keys() <= keys:
            refuse(f"a message with {sorted(message)}")
        if message["role"] not in ("user", "assistant"):
            refuse(f"role {message['role']!r}")
        if not all(isinstance(text, str) and text.strip() for text in message.values()):
            refuse(f"an empty message: {message!r:.100}")
    if not messages or messages[-1]["role"] != "user":
        refuse("the last message is not of the user")

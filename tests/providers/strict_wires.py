"""Servers at their strictest: what the body of a request must hold to be taken by each backend.

Each rule is one that a server was seen to enforce, or that its source or documents state; where servers differ, the
rules do. Knows nothing of the encoders.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from attrs import frozen

Wire = dict[str, Any]

CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
HARMONY = re.compile(r"<\|channel\|>(analysis|final)<\|message\|>")
_KEYS = frozenset({"role", "content", "tool_calls", "tool_call_id"})
_BOTH = frozenset({"reasoning", "reasoning_content"})


class Refused(Exception):
    """The server answers 400."""


def refuse(what: str) -> NoReturn:
    raise Refused(what)


@frozen(kw_only=True)
class Rules:
    """In what the servers of the chat-completions format differ."""

    reasoning: frozenset[str] = _BOTH
    """Keys of an assistant message that carry its thinking."""
    media: bool = True
    image_urls: bool = True
    """Images by address; otherwise as bytes only."""
    system_first: bool = False
    """A template drops every system message but a first one."""
    system_required: bool = False
    template: bool = False
    """The template of gpt-oss: one call a message, text or thinking beside it, no control tokens."""
    prefix: bool = False
    """A trailing assistant message is continued."""
    fields: frozenset[str] | None = None
    """The only keys of a body; None where others are ignored."""
    needs: frozenset[str] = frozenset({"model"})


_PLAIN: Mapping[str, Rules] = {
    "gravixlayer": Rules(reasoning=frozenset()),
    "llamacpp": Rules(reasoning=frozenset({"reasoning_content"}), prefix=True),
    "lmstudio": Rules(),
    "mlx": Rules(),
    "ollama": Rules(reasoning=frozenset({"reasoning"}), image_urls=False),
    "openai": Rules(),
    "parallax": Rules(system_first=True, needs=frozenset({"model", "max_tokens"})),
    "pixigpt": Rules(
        reasoning=frozenset(),
        media=False,
        system_required=True,
        fields=frozenset({"messages", "assistant_id", "temperature", "max_tokens", "enable_thinking", "tools"}),
        needs=frozenset(),
    ),
    "sglang": Rules(reasoning=frozenset({"reasoning_content"}), prefix=True),
    "sim": Rules(prefix=True),
    "transformers": Rules(
        reasoning=frozenset({"reasoning_content"}),
        fields=frozenset({"model", "messages", "stream", "max_tokens", "temperature", "top_p", "seed", "stop"}),
    ),
    "vllm": Rules(prefix=True),
}
_GPT_OSS: Mapping[str, Rules] = {
    "gpt-oss": Rules(system_first=True, template=True),
    "llamacpp": Rules(reasoning=frozenset({"reasoning_content"}), system_first=True, template=True, prefix=True),
    "lmstudio": Rules(system_first=True),
    "mlx": Rules(system_first=True, template=True),
    "ollama": Rules(reasoning=frozenset({"reasoning"}), image_urls=False, system_first=True, prefix=True),
    "sglang": Rules(reasoning=frozenset({"reasoning_content"}), system_first=True, template=True),
    "transformers": Rules(
        reasoning=frozenset({"reasoning_content"}),
        fields=frozenset({"model", "messages", "stream", "max_tokens", "temperature", "top_p", "seed", "stop"}),
        system_first=True,
        template=True,
    ),
    "vllm": Rules(system_first=True),
}


def rules_of(name: str, *, gpt_oss: bool) -> Rules:
    """The rules of a server of the chat-completions format."""
    if name == "gpt-oss":
        return _GPT_OSS[name]
    return _GPT_OSS.get(name, _PLAIN[name]) if gpt_oss else _PLAIN[name]


def check(name: str, body: bytes, *, gpt_oss: bool) -> list[Wire]:
    """The messages of a request that the backend takes.

    Raises:
        Refused
    """
    wire = _json(body.decode("utf-8"))
    if name == "gradient":
        return _gradient(wire)
    if name == "pixigpt-threads":
        return _thread(wire["messages"])
    return _chat(wire, rules_of(name, gpt_oss=gpt_oss))


def _json(text: str) -> Any:
    def constant(word: str) -> NoReturn:
        refuse(f"{word} is no JSON")

    return json.loads(text, parse_constant=constant)


# --- chat completions


def _chat(body: Wire, rules: Rules) -> list[Wire]:
    for key, value in body.items():
        if value is None or value == []:
            refuse(f"{key} is {value!r}")
    if rules.fields is not None and not body.keys() <= rules.fields:
        refuse(f"unknown fields {sorted(body.keys() - rules.fields)}")
    if not body.keys() >= rules.needs:
        refuse(f"{sorted(rules.needs - body.keys())} is missing")
    if "stream_options" in body and not body.get("stream"):
        refuse("stream_options without stream")
    messages: list[Wire] = body["messages"]
    for place, message in enumerate(messages):
        _keys(message, rules)
        _content(message, rules, last=place == len(messages) - 1)
    _system(messages, rules)
    _pairing(messages)
    _ending(messages, rules)
    return messages


def _keys(message: Wire, rules: Rules) -> None:
    role = message["role"]
    allowed = {
        "system": {"role", "content"},
        "user": {"role", "content"},
        "assistant": {"role", "content", "tool_calls", *rules.reasoning},
        "tool": {"role", "content", "tool_call_id"},
    }
    if role not in allowed:
        refuse(f"role {role!r}")
    if not message.keys() <= allowed[role]:
        refuse(f"a message of the {role} with {sorted(message.keys() - allowed[role])}")


def _content(message: Wire, rules: Rules, *, last: bool) -> None:
    role, content = message["role"], message.get("content")
    if isinstance(content, list) and role == "user":
        for part in content:
            _part(part, rules)
    elif not isinstance(content, str):
        refuse(f"the content of a message of the {role} is {content!r}")
    says = content or role == "tool" or message.get("tool_calls") or (role == "assistant" and last)
    if not says:
        refuse(f"a message of the {role} without content")
    if rules.template and role == "assistant":
        _template(message)


def _part(part: Wire, rules: Rules) -> None:
    match part:
        case {"type": "text", "text": str()}:
            pass
        case {"type": "image_url", "image_url": {"url": str(url)}} if rules.media:
            if not url.startswith("data:image/") and not rules.image_urls:
                refuse("images come as bytes, not by address")
        case _:
            refuse(f"the part {part!r}")


def _template(message: Wire) -> None:
    if len(message.get("tool_calls", ())) > 1:
        refuse("only the first call of a message is read")
    thought = any(message.get(name) for name in _BOTH)
    if message.get("tool_calls") and thought and message["content"]:
        refuse("content and thinking beside a tool call")
    if HARMONY.search(message["content"]):
        refuse("control tokens in the text of the assistant")


def _system(messages: Sequence[Wire], rules: Rules) -> None:
    places = [place for place, message in enumerate(messages) if message["role"] == "system"]
    if rules.system_first and places not in ([], [0]):
        refuse(f"system messages at {places}")
    if rules.system_required and 0 not in places:
        refuse("the first message is to be one of the system")


def _pairing(messages: Sequence[Wire]) -> None:
    """Each call has its one result right after it, and no id comes twice."""
    used: set[str] = set()
    waiting: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                refuse(f"a result for {message['tool_call_id']!r}, which nobody called")
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            refuse(f"no results for {sorted(waiting)}")
        for call in message.get("tool_calls", ()):
            _call(call)
            if call["id"] in used:
                refuse(f"the id {call['id']!r} twice")
            used.add(call["id"])
            waiting.add(call["id"])
    if waiting:
        refuse(f"no results for {sorted(waiting)}")


def _call(call: Wire) -> None:
    match call:
        case {"id": str(call_id), "type": "function", "function": {"name": str(name), "arguments": str(arguments)}}:
            if not CALL_ID.fullmatch(call_id):
                refuse(f"the id {call_id!r}")
            if not TOOL_NAME.fullmatch(name):
                refuse(f"the name {name!r}")
            if not isinstance(_json(arguments), dict):
                refuse(f"the arguments {arguments!r}")
        case _:
            refuse(f"the call {call!r}")


def _ending(messages: Sequence[Wire], rules: Rules) -> None:
    if not messages:
        refuse("no messages")
    last = messages[-1]
    if last["role"] != "assistant":
        return
    if not rules.prefix:
        refuse("the last message is of the assistant, which begins no reply here")
    if last.get("tool_calls"):
        refuse("a call cannot be continued")
    if len(messages) > 1 and messages[-2]["role"] == "assistant":
        refuse("two messages of the assistant at the end")


# --- Gradient Chat

_FIELDS = {"model", "clusterMode", "messages", "enableThinking"}


def _gradient(body: Wire) -> list[Wire]:
    if body.keys() != _FIELDS:
        refuse(f"the fields {sorted(body)}")
    if body["model"].startswith("Qwen3") and body["clusterMode"] != "hybrid":
        refuse("the model does not run in this cluster")
    messages: list[Wire] = body["messages"]
    before = None
    for message in messages:
        if message["role"] not in ("user", "assistant") or message["role"] == before:
            refuse(f"{message['role']!r} after {before!r}")
        before = message["role"]
        if not (isinstance(message["content"], str) and message["content"].strip()):
            refuse(f"the content {message['content']!r}")
        if not message.keys() <= {"role", "content", "reasoningContent"} or not message.get("reasoningContent", "x"):
            refuse(f"a message with {sorted(message)}")
    if before != "user":
        refuse("the last message is to be one of the user")
    return messages


# --- the threads of PixiGPT


def _thread(messages: list[Wire]) -> list[Wire]:
    for message in messages:
        if message.keys() != {"role", "content"}:
            refuse(f"a message with {sorted(message)}")
        if message["role"] not in ("user", "assistant"):
            refuse(f"role {message['role']!r}")
        if not (isinstance(message["content"], str) and message["content"].strip()):
            refuse(f"the content {message['content']!r}")
    if not messages or messages[-1]["role"] != "user":
        refuse("the last message is to be one of the user")
    return messages

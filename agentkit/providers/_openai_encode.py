"""Requests of the chat-completions dialect: what differs between servers, and the bytes that leave.

The wire form of a message is remembered by the message, so the body of a request is a join. What a request must never
hold, because some server stumbles over it: nulls, `stream_options` without `stream`, an assistant message that says
nothing, arguments that are no JSON object.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, TypedDict

from attrs import field, frozen

from agentkit.errors import InvalidInput, Unsupported
from agentkit.events import Notice
from agentkit.messages import Media, Message, Part, Reasoning, Text, ToolCall, ToolResult
from agentkit.provider import Capabilities, ChatRequest
from agentkit.providers._json import dumps, loads, utf8
from agentkit.usage import FinishReason


class ImageURL(TypedDict, total=False):
    url: str


class ContentPart(TypedDict, total=False):
    type: Literal["text", "image_url"]
    text: str
    image_url: ImageURL


class FunctionCall(TypedDict, total=False):
    name: str
    arguments: str


class WireCall(TypedDict, total=False):
    id: str
    type: Literal["function"]
    function: FunctionCall


class WireMessage(TypedDict, total=False):
    role: str
    content: str | list[ContentPart]
    tool_calls: list[WireCall]
    tool_call_id: str
    reasoning: str
    reasoning_content: str


FINISH: Mapping[str, FinishReason] = MappingProxyType(
    {
        "stop": FinishReason.STOP,
        "eos": FinishReason.STOP,
        "eosFound": FinishReason.STOP,
        "end_turn": FinishReason.STOP,
        "stop_sequence": FinishReason.STOP,
        "length": FinishReason.LENGTH,
        "max_tokens": FinishReason.LENGTH,
        "maxPredictedTokensReached": FinishReason.LENGTH,
        "tool_calls": FinishReason.TOOL_CALLS,
        "function_call": FinishReason.TOOL_CALLS,
        "content_filter": FinishReason.FILTERED,
        "error": FinishReason.ERROR,
        "abort": FinishReason.ERROR,
    }
)
"""Every other word is `UNKNOWN`."""


@frozen(kw_only=True)
class Dialect:
    """In what the servers differ."""

    capabilities: Capabilities = Capabilities()
    reads_reasoning: tuple[str, ...] = ("reasoning", "reasoning_content", "thinking")
    """Where the reasoning of a reply may be; the same text under two names counts once."""
    writes_reasoning: tuple[str, ...] = ("reasoning", "reasoning_content")
    """Where the reasoning of a running tool loop goes back. Servers read the name they know and pass over the other."""
    max_tokens: str = "max_tokens"
    lacks: frozenset[str] = frozenset()
    """Names of `Options` that the backend does not have: they are left out, with a notice."""
    continues: Mapping[str, Any] = field(factory=dict[str, Any], hash=False)
    """Fields that ask the backend to go on with a trailing assistant message, where the message alone does not."""
    finish: Mapping[str, FinishReason] = field(default=FINISH, hash=False)
    body: Mapping[str, Any] = field(factory=dict[str, Any], hash=False)
    """Fields of every request; the caller's own win over them."""


_SETTINGS = (
    "temperature",
    "top_p",
    "max_tokens",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "reasoning_effort",
)
_CARRIES: Mapping[str, tuple[type[Part], ...]] = {
    "system": (Text,),
    "user": (Text, Media, ToolResult),
    "assistant": (Text, Reasoning, ToolCall),
    "tool": (ToolResult,),
}


def fields_of(request: ChatRequest, dialect: Dialect) -> tuple[dict[str, Any], tuple[Notice, ...]]:
    """Everything of a body but its messages, and what had to be left out."""
    options, notices = request.options, list[Notice]()
    fields: dict[str, Any] = {"model": request.model, **dialect.body}
    for name in _SETTINGS:
        value = getattr(options, name)
        if value is None or value == ():
            continue
        if name in dialect.lacks:
            notices.append(Notice(f"the backend has no setting {name}; {value!r} was left out"))
        else:
            fields[dialect.max_tokens if name == "max_tokens" else name] = value
    if request.stream:
        fields["stream"] = True
        if dialect.capabilities.usage:
            fields["stream_options"] = {"include_usage": True}
    if request.prefix:
        fields.update(dialect.continues)
    fields.update(options.extra)
    if not fields.get("stream"):
        fields.pop("stream_options", None)
    return {name: value for name, value in fields.items() if value is not None}, tuple(notices)


def body_of(fields: Mapping[str, Any], messages: bytes) -> bytes:
    """The body; `messages` among the fields stands in for those of the request."""
    try:
        inner = utf8(dumps(fields))[1:-1]
    except ValueError as error:
        raise InvalidInput(f"the fields of a request cannot be written as JSON: {error}") from None
    if "messages" in fields:
        return b"{%b}" % inner
    return b'{%b%b"messages":[%b]}' % (inner, b"," if inner else b"", messages)


def messages_of(request: ChatRequest, dialect: Dialect) -> bytes:
    """The messages, joined. Reasoning goes back only while the model is still at it: after the user's last message."""
    messages, names = request.messages, dialect.writes_reasoning
    last = len(messages) - 1 if request.prefix else len(messages)
    if request.prefix and not (messages and messages[-1].role == "assistant"):
        raise InvalidInput("a prefix request ends with a message of the assistant")
    turn = next((place for place in range(len(messages) - 1, -1, -1) if messages[place].role == "user"), -1)

    def plain(message: Message) -> bytes:
        return _wire(message, (), prefix=False)

    def thinking(message: Message) -> bytes:
        return _wire(message, names, prefix=False)

    wires = [message.memo("openai", plain) for message in messages[: turn + 1]]
    wires += [message.memo(("openai", names), thinking) for message in messages[turn + 1 : last]]
    if request.prefix:
        wires.append(messages[-1].memo(("openai", names, "prefix"), lambda message: _wire(message, names, prefix=True)))
    return b",".join(filter(None, wires))


def _wire(message: Message, names: tuple[str, ...], *, prefix: bool) -> bytes:
    """One message of ours as no, one or several of theirs."""
    for part in message.parts:
        if not isinstance(part, _CARRIES[message.role]):
            raise Unsupported(f"a {message.role} message cannot carry {part!r:.200} in the chat-completions format")
    made: list[WireMessage] = [
        {"role": "tool", "tool_call_id": part.call_id, "content": part.content}
        for part in message.parts
        if isinstance(part, ToolResult)
    ]
    match message.role:
        case "assistant":
            made += _assistant(message, names, prefix=prefix)
        case "tool":
            pass
        case _ if len(made) < len(message.parts):
            made.append({"role": message.role, "content": _content(message)})
        case _:
            pass
    return b",".join(utf8(dumps(wire)) for wire in made)


def _assistant(message: Message, names: tuple[str, ...], *, prefix: bool) -> list[WireMessage]:
    text, calls, thought = message.text, message.tool_calls, message.reasoning
    if not (text or calls or prefix):
        return []
    # an empty text, not null: servers that stumble over null are more than those that stumble over ""
    wire: dict[str, Any] = {"role": "assistant", "content": text}
    if thought:
        wire |= dict.fromkeys(names, thought)
    if calls:
        wire["tool_calls"] = [_call(call) for call in calls]
    return [wire]  # type: ignore[list-item] # the names of the reasoning fields are the dialect's


def _call(call: ToolCall) -> WireCall:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _arguments(call)}}


def _arguments(call: ToolCall) -> str:
    """JSON, whatever the model wrote: what cannot be read goes as no arguments, NaN as null."""
    if call.broken:
        return "{}"
    try:
        text = call.arguments_json
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"the arguments of the call {call.id!r} to {call.name!r} are no JSON: {error}") from None
    try:
        loads(text)
    except ValueError:
        return _repaired(text)
    return text


def _repaired(text: str) -> str:
    try:
        return dumps(json.loads(text, parse_constant=lambda _: None))
    except (ValueError, RecursionError):
        return "{}"


def _content(message: Message) -> str | list[ContentPart]:
    if not any(isinstance(part, Media) for part in message.parts):
        return message.text
    made: list[ContentPart] = []
    for part in message.parts:
        match part:
            case Text(text):
                made.append({"type": "text", "text": text})
            case Media():
                made.append({"type": "image_url", "image_url": {"url": _image(part)}})
            case _:
                pass  # results have gone as messages of their own
    return made


def _image(media: Media) -> str:
    if not media.mime.startswith("image/"):
        raise Unsupported(f"the chat-completions format carries images, not {media.mime!r}")
    if media.data is not None:
        return f"data:{media.mime};base64,{b64encode(media.data).decode()}"
    if media.url:
        return media.url
    raise Unsupported(f"the image has neither bytes nor an address: {media!r}")

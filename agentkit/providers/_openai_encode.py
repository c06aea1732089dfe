"""Requests of the chat-completions dialect: the bytes that leave.

The wire form of a message is remembered by the message, so the body of a request is a join. What a request must never
hold, because some server stumbles over it: nulls, `stream_options` without `stream`, an assistant message that says
nothing, arguments that are no JSON object.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from agentkit.errors import InvalidInput, Unsupported
from agentkit.events import Notice
from agentkit.messages import Media, Message, Part, Reasoning, Text, ToolCall, ToolResult
from agentkit.options import Options
from agentkit.provider import ChatRequest
from agentkit.providers._json import dumps, utf8
from agentkit.providers._openai_arguments import arguments_of
from agentkit.providers._openai_dialect import Dialect
from agentkit.providers._openai_history import asks, in_pairs, in_turn, one_system
from agentkit.providers._openai_tools import shape_settings, tool_settings


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
_NESTED = ("temperature", "top_p")
_CARRIES: Mapping[str, tuple[type[Part], ...]] = {
    "system": (Text,),
    "user": (Text, Media, ToolResult),
    "assistant": (Text, Reasoning, ToolCall),
    "tool": (ToolResult,),
}


def fields_of(request: ChatRequest, dialect: Dialect) -> tuple[dict[str, Any], tuple[Notice, ...]]:
    """Everything of a body but its messages and tools, and what had to be left out."""
    options = request.options
    settings, notices = _settings(options, dialect)
    tools, on_tools = tool_settings(request, dialect)
    shape, on_shape = shape_settings(request, dialect)
    fields: dict[str, Any] = {"model": request.model, **dialect.body, **settings, **tools, **shape}
    if dialect.nests and (nested := {name: settings[name] for name in _NESTED if name in settings}):
        fields[dialect.nests] = nested
    if request.stream:
        fields["stream"] = True
        if dialect.capabilities.usage and dialect.asks_usage:
            fields["stream_options"] = {"include_usage": True}
    if request.prefix:
        fields.update(dialect.continues)
    fields.update(options.extra)
    if not fields.get("stream"):
        fields.pop("stream_options", None)
    return {name: value for name, value in fields.items() if value is not None}, (*notices, *on_tools, *on_shape)


def _settings(options: Options, dialect: Dialect) -> tuple[dict[str, Any], list[Notice]]:
    settings: dict[str, Any] = {}
    notices: list[Notice] = []
    for name in _SETTINGS:
        value = getattr(options, name)
        if value is None or value == ():
            continue
        if name in dialect.lacks:
            notices.append(Notice(f"the backend has no setting {name}; {value!r} was left out"))
        elif name == "reasoning_effort" and dialect.efforts is not None and value not in dialect.efforts:
            known = ", ".join(sorted(dialect.efforts))
            notices.append(Notice(f"the backend knows no {name} {value!r} ({known}); it was left out"))
        else:
            settings[dialect.max_tokens if name == "max_tokens" else name] = value
    return settings, notices


def body_of(fields: Mapping[str, Any], messages: bytes, tools: bytes = b"") -> bytes:
    """The body; `messages` among the fields stands in for those of the request."""
    try:
        inner = utf8(dumps(fields))[1:-1]
    except ValueError as error:
        raise InvalidInput(f"the fields of a request cannot be written as JSON: {error}") from None
    if tools:
        inner += b'%b"tools":[%b]' % (b"," if inner else b"", tools)
    if "messages" in fields:
        return b"{%b}" % inner
    return b'{%b%b"messages":[%b]}' % (inner, b"," if inner else b"", messages)


def messages_of(request: ChatRequest, dialect: Dialect) -> bytes:
    """The messages, joined. Reasoning goes back only while the model is still at it: after the user's last message."""
    messages = request.messages
    if request.prefix and not (messages and messages[-1].role == "assistant"):
        raise InvalidInput("a prefix request ends with a message of the assistant")
    if dialect.one_system:
        messages = one_system(messages)
    if dialect.pairs:
        messages = in_pairs(messages)
    if dialect.in_turn:
        messages = in_turn(messages, begun=request.prefix)
    last = len(messages) - 1 if request.prefix else len(messages)
    turn = next((place for place in range(len(messages) - 1, -1, -1) if asks(messages[place])), -1)

    def plain(message: Message) -> bytes:
        return _wire(message, dialect, ())

    def thinking(message: Message) -> bytes:
        return _wire(message, dialect, dialect.writes_reasoning)

    def begun(message: Message) -> bytes:
        return _wire(message, dialect, dialect.writes_reasoning, prefix=True)

    form = f"openai{', cleaned' * dialect.cleans}{', images as bytes' * (not dialect.image_urls)}"
    thinks = f"{form}, {dialect.writes_reasoning}, {dialect.pairs}"
    wires = [message.memo(form, plain) for message in messages[: turn + 1]]
    wires += [message.memo(thinks, thinking) for message in messages[turn + 1 : last]]
    if request.prefix:
        wires.append(messages[-1].memo(f"{thinks}, prefix", begun))
    return b",".join(filter(None, wires))


def _wire(message: Message, dialect: Dialect, names: tuple[str, ...], *, prefix: bool = False) -> bytes:
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
            made += _assistant(message, dialect, names, prefix=prefix)
        case "tool":
            pass
        case _:
            # blank instructions and questions stay here: some servers refuse them
            if said := _content(message, dialect):
                made.append({"role": message.role, "content": said})
    return b",".join(utf8(dumps(wire)) for wire in made)


def _assistant(message: Message, dialect: Dialect, names: tuple[str, ...], *, prefix: bool) -> list[WireMessage]:
    text, calls, thought = message.text, message.tool_calls, message.reasoning if names else ""
    if dialect.cleans:
        from agentkit.providers._harmony import cleaned

        text = cleaned(text)
    if dialect.pairs and calls and thought and text:
        text, thought = "", f"{thought}\n\n{text}"
    begun = prefix and bool(
        text or thought or not message.text
    )  # of leaked tokens alone, nothing is left to go on from
    if not (text.strip() or calls or begun):
        return []
    # an empty text, not null: servers that stumble over null are more than those that stumble over ""
    wire: dict[str, Any] = {"role": "assistant", "content": text}
    if thought:
        wire |= dict.fromkeys(names, thought)
    if calls:
        wire["tool_calls"] = [_call(call) for call in calls]
    return [wire]  # type: ignore[list-item] # the names of the reasoning fields are the dialect's


def _call(call: ToolCall) -> WireCall:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments_of(call)}}


def _content(message: Message, dialect: Dialect) -> str | list[ContentPart]:
    if not any(isinstance(part, Media) for part in message.parts):
        return message.text if message.text.strip() else ""
    made: list[ContentPart] = []
    for part in message.parts:
        match part:
            case Text(text):
                if text.strip():
                    made.append({"type": "text", "text": text})
            case Media():
                made.append({"type": "image_url", "image_url": {"url": _image(part, dialect)}})
            case _:
                pass  # results have gone as messages of their own
    return made


def _image(media: Media, dialect: Dialect) -> str:
    if not media.mime.startswith("image/"):
        raise Unsupported(f"the chat-completions format carries images, not {media.mime!r}")
    if media.data is not None:
        return f"data:{media.mime};base64,{b64encode(media.data).decode()}"
    if media.url and not dialect.image_urls:
        raise Unsupported(f"the backend takes the bytes of an image, not its address: {media!r}")
    if media.url:
        return media.url
    raise Unsupported(f"the image has neither bytes nor an address: {media!r}")

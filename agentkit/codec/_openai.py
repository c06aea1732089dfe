"""Messages as the dicts of OpenAI's chat completions, and back.

That wire has one slot each, in this order, for reasoning, text and tool calls. Marks that do not change the meaning
have no place on it and are left out: meta, the error flag of a tool result, the type of an image behind an address.
Keys it has and a message has not are kept in `meta["openai"]["extra"]`, and win when the dict is written again.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any, cast

from agentkit.codec._json import short
from agentkit.errors import InvalidDocument, Unsupported
from agentkit.messages import Media, Message, Meta, Part, Reasoning, Role, Text, ToolCall, ToolResult, Unknown

Dict = dict[str, Any]

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_DATA_URL = re.compile(r"data:([^;,]+);base64,([A-Za-z0-9+/]*={0,2})")


def from_openai(messages: Iterable[Mapping[str, Any]]) -> tuple[Message, ...]:
    """Read chat dicts.

    Raises:
        InvalidDocument: with the path of what is no chat dict.
    """
    if not isinstance(messages, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - callers have any JSON
        raise InvalidDocument(f"expected a list of chat dicts, not {short(messages)}")
    return tuple(_message(item, f"$[{index}]") for index, item in enumerate(messages))


def to_openai(messages: Iterable[Message]) -> list[Dict]:
    """Write chat dicts; a tool message becomes one dict for each of its results.

    Raises:
        Unsupported: a message holds what chat dicts cannot carry.
    """
    return [item for message in messages for item in _dicts(message)]


# --- reading


def _message(item: object, path: str) -> Message:
    rest = dict(_object(item, path))
    word = rest.pop("role", None)
    role = _ROLES.get(word) if isinstance(word, str) else None
    if role is None:
        raise InvalidDocument(f"expected one of {', '.join(_ROLES)}, not {short(word)}", path=f"{path}.role")
    if word != role:
        rest["role"] = word
    parts = _READERS.get(role, _asked)(rest, path)
    return Message(role, tuple(parts), {"openai": {"extra": rest}} if rest else {})


def _said(rest: Dict, path: str) -> list[Part]:
    return _content(rest.pop("content", None), f"{path}.content")


def _asked(rest: Dict, path: str) -> list[Part]:
    """Unlike the assistant, nobody else can have called a tool, or refused, instead of saying something."""
    if rest.get("content") is None:
        raise InvalidDocument("this message needs content", path=f"{path}.content")
    return _said(rest, path)


def _assistant(rest: Dict, path: str) -> list[Part]:
    return [*_reasoning(rest, path), *_said(rest, path), *_calls(rest, path)]


def _tool(rest: Dict, path: str) -> list[Part]:
    call_id = _text(rest.pop("tool_call_id", None), f"{path}.tool_call_id")
    parts = _said(rest, path)
    if not all(isinstance(part, Text) for part in parts):
        raise InvalidDocument("a tool message holds text only", path=f"{path}.content")
    return [ToolResult(call_id, "".join(part.text for part in parts if isinstance(part, Text)))]


_READERS: Mapping[str, Callable[[Dict, str], list[Part]]] = {"assistant": _assistant, "tool": _tool}


def _reasoning(rest: Dict, path: str) -> list[Part]:
    """Servers write one of two keys, some write both; a null is left where it was."""
    found = [key for key in ("reasoning_content", "reasoning") if rest.get(key) is not None]
    texts = [_text(rest.pop(key), f"{path}.{key}") for key in found]
    return [Reasoning(texts[0])] if texts else []


def _content(content: object, path: str) -> list[Part]:
    match content:
        case None:
            return []
        case str():
            return [Text(content)]
        case list():
            items = cast("list[object]", content)
            return [_part(_object(item, f"{path}[{index}]"), f"{path}[{index}]") for index, item in enumerate(items)]
        case _:
            raise InvalidDocument(f"expected a text or an array of parts, not {short(content)}", path=path)


def _part(item: Dict, path: str) -> Part:
    match item:
        case {"type": "text", "text": str(text)}:
            return Text(text)
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return _image(url)
        case {"type": "text" | "image_url"}:
            raise InvalidDocument(f"not a part of this type: {short(item)}", path=path)
        case {"type": str()}:
            return Unknown(item)
        case _:
            raise InvalidDocument(f"a part needs a type: {short(item)}", path=path)


def _image(url: str) -> Media:
    found = _DATA_URL.fullmatch(url)
    if found is not None and len(found[2]) % 4 == 0:
        media = Media(found[1], data=base64.b64decode(found[2]))
        if _url(media) == url:
            return media
    return Media("image/*", url=url)


def _calls(rest: Dict, path: str) -> list[Part]:
    calls = rest.pop("tool_calls", None)
    if calls is None:
        return []
    path = f"{path}.tool_calls"
    if not isinstance(calls, list):
        raise InvalidDocument(f"expected an array, not {short(calls)}", path=path)
    items = cast("list[object]", calls)
    return [_call(_object(item, f"{path}[{index}]"), f"{path}[{index}]") for index, item in enumerate(items)]


def _call(item: Dict, path: str) -> ToolCall:
    if item.get("type", "function") != "function":
        raise InvalidDocument(f"only calls of functions are known, not {short(item['type'])}", path=f"{path}.type")
    function = _object(item.get("function"), f"{path}.function")
    name = _text(function.get("name"), f"{path}.function.name")
    call_id = _text(item.get("id"), f"{path}.id")
    match function.get("arguments"):
        case str(text):
            return ToolCall.parse(call_id, name, text)
        case None:
            return ToolCall(call_id, name)
        case other:
            return ToolCall(call_id, name, _object(other, f"{path}.function.arguments"))


def _object(value: object, path: str) -> Dict:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    raise InvalidDocument(f"expected an object, not {short(value)}", path=path)


def _text(value: object, path: str) -> str:
    if isinstance(value, str):
        return value
    raise InvalidDocument(f"expected a text, not {short(value)}", path=path)


# --- writing


def _dicts(message: Message) -> list[Dict]:
    extra = _extra(message.meta)
    if message.role == "tool":
        return [
            {"role": "tool", "tool_call_id": it.call_id, "content": it.content, **extra} for it in _results(message)
        ]
    if message.role == "assistant":
        return [{**_assistant_dict(message), **extra}]
    return [{"role": message.role, "content": _written(message.parts, message), **extra}]


def _extra(meta: Meta) -> Mapping[str, Any]:
    match meta:
        case {"openai": {"extra": extra}}:
            return cast("Mapping[str, Any]", extra)
        case _:
            return {}


def _results(message: Message) -> Iterable[ToolResult]:
    for part in message.parts:
        if not isinstance(part, ToolResult):
            raise _unsupported(part, message)
        yield part


def _assistant_dict(message: Message) -> Dict:
    reasoning = tuple(takewhile(lambda part: isinstance(part, Reasoning), message.parts))
    calls = message.tool_calls
    said = message.parts[len(reasoning) : len(message.parts) - len(calls)]
    made: Dict = {"role": "assistant", "content": _written(said, message) if said else None}
    if reasoning:
        made["reasoning_content"] = message.reasoning
    if calls:
        made["tool_calls"] = [_call_dict(call) for call in calls]
    return made


def _call_dict(call: ToolCall) -> Dict:
    text = call.raw if call.broken and call.raw is not None else call.arguments_json
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": text}}


def _written(parts: Sequence[Part], message: Message) -> str | list[Dict]:
    match parts:
        case (Text(text),):
            return text
        case _:
            return [_part_dict(part, message) for part in parts]


def _part_dict(part: Part, message: Message) -> Dict:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Media(mime=mime) if mime.startswith("image/") and message.role != "assistant":
            return {"type": "image_url", "image_url": {"url": _url(part)}}
        case Unknown(data):
            return dict(data)
        case _:
            raise _unsupported(part, message)


def _url(media: Media) -> str:
    if media.url is not None:
        return media.url
    return f"data:{media.mime};base64,{base64.b64encode(media.data or b'').decode()}"


def _unsupported(part: Part, message: Message) -> Unsupported:
    return Unsupported(f"chat dicts cannot carry {short(part)} here in a message of the {message.role}")

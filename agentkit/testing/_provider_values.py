"""What a provider is put through: histories, options, garbled answers, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from agentkit.errors import (
    AuthError,
    BadRequest,
    ContextOverflow,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    ServerError,
)
from agentkit.messages import Media, Message, Reasoning, Text, ToolCall, ToolResult, Unknown, assistant, system, user
from agentkit.options import Options
from agentkit.provider import ReplyShape


@frozen(kw_only=True)
class Declared:
    """What a model is told of a tool."""

    name: str
    description: str = "Says when the ferry leaves."
    parameters: Mapping[str, Any] = field(factory=lambda: {"type": "object", "properties": {}})
    strict: bool = False


_HARBOUR = {"type": "object", "properties": {"name": {"type": "string", "default": None}}, "required": ["name"]}
FERRY = Declared(name="ferry", parameters=_HARBOUR)
TIDES = Declared(name="tides")
STRICT = Declared(name="ferry", parameters={**_HARBOUR, "additionalProperties": False}, strict=True)
TOOLS: Mapping[str, tuple[Declared, ...]] = {
    "one": (FERRY,),
    "several": (FERRY, TIDES),
    "without a word": (Declared(name="ferry", description=""),),
    "with definitions": (
        Declared(
            name="ferry",
            parameters={
                "type": "object",
                "properties": {"from": {"$ref": "#/$defs/harbour"}, "to": {"anyOf": [{"$ref": "#/$defs/harbour"}, {}]}},
                "$defs": {"harbour": _HARBOUR},
            },
        ),
    ),
    "in all kinds of characters": (
        Declared(
            name="f\u00e4hre_\u6e21\u8239",
            description='Wann? \u2028 "\\" \U0001f6a2 </tool> {{x}}',
            parameters={"type": "object", "properties": {"H\u00e4fen": {"enum": ["\u00c5lesund", None, 0.5]}}},
        ),
    ),
}
CHOICES: Mapping[str, str] = {"at least one": "required", "none": "none", "one by its name": "tides"}
SHAPES: Mapping[str, ReplyShape] = {
    "loosely": ReplyShape(name="timetable", schema=_HARBOUR),
    "strictly": ReplyShape(name="timetable", schema={**_HARBOUR, "additionalProperties": False}, strict=True),
}

KEY = "sk-secret-0123456789"
MODELS = ("model", "maker/model", "model:20b", "gpt-oss-20b", "Model With Blanks", "Modèle", "x" * 300)

_ASK = user("Which ferry?")
_CALLS = assistant(ToolCall("c1", "rain", {"city": "Ys"}), ToolCall("c2", "rain", {}))
_RESULTS = Message("tool", (ToolResult("c2", "dry"), ToolResult("c1", "wet")))

HISTORIES: Mapping[str, tuple[Message, ...]] = {
    "a question": (_ASK,),
    "instructions": (system("Be brief."), _ASK),
    "instructions in the middle": (_ASK, assistant("This one."), system("Be brief."), _ASK),
    "a reply": (_ASK, assistant("This one."), _ASK),
    "two questions in a row": (user("Well?"), _ASK),
    "two replies in a row": (_ASK, assistant("This"), assistant("one."), _ASK),
    "a beginning by the assistant": (assistant("Ahoy."), _ASK),
    "thinking": (_ASK, Message("assistant", (Reasoning("Hm."), Text("This one."))), _ASK),
    "a tool loop under way": (_ASK, _CALLS, _RESULTS),
    "a tool loop with thinking": (_ASK, Message("assistant", (Reasoning("Hm."), *_CALLS.parts)), _RESULTS),
    "a tool loop that is over": (_ASK, _CALLS, _RESULTS, assistant("Take a coat."), _ASK),
    "arguments that are no JSON": (_ASK, assistant(ToolCall.parse("c1", "rain", '{"city": ')), _ASK),
    "an image": (user("Whose ferry?", Media("image/png", data=b"\x89PNG\0")),),
    "an address of an image": (user("Whose ferry?", Media("image/png", url="https://example.com/a.png")),),
    "a sound": (user("Whose horn?", Media("audio/wav", data=b"RIFF")),),
    "a part of tomorrow": (_ASK, Message("assistant", (Unknown({"type": "hologram"}),)), _ASK),
    "blank messages": (
        Message("system", (Text(" "),)),
        Message("user", (Text(" "),)),
        Message("assistant", (Text(""),)),
        _ASK,
    ),
    "all kinds of characters": (user("\0 \u2028 \u202e \U0001f6a2 \ufffe \ud83d"),),
    "a reply that was cut": (_ASK, Message("assistant", (Text("Thi"),), {"agentkit": {"interrupted": True}}), _ASK),
    "facts of another backend": (_ASK, Message("assistant", (Text("x"),), {"another": {"id": [1]}}), _ASK),
    "a long one": (*(message for _ in range(300) for message in (_ASK, assistant("This one."))), _ASK),
}
"""Whatever a conversation may hold; its instructions come as messages, and each call has its result."""

OPTIONS: Mapping[str, Options] = {
    "temperature": Options(temperature=0.5),
    "no temperature": Options(temperature=0),
    "top_p": Options(top_p=0.5),
    "max_tokens": Options(max_tokens=4000),
    "few max_tokens": Options(max_tokens=5),
    "stop": Options(stop=("END",)),
    "seed": Options(seed=7),
    "presence_penalty": Options(presence_penalty=0.5),
    "frequency_penalty": Options(frequency_penalty=0.5),
    "little effort": Options(reasoning_effort="low"),
    "much effort": Options(reasoning_effort="high"),
    "an effort that nobody knows": Options(reasoning_effort="heroic"),
    "a field of the caller's own": Options(extra={"agentkit_contract": 1}),
}

GARBAGE: Mapping[str, bytes] = {
    "nothing": b"",
    "a blank line": b"\n",
    "text": b"the ferry is late\n",
    "HTML": b"<!doctype html><html><title>502 Bad Gateway</title></html>",
    "null": b"null\n",
    "a number": b"1e999\n",
    "an empty object": b"{}\n",
    "an empty list": b"[]\n",
    "an object of something else": b'{"status": "ok", "data": null, "choices": 5, "message": [], "error": null}\n',
    "half an object": b'{"type": "reply", "data": {"content": "Hel',
    "NaN": b'{"usage": NaN}\n',
    "brackets without end": b"[" * 5000,
    "bytes that are no text": b"\xff\xfe\x00\xc3\x28\n",
    "half a character": "\U0001f6a2".encode()[:2],
    "a stream of nothing": b"data: {}\n\ndata: [DONE]\n\n",
    "comments": b": keep-alive\n\n" * 20,
    "events of another kind": b"event: ping\nid: 7\nretry: 10\n\nevent: error\ndata: x\n\n",
    "a line without end": b"x" * 5000,
}
KINDS = ("application/json", "application/x-ndjson", "text/event-stream", "text/plain; charset=latin-1", "")

STATUSES: Mapping[int, tuple[type[ProviderError], ...]] = {
    301: (ProviderError,),
    400: (BadRequest,),
    401: (AuthError,),
    402: (QuotaExceeded, RateLimited, BadRequest),
    403: (AuthError, BadRequest),
    404: (BadRequest,),
    408: (ProviderError,),
    409: (ProviderError,),
    413: (BadRequest, ContextOverflow),
    422: (BadRequest,),
    429: (RateLimited, QuotaExceeded),
    500: (ServerError,),
    502: (ServerError,),
    503: (ServerError,),
    504: (ServerError,),
    529: (ServerError,),
}
REFUSALS: Mapping[str, bytes] = {
    "nothing": b"",
    "a text": b"no\nsuch\nferry",
    "HTML": b"<html><title>Oh no</title><body><h1>nginx</h1></body></html>",
    "an object": b'{"error": {"message": "no such\\nferry", "type": "invalid", "code": 5}}',
    "a text in an object": b'{"error": "no such ferry"}',
    "a detail": b'{"detail": [{"loc": ["body"], "msg": "no such ferry"}]}',
    "a list": b'["no", null, 1]',
    "null": b"null",
    "no text": b"\xff\xfe\x00",
    "a surrogate": b'{"message": "\\ud83d"}',
    "much": b"ferry " * 50_000,
    "brackets without end": b"[" * 5000,
    "the key": f'{{"error": {{"message": "no such key: {KEY}"}}}}'.encode(),
}

"""Counting without a vocabulary: what bytes alone say of a prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence

from attrs import field, frozen

from agentkit.messages import Message, ToolResult
from agentkit.tokens import CountKind, ToolShape

PER_TOKEN = 4
_FRAME, _CALL, _RESULT, _TOOL, _BASE = 16, 32, 96, 32, 600
"""Bytes that stand for what a template writes around these; names that it repeats included."""


@frozen(cache_hash=True)
class Bytes:
    """About four bytes are a token, and no token is shorter than a byte: the margin goes as far as that."""

    kind: CountKind = field(default="estimate", init=False)
    margin: float = field(default=PER_TOKEN - 1, init=False)
    base: int = field(default=_BASE // PER_TOKEN, init=False)

    def text(self, text: str, /) -> int:
        return _tokens(_size(text))

    def message(self, message: Message, /, *, live: bool = False) -> int:
        said = _size(message.text) + _size(message.reasoning) + _FRAME
        calls = sum(_CALL + 2 * _size(call.name) + _size(call.arguments_json) for call in message.tool_calls)
        results = (part for part in message.parts if isinstance(part, ToolResult))
        return _tokens(said + calls + sum(_RESULT + _size(result.content) for result in results))

    def tools(self, tools: Sequence[ToolShape], /, *, system: bool = False) -> int:
        return _tokens(sum(_TOOL + _size(f"{tool.name}{tool.description}{_schema(tool)}") for tool in tools))


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _tokens(size: int) -> int:
    return -(-size // PER_TOKEN)


def _schema(tool: ToolShape) -> str:
    return json.dumps(tool.parameters, ensure_ascii=False, default=repr)


BYTES = Bytes()

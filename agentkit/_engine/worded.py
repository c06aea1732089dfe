"""Counting for a backend that is told of tools in words: calls and results cost what they come to as text."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from agentkit.messages import Message, ToolCall, ToolResult
from agentkit.tokens import CountKind, TokenCounter, ToolShape
from agentkit.tools import as_text

_LEAST = 0.02


@frozen(cache_hash=True)
class Worded:
    """What `counter` says of the messages as they go out. A result names its tool, which is a guess here: so is it."""

    counter: TokenCounter
    name: str
    """The longest name of a tool."""

    @property
    def kind(self) -> CountKind:
        return "proxy" if self.counter.kind == "exact" else self.counter.kind

    @property
    def margin(self) -> float:
        return max(self.counter.margin, _LEAST)

    @property
    def base(self) -> int:
        return self.counter.base

    def text(self, text: str, /) -> int:
        return self.counter.text(text)

    def message(self, message: Message, /, *, live: bool = False) -> int:
        ids = [part.call_id for part in message.parts if isinstance(part, ToolResult)]
        asked = Message("assistant", tuple(ToolCall(call_id, self.name) for call_id in ids))
        return self.counter.message(as_text((asked, message))[1], live=live)

    def tools(self, tools: Sequence[ToolShape], /, *, system: bool = False) -> int:
        return 0

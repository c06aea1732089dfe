"""Counters whose numbers a test can foretell, and histories made by chance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from attrs import field, frozen
from hypothesis import strategies as st

from agentkit._engine.history import History
from agentkit.context import pin
from agentkit.messages import Media, Message, Part, Reasoning, Text, ToolCall, ToolResult, Unknown
from agentkit.tokens import CountKind, ToolShape

_WORD = re.compile(r"\w+|[^\w\s]")


@frozen
class Words:
    """A word is a token. Thinking counts while it is live."""

    kind: CountKind = "exact"
    margin: float = 0.0
    base: int = 2
    frame: int = 4

    def text(self, text: str, /) -> int:
        return len(_WORD.findall(text))

    def message(self, message: Message, /, *, live: bool = False) -> int:
        return self.frame + sum(self._part(part, live) for part in message.parts)

    def tools(self, tools: Sequence[ToolShape], /, *, system: bool = False) -> int:
        return (12 if tools and not system else 0) + sum(
            8 + self.text(f"{tool.name} {tool.description}") for tool in tools
        )

    def _part(self, part: Part, live: bool) -> int:
        match part:
            case Text():
                return self.text(part.text)
            case Reasoning():
                return self.text(part.text) if live else 0
            case ToolCall():
                return 3 + self.text(part.name + part.arguments_json)
            case ToolResult():
                return 1 + self.text(part.content)
            case Media():
                return 85
            case Unknown():
                return 10


@frozen
class Shape:
    """A tool, as the model is told of it."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = field(factory=dict[str, Any])
    strict: bool = False


def history(*messages: Message) -> History:
    return History().add(*messages)


texts = st.builds(
    lambda count, word: " ".join([word] * count),
    st.integers(1, 40) | st.integers(100, 300),
    st.sampled_from(["a", "bc", "ü"]),
)
calls = st.builds(ToolCall, st.sampled_from(["c1", "c2", "c3"]), st.just("rain"))
results = st.builds(ToolResult, st.sampled_from(["c1", "c2", "c3"]), texts)
said = st.one_of(
    st.builds(Text, texts),
    st.builds(Reasoning, texts),
    calls,
    results,
    st.just(Media("image/png", url="https://example.org/a.png")),
    st.just(Unknown({"kind": "later"})),
)
any_message = st.one_of(
    st.builds(Message, st.sampled_from(["user", "assistant", "tool"]), st.lists(said, max_size=3).map(tuple)),
    st.builds(lambda text: Message("system", (Text(text),)), texts),
)
plain_message = st.one_of(
    st.builds(lambda text: Message("user", (Text(text),)), texts),
    st.builds(lambda text: Message("assistant", (Text(text),)), texts),
    st.builds(lambda parts: Message("assistant", tuple(parts)), st.lists(calls, min_size=1, max_size=2)),
    st.builds(lambda parts: Message("tool", tuple(parts)), st.lists(results, min_size=1, max_size=2)),
)
messages = st.lists(
    st.one_of(plain_message, plain_message, any_message, plain_message.map(pin)), min_size=1, max_size=30
)

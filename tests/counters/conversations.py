"""Random conversations and tools for the tests of counters; the same seed gives the same ones."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import attrs

from agentkit.messages import Message, Part, Reasoning, Text, ToolCall, ToolResult, assistant, system, user

_SAID = (
    "weather in Oslo tomorrow; Regen über Zürich, 東京の天気は晴れ; Привет как дела; "
    "def add(a, b):\n    return a + b\n; "
    '{"city": "Bergen", "t": [1, 2.5, null]}; 12345 67890; <|end|> <|im_end|> <think>; https://example.org/a?b=1&c=2; '
    "😀👍🏽 ok!; \n\n; \t\ttabs; ... --- ===; Don't we'll I'M; مرحبا; नमस्ते; naïve café; e\u0301; /usr/bin/env"
)
WORDS = tuple(_SAID.split(" "))


@attrs.frozen
class Tool:
    """What a model is told of a tool."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool = False


class Talk:
    """A source of random conversations."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self, most: int = 40) -> str:
        said = " ".join(self.random.choice(WORDS) for _ in range(self.random.randint(1, most)))
        said += self.random.choice(("", ".", "\n", "?!", " "))
        return said if said.strip() else "well" + said

    def maybe(self, share: float) -> bool:
        return self.random.random() < share

    def tools(self, most: int = 5) -> list[Tool]:
        return [
            Tool(f"tool_{place}", self.random.choice(("", "Does it.", "First line.\nSecond line.")), self.parameters())
            for place in range(self.random.randint(0, most))
        ]

    def parameters(self) -> dict[str, Any]:
        names = self.random.sample(("city", "limit", "unit", "when", "tags", "where"), self.random.randint(0, 4))
        fields = {name: self.field(0) for name in names}
        return {"type": "object", "properties": fields, "required": [name for name in names if self.maybe(0.5)]}

    def field(self, depth: int) -> dict[str, Any]:
        kind = self.random.choice(("string", "number", "integer", "boolean", "array", "object"))
        made: dict[str, Any] = {"type": kind}
        if self.maybe(0.5):
            made["description"] = self.random.choice(
                ("The place.", "How many, at most", "two\nlines", 'a "quoted" one')
            )
        if kind == "string" and self.maybe(0.4):
            made["enum"] = ["celsius", "fahrenheit"]
        if kind in {"string", "number", "boolean"} and self.maybe(0.3):
            made["default"] = {"string": "celsius", "number": 1.5, "boolean": True}[kind]
        if kind == "array" and depth < 2:
            made["items"] = self.field(depth + 1)
        if kind == "object" and depth < 2:
            made["properties"] = {name: self.field(depth + 1) for name in ("one", "two")[: self.random.randint(0, 2)]}
        return made

    def conversation(self, tools: list[Tool], *, parallel: bool = True) -> list[Message]:
        said = [system(self.text())] if self.maybe(0.6) else []
        for _ in range(self.random.randint(1, 4)):
            said += [user(self.text()), *self.rounds(tools, parallel=parallel), self.reply()]
        if self.maybe(0.7):
            said += [user(self.text()), *self.rounds(tools, parallel=parallel)]
        return said

    def reply(self) -> Message:
        return assistant(*([Reasoning(self.text())] if self.maybe(0.5) else []), self.text())

    def rounds(self, tools: list[Tool], *, parallel: bool) -> list[Message]:
        made: list[Message] = []
        for _ in range(self.random.choice((0, 0, 1, 2)) if tools else 0):
            calls = [self.call(tools) for _ in range(self.random.randint(1, 2 if parallel else 1))]
            before: list[Part] = [Reasoning(self.text())] if self.maybe(0.6) else []
            if self.maybe(0.3) and (parallel or not before):
                before.append(Text(self.text()))
            made.append(assistant(*before, *calls))
            made.append(Message("tool", tuple(ToolResult(call.id, self.text()) for call in calls)))
        return made

    def call(self, tools: list[Tool]) -> ToolCall:
        arguments = {"city": self.text(3), "limit": self.random.randint(1, 500)}
        return ToolCall(f"c{self.random.randrange(10**9)}", self.random.choice(tools).name, arguments)

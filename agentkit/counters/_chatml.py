"""What messages cost in ChatML, the format of Qwen models.

Each message stands between control tokens; the tags of tools and thinking are tokens of their own in the vocabulary. A
text that looks like such a token counts as plain text, which is never less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from attrs import field, frozen

from agentkit.counters._content import arguments, definition, only_results, opaque, results, spaced
from agentkit.counters._packed import QWEN
from agentkit.counters._vocabulary import Vocabulary
from agentkit.messages import Message, ToolCall
from agentkit.tokens import CountKind, ToolShape

_TOOLS = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>"""
_AFTER_TOOLS = "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
_TAGS_ARE = " XML tags:\n"
_CALL_IS = '\n{"name": <function-name>, "arguments": <args-json-object>}\n'
_QWEN_25 = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."


@frozen
class Tags:
    """In what the generations of the format differ."""

    result: bool = True
    """The tags around a result are tokens."""
    thinks: bool = True
    """The model thinks, and the thinking of a running turn is shown to it."""
    standing: str = ""
    """What the template says where there is no system message."""


QWEN_3 = Tags()
QWEN_25 = Tags(result=False, thinks=False, standing=_QWEN_25)


@frozen(cache_hash=True)
class ChatMLCounter:
    """Counts for Qwen models. Never too low; too high by what the frames of neighbours share, some tokens each."""

    tags: Tags = QWEN_3
    vocabulary: Vocabulary = field(default=QWEN)

    @property
    def kind(self) -> CountKind:
        return self.vocabulary.kind_of("exact")

    @property
    def margin(self) -> float:
        return self.vocabulary.margin_of(0.0)

    @property
    def base(self) -> int:
        """The beginning of the reply, and what the template says by itself."""
        standing = self._framed("system", self.tags.standing) if self.tags.standing else 0
        return standing + 1 + self.text("assistant\n") + (self._thought("") if self.tags.thinks else 0)

    def text(self, text: str, /) -> int:
        return self.vocabulary.count(text)

    def message(self, message: Message, /, *, live: bool = False) -> int:
        cost = self._results(message) + opaque(message)
        match message.role:
            case "assistant":
                return cost + self._assistant(message, live=live)
            case "system":
                return cost + max(self._framed("system", message.text + end) for end in ("", "\n\n"))
            case "user":
                return cost if only_results(message) else cost + self._framed("user", message.text)
            case "tool":
                return cost
            case _:
                assert_never(message.role)

    def tools(self, tools: Sequence[ToolShape], /, *, system: bool = False) -> int:
        """The tag of a call stands in the text twice, and is a token each time it begins or ends."""
        if not tools:
            return 0
        listed = "".join([_TOOLS, *(f"\n{definition(tool)}" for tool in tools), _AFTER_TOOLS])
        fixed = self.text(listed) + 2 + self.text(_TAGS_ARE) + 1 + self.text(_CALL_IS) + 1
        return fixed if system else fixed + self._framed("system", self.tags.standing + "\n\n")

    def _framed(self, role: str, text: str) -> int:
        """Two control tokens and the line end after them around the role and the text, which are encoded as one."""
        return 2 + self.text(f"{role}\n{text}") + 1

    def _assistant(self, message: Message, *, live: bool) -> int:
        text, calls = message.text, message.tool_calls
        if not (text or calls):
            return 0
        cost = self._framed("assistant", text)
        if live and self.tags.thinks and (message.reasoning or not calls):
            cost += self._thought(message.reasoning.strip("\n"))
        lines = len(calls) if text else len(calls) - 1
        return cost + sum(self._call(call) for call in calls) + max(0, lines)

    def _thought(self, reasoning: str) -> int:
        return 2 + self.text(f"\n{reasoning}\n") + self.text("\n\n")

    def _call(self, call: ToolCall) -> int:
        """The tags are tokens. The line end before the first of them is there where something is said before it."""
        shown = max(
            self.text(f'\n{{"name": "{call.name}", "arguments": {text}}}\n') for text in (arguments(call), spaced(call))
        )
        return 1 + shown + 1

    def _results(self, message: Message) -> int:
        found = results(message)
        if not found:
            return 0
        return 2 + self.text("user") + 1 + sum(self._result(result.content) for result in found)

    def _result(self, content: str) -> int:
        if self.tags.result:
            return 1 + 1 + self.text(f"\n{content}\n") + 1
        return self.text(f"\n<tool_response>\n{content}\n</tool_response>")

"""What messages cost in the format of gpt-oss models, harmony.

Texts stand between control tokens there and are encoded apart, so that the cost of a prompt is the sum of its parts.
What a server makes of a message is one of three ways; where it is not known which, the dearest counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, assert_never

from attrs import field, frozen

from agentkit.counters._content import arguments, only_results, opaque, results, spaced, to_json
from agentkit.counters._packed import O200K
from agentkit.counters._typescript import namespace
from agentkit.counters._vocabulary import Vocabulary
from agentkit.messages import Message, ToolCall, ToolResult
from agentkit.tokens import CountKind, ToolShape

_SYSTEM = """You are ChatGPT, a large language model trained by OpenAI.
Knowledge cutoff: 2024-06
Current date: 2026-01-01

Reasoning: medium

# Valid channels: analysis, commentary, final. Channel must be included for every message."""
_SYSTEM_TOOLS = "\nCalls to these tools must go to the commentary channel: 'functions'."
_INSTRUCTIONS = "# Instructions\n\n"


@frozen
class Rendering:
    """What a family of servers makes of a message, where they differ."""

    arguments: Literal["raw", "spaced", "quoted"] = "raw"
    """The arguments of a call: as they come, as an object, or as a text within a text."""
    quotes_results: bool = False
    """A result is written as a JSON string."""
    thinks_aloud: bool = False
    """What is said beside a call is taken for thinking, and goes when the thinking goes."""


REFERENCE = Rendering()
"""OpenAI's own library, as vLLM uses it."""
OBJECTS = Rendering(arguments="spaced", quotes_results=True, thinks_aloud=True)
"""The template of the model where the server reads the arguments first: llama.cpp."""
TEXTS = Rendering(arguments="quoted", quotes_results=True, thinks_aloud=True)
"""The template of the model where the arguments stay a text."""
ANY = (REFERENCE, OBJECTS, TEXTS)


@frozen(cache_hash=True)
class HarmonyCounter:
    """Counts for gpt-oss models. Never too low; at most one too high for each system message, if the way is known."""

    ways: tuple[Rendering, ...] = ANY
    vocabulary: Vocabulary = field(default=O200K)

    @property
    def kind(self) -> CountKind:
        return self.vocabulary.kind_of("exact")

    @property
    def margin(self) -> float:
        return self.vocabulary.margin_of(0.0)

    @property
    def base(self) -> int:
        """The system message with its date, and the beginning of the reply."""
        return 4 + _system_tokens(self.vocabulary) + 2

    def text(self, text: str, /) -> int:
        return self.vocabulary.count(text)

    def message(self, message: Message, /, *, live: bool = False) -> int:
        ways = self.ways if any(isinstance(part, ToolCall | ToolResult) for part in message.parts) else self.ways[:1]
        return max(self._message(message, way, live=live) for way in ways)

    def tools(self, tools: Sequence[ToolShape], /, *, system: bool = False) -> int:
        if not tools:
            return 0
        frame = 0 if system else 4
        return self.text(_SYSTEM + _SYSTEM_TOOLS) - _system_tokens(self.vocabulary) + frame + self._namespace(tools)

    def _namespace(self, tools: Sequence[ToolShape]) -> int:
        """The template writes types in a shorter way than the library, but a comma after each default, and an empty
        comment where there is no description."""
        written = namespace(tools)
        more = 0 if self.ways == (REFERENCE,) else 2 * len(tools) + written.count("// default")
        return self.text(written) + more

    def _message(self, message: Message, way: Rendering, *, live: bool) -> int:
        cost = sum(self._result(result.content, way) for result in results(message)) + opaque(message)
        match message.role:
            case "system":
                text = _INSTRUCTIONS + message.text
                return cost + 4 + max(self.text(text), self.text(text + "\n\n"))  # the latter before tools
            case "user":
                return cost if only_results(message) else cost + 4 + self.text(message.text)
            case "assistant":
                return cost + self._assistant(message, way, live=live)
            case "tool":
                return cost
            case _:
                assert_never(message.role)

    def _assistant(self, message: Message, way: Rendering, *, live: bool) -> int:
        cost = sum(self._call(call, way) for call in message.tool_calls)
        if live and message.reasoning:
            cost += 6 + self.text(message.reasoning)
        if message.text and (live or not (message.tool_calls and way.thinks_aloud)):
            cost += (7 if message.tool_calls else 6) + self.text(message.text)
        return cost

    def _call(self, call: ToolCall, way: Rendering) -> int:
        """The call, and its name once more in the frame of the result."""
        written = spaced(call) if way.arguments == "spaced" else arguments(call)
        if way.arguments == "quoted":
            written = to_json(written)
        name = f"functions.{call.name}"
        return 8 + self.text(f" to={name}") + self.text(written) + self.text(name)

    def _result(self, content: str, way: Rendering) -> int:
        return 9 + self.text(to_json(content) if way.quotes_results else content)


@lru_cache(8)
def _system_tokens(vocabulary: Vocabulary) -> int:
    return vocabulary.count(_SYSTEM)

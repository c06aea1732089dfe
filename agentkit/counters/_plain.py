"""What messages cost for a model whose template is not known: the texts, and a generous frame around each."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from agentkit.counters._content import arguments, definition, only_results, opaque, results
from agentkit.counters._packed import PROXY
from agentkit.counters._vocabulary import Vocabulary
from agentkit.messages import Message
from agentkit.tokens import CountKind, ToolShape

FRAME = 8
"""Around a message: ChatML has 5, Llama 3 has 5, harmony up to 9."""
BASE = 64
"""What a template says by itself: 4 in ChatML, 36 in Llama 3, 63 in harmony."""
TOOLS = 160
"""What a template says because there are tools."""


@frozen(cache_hash=True)
class PlainCounter:
    """Counts by a vocabulary that may be another model's: `proxy` with a margin, until the server has counted."""

    vocabulary: Vocabulary = field(default=PROXY)
    share: float = 0.25
    """The margin, where the vocabulary could be loaded."""

    @property
    def kind(self) -> CountKind:
        return self.vocabulary.kind_of("proxy")

    @property
    def margin(self) -> float:
        return self.vocabulary.margin_of(self.share)

    @property
    def base(self) -> int:
        return BASE

    def text(self, text: str, /) -> int:
        return self.vocabulary.count(text)

    def message(self, message: Message, /, *, live: bool = False) -> int:
        cost = opaque(message) + sum(FRAME + self.text(result.content) for result in results(message))
        if only_results(message):
            return cost
        cost += FRAME + self.text(message.text)
        if live and message.reasoning:
            cost += FRAME + self.text(message.reasoning)
        return cost + sum(FRAME + self.text(call.name) * 2 + self.text(arguments(call)) for call in message.tool_calls)

    def tools(self, tools: Sequence[ToolShape], /, *, system: bool = False) -> int:
        return TOOLS + sum(FRAME + self.text(definition(tool)) for tool in tools) if tools else 0

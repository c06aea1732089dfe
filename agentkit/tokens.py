"""What a count of tokens is, and who makes one. Pure values; what a history costs is reckoned in the plan.

A count is additive: a prompt costs `base`, its tools and each of its messages. So each message is counted once, and the
number stays with it. Where a sum cannot be exact the larger number is taken: a count by a counter of kind "exact" is
never too low.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Literal, Protocol, TypeAlias, get_args

from attrs import frozen

from agentkit.messages import Media, Message, Unknown
from agentkit.usage import Usage

CountKind: TypeAlias = Literal["server", "exact", "anchored", "proxy", "estimate"]
"""Who says so: the server, the model's own vocabulary and template, the server's last count and the messages since,
the vocabulary of another model, or the classes of the characters. From the best to the weakest."""
KINDS: tuple[CountKind, ...] = get_args(CountKind)


@frozen
class TokenCount:
    """A number of tokens, how it was made, and by how many tokens the true number may be higher."""

    value: int
    kind: CountKind = "exact"
    margin: int = 0

    @property
    def upper(self) -> int:
        """What to reckon with."""
        return self.value + self.margin

    def __add__(self, other: TokenCount) -> TokenCount:
        """The sum; as weak as its weaker half."""
        kind = KINDS[max(KINDS.index(self.kind), KINDS.index(other.kind))]
        return TokenCount(self.value + other.value, kind, self.margin + other.margin)


class ToolShape(Protocol):
    """What the model is told of a tool."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def parameters(self) -> Mapping[str, Any]:
        """JSON schema of an object."""
        ...

    @property
    def strict(self) -> bool:
        """The server is to hold the model to the schema."""
        ...


class TokenCounter(Protocol):
    """What things cost in the prompt of one model on one backend. A frozen value: equal counters count alike.

    Tables are loaded at the first count. No method raises, whatever the text.
    """

    @property
    def kind(self) -> CountKind: ...

    @property
    def margin(self) -> float:
        """The share of a count by which the true number may be higher: 0.1 is ten in a hundred."""
        ...

    @property
    def base(self) -> int:
        """What every prompt costs: what the template adds before the messages and after them."""
        ...

    def text(self, text: str, /) -> int:
        """Plain text, without any frame; control tokens in it count as what they look like."""
        ...

    def message(self, message: Message, /, *, live: bool = False) -> int:
        """One message with its frame. `live`: it comes after the last user message, so the model may still see the
        thinking in it where the backend has the rule. The frame of a result counts with the call it answers."""
        ...

    def tools(self, tools: Sequence[ToolShape], /, *, system: bool = False) -> int:
        """The definitions, with all that the template adds because there are any; 0 for none. `system`: there is a
        system message too, and templates put both into one."""
        ...


def cost(counter: TokenCounter, message: Message, *, live: bool = False) -> int:
    """What the counter says of the message, remembered by the message."""
    live = live and message.role == "assistant"
    return message.memo(("tokens", counter, live), lambda it: counter.message(it, live=live))


def count(counter: TokenCounter, value: int, *, uncertain: bool = False) -> TokenCount:
    """A number of this counter, with its kind and margin. `uncertain`: it holds what cannot be counted, an image."""
    kind, margin = counter.kind, counter.margin
    if uncertain:
        kind, margin = "estimate", max(margin, UNCERTAIN)
    return TokenCount(value, kind, ceil(value * margin))


UNCERTAIN = 0.25
"""The margin of what holds images or parts of an unknown kind."""


def uncertain(message: Message) -> bool:
    """The message holds what no vocabulary can count."""
    return any(isinstance(part, Media | Unknown) for part in message.parts)


def count_prompt(counter: TokenCounter, messages: Sequence[Message], *, tools: Sequence[ToolShape] = ()) -> TokenCount:
    """A whole prompt, counted from nothing."""
    start = live_from(messages)
    is_told = any(message.role == "system" for message in messages)
    total = count(counter, counter.base + counter.tools(tools, system=is_told))
    for place, message in enumerate(messages):
        value = cost(counter, message, live=place >= start)
        total += count(counter, value, uncertain=uncertain(message))
    return total


def live_from(messages: Sequence[Message]) -> int:
    """Where the turn under way begins: the place after the last message of the user."""
    places = range(len(messages) - 1, -1, -1)
    return next((place + 1 for place in places if messages[place].role == "user"), 0)


def reply_tokens(usage: Usage, reply: Message) -> int | None:
    """What of the server's count stays with a reply that goes back unchanged; None where thinking is in it unseen."""
    if usage.estimated or not usage.output_tokens or (reply.reasoning and not usage.reasoning_tokens):
        return None
    return usage.output_tokens - usage.reasoning_tokens

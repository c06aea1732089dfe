"""What a count of tokens is, who makes one, and what the server's last count says of the next request. Pure values.

A count is additive: a prompt costs `base`, its tools and each of its messages. So each message is counted once, and the
number stays with it. Where a sum cannot be exact the larger number is taken: a count by a counter of kind "exact" is
never too low.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any, Literal, Protocol, TypeAlias, get_args

from attrs import evolve, frozen

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


# --- the server's last count, and what has changed since

Spans: TypeAlias = tuple[tuple[int, int], ...]
"""Places of messages in the history, as (start, stop), in order and apart from each other."""

REPLY_FRAME = 4
"""What a template puts around a reply besides the tokens that the model wrote; 2 in harmony, 4 in ChatML."""


@frozen
class Anchor:
    """What the server counted for one request."""

    key: Hashable
    """All that the number depends on besides the messages: model, system text, tools, options of the template, the
    day where the template names it. Another key, and the number says nothing."""
    tokens: int
    spans: Spans
    """The messages that were in the request."""
    live: int
    """`live_from` of the history then."""
    reply: int | None = None
    """What the server counted for the reply that comes after the last of these messages; None where it is not known."""


@frozen
class Ledger:
    """The last anchor, and what stretches of the history cost by the difference of two anchors. A value."""

    anchor: Anchor | None = None
    measured: tuple[tuple[int, int, int], ...] = ()
    """(start, stop, tokens), in order."""

    def first(self, keep: int) -> Ledger:
        """What still holds where the history goes on after its first `keep` messages."""
        anchor = self.anchor
        if anchor is not None and anchor.spans and anchor.spans[-1][1] > keep:
            anchor = None
        return Ledger(anchor, tuple(item for item in self.measured if item[1] <= keep))

    def add(self, anchor: Anchor, counter: TokenCounter, messages: Sequence[Message]) -> Ledger:
        """The ledger after the server counted once more. A difference is kept where it is that of messages alone."""
        before = self.anchor
        if before is None or before.key != anchor.key:
            return Ledger(anchor)
        added, dropped = _without(anchor.spans, before.spans), _without(before.spans, anchor.spans)
        gone = _Change(self, counter, messages, anchor.live).of(dropped)
        fits = len(added) == 1 and not gone.unsure and not _thinks(messages, added)
        if not fits or _forgotten(before, counter, messages, anchor.live):
            return evolve(self, anchor=anchor)
        (start, stop), tokens = added[0], anchor.tokens - before.tokens + gone.tokens
        kept = [item for item in self.measured if item[1] <= start or item[0] >= stop]
        return (
            Ledger(anchor, tuple(sorted([*kept, (start, stop, tokens)]))) if tokens > 0 else evolve(self, anchor=anchor)
        )

    def predict(
        self, counter: TokenCounter, messages: Sequence[Message], *, key: Hashable, spans: Spans, live: int
    ) -> TokenCount | None:
        """What a request with these messages costs: the anchor, and the change since. None where there is no anchor."""
        anchor = self.anchor
        if anchor is None or anchor.key != key:
            return None
        change = _Change(self, counter, messages, live)
        added, dropped = change.of(_without(spans, anchor.spans)), change.of(_without(anchor.spans, spans))
        still = _common(anchor.spans, spans)
        forgotten = _forgotten(evolve(anchor, spans=still), counter, messages, live)
        value = anchor.tokens + added.tokens - dropped.tokens - forgotten
        return TokenCount(max(0, value), "anchored", ceil(added.unsure + dropped.unsure + forgotten * counter.margin))


def reply_tokens(usage: Usage, reply: Message) -> int | None:
    """What of the server's count stays with a reply that goes back unchanged; None where thinking is in it unseen."""
    if usage.estimated or not usage.output_tokens or (reply.reasoning and not usage.reasoning_tokens):
        return None
    return usage.output_tokens - usage.reasoning_tokens


@frozen
class _Cost:
    tokens: int = 0
    unsure: float = 0.0
    """By how much the tokens may be wrong."""


@frozen
class _Change:
    """Costs stretches of the history: by measure where there is one, by count elsewhere."""

    ledger: Ledger
    counter: TokenCounter
    messages: Sequence[Message]
    live: int

    def of(self, spans: Spans) -> _Cost:
        pieces = [piece for start, stop in spans for piece in self._pieces(start, stop)]
        return _Cost(sum(piece.tokens for piece in pieces), sum(piece.unsure for piece in pieces))

    def _pieces(self, start: int, stop: int) -> Iterator[_Cost]:
        measured = self.ledger.measured
        place = bisect_left(measured, (start, 0, 0))
        while start < stop:
            if place < len(measured) and measured[place][0] == start and measured[place][1] <= stop:
                _, start, tokens = measured[place]
                yield _Cost(tokens)
            else:
                yield self._counted(start)
                start += 1
            while place < len(measured) and measured[place][0] < start:
                place += 1

    def _counted(self, place: int) -> _Cost:
        message, anchor = self.messages[place], self.ledger.anchor
        if self._is_reply(place) and anchor is not None and anchor.reply is not None:
            return _Cost(anchor.reply + REPLY_FRAME, REPLY_FRAME)
        tokens = cost(self.counter, message, live=place >= self.live)
        return _Cost(tokens, count(self.counter, tokens, uncertain=uncertain(message)).margin)

    def _is_reply(self, place: int) -> bool:
        """It is what the anchor's request was answered with, and the server knows better than this counter."""
        anchor = self.ledger.anchor
        if anchor is None or not anchor.spans or self.counter.kind == "exact":
            return False
        return place == anchor.spans[-1][1] and self.messages[place].role == "assistant"


def _forgotten(anchor: Anchor, counter: TokenCounter, messages: Sequence[Message], live: int) -> int:
    """Tokens of thinking that was shown in the anchor's request and is no longer."""
    return sum(
        cost(counter, messages[place], live=True) - cost(counter, messages[place])
        for start, stop in anchor.spans
        for place in range(max(start, anchor.live), min(stop, live))
    )


def _thinks(messages: Sequence[Message], spans: Spans) -> bool:
    return any(messages[place].reasoning for start, stop in spans for place in range(start, stop))


def _without(spans: Spans, others: Spans) -> Spans:
    """What of `spans` is not in `others`."""
    left: list[tuple[int, int]] = []
    for start, stop in spans:
        for low, high in others:
            if high <= start or low >= stop:
                continue
            if low > start:
                left.append((start, low))
            start = max(start, high)  # noqa: PLW2901 - what is left of the span
        if start < stop:
            left.append((start, stop))
    return tuple(left)


def _common(spans: Spans, others: Spans) -> Spans:
    return _without(spans, _without(spans, others))

"""Which rows of an outline go into a request: what is left out, what is shortened, and what the rest comes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import ceil

from attrs import evolve, field, frozen

from agentkit._engine.plan.outline import NOTHING, Outline, Sum
from agentkit.manifest import Reason
from agentkit.messages import Message

Span = tuple[int, int]
"""Rows from the first number up to, but not including, the second."""


@frozen
class Gap:
    """Rows that do not go along."""

    start: int
    stop: int
    reason: Reason


@frozen
class Cut:
    """A shorter message in place of a row."""

    message: Message
    cost: Sum


@frozen
class Selection:
    """What goes along: all rows but those in the gaps, which are in order and apart from each other."""

    gaps: tuple[Gap, ...] = ()
    cuts: Mapping[int, Cut] = field(factory=dict[int, Cut])

    def without(self, spans: Iterable[Span], reason: Reason) -> Selection:
        """The same with more left out. Neighbours with one reason become one gap."""
        known = [gap for gap in self.gaps if gap.stop > gap.start]
        added = [Gap(start, stop, reason) for start, stop in spans]
        merged: list[Gap] = []
        for gap in sorted([*known, *added], key=lambda gap: gap.start):
            if merged and merged[-1].stop == gap.start and merged[-1].reason == gap.reason:
                merged[-1] = evolve(merged[-1], stop=gap.stop)
            else:
                merged.append(gap)
        return evolve(self, gaps=tuple(merged))

    def cutting(self, cuts: Mapping[int, Cut]) -> Selection:
        """The same with more shortened."""
        return evolve(self, cuts={**self.cuts, **cuts})

    def within(self, length: int) -> Selection:
        """What of it still holds for an outline of which only the first rows are the same."""
        gaps = tuple(gap for gap in self.gaps if gap.stop <= length)
        if len(gaps) == len(self.gaps) and all(place < length for place in self.cuts):
            return self
        return Selection(gaps, {place: cut for place, cut in self.cuts.items() if place < length})

    def spans(self, length: int) -> tuple[Span, ...]:
        """The rows that go along."""
        edges = [0, *(edge for gap in self.gaps for edge in (gap.start, gap.stop)), length]
        return tuple((start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop)


def messages_of(outline: Outline, selection: Selection) -> list[Message]:
    """The messages that go along, in order."""
    made: list[Message] = []
    for start, stop in selection.spans(len(outline)):
        offset = len(made) - start
        made = [*made, *outline.messages(start, stop)] if made else outline.messages(start, stop)
        for place, cut in selection.cuts.items():
            if start <= place < stop:
                made[offset + place] = cut.message
    return made


def sum_of_spans(outline: Outline, spans: Iterable[Span], cuts: Mapping[int, Cut]) -> Sum:
    """What these rows come to, shortened as they are."""
    total = NOTHING
    for start, stop in spans:
        total = total.plus(outline.sum(start, stop))
        for place, cut in cuts.items():
            if start <= place < stop:
                total = total.plus(cut.cost).minus(outline.sum(place, place + 1))
    return total


def live_sum(outline: Outline, spans: tuple[Span, ...], margin: float) -> Sum:
    """What the thinking of the turn under way adds."""
    extra = sum(more for place, more in outline.live() if any(start <= place < stop for start, stop in spans))
    return Sum(extra, ceil(extra * margin), assistant=extra) if extra else NOTHING


def difference(spans: Iterable[Span], others: Iterable[Span]) -> Iterator[Span]:
    """What is in `spans` and not in `others`; both are in order."""
    taken = tuple(others)
    for first, stop in spans:
        start = first
        for other_start, other_stop in taken:
            if other_stop <= start or other_start >= stop:
                continue
            if other_start > start:
                yield start, other_start
            start = other_stop
        if start < stop:
            yield start, stop

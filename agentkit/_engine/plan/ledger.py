"""What the backend's own counts say of the next request: its last count, and the messages since.

The last count is the anchor. What is added to that request or taken away from it since is counted here; what lay
between two anchors is known exactly, and so is a reply that the backend has counted. Only numbers of tokens are learnt,
never a ratio: hidden instructions look like dense text, and a ratio would multiply them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median

from attrs import evolve, field, frozen

from agentkit._engine.plan.outline import NOTHING, Outline, Sum
from agentkit._engine.plan.selection import Cut, Span, difference, sum_of_spans
from agentkit.tokens import TokenCount

_FRAME = 8
"""No template frames a message with so many tokens more, or fewer, than the counter takes for it."""
_SLACK = 4
"""Tokens that the frame of a new message may cost beyond what was learnt."""
_REMEMBERED = 5
_ENOUGH = 2


@frozen(kw_only=True)
class Held:
    """What a request holds."""

    spans: tuple[Span, ...]
    cuts: Mapping[int, Cut] = field(factory=dict[int, Cut])
    fixed: Sum = NOTHING
    """The template, the instructions, the tools, and messages that are not of the history."""
    given: tuple[object, ...] = ()
    """What these are: two that cost the same by our count need not cost the same."""
    live: Sum = NOTHING
    """What thinking adds that counts in this turn only."""

    def is_around_the_same(self, other: Held) -> bool:
        """What goes along besides the rows is the same."""
        return self.fixed == other.fixed and self.live == other.live and self.given == other.given

    def sum(self, outline: Outline) -> Sum:
        """The whole of it, by the counter alone."""
        return sum_of_spans(outline, self.spans, self.cuts).plus(self.fixed).plus(self.live)


@frozen
class Truth:
    """Rows that come to exactly so many tokens."""

    start: int
    stop: int
    tokens: int


@frozen
class _Known:
    tokens: int = 0
    margin: int = 0
    unknown: int = 0
    """How many messages in it only the counter has counted."""


@frozen(kw_only=True)
class Ledger:
    """The anchor and what is known of the rows in it."""

    reported: int = 0
    held: Held | None = None
    """What the request held that the backend counted; None where there is no anchor."""
    truths: tuple[Truth, ...] = ()
    replies: Mapping[int, int] = field(factory=dict[int, int])
    """The tokens of replies, by their places."""
    agreed: bool = True
    """The backend has always counted what the counter had."""
    residuals: tuple[float, ...] = ()
    """By how much the last messages cost more than was counted for each."""
    taken: bool = False
    """The backend has taken the prompt of the anchor; it has not only said what it comes to."""

    def estimate(self, outline: Outline, held: Held) -> TokenCount:
        """What a request that holds this comes to."""
        kind = outline.counter.kind
        if self.held is None:
            own = held.sum(outline)
            return TokenCount(own.tokens, "estimate" if own.doubtful else kind, own.margin)
        added = self._changes(outline, held, self.held)
        removed = self._changes(outline, self.held, held)
        frame = self.frame
        value = self.reported + added.tokens - removed.tokens + frame * added.unknown
        if added == removed == _Known():
            return TokenCount(self.reported, "server")
        slack = 0 if self.agreed else _SLACK
        margin = added.margin + removed.margin + slack * removed.unknown + (slack - min(frame, 0)) * added.unknown
        return TokenCount(value, "anchored", margin)

    def doubt(self, outline: Outline, held: Held, hidden: int) -> int:
        """How much of the estimate may not be there.

        Where the backend has counted far more than we did, the surplus beyond the usual `hidden` text may have gone
        with the rows that went, or may be hidden text all the same.
        """
        if self.held is None:
            return 0
        known = [(truth.start, truth.stop) for truth in self.truths if _inside(truth.start, self.held.spans)]
        rest = tuple(difference(self.held.spans, known))
        own = sum_of_spans(outline, rest, self.held.cuts).plus(self.held.fixed).plus(self.held.live)
        exact = sum(truth.tokens for truth in self.truths if (truth.start, truth.stop) in known)
        surplus = self.reported - exact - own.tokens - hidden
        gone = sum_of_spans(outline, difference(rest, held.spans), self.held.cuts)
        return surplus * gone.tokens // own.tokens if surplus > 0 else 0

    @property
    def frame(self) -> int:
        """What a message costs beyond its count: a small whole number, once it has shown often enough."""
        if len(self.residuals) < _ENOUGH:
            return 0
        return max(-_FRAME, min(_FRAME, round(median(self.residuals))))

    def counted(self, outline: Outline, held: Held, reported: int) -> Ledger:
        """The backend has counted `reported` tokens for a request that held this."""
        own = held.sum(outline)
        if reported + own.margin + own.tokens // 8 + 2 * _FRAME < own.tokens:
            return self  # not the whole of it: the backend has dropped or not counted a part of the prompt
        grown = self._grown_by(held)
        agreed = self.agreed and reported == own.tokens
        if grown is None or reported <= self.reported:
            return evolve(self._anchored(held, reported), agreed=agreed)
        learnt = reported - self.reported
        known = self._known(outline, [grown], held.cuts)
        off = (learnt - known.tokens) / known.unknown if known.unknown else None
        residuals = self.residuals if off is None else (*self.residuals, off)[-_REMEMBERED:]
        truths = (*self.truths, Truth(*grown, learnt))
        return evolve(self, reported=reported, held=held, truths=truths, residuals=residuals, agreed=agreed)

    def _anchored(self, held: Held, reported: int) -> Ledger:
        """A new anchor that says nothing of the rows since the old one; forgets what no longer goes along."""
        truths = tuple(truth for truth in self.truths if _inside(truth.start, held.spans))
        replies = {place: tokens for place, tokens in self.replies.items() if _inside(place, held.spans)}
        return evolve(self, reported=reported, held=held, truths=truths, replies=replies)

    def with_reply(self, place: int, tokens: int) -> Ledger:
        """The backend has counted the message in this place, which it has just made."""
        return evolve(self, replies={**self.replies, place: tokens})

    def within(self, length: int) -> Ledger:
        """What still holds where only the first `length` rows are the same."""
        replies = self.replies
        if any(place >= length for place in replies):
            replies = {place: tokens for place, tokens in replies.items() if place < length}
        truths, reported, held = list(self.truths), self.reported, self.held
        while held is not None and held.spans and held.spans[-1][1] > length:
            first, end = held.spans[-1]
            if truths and truths[-1].stop == end and truths[-1].start > first and held.live == NOTHING:
                last = truths.pop()
                reported -= last.tokens
                held = evolve(held, spans=(*held.spans[:-1], (first, last.start)))
            else:
                held = None
        if held is not None and any(place >= length for place in held.cuts):
            held = None
        kept = tuple(truth for truth in truths if truth.stop <= length)
        return evolve(self, reported=reported, held=held, truths=kept, replies=replies)

    def _grown_by(self, held: Held) -> Span | None:
        """The rows by which this is more than what was counted last, where that is the only difference."""
        before = self.held
        if before is None or not before.is_around_the_same(held) or before.cuts != held.cuts:
            return None
        if any(difference(before.spans, held.spans)):
            return None
        added = tuple(difference(held.spans, before.spans))
        return added[0] if len(added) == 1 else None

    def _changes(self, outline: Outline, held: Held, other: Held) -> _Known:
        """What `held` has that `other` has not."""
        spans = list(difference(held.spans, other.spans))
        spans += [(place, place + 1) for place in _recut(held, other) if not _inside(place, spans)]
        known = self._known(outline, spans, held.cuts)
        if held.is_around_the_same(other):
            return known
        extra = held.fixed.plus(held.live)
        return _Known(known.tokens + extra.tokens, known.margin + extra.margin, known.unknown)

    def _known(self, outline: Outline, spans: Iterable[Span], cuts: Mapping[int, Cut]) -> _Known:
        tokens = margin = unknown = 0
        for span in spans:
            truths = self._truths_in(span, cuts)
            rest = tuple(difference([span], [(truth.start, truth.stop) for truth in truths]))
            counted = sum_of_spans(outline, rest, cuts)
            tokens += counted.tokens + sum(truth.tokens for truth in truths)
            margin += counted.margin
            unknown += sum(stop - start for start, stop in rest)
            for place in self._replies_in(rest, cuts):
                own = outline.sum(place, place + 1)
                tokens += self.replies[place] - own.tokens
                margin -= own.margin
                unknown -= 1
        return _Known(tokens, margin, unknown)

    def _truths_in(self, span: Span, cuts: Mapping[int, Cut]) -> list[Truth]:
        """What is known of whole rows in the span; of shortened ones it was known when they were whole."""
        start, stop = span
        if not self.truths or start >= self.truths[-1].stop:
            return []
        inside = [truth for truth in self.truths if start <= truth.start and truth.stop <= stop]
        return [truth for truth in inside if not any(truth.start <= place < truth.stop for place in cuts)]

    def _replies_in(self, spans: Iterable[Span], cuts: Mapping[int, Cut]) -> list[int]:
        return [
            place
            for start, stop in spans
            for place in (range(start, stop) if stop - start < len(self.replies) else self.replies)
            if start <= place < stop and place in self.replies and place not in cuts
        ]


def _recut(held: Held, other: Held) -> list[int]:
    """Rows in both that are not shortened alike."""
    if held.cuts == other.cuts:
        return []
    places = sorted({*held.cuts, *other.cuts})
    return [
        place
        for place in places
        if held.cuts.get(place) != other.cuts.get(place) and _inside(place, held.spans) and _inside(place, other.spans)
    ]


def _inside(place: int, spans: Iterable[Span]) -> bool:
    return any(start <= place < stop for start, stop in spans)

"""From what was sent so far to what fits: which groups are left out, by the user's policy and the limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

from attrs import evolve, frozen

from agentkit._engine.plan.cut import shortened
from agentkit._engine.plan.ledger import Held, Ledger
from agentkit._engine.plan.outline import NOTHING, Outline, Sum, sum_of
from agentkit._engine.plan.selection import Cut, Selection, Span, live_sum, sum_of_spans
from agentkit.context import ContextPolicy, Group, PolicyFunction
from agentkit.errors import InvalidInput
from agentkit.manifest import Reason
from agentkit.tokens import TokenCount

Drop: TypeAlias = Callable[[int], Selection]
LIMITS: tuple[Reason, ...] = ("window", "max_history", "max_pairs")


@frozen(kw_only=True)
class Marks:
    """The most that a request may hold; None is no limit."""

    tokens: int | None = None
    messages: int | None = None
    questions: int | None = None

    def exceeded(self, load: Marks) -> tuple[Reason, ...]:
        """Which of these a load is above, the most important first."""
        pairs: tuple[tuple[Reason, int | None, int | None], ...] = (
            ("window", load.tokens, self.tokens),
            ("max_history", load.messages, self.messages),
            ("max_pairs", load.questions, self.questions),
        )
        return tuple(reason for reason, used, most in pairs if most is not None and (used or 0) > most)


@frozen
class Weight:
    """What a request comes to."""

    held: Held
    counted: TokenCount
    messages: int
    questions: int
    beyond: int
    """Tokens that may be there besides, or may not be there after all."""

    @property
    def load(self) -> Marks:
        return Marks(tokens=self.counted.upper + self.beyond, messages=self.messages, questions=self.questions)

    @property
    def tokens(self) -> TokenCount:
        """With what may be there besides."""
        counted = self.counted
        return TokenCount(counted.value, counted.kind, counted.margin + self.beyond) if self.beyond else counted


@frozen(kw_only=True)
class Scales:
    """What a selection is weighed with."""

    outline: Outline
    ledger: Ledger
    policy: ContextPolicy
    fixed: Sum
    """What goes along besides the history."""
    given: tuple[object, ...] = ()
    live: bool = True
    """Thinking of the turn under way counts."""
    room: int | None
    """Tokens of a prompt at most; None where the window is not known."""
    pairs: int | None
    window: int | None = None
    unseen: int = 0
    """Tokens that the backend may add without our knowledge, until it has counted once."""
    hard: bool = False
    """Only what is certain counts: a guess makes old messages go, but nothing be shortened or refused."""
    spare: int = 0
    """Tokens that trimming leaves free for a summary."""

    def weigh(self, selection: Selection) -> Weight:
        """What a request with this selection comes to."""
        spans = selection.spans(len(self.outline))
        live = live_sum(self.outline, spans, self.outline.counter.margin) if self.live else NOTHING
        held = Held(spans=spans, cuts=selection.cuts, fixed=self.fixed, given=self.given, live=live)
        own = sum_of_spans(self.outline, spans, {})
        tokens = self.ledger.estimate(self.outline, held)
        if self.hard:
            beyond = -self.ledger.doubt(self.outline, held, self.unseen)
            if self.window is not None and self.ledger.taken and self.ledger.reported > self.window:
                # a prompt of that count was taken: of what does not fit for certain, it says nothing
                beyond = min(beyond, held.sum(self.outline).upper - tokens.upper)
        else:
            beyond = 0 if tokens.kind in ("anchored", "server") else self.unseen
        return Weight(held, tokens, own.messages, own.questions, beyond)

    def load(self, selection: Selection) -> Marks:
        """The same, to be held against a limit."""
        return self.weigh(selection).load

    @property
    def trigger(self) -> Marks:
        """Above these, something is left out."""
        tokens = None if self.room is None else self._share(self.policy.trigger, self.room)
        questions = None if self.pairs is None else self.pairs + 1
        return Marks(tokens=tokens, messages=self.policy.max_history, questions=questions)

    def target(self, exceeded: Sequence[Reason] = LIMITS, share: float = 1.0) -> Marks:
        """What trimming comes down to: less than the limits that were exceeded, by the share that is kept."""
        keep, marks = self.policy.keep * share, self.trigger
        if "window" in exceeded and self.room is not None:
            marks = evolve(marks, tokens=self._share(keep, self.room) - self.spare)
        if "max_history" in exceeded and self.policy.max_history is not None:
            most = self.policy.max_history
            marks = evolve(marks, messages=min(most, int(most * keep) + 1))
        if "max_pairs" in exceeded and self.pairs is not None:
            marks = evolve(marks, questions=int(self.pairs * keep) + 1)
        return marks

    def _share(self, share: float, room: int) -> int:
        """Tokens of a prompt at most, if the history may take this share of what is left for it."""
        fixed = min(self.fixed.upper, room)
        return fixed + int((room - fixed) * share)


def fit(scales: Scales, selection: Selection, exceeded: Sequence[Reason]) -> Selection:
    """The selection with so much left out that the limits which it exceeds are kept; never less than the last group."""
    if scales.policy.shorten_tool_results is not None:
        selection = _shorten_results(scales, selection, scales.policy.shorten_tool_results)
        exceeded = scales.trigger.exceeded(scales.load(selection))
        if not exceeded:
            return selection
    target = scales.target(exceeded)
    if callable(scales.policy.policy):
        selection = _by_function(scales, selection, scales.policy.policy, target)
        exceeded = scales.trigger.exceeded(scales.load(selection))
        if not exceeded:
            return selection
    return _oldest_out(scales, selection, target, exceeded[0])


def _oldest_out(scales: Scales, selection: Selection, target: Marks, reason: Reason) -> Selection:
    """As many of the oldest groups left out as it takes; the first ones only if nothing else helps."""
    outline = scales.outline
    groups = [spans for spans, stays in groups_of(outline, selection) if spans and not stays]
    keep = scales.policy.keep_first if scales.policy.policy == "keep_first_and_last" else 0
    first = _end_of_first(outline, keep)
    later = [spans for spans in groups if spans[0][0] >= first]
    made = least(scales, target, len(later), lambda count: _without(selection, later[:count], reason))
    if len(later) < len(groups) and scales.trigger.exceeded(scales.load(made)):
        return least(scales, target, len(groups), lambda count: _without(selection, groups[:count], reason))
    return made


def _end_of_first(outline: Outline, count: int) -> int:
    """Where the first `count` groups end."""
    seen: set[int] = set()
    for place in range(len(outline)):
        if outline[place].message.role != "system":
            seen.add(outline[place].group)
        if len(seen) > count:
            return place
    return len(outline)


def _without(selection: Selection, groups: Sequence[tuple[Span, ...]], reason: Reason) -> Selection:
    return selection.without((span for spans in groups for span in spans), reason)


def least(scales: Scales, target: Marks, most: int, drop: Drop) -> Selection:
    """`drop` of the smallest number that keeps to the target; of `most` where none does. More left out is less."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        if target.exceeded(scales.load(drop(middle))):
            low = middle + 1
        else:
            high = middle
    return drop(low)


def groups_of(outline: Outline, selection: Selection) -> Iterator[tuple[tuple[Span, ...], bool]]:
    """The groups that go along: what of each can be left out, and whether it stays: a pinned one, or the last."""
    last = outline.last_group()
    places = (place for start, stop in selection.spans(len(outline)) for place in range(start, stop))
    for group, members in groupby(places, key=lambda place: outline[place].group):
        rows = list(members)
        yield tuple(_spans(outline, rows)), group == last or any(outline[place].pinned for place in rows)


def _spans(outline: Outline, places: Sequence[int]) -> Iterator[Span]:
    """The rows as spans, without those of the system, which always stay."""
    start = stop = -1
    for place in places:
        if outline[place].message.role == "system":
            continue
        if place != stop:
            if stop > start:
                yield start, stop
            start = place
        stop = place + 1
    if stop > start:
        yield start, stop


def cuts_to(scales: Scales, selection: Selection, places: Sequence[int], most: int) -> Selection:
    """The selection with these rows cut to about `most` tokens each."""
    outline, made = scales.outline, dict[int, Cut]()
    for place in places:
        message = outline[place].message
        shorter = shortened(outline.counter, message, most)
        cost = sum_of(outline.counter, shorter)
        if cost.upper < outline.sum(place, place + 1).upper:
            made[place] = Cut(shorter, cost)
    return selection.cutting(made) if made else selection


def _shorten_results(scales: Scales, selection: Selection, most: int) -> Selection:
    outline = scales.outline
    places = [
        place
        for spans, stays in groups_of(outline, selection)
        if not stays
        for start, stop in spans
        for place in range(start, stop)
        if place not in selection.cuts and outline[place].message.role == "tool"
    ]
    return cuts_to(scales, selection, [place for place in places if outline.sum(place, place + 1).tokens > most], most)


def _by_function(scales: Scales, selection: Selection, choose: PolicyFunction, target: Marks) -> Selection:
    """What the user's function leaves."""
    outline = scales.outline
    groups = [(spans, stays) for spans, stays in groups_of(outline, selection) if spans]
    shown = [_shown(scales, selection, spans, pinned=stays) for spans, stays in groups]
    most = sum(group.tokens for group in shown)
    if scales.room is not None:
        most = min(most, max(0, (target.tokens or 0) - scales.fixed.upper))
    try:
        unwanted = [groups[place] for place in sorted(set(choose(shown, most)))]
    except Exception as error:
        raise InvalidInput(
            f"the function of ContextPolicy(policy=...) must return places in the list that it is given: {error!r}"
        ) from error
    return _without(selection, [spans for spans, stays in unwanted if not stays], "policy")


def _shown(scales: Scales, selection: Selection, spans: tuple[Span, ...], *, pinned: bool) -> Group:
    messages = [message for start, stop in spans for message in scales.outline.messages(start, stop)]
    tokens = sum_of_spans(scales.outline, spans, selection.cuts).upper
    return Group(scales.outline[spans[0][0]].source, tuple(messages), tokens, pinned)

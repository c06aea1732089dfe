"""The manifest of a plan, and how much of its request is the beginning of the one before."""

from __future__ import annotations

from collections.abc import Iterator

from agentkit._engine.plan.ledger import Held
from agentkit._engine.plan.outline import NOTHING, Outline, sum_of
from agentkit._engine.plan.selection import Selection
from agentkit._engine.plan.state import PlanState
from agentkit._engine.plan.terms import Terms
from agentkit.manifest import PORTIONS, Excluded, Manifest, Portion, PortionName, Shortened
from agentkit.tokens import TokenCount, cost


def account(terms: Terms, state: PlanState, tokens: TokenCount, before: PlanState | None) -> Manifest:
    """What the request of this state holds, and why."""
    outline, selection, held = state.outline, state.selection, state.held
    shared = 0 if before is None else _shared(before, state)
    return Manifest(
        model=terms.model,
        window=terms.whole,
        reserve=terms.reserve,
        tokens=tokens,
        portions=tuple(_portions(terms, state, tokens)),
        history=len(outline.history),
        sent=len(state.sent),
        excluded=tuple(_excluded(outline, selection)),
        shortened=(*_shortened(outline, held), *_reduced(terms, len(outline.history))),
        shared=shared,
        shared_tokens=0 if before is None else _tokens_of(before, state, shared),
    )


def _portions(terms: Terms, state: PlanState, tokens: TokenCount) -> Iterator[Portion]:
    own = state.held.sum(state.outline)
    pair = NOTHING
    for message in terms.summary.messages if terms.summary else ():
        pair = pair.plus(sum_of(terms.counter, message))
    values: dict[PortionName, int] = {
        "template": tokens.value - own.tokens + terms.counter.base,
        "tools": state.definitions.tokens,
        "summary": pair.tokens,
        "system": own.system,
        "user": own.user - pair.user,
        "assistant": own.assistant - pair.assistant,
        "tool": own.tool,
    }
    for name in PORTIONS:
        yield Portion(name, values[name], tokens.kind if name == "template" else terms.counter.kind)


def _excluded(outline: Outline, selection: Selection) -> Iterator[Excluded]:
    for gap in selection.gaps:
        stop = outline[gap.stop].source if gap.stop < len(outline) else len(outline.history)
        yield Excluded(outline[gap.start].source, stop, gap.reason, outline.sum(gap.start, gap.stop).tokens)


def _shortened(outline: Outline, held: Held) -> Iterator[Shortened]:
    for place, cut in sorted(held.cuts.items()):
        if any(start <= place < stop for start, stop in held.spans):
            yield Shortened(outline[place].source, outline.sum(place, place + 1).tokens, cut.cost.tokens)


def _reduced(terms: Terms, place: int) -> Iterator[Shortened]:
    """The reply under way, where only a part of it goes along; what all of it comes to follows from its length."""
    if terms.reduced is not None:
        sent, whole = terms.reduced
        after = cost(terms.counter, sent, live=not terms.moves_on)
        yield Shortened(place, after * len(whole.text) // max(1, len(sent.text)), after)


def _shared(before: PlanState, now: PlanState) -> int:
    """How many messages at the beginning are the same in both requests, and cost the same."""
    if before.definitions != now.definitions or not before.terms.comparable(now.terms):
        return 0
    same_turn = before.outline.last_group() == now.outline.last_group()
    low, high = 0, min(len(before.sent) if same_turn else before.settled, len(now.sent))
    if _has_grown(before, now) or before.sent[:high] == now.sent[:high]:
        return high
    while low + 1 < high:
        middle = (low + high) // 2
        if before.sent[low:middle] == now.sent[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _has_grown(before: PlanState, now: PlanState) -> bool:
    """The one request is the other with more behind it, as their making shows: nothing needs to be compared."""
    old, new = before.terms, now.terms
    same = (old.system, old.summary) == (new.system, new.summary) and before.selection == now.selection
    return same and not old.extra and before.outline.kept(now.outline.history) == len(before.outline)


def _tokens_of(before: PlanState, now: PlanState, shared: int) -> int:
    """What the shared messages come to, with all that comes before them."""
    if shared == len(before.sent):
        return min(before.tokens, now.tokens)
    if shared == 0:
        return 0
    counter = now.terms.counter
    return counter.base + now.definitions.tokens + sum(cost(counter, message) for message in now.sent[:shared])

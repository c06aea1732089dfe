"""What goes into a request: a pure function from the history, the terms and the plan before to a plan.

The work for one turn grows with what is new in it, not with the history. What was once left out stays out, so that the
next requests begin alike; it comes back only where history has gone back, or there is more room than before.
"""

from __future__ import annotations

from attrs import evolve, frozen

from agentkit._engine.history import History
from agentkit._engine.plan.account import account
from agentkit._engine.plan.fit import Marks, Scales, Weight, fit, groups_of
from agentkit._engine.plan.ledger import Ledger
from agentkit._engine.plan.outline import Outline
from agentkit._engine.plan.selection import Selection, messages_of
from agentkit._engine.plan.squeeze import squeeze
from agentkit._engine.plan.state import PlanState, carried, definitions_of, fixed_sum
from agentkit._engine.plan.summary import SummaryTask, apply_summary, to_summarize
from agentkit._engine.plan.terms import ASKED, Terms
from agentkit.errors import ContextOverflow
from agentkit.manifest import Manifest
from agentkit.messages import Message

_MUCH = 0.5
"""What was left out comes back where what goes along is below this share of what trimming would leave."""


@frozen(kw_only=True)
class Plan:
    """What goes into a request."""

    messages: tuple[Message, ...]
    manifest: Manifest
    state: PlanState
    """For the next plan, and for `answered`."""
    trimmed: bool = False
    """More was left out or shortened than before."""
    task: SummaryTask | None = None
    """A summary to ask for before this is sent; with it, one plans again from the state before."""


def plan(terms: Terms, history: History, state: PlanState | None = None, told: Ledger | None = None) -> Plan:
    """The plan for the next request; `told`: with what the server has said of it meanwhile.

    Raises:
        ContextOverflow: what cannot be left out does not fit.
        InvalidInput: the policy's function failed.
    """
    terms, scales, before = beginning(terms, history, state, told)
    selection, weight = _made_to_fit(terms, scales, before)
    sent = arranged(terms, messages_of(scales.outline, selection))
    made = PlanState(
        terms=terms,
        outline=scales.outline,
        selection=selection,
        ledger=scales.ledger,
        held=weight.held,
        sent=sent,
        tokens=weight.counted.value,
        settled=_settled_messages(terms, scales.outline, selection, len(sent)),
        definitions=definitions_of(terms, scales.outline, state),
    )
    trimmed = (selection.gaps, selection.cuts.keys()) != (before.gaps, before.cuts.keys())
    return Plan(
        messages=sent,
        manifest=account(terms, made, weight.tokens, state),
        state=made,
        trimmed=trimmed,
        task=_task(terms, scales, before, selection) if trimmed else None,
    )


def left(terms: Terms, history: History, state: PlanState | None = None) -> int | None:
    """Tokens of the room that are left where all goes that can; None where the room is not known.

    A long question can be shortened: it leaves half of what the instructions leave.
    """
    room = terms.room
    if room is None:
        return None
    terms, scales, _ = beginning(terms, history, state)
    loose = (span for spans, stays in groups_of(scales.outline, Selection()) if not stays for span in spans)
    least = scales.load(Selection().without(loose, "window")).tokens or 0
    return max(room - least, (room - scales.fixed.upper) // 2)


def _made_to_fit(terms: Terms, scales: Scales, selection: Selection) -> tuple[Selection, Weight]:
    weight = scales.weigh(selection)
    exceeded = scales.trigger.exceeded(weight.load)
    if exceeded:
        selection = fit(scales, selection, exceeded)
        weight = scales.weigh(selection)
    room = Marks(tokens=scales.room)
    if room.exceeded(weight.load):
        hard = evolve(scales, hard=True)
        if room.exceeded(hard.load(selection)):
            selection = squeeze(hard, selection)
            weight = scales.weigh(selection)
        if room.exceeded(hard.load(selection)):
            raise _overflow(terms, scales, hard.load(selection).tokens or 0)
    return selection, weight


def _settled(terms: Terms, history: History, state: PlanState | None) -> Terms:
    """The terms with the values of the plan before where they are equal, since those have their counts already."""
    if terms.summary is not None and terms.summary.upto > len(history):
        terms = evolve(terms, summary=None)
    old = terms if state is None else state.terms
    if old.system is not terms.system and old.system == terms.system:
        terms = evolve(terms, system=old.system)
    if old.summary is not terms.summary and old.summary == terms.summary:
        terms = evolve(terms, summary=old.summary)
    return terms


def beginning(
    terms: Terms, history: History, state: PlanState | None, told: Ledger | None = None
) -> tuple[Terms, Scales, Selection]:
    """Where a plan begins: the history counted, and what was left out before, as far as that still holds."""
    terms = _settled(terms, history, state)
    if state is None:
        scales = _scales(terms, Outline.of(terms.counter, history), told or Ledger(), state)
        selection = Selection()
    else:
        known = state.outline if state.terms.counter == terms.counter else Outline(terms.counter)
        kept = state.outline.kept(history)
        changed = kept < len(state.outline)
        outline = known.following(history)
        scales = _scales(terms, outline, told or _ledger(terms, outline, state, kept), state)
        selection = state.selection.within(min(kept, outline.last_group())) if changed else state.selection
        selection = _looser(scales, selection, state, changed=changed)
    summary = terms.summary
    if summary is not None and (state is None or selection is not state.selection or state.terms.summary != summary):
        selection = apply_summary(scales.outline, selection, summary.upto)
    return terms, scales, selection


def _ledger(terms: Terms, outline: Outline, state: PlanState, kept: int) -> Ledger:
    if not state.terms.comparable(terms):
        return Ledger()
    ledger = carried(state, outline)
    return ledger.within(kept) if kept < len(state.outline) else ledger


def _looser(scales: Scales, selection: Selection, state: PlanState, *, changed: bool) -> Selection:
    """The selection, or that of everything where what goes along has become much less than may."""
    same = not changed and (state.terms.room, state.terms.policy) == (scales.room, scales.policy)
    if same or scales.target(share=_MUCH).exceeded(scales.load(selection)):
        return selection
    return Selection()


def _scales(terms: Terms, outline: Outline, ledger: Ledger, state: PlanState | None) -> Scales:
    first_summary = terms.policy.policy == "summarize" and terms.summary is None
    return Scales(
        outline=outline,
        ledger=ledger,
        policy=terms.policy,
        fixed=fixed_sum(terms, definitions_of(terms, outline, state)),
        given=terms.given,
        live=not terms.moves_on,
        room=terms.room,
        pairs=terms.pairs,
        window=terms.whole,
        unseen=terms.unseen,
        spare=terms.policy.summary_tokens if first_summary else 0,
    )


def arranged(terms: Terms, body: list[Message]) -> tuple[Message, ...]:
    """The messages in their order: all of the system's first, then the summary, the history, and what comes after."""
    first = next((place for place, message in enumerate(body) if message.role != "system"), len(body))
    body[first:first] = () if terms.summary is None else terms.summary.messages
    body[:0] = () if terms.system is None else (terms.system,)
    body += terms.extra
    return tuple(body)


def _task(terms: Terms, scales: Scales, before: Selection, after: Selection) -> SummaryTask | None:
    if terms.policy.policy != "summarize":
        return None
    found = to_summarize(scales, before, after)
    if found is None:
        return None
    upto, block = found
    messages = arranged(evolve(terms, extra=()), messages_of(scales.outline, block))
    return SummaryTask(upto=upto, messages=(*messages, ASKED), max_tokens=terms.policy.summary_tokens)


def _settled_messages(terms: Terms, outline: Outline, selection: Selection, sent: int) -> int:
    """How many messages come before the first whose thinking counts in this turn only."""
    places = [] if terms.moves_on else [place for place, _ in outline.live()]
    live = min(places, default=len(outline))
    after = sum(max(0, stop - max(start, live)) for start, stop in selection.spans(len(outline)))
    return sent - len(terms.extra) - after


def _overflow(terms: Terms, scales: Scales, used: int) -> ContextOverflow:
    room, fixed = scales.room or 0, scales.fixed.upper
    whole = "" if terms.whole is None else f" ({terms.whole:,} in all, {terms.reserve:,} kept for the reply)"
    if fixed > room:
        advice = f"instructions and tools take {fixed:,} of it: shorten them"
    else:
        advice = "shorten the message, or unpin others"
    made = ContextOverflow(
        f"the prompt comes to {used:,} tokens, and the window of {terms.model or 'the model'} has {max(room, 0):,} "
        f"for it{whole}; nothing more can be left out: {advice}, lower max_tokens, or set ContextPolicy(window=...) "
        "if it is larger"
    )
    made.limit, made.used = terms.whole, used
    return made

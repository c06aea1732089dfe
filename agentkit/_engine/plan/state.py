"""What one plan leaves to the next, and what a backend's count of a request teaches."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from agentkit._engine.plan.ledger import Held, Ledger
from agentkit._engine.plan.outline import Outline, Sum, sum_of
from agentkit._engine.plan.selection import Selection
from agentkit._engine.plan.terms import Terms
from agentkit.messages import Message, Reasoning, assistant
from agentkit.tokens import TokenCounter, ToolShape, cost, count, live_from, reply_tokens
from agentkit.usage import Usage

_FAR = 8


@frozen
class Definitions:
    """What tools cost in a prompt that has instructions or none."""

    counter: TokenCounter
    tools: Sequence[ToolShape]
    told: bool
    tokens: int

    def same(self, terms: Terms, *, told: bool) -> bool:
        return (self.counter, self.tools, self.told) == (terms.counter, terms.tools, told)


@frozen(kw_only=True)
class PlanState:
    """What one plan leaves to the next. A value: an older one stays as good as it was."""

    terms: Terms
    outline: Outline
    selection: Selection
    ledger: Ledger
    held: Held
    sent: tuple[Message, ...]
    tokens: int
    settled: int
    """How many of the messages sent, from the first, cost the same after this turn: thinking comes after them."""
    definitions: Definitions
    reply: tuple[Message, int] | None = None
    """What has come back, and its tokens by the backend's count."""


def definitions_of(terms: Terms, outline: Outline, state: PlanState | None) -> Definitions:
    """What the tools cost, counted once for the same tools."""
    told = terms.system is not None or outline.sum(0, len(outline)).system > 0
    if state is not None and state.definitions.same(terms, told=told):
        return state.definitions
    return Definitions(terms.counter, terms.tools, told, terms.counter.tools(terms.tools, system=told))


def fixed_sum(terms: Terms, definitions: Definitions) -> Sum:
    """What goes along besides the history."""
    counted = count(terms.counter, terms.counter.base + definitions.tokens)
    total = Sum(counted.value, counted.margin)
    before = () if terms.system is None else (terms.system,)
    for message in (*before, *(terms.summary.messages if terms.summary else ())):
        total = total.plus(sum_of(terms.counter, message))
    settled = live_from(terms.extra)
    for place, message in enumerate(terms.extra):
        total = total.plus(sum_of(terms.counter, message, live=place >= settled))
    return total._replace(messages=0, questions=0)


def answered(state: PlanState, usage: Usage | None, reply: Message | None = None) -> PlanState:
    """The state after the backend has answered the planned request, and said what it has counted.

    `reply` is the message as it goes into the history, where it is the whole answer to this one request.
    """
    if usage is None or usage.estimated or usage.input_tokens <= 0 or _beyond(state.terms, usage.input_tokens):
        return state
    ledger = evolve(state.ledger.counted(state.outline, state.held, usage.input_tokens), taken=True)
    tokens = None if reply is None or state.terms.extra else _reply_tokens(state.terms.counter, reply, usage)
    return evolve(state, ledger=ledger, reply=None if reply is None or tokens is None else (reply, tokens))


def _beyond(terms: Terms, tokens: int) -> bool:
    """More than fits into the backend by its own word, which has taken the prompt: so that is not what it came to."""
    return terms.policy.window is None and terms.window is not None and tokens > terms.window


def _reply_tokens(counter: TokenCounter, reply: Message, usage: Usage) -> int | None:
    """What the reply costs in later prompts, by the backend's count; None where the counter knows better."""
    own, written = cost(counter, reply), reply_tokens(usage, reply)
    if counter.kind in ("exact", "server") or written is None:
        return None
    plain = tuple(part for part in reply.parts if not isinstance(part, Reasoning))
    if len(plain) < len(reply.parts) and counter.message(evolve(reply, parts=plain)) != own:
        return None
    tokens = written + counter.message(assistant("x")) - counter.text("x")
    return tokens if own // 2 - _FAR <= tokens <= own * 2 + _FAR else None


def carried(state: PlanState, outline: Outline) -> Ledger:
    """The ledger, with the reply that has become a row of the outline meanwhile."""
    place = len(state.outline)
    if state.reply is None or place >= len(outline) or outline[place].message is not state.reply[0]:
        return state.ledger
    return state.ledger.with_reply(place, state.reply[1])

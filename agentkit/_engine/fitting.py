"""Which messages of a conversation go into a request, and what is remembered of that from one turn to the next.

Counting needs a vocabulary, which takes time and memory to load. While the bytes of a conversation alone show that it
fits, none is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from agentkit._engine.bytewise import BYTES, PER_TOKEN
from agentkit._engine.history import History
from agentkit._engine.plan.outline import Outline, sum_of
from agentkit._engine.plan.terms import LESS, Terms
from agentkit.context import ContextPolicy
from agentkit.errors import ContextOverflow
from agentkit.manifest import Manifest
from agentkit.messages import Message
from agentkit.tokens import ToolShape, count
from agentkit.usage import Usage

if TYPE_CHECKING:  # importing it takes time, and most conversations never need a plan
    from agentkit._engine.plan.doubt import Doubt
    from agentkit._engine.plan.ledger import Ledger
    from agentkit._engine.plan.planner import Plan
    from agentkit._engine.plan.state import PlanState

SMALL = 1500
"""A prompt of fewer bytes than this fits every window there is."""


@frozen(kw_only=True)
class Fitted:
    """What goes into one request."""

    messages: tuple[Message, ...]
    tokens: int
    """About so many."""
    plan: Plan | None = None
    """None where everything fits without counting."""


class Desk:
    """What is remembered of the requests of one conversation to one backend."""

    def __init__(self) -> None:
        self._outline = Outline(BYTES)
        self._before: Plan | None = None
        self._plan: Plan | None = None
        self._last: tuple[Terms, History] | None = None
        """Of the last request."""
        self._reported: int | None = None
        self.at_most: int | None = None
        """Tokens of a prompt, where a refusal has taught us."""
        self._tools: tuple[Sequence[ToolShape], int] = ((), 0)
        """Those of the last request, and the most that a prompt costs with them, the messages apart."""
        self._sized: tuple[Terms, History, int] | None = None
        """What the last prompt comes to at most; the same is asked several times for one request."""
        self._told: Ledger | None = None
        self.reduced: tuple[Message, Message] | None = None
        """What goes along of a reply that is too long, and all of it."""

    def bytes_of(self, terms: Terms, history: History) -> int:
        """An upper bound of the prompt, at the cost of what is new."""
        sized = self._sized
        if sized is None or sized[0] is not terms or sized[1] is not history:
            sized = self._sized = terms, history, self._size(terms, history)
        return sized[2]

    def _size(self, terms: Terms, history: History) -> int:
        self._outline = self._outline.following(history)
        whole = self._outline.sum(0, len(self._outline))
        if whole.doubtful:
            return whole.upper + (1 << 40)  # what cannot be counted by its bytes is left to the counter
        besides = (*terms.extra, *(() if terms.system is None else (terms.system,)))
        said = sum(sum_of(BYTES, message).upper for message in besides)
        if not self._tools[1] or self._tools[0] != terms.tools:
            self._tools = terms.tools, count(BYTES, BYTES.base + BYTES.tools(terms.tools)).upper
        return whole.upper + said + self._tools[1]

    def must_plan(self, terms: Terms, most: int) -> bool:
        """Whether a plan is needed, where the prompt comes to at most so many bytes."""
        return self._plan is not None or not _is_free(terms) or (terms.room is not None and most > terms.room)

    def left(self, terms: Terms, history: History) -> int | None:
        """Tokens that a reply under way may take of the prompt; None where there is no limit."""
        from agentkit._engine.plan.planner import left

        return left(terms, history, _state(self._plan))

    def doubt(self, terms: Terms, history: History, told: Ledger | None) -> Doubt | None:
        """The prompt that a server had better count before `fit`; `told`: what it has said already."""
        from agentkit._engine.plan.doubt import doubt

        return doubt(terms, history, _state(self._plan), told)

    def fit(self, terms: Terms, history: History, told: Ledger | None = None) -> Fitted:
        """The messages that go along; `told`: what the server has said of this request.

        Raises:
            ContextOverflow: what cannot be left out does not fit.
        """
        self._last, self._reported, self._told = (terms, history), None, told
        most = self.bytes_of(terms, history)
        if not self.must_plan(terms, most):
            system = () if terms.system is None else (terms.system,)
            messages = (*system, *self._outline.messages(0, len(self._outline)), *terms.extra)
            return Fitted(messages=messages, tokens=most // PER_TOKEN - BYTES.base)
        self._before = self._plan
        return self._planned(terms, history)

    def fit_again(self, terms: Terms, history: History) -> Fitted:
        """The same request under other terms, as if the last plan had not been made."""
        return self._planned(terms, history)

    def _planned(self, terms: Terms, history: History) -> Fitted:
        from agentkit._engine.plan.planner import plan

        self._last = terms, history
        before, told = _state(self._before), self._told
        if not terms.needs_tokens:
            terms = evolve(terms, counter=BYTES)
        try:
            made = plan(terms, history, before, told)
        except ContextOverflow:
            if terms.summary is None:
                raise
            made = plan(evolve(terms, summary=None), history, before, told)
        self._plan = made
        whole = made.manifest.tokens.value
        return Fitted(messages=made.messages, tokens=whole if terms.needs_tokens else whole - BYTES.base, plan=made)

    def learn(self, error: ContextOverflow) -> int | None:
        """Plan smaller from now on, as a refusal of the last request teaches; the window, where it tells that."""
        if self._last is None:
            return None
        from agentkit._engine.plan.planner import plan
        from agentkit._engine.plan.refusal import lesson

        (terms, history), made = self._last, self._plan
        if made is None:
            made = plan(evolve(terms, policy=ContextPolicy(), window=None, at_most=None), history)
        elif made.state.terms.counter != terms.counter:
            made = plan(terms, history, made.state)
        made = evolve(made, state=evolve(made.state, terms=terms))
        found = lesson(made, error)
        self._plan = evolve(made, state=found.state)
        self.at_most = found.terms.at_most
        return found.window

    def crowded(self, tokens: int) -> bool:
        """Prompt and reply came to so many tokens, and there was no room for more: prompts leave some from now on."""
        most = tokens * LESS[0] // LESS[1]
        if self.at_most is not None and self.at_most <= most:
            return False
        self.at_most = most
        return True

    def answered(self, usage: Usage | None, reply: Message | None) -> None:
        """The backend has answered the last request; `reply` is the message it came to, where it is all of that."""
        if usage is not None and not usage.estimated and usage.input_tokens > 0:
            self._reported = usage.input_tokens
        if self._plan is not None:
            from agentkit._engine.plan.state import answered

            self._plan = evolve(self._plan, state=answered(self._plan.state, usage, reply))

    def manifest(self) -> Manifest | None:
        """The account of the last request."""
        if self._last is None:
            return None
        from agentkit._engine.plan.planner import plan

        made = self._plan or plan(*self._last)
        return evolve(made.manifest, reported=self._reported)


def _state(made: Plan | None) -> PlanState | None:
    return None if made is None else made.state


def _is_free(terms: Terms) -> bool:
    """Nothing but the window limits what goes along."""
    policy = terms.policy
    limits = (policy.max_history, terms.pairs, policy.shorten_tool_results, terms.at_most, terms.summary)
    return all(limit is None for limit in limits) and policy.trigger == 1

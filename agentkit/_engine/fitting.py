"""Which messages of a conversation go into a request, and what is remembered of that from one turn to the next.

Counting needs a vocabulary, which takes time and memory to load. While the bytes of a conversation alone show that it
fits, none is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, field, frozen

from agentkit._engine.history import History
from agentkit._engine.plan.outline import Outline, sum_of
from agentkit._engine.plan.planner import Plan, left, plan
from agentkit._engine.plan.refusal import LESS, lesson
from agentkit._engine.plan.terms import Terms, answered
from agentkit.context import ContextPolicy
from agentkit.errors import ContextOverflow
from agentkit.manifest import Manifest
from agentkit.messages import Message, ToolResult
from agentkit.tokens import CountKind, ToolShape
from agentkit.usage import Usage

SMALL = 1500
"""A prompt of fewer bytes than this fits every window there is."""
_FRAME, _CALL, _BASE = 16, 32, 600


@frozen(cache_hash=True)
class Bytes:
    """The most that a prompt may cost: no token is shorter than a byte."""

    kind: CountKind = field(default="estimate", init=False)
    margin: float = field(default=0.25, init=False)
    base: int = field(default=_BASE, init=False)

    def text(self, text: str, /) -> int:
        return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))

    def message(self, message: Message, /, *, live: bool = False) -> int:
        said = self.text(message.text) + self.text(message.reasoning) + _FRAME
        calls = sum(_CALL + self.text(call.name) + self.text(call.arguments_json) for call in message.tool_calls)
        results = (part for part in message.parts if isinstance(part, ToolResult))
        return said + calls + sum(_CALL + self.text(result.content) for result in results)

    def tools(self, tools: Sequence[ToolShape], /, *, system: bool = False) -> int:
        return sum(_CALL + self.text(f"{tool.name}{tool.description}{dict(tool.parameters)}") for tool in tools)


BYTES = Bytes()


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

    def bytes_of(self, terms: Terms, history: History) -> int:
        """An upper bound of the prompt, at the cost of what is new."""
        self._outline = self._outline.following(history)
        whole = self._outline.sum(0, len(self._outline))
        if whole.doubtful:
            return whole.upper + (1 << 40)  # what cannot be counted by its bytes is left to the counter
        besides = (*terms.extra, *(() if terms.system is None else (terms.system,)))
        said = sum(sum_of(BYTES, message).upper for message in besides)
        return whole.upper + said + BYTES.tools(terms.tools) + _BASE

    def must_plan(self, terms: Terms, most: int) -> bool:
        """Whether a plan is needed, where the prompt comes to at most so many bytes."""
        return self._plan is not None or not _is_free(terms) or (terms.room is not None and most > terms.room)

    def left(self, terms: Terms, history: History) -> int | None:
        """Tokens that a reply under way may take of the prompt; None where there is no limit."""
        return left(terms, history, None if self._plan is None else self._plan.state)

    def fit(self, terms: Terms, history: History) -> Fitted:
        """The messages that go along.

        Raises:
            ContextOverflow: what cannot be left out does not fit.
        """
        self._last, self._reported = (terms, history), None
        most = self.bytes_of(terms, history)
        if not self.must_plan(terms, most):
            system = () if terms.system is None else (terms.system,)
            messages = (*system, *self._outline.messages(0, len(self._outline)), *terms.extra)
            return Fitted(messages=messages, tokens=(most - _BASE) // 5)
        self._before = self._plan
        return self._planned(terms, history)

    def fit_again(self, terms: Terms, history: History) -> Fitted:
        """The same request under other terms, as if the last plan had not been made."""
        return self._planned(terms, history)

    def _planned(self, terms: Terms, history: History) -> Fitted:
        self._last = terms, history
        before = None if self._before is None else self._before.state
        try:
            made = plan(terms, history, before)
        except ContextOverflow:
            if terms.summary is None:
                raise
            made = plan(evolve(terms, summary=None), history, before)
        self._plan = made
        return Fitted(messages=made.messages, tokens=made.manifest.tokens.value, plan=made)

    def learn(self, error: ContextOverflow) -> int | None:
        """Plan smaller from now on, as a refusal of the last request teaches; the window, where it tells that."""
        if self._last is None:
            return None
        terms, history = self._last
        made = self._plan or plan(evolve(terms, policy=ContextPolicy(), window=None, at_most=None), history)
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
            self._plan = evolve(self._plan, state=answered(self._plan.state, usage, reply))

    def manifest(self) -> Manifest | None:
        """The account of the last request."""
        if self._last is None:
            return None
        made = self._plan or plan(*self._last)
        return evolve(made.manifest, reported=self._reported)


def _is_free(terms: Terms) -> bool:
    """Nothing but the window limits what goes along."""
    policy = terms.policy
    limits = (policy.max_history, terms.pairs, policy.shorten_tool_results, terms.at_most, terms.summary)
    return all(limit is None for limit in limits) and policy.trigger == 1

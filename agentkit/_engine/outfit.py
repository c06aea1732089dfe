"""What one request needs before it can be written: the window that is served, the messages that fit, a summary."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from agentkit._engine.accumulate import Builder
from agentkit._engine.beginning import Task, write
from agentkit._engine.fitting import SMALL, Desk, Fitted
from agentkit._engine.journal import Journal
from agentkit._engine.line import Line
from agentkit._engine.offers import demanded, in_words, offered, shape, worded
from agentkit._engine.plan.terms import Summary, Terms
from agentkit._engine.quiet import quiet
from agentkit._engine.rounds import answer_to, driven
from agentkit.effects import Flow, Load, Now, do
from agentkit.errors import AgentKitError
from agentkit.events import Trimmed
from agentkit.manifest import Manifest
from agentkit.messages import Message, system
from agentkit.options import Options, RetryPolicy
from agentkit.provider import Capabilities, ChatRequest, is_counting, is_measuring
from agentkit.store import Summarized
from agentkit.tokens import TokenCounter

if TYPE_CHECKING:
    from agentkit._engine.plan.ledger import Ledger
    from agentkit._engine.plan.summary import SummaryTask
    from agentkit.tools import AnyTool

_MOST_ASKED = 3
_MOST_COUNTED = 2
_THOUGHTS = 4096
_PATIENCE, _PAUSE = 10.0, 300.0
"""Seconds that a count may take, and for which none is asked for after one that failed."""


@frozen
class Outfit:
    """Makes the requests of one turn."""

    task: Task
    journal: Journal
    builder: Builder

    def request(self, line: Line, options: Options, extra: tuple[Message, ...]) -> Flow[ChatRequest]:
        """The next request: with all messages, or those that the plan keeps, and `extra` after them.

        Raises:
            ContextOverflow: what cannot be left out does not fit.
        """
        fitted = yield from self._fitted(line, options, extra)
        self.builder.expected = fitted.tokens
        return self._written(line, options, fitted.messages)

    def _written(self, line: Line, options: Options, messages: Sequence[Message]) -> ChatRequest:
        task, can = self.task, line.provider.capabilities(line.model)
        return ChatRequest(
            model=line.model,
            messages=worded(task, can, messages),
            options=demanded(task, can, options),
            stream=can.stream,
            tools=offered(task, can) if can.tools else (),
            prompted=() if can.tools else tuple(task.tools),
            shape=shape(task, can),
        )

    def foreseen(self, line: Line, options: Options) -> Manifest:
        """The account of a request as it would be now."""
        from agentkit._engine.plan.planner import plan

        desk = self.journal.desks.get(line.backend) or Desk()
        return plan(self._terms(line, options, (), desk), self.journal.history).manifest

    def beginning(
        self, line: Line, options: Options, reply: Message, after: tuple[Message, ...] = (), *, long: bool = False
    ) -> Flow[Message]:
        """The reply under way as it can go along before `after`: as it is, or without its middle where it is too long.

        `long`: it is known to be that, and need not be counted as a whole.
        """
        desk, history = self.journal.desk(line.backend), self.journal.history
        terms, must_plan = yield from self._informed(line, options, (reply, *after), desk)
        most = desk.left(evolve(terms, extra=(*self.task.besides, *after)), history) if must_plan else None
        if most is None:
            return reply
        from agentkit._engine.plan.cut import ends, reduced

        made = ends(terms.counter, reply, most) if long else reduced(terms.counter, reply, most, live=not after)
        desk.reduced = None if made is reply else (made, reply)
        return made

    def _informed(
        self, line: Line, options: Options, extra: tuple[Message, ...], desk: Desk
    ) -> Flow[tuple[Terms, bool]]:
        """What the request has to keep to, and whether that takes a plan; its counter is loaded then."""
        terms = self._terms(line, options, extra, desk)
        if line.learnt.window is None:
            yield from self._measured(line, terms, desk)
            if line.learnt.window is not None:
                terms = self._terms(line, options, extra, desk)
        must_plan = desk.must_plan(terms, desk.bytes_of(terms, self.journal.history))
        if must_plan and terms.needs_tokens:
            yield from do(Load(terms.counter))
        return terms, must_plan

    def _fitted(self, line: Line, options: Options, extra: tuple[Message, ...]) -> Flow[Fitted]:
        desk, history = self.journal.desk(line.backend), self.journal.history
        terms, must_plan = yield from self._informed(line, options, extra, desk)
        fitted = desk.fit(terms, history, (yield from self._told(line, options, terms, desk)) if must_plan else None)
        if fitted.plan is not None and fitted.plan.task is not None:
            summary = yield from self._summary(line, options, fitted.plan.task, terms)
            if summary is not None:
                fitted = desk.fit_again(evolve(terms, summary=summary), history)
        if fitted.plan is not None and fitted.plan.trimmed:
            yield Trimmed(fitted.plan.manifest)
        return fitted

    def _terms(self, line: Line, options: Options, extra: tuple[Message, ...], desk: Desk) -> Terms:
        can, journal = line.provider.capabilities(line.model), self.journal
        window = self.task.context.window or line.learnt.window or can.window
        return Terms(
            counter=self._counter(line, can),
            policy=self.task.context,
            model=line.model,
            backend=line.provider.base_url,
            window=line.learnt.window or can.window,
            at_most=desk.at_most,
            max_tokens=_most_of(options, can.min_output, window),
            max_pairs=can.max_pairs,
            system=self._system(options, can),
            tools=self._defined(options, can),
            extra=(*self.task.besides, *extra),
            reduced=desk.reduced if extra and desk.reduced is not None and extra[0] is desk.reduced[0] else None,
            summary=None if journal.summary is None else Summary(*journal.summary),
        )

    def _defined(self, options: Options, can: Capabilities) -> tuple[AnyTool, ...]:
        """The tools whose definitions go along; where a choice cannot be said, tools are forbidden by naming none."""
        forbidden = demanded(self.task, can, options).tool_choice == "none" and not can.tool_choice
        return () if forbidden or not can.tools else offered(self.task, can)

    def _counter(self, line: Line, can: Capabilities) -> TokenCounter:
        counter = self.task.context.counter or line.counters(line.provider.name, line.model)
        if can.tools or not self.task.tools:
            return counter
        from agentkit._engine.worded import Worded

        return Worded(counter, max(self.task.tools, key=len))

    def _system(self, options: Options, can: Capabilities) -> Message | None:
        """The instructions, with what a backend that lacks something is told in words."""
        said = "\n\n".join(filter(None, (self.journal.system, *in_words(self.task, can, options))))
        return system(said) if said else None

    def _measured(self, line: Line, terms: Terms, desk: Desk) -> Flow[None]:
        """Ask the server for its window, once a prompt is so long that it matters."""
        provider, learnt = line.provider, line.learnt
        if learnt.asked >= _MOST_ASKED or not is_measuring(provider):
            return
        if self.task.context.window is not None or desk.bytes_of(terms, self.journal.history) < SMALL:
            return
        with suppress(AgentKitError):  # the request itself meets the same trouble, and says so
            learnt.window = yield from driven(line, provider.measure(line.model), Builder("window"), None)
        learnt.asked += learnt.window is None

    def _told(self, line: Line, options: Options, terms: Terms, desk: Desk) -> Flow[Ledger | None]:
        """What the server says of a prompt for which nothing but the margin of our count decides."""
        told: Ledger | None = None
        if not line.provider.capabilities(line.model).counts or not terms.needs_tokens:
            return None
        for _ in range(_MOST_COUNTED):
            doubt = desk.doubt(terms, self.journal.history, told)
            if doubt is None:
                break
            tokens = yield from self._counted(line, self._written(line, options, doubt.messages))
            known = None if tokens is None else doubt.settled(tokens)
            if known is None:
                break
            told = known
        return told

    def _counted(self, line: Line, request: ChatRequest) -> Flow[int | None]:
        """Ask the server to count a request; where that fails, it is left alone with that for a while."""
        provider, learnt = line.provider, line.learnt
        now = yield from do(Now())
        if not is_counting(provider) or now < learnt.counts_from:
            return None
        patience = min(line.timeouts.first_byte or _PATIENCE, _PATIENCE)
        brief = evolve(line.timeouts, first_byte=patience, idle=patience, total=patience)
        once = evolve(line, retry=RetryPolicy(max_attempts=1), timeouts=brief)
        tokens: int | None = None
        with suppress(AgentKitError):
            tokens = yield from quiet(driven(once, provider.count(request), Builder("count"), None))
        if tokens is None:
            learnt.counts_from = now + _PAUSE
        return tokens

    def _summary(self, line: Line, options: Options, task: SummaryTask, terms: Terms) -> Flow[Summary | None]:
        """What the model says of what is left out; a request that is no part of the conversation, but is paid for."""
        aside, can = Builder(self.builder.turn_id), line.provider.capabilities(line.model)
        request = self._written(line, options, task.messages)
        # tools and effort stand at the beginning of the prompt: without them none of it would be at hand
        choice = "none" if request.tools and can.tool_choice else request.options.tool_choice
        most = min(_room_for(task, terms), can.max_output or sys.maxsize)
        asked = evolve(request.options, max_tokens=most, tool_choice=choice, stop=())
        request = evolve(request, options=asked, prompted=(), shape=None)
        with suppress(AgentKitError):  # without a summary, the plan stands as it is
            yield from quiet(answer_to(line, request, aside))
        aside.end()
        self.builder.spent += aside.spent
        from agentkit._engine.plan.cut import cut

        summary = task.summary(cut(terms.counter, "".join(aside.text), task.max_tokens))
        if summary is not None:
            yield from write(self.journal, [Summarized(summary.upto, summary.text)])
        return summary


def _room_for(task: SummaryTask, terms: Terms) -> int:
    """Tokens for a summary; a model that thinks has to come to its end first, as far as the window has room."""
    if not any(message.reasoning for message in task.messages):
        return task.max_tokens
    return task.max_tokens + (_THOUGHTS if terms.whole is None else terms.reserve)


def _most_of(options: Options, floor: int | None, window: int | None) -> int | None:
    """What the reply may take; a floor of the backend counts as far as it leaves half of the window for the prompt."""
    if options.max_tokens is None or floor is None or floor <= options.max_tokens:
        return options.max_tokens
    return floor if window is None else max(options.max_tokens, min(floor, window // 2))

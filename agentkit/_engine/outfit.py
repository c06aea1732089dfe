"""What one request needs before it can be written: the window that is served, the messages that fit, a summary."""

from __future__ import annotations

from contextlib import suppress

from attrs import evolve, frozen

from agentkit._engine.accumulate import Builder
from agentkit._engine.beginning import Task, write
from agentkit._engine.fitting import SMALL, Desk, Fitted
from agentkit._engine.journal import Journal
from agentkit._engine.line import Line
from agentkit._engine.plan.cut import cut, ends, reduced
from agentkit._engine.plan.planner import plan
from agentkit._engine.plan.summary import Summary, SummaryTask
from agentkit._engine.plan.terms import Terms
from agentkit._engine.quiet import quiet
from agentkit._engine.rounds import answer_to, driven
from agentkit.effects import Flow, Load, do
from agentkit.errors import AgentKitError
from agentkit.events import Trimmed
from agentkit.manifest import Manifest
from agentkit.messages import Message, system
from agentkit.options import Options
from agentkit.provider import ChatRequest, Measuring
from agentkit.store import Summarized
from agentkit.tools import as_text

_MOST_ASKED = 3


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
        can, tools = line.provider.capabilities(line.model), tuple(self.task.tools.values())
        messages = fitted.messages
        return ChatRequest(
            model=line.model,
            messages=as_text(messages) if tools and not can.tools else messages,
            options=options,
            stream=can.stream,
            tools=tools if can.tools else (),
            shape=self.task.shape if can.json_mode else None,
        )

    def foreseen(self, line: Line, options: Options) -> Manifest:
        """The account of a request as it would be now."""
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
        most = desk.left(evolve(terms, extra=after), history) if must_plan else None
        if most is None:
            return reply
        return ends(terms.counter, reply, most) if long else reduced(terms.counter, reply, most, live=not after)

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
        if must_plan:
            yield from do(Load(terms.counter))
        return terms, must_plan

    def _fitted(self, line: Line, options: Options, extra: tuple[Message, ...]) -> Flow[Fitted]:
        desk, history = self.journal.desk(line.backend), self.journal.history
        terms, _ = yield from self._informed(line, options, extra, desk)
        fitted = desk.fit(terms, history)
        if fitted.plan is not None and fitted.plan.task is not None:
            summary = yield from self._summary(line, fitted.plan.task, terms)
            if summary is not None:
                fitted = desk.fit_again(evolve(terms, summary=summary), history)
        if fitted.plan is not None and fitted.plan.trimmed:
            yield Trimmed(fitted.plan.manifest)
        return fitted

    def _terms(self, line: Line, options: Options, extra: tuple[Message, ...], desk: Desk) -> Terms:
        can, journal = line.provider.capabilities(line.model), self.journal
        window = self.task.context.window or line.learnt.window or can.window
        return Terms(
            counter=line.counters(line.provider.name, line.model),
            policy=self.task.context,
            model=line.model,
            backend=line.provider.base_url,
            window=line.learnt.window or can.window,
            at_most=desk.at_most,
            max_tokens=_most_of(options, can.min_output, window),
            max_pairs=can.max_pairs,
            system=system(journal.system) if journal.system else None,
            extra=extra,
            summary=None if journal.summary is None else Summary(*journal.summary),
        )

    def _measured(self, line: Line, terms: Terms, desk: Desk) -> Flow[None]:
        """Ask the server for its window, once a prompt is so long that it matters."""
        provider, learnt = line.provider, line.learnt
        if learnt.asked >= _MOST_ASKED or not isinstance(provider, Measuring):
            return
        if self.task.context.window is not None or desk.bytes_of(terms, self.journal.history) < SMALL:
            return
        with suppress(AgentKitError):  # the request itself meets the same trouble, and says so
            learnt.window = yield from driven(line, provider.measure(line.model), Builder("window"), None)
        learnt.asked += learnt.window is None

    def _summary(self, line: Line, task: SummaryTask, terms: Terms) -> Flow[Summary | None]:
        """What the model says of what is left out; a request that is no part of the conversation, but is paid for."""
        aside = Builder(self.builder.turn_id)
        request = ChatRequest(
            model=line.model,
            messages=task.messages,
            options=Options(max_tokens=task.max_tokens),
            stream=line.provider.capabilities(line.model).stream,
        )
        with suppress(AgentKitError):  # without a summary, the plan stands as it is
            yield from quiet(answer_to(line, request, aside))
        aside.end()
        self.builder.spent += aside.spent
        summary = task.summary(cut(terms.counter, "".join(aside.text), task.max_tokens))
        if summary is not None:
            yield from write(self.journal, [Summarized(summary.upto, summary.text)])
        return summary


def _most_of(options: Options, floor: int | None, window: int | None) -> int | None:
    """What the reply may take; a floor of the backend counts as far as it leaves half of the window for the prompt."""
    if options.max_tokens is None or floor is None or floor <= options.max_tokens:
        return options.max_tokens
    return floor if window is None else max(options.max_tokens, min(floor, window // 2))

"""How the reply of a turn is got: from which backend, in how many attempts, and who goes on where one fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import evolve

from agentkit._engine.accumulate import Builder
from agentkit._engine.beginning import Task
from agentkit._engine.course import Course
from agentkit._engine.exchange import deliver, exchange
from agentkit._engine.history import aside
from agentkit._engine.journal import Journal
from agentkit._engine.line import Line
from agentkit._engine.outfit import Outfit
from agentkit._engine.rounds import detected, exchanged
from agentkit._engine.seam.strategy import Echo, Native, Overlap, Raw, Strategy, strategy_name
from agentkit.effects import Flow, Now, Sleep, do
from agentkit.errors import AgentKitError, BadRequest, ConnectError, ContextOverflow, ProviderError, ServerError
from agentkit.events import Continuing, Notice
from agentkit.messages import Message
from agentkit.provider import ChatRequest, Chunk, is_adapting, is_detecting, is_exchanging
from agentkit.usage import FinishReason

if TYPE_CHECKING:
    from agentkit._engine.prompted import Reading
    from agentkit._engine.seam.chunks import Joint

_NO_WAY = "no way of continuing works with this backend"
_FEW, _HARDLY = 256, 8
_TOO_LONG = "the reply has outgrown the window, and no way of continuing is left that goes beyond it"
_UNECHOED = "did not repeat the words that it was asked to begin with: what came is joined as it is, and may not fit"
_INSTEAD = "its beginning, an outline and its end go along"


def answered(task: Task, journal: Journal, builder: Builder, course: Course, *, resumed: bool) -> Flow[None]:
    """Fill `builder` with the reply, from the first backend that gives it; `course.stopped` says why it is still cut.

    Raises:
        AgentKitError: of the last backend that was tried; what was delivered is in the builder.
    """
    left = yield from _in_order(task)
    while True:
        line = left.pop(0)
        try:
            yield from _Attempts(task, journal, builder, course, resumed=resumed).with_(line)
        except AgentKitError as error:
            error.backend = error.backend or line.backend
            yield from _failed(task, line, error)
            if not left or not _may_leave(task, builder, error):
                raise
            resumed = True
            yield Notice(f"{line.backend} failed ({error}); {left[0].backend} goes on")
        else:
            line.learnt.failures, line.learnt.rests_until = 0, 0.0
            return


def _in_order(task: Task) -> Flow[list[Line]]:
    """The backends in the order to be tried: those that rest after failures come last."""
    if len(task.lines) == 1:
        return list(task.lines)
    now = yield from do(Now())
    return sorted(task.lines, key=lambda line: line.learnt.rests_until > now)


def _failed(task: Task, line: Line, error: AgentKitError) -> Flow[None]:
    """Count the failure; after some in a row the backend is left alone for a while."""
    if _is_gone(error):
        line.learnt.window, line.learnt.asked = None, 0
        if is_detecting(line.provider):
            line.learnt.provider = None
    if len(task.lines) == 1 or not isinstance(error, task.fallback.errors):
        return
    line.learnt.failures += 1
    if line.learnt.failures >= task.fallback.threshold:
        now = yield from do(Now())
        line.learnt.rests_until = now + task.fallback.cool_down


def _is_gone(error: AgentKitError) -> bool:
    """What was known of the server may no longer hold: it is away, or has another model or another kind by now."""
    return isinstance(error, ConnectError) or (isinstance(error, BadRequest) and error.status == 404)  # noqa: PLR2004


def _may_leave(task: Task, builder: Builder, error: AgentKitError) -> bool:
    """Whether the next backend may go on: always before anything was shown, later as the settings have it."""
    if not isinstance(error, task.fallback.errors):
        return False
    shown = builder.text or builder.reasoning  # a call that was cut has been shown to nobody
    return not shown or task.fallback.after_output == "continue"


class _Attempts:
    """The attempts at one reply with one backend."""

    def __init__(self, task: Task, journal: Journal, builder: Builder, course: Course, *, resumed: bool) -> None:
        self._task = task
        self._journal = journal
        self._builder = builder
        self._course = course
        course.window = task.context.window
        self._outfit = Outfit(task, journal, builder)
        self._again = "restart" if resumed else "first"
        self._began: float | None = None
        self._taught = False
        self._outgrown = False
        """The reply is too long for this backend to be given all of it."""

    def with_(self, line: Line) -> Flow[None]:
        """Ask until the reply is whole or there is a reason to stop.

        Raises:
            AgentKitError: the backend failed, and the settings do not say to leave it at that.
        """
        line = line.informed()
        if is_detecting(line.provider):
            line = yield from detected(line, line.provider, self._builder.turn_id)
        reason: str | None = None
        while True:
            try:
                approach = yield from self._approach(line)
            except ContextOverflow as error:
                reason = self._kept(error)
                if (yield from self._is_over(line, reason, lost=True)):
                    return
                continue
            if approach is None:
                self._course.stopped = _TOO_LONG if self._outgrown else _NO_WAY
                return
            if reason is not None:
                yield from self._announced(approach, reason)
            lost = yield from self._one(line, approach)
            line = line.informed()
            if lost == "":
                continue
            reason = lost or self._course.cut(line, self._builder)
            self._builder.end()
            self._journal.counted(self._builder.reported)
            self._taught = False
            if reason is None or (yield from self._is_over(line, reason, lost=bool(lost) or self._is_crowded(line))):
                return

    def _one(self, line: Line, approach: Approach) -> Flow[str | None]:
        """One attempt: None where it came to its end, else why it did not; "" where it does not count."""
        builder, course = self._builder, self._course
        builder.begin(line.provider.name, line.backend, approach.name)
        try:
            yield from self._exchanged(line, approach)
        except AgentKitError as error:
            yield from deliver(approach.held(), builder, None)
            if self._is_learnt(line, error):
                return ""
            change = self._change(line, error)
            if change is not None:
                yield Notice(change)
                return ""
            if builder.shown or not course.is_refused(approach.strategy, error):
                return self._kept(error)
            failure: str | None = str(error)
        else:
            failure = approach.failure
        finally:
            builder.joined = approach.joined
        if failure is None or approach.strategy is None:
            if approach.is_unechoed:
                yield from builder.news((Notice(f"{line.backend} {_UNECHOED}"),))
            return None
        course.failed(line, approach.strategy)
        yield Notice(f"{line.backend} does not continue by {approach.name}: {failure}")
        return ""

    def _kept(self, error: AgentKitError) -> str:
        """What becomes of an error: it is gone over, or ends the reply as it stands, or is raised."""
        course, builder = self._course, self._builder
        if course.bridges(error, builder):
            course.broken = error
            return str(error)
        if not course.attempts:
            raise error
        decision = course.after_error(error, builder)
        if decision == "raise":
            raise error
        if decision == "return_partial":
            course.error = error
        return str(error)

    def _is_over(self, line: Line, reason: str, *, lost: bool) -> Flow[bool]:
        """No other attempt is to be made, for a reason; otherwise what there is to do before it."""
        course = self._course
        if course.error is not None:
            course.stopped = reason
            return True
        now = 0.0
        if course.settings.max_seconds is not None:
            now = yield from do(Now())
            self._began = now if self._began is None else self._began
        stopped = course.end(line, self._builder, now - (self._began or now), lost=lost)
        if stopped is not None:
            if course.broken is not None:
                raise course.broken
            course.stopped = f"{reason}; {stopped}" if stopped else reason
            return True
        course.broken = None
        course.attempts += 1
        return False

    def _announced(self, approach: Approach, reason: str) -> Flow[None]:
        course, tokens = self._course, self._builder.spent.output_tokens
        pause = course.pause()
        yield Continuing(course.attempts, approach.name, reason, course.settings.max_attempts, tokens)
        if course.settings.on_progress is not None:
            _ = course.settings.on_progress(course.progress(approach.name, reason, self._builder))
        if pause:
            yield from do(Sleep(pause))

    def _exchanged(self, line: Line, approach: Approach) -> Flow[None]:
        builder, provider = self._builder, line.provider
        if is_exchanging(provider):
            yield from exchanged(line, provider, approach.request, builder, approach.joint())
        else:
            yield from exchange(line, approach.request, builder, approach.joint)
        if builder.finish is not None and builder.finish.reason is FinishReason.ERROR:
            raise ServerError(f"{line.provider.name} gave up in the middle of the reply: {builder.finish.raw!r}")

    def _is_learnt(self, line: Line, error: AgentKitError) -> bool:
        """The request was too long: once, it is sent again with less in it."""
        if not isinstance(error, ContextOverflow) or self._builder.shown or self._taught:
            return False
        self._taught = True
        window = self._journal.desk(line.backend).learn(error)
        line.learnt.window = window or line.learnt.window
        return True

    def _is_crowded(self, line: Line) -> bool:
        """The limit was met after hardly a word: the prompt has filled a window that nobody told; now it is known."""
        usage, cap = self._builder.reported, self._course.options.max_tokens or _FEW
        if self._builder.finish_reason is not FinishReason.LENGTH or usage is None or usage.input_tokens < _FEW:
            return False
        last = self._builder.segments[-1]
        most = _HARDLY if last.end > last.start else _FEW  # an echo takes more than a few and may come to nothing
        if not self._course.attempts or usage.output_tokens >= min(cap // 4, most):
            return False
        return self._journal.desk(line.backend).crowded(usage.input_tokens + usage.output_tokens)

    def _change(self, line: Line, error: AgentKitError) -> str | None:
        """Do without what the server has just refused, from now on; what that is, in words."""
        provider = line.provider
        if self._builder.shown or not isinstance(error, ProviderError) or not is_adapting(provider):
            return None
        adapted = provider.adapted(line.model, error)
        if adapted is None:
            return None
        line.learnt.provider, change = adapted
        return change

    def _approach(self, line: Line) -> Flow[Approach | None]:
        """From the beginning, or on from what the reply has come to; None where no way of that is left."""
        course, partial = self._course, self._builder.so_far()
        if partial is None or not partial.text:
            return Approach(
                (yield from self._outfit.request(line, course.allowed(), ())),
                "again" if course.attempts else self._again,
                partial=partial,
            )
        return (yield from self._onward(line, partial))

    def _onward(self, line: Line, partial: Message) -> Flow[Approach | None]:
        course, sent, after = self._course, partial, tuple[Message, ...]()
        strategy = course.strategy(line, partial.text, whole=not self._outgrown)
        if isinstance(strategy, Native | Raw):
            sent = yield from self._outfit.beginning(line, course.options, partial)
            if sent is not partial:
                self._outgrown = True
                strategy = course.strategy(line, partial.text, whole=False)
        if strategy is None:
            return None
        options = course.allowed(strategy)
        instruction = course.instruction(strategy, partial.text)
        if instruction is not None:
            after = (aside(instruction),)
            sent = yield from self._outfit.beginning(line, options, partial, after, long=self._outgrown)
        if sent.text != partial.text:
            self._outgrown = True
            yield from self._builder.news((Notice(f"the reply has outgrown the window of {line.backend}: {_INSTEAD}"),))
        request = yield from self._outfit.request(line, options, (sent, *after))
        request = evolve(
            request,
            options=evolve(request.options, tool_choice=None) if request.options.tool_choice else request.options,
            prefix=instruction is None,
            raw=isinstance(strategy, Raw),
            shape=None,  # a server that binds the reply to a schema would begin it anew
        )
        return Approach(request, strategy_name(strategy), strategy, partial, course)


class Approach:
    """How one attempt is asked for, and how what comes is joined to what is there."""

    def __init__(
        self,
        request: ChatRequest,
        name: str,
        strategy: Strategy | None = None,
        partial: Message | None = None,
        course: Course | None = None,
    ) -> None:
        self.request = request
        self.name = name
        self.strategy = strategy
        self._partial = partial
        self._course = course
        self._seam: Joint | None = None
        self._last: Joint | Reading | None = None

    def joint(self) -> Joint | Reading | None:
        """A fresh one for each time the request is sent; None where chunks need no other look."""
        self._seam = self._last = self._joined()
        if self.request.prompted:
            from agentkit._engine.prompted import Reading

            self._last = Reading(self.request.prompted, self._seam)
        return self._last

    def _joined(self) -> Joint | None:
        if self._partial is None:
            return None
        from agentkit._engine.seam.chunks import Joint

        if self.strategy is None or self._course is None:
            return Joint("", Overlap(), reasoning=self._partial.reasoning)
        text = self._partial.text
        shape = self._course.follow(text)
        return Joint(text, self.strategy, reasoning=self._partial.reasoning, shape=shape)

    def held(self) -> Sequence[Chunk]:
        """What came before the connection broke and was not decided upon yet."""
        return () if self._last is None else self._last.held()

    @property
    def joined(self) -> tuple[int, str]:
        """How many characters of the last answer its seam left out, and what it put in."""
        return (0, "") if self._seam is None else (self._seam.joined.dropped, self._seam.joined.inserted)

    @property
    def is_unechoed(self) -> bool:
        """The last answer was to begin with an echo, and nothing that it repeats says where it goes on."""
        return isinstance(self.strategy, Echo) and self._seam is not None and self._seam.joined.is_bare

    @property
    def failure(self) -> str | None:
        """Why this way of continuing does not work, as the last answer showed."""
        return None if self._seam is None else self._seam.joined.failure

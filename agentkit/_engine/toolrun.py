"""Running the calls of one reply, so many at a time: time limits, repeats, and the records of what was begun and done.

A call is in the journal before it runs, and its result before anybody hears of it: what has finished is never run
again, and of what was begun and has no result nobody knows whether it ran.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count

from attrs import define, evolve

from agentkit._engine.beginning import write
from agentkit._engine.journal import Journal
from agentkit.effects import Abandon, Await, Flow, Launch, News, Raised, Reported, Returned, do
from agentkit.errors import ToolError
from agentkit.events import Event, ToolCallFinished, ToolCallStarted, ToolProgress
from agentkit.messages import ToolCall, ToolResult
from agentkit.store import Record, ToolFinished, ToolStarted
from agentkit.tools import BoundCall, ToolContext, raised, returned
from agentkit.tooluse import ToolUse


@define
class Run:
    """A call that is to be run, or is running."""

    call: ToolCall
    bound: BoundCall
    note: str = ""
    """What the model is told before the result."""
    attempts: int = 1
    deadline: float | None = None
    key: str = ""
    """The one that it was given when it was begun before."""


@define
class Done:
    """A call with its result, and what the tool raised."""

    call: ToolCall
    result: ToolResult
    error: BaseException | None = None


class Shift:
    """Some calls that are run together."""

    def __init__(self, use: ToolUse, conversation: str, turn_id: str, runs: Iterable[Run]) -> None:
        self._use = use
        self._conversation = conversation
        self._turn_id = turn_id
        self._waiting = deque(runs)
        self._running: dict[int, Run] = {}
        self._places = count()
        self._now = 0.0
        self.done: list[Done] = []

    def worked(self, journal: Journal, answered: Sequence[Done], before: Sequence[Record]) -> Flow[None]:
        """Run all of them; what is `answered` already, and the records `before`, go into the journal with the first."""
        records, events = self._finished(answered)
        records[:0] = before
        version = journal.version
        try:
            while True:
                fresh, version = self._fresh(), journal.version
                records += [ToolStarted(self._turn_id, run.call.id, self._key(run)) for run in fresh]
                if records:
                    yield from write(journal, records, durable=True)
                records = []
                for run in fresh:  # before anybody is told: what the journal says was begun has begun
                    yield from self._launch(next(self._places), run)
                yield from events
                for run in fresh:
                    yield ToolCallStarted(run.call)
                if not self._running:
                    return
                news, self._now = yield from do(Await(self._patience()))
                events = _progress(self._running, news)
                records, more = self._finished((yield from self._heard(news)))
                events += more
        except BaseException:
            # what was heard of meanwhile is done, too
            left = yield from do(Abandon())
            if records and journal.version == version and not journal.torn:
                yield from write(journal, records, durable=True)  # the store takes the same once
            records, _ = self._finished([done for each in left if (done := self._ended(each)) is not None])
            if records and not journal.torn:
                yield from write(journal, records, durable=True)
            raise

    def _fresh(self) -> list[Run]:
        free = self._use.max_parallel - len(self._running)
        return [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]

    def _launch(self, place: int, run: Run) -> Flow[None]:
        self._running[place] = run
        context = ToolContext(
            conversation=self._conversation,
            turn_id=self._turn_id,
            call_id=run.call.id,
            key=self._key(run),
        )
        began = yield from do(Launch(place, run.bound, context))
        limit = run.bound.tool.timeout if run.bound.tool.timeout is not None else self._use.timeout
        run.deadline = None if limit is None else began + limit
        self._now = began

    def _key(self, run: Run) -> str:
        run.key = run.key or key_of(self._conversation, self._turn_id, run.call.id)
        return run.key

    def _patience(self) -> float | None:
        """Seconds until the first time limit."""
        ends = [run.deadline for run in self._running.values() if run.deadline is not None]
        return max(0.0, min(ends) - self._now) if ends else None

    def _heard(self, news: Sequence[News]) -> Flow[list[Done]]:
        """What has ended: a call that failed may be repeated, and one that takes too long is left alone."""
        ended: list[Done] = []
        for each in news:
            run = self._running.get(each.place)
            if run is not None and isinstance(each, Raised) and run.attempts <= run.bound.tool.retries:
                run.attempts += 1
                yield from self._launch(each.place, run)
            elif (done := self._ended(each)) is not None:
                ended.append(done)
        late = [place for place, run in self._running.items() if run.deadline is not None and run.deadline <= self._now]
        if late:
            _ = yield from do(Abandon(late))
            ended += [self._late(self._running.pop(place)) for place in late]
        return ended

    def _ended(self, news: News) -> Done | None:
        """The end of a call, if that is the news."""
        if isinstance(news, Reported) or news.place not in self._running:
            return None
        run = self._running.pop(news.place)
        return _returned(run, news.value) if isinstance(news, Returned) else _failed(run, news.error)

    def _late(self, run: Run) -> Done:
        limit = run.bound.tool.timeout or self._use.timeout
        error = TimeoutError(f"{run.call.name} was not done after {limit:g} seconds, and nobody waits for it any more")
        return _failed(run, error)

    def _finished(self, ended: Sequence[Done]) -> tuple[list[Record], list[Event]]:
        self.done += ended
        records: list[Record] = [ToolFinished(self._turn_id, done.result) for done in ended]
        return records, [ToolCallFinished(done.call, done.result, done.error) for done in ended]

    @property
    def errors(self) -> list[ToolError]:
        """What was raised, for the caller."""
        return [_error(done.call, done.error) for done in self.done if done.error is not None]


def _returned(run: Run, value: object) -> Done:
    """Any value has a text; what fails to be looked at has failed."""
    try:
        return Done(run.call, _noted(run, returned(run.call.id, value, most=run.bound.tool.max_output)))
    except Exception as error:  # noqa: BLE001 - the code of a value that a tool has made may raise anything
        return _failed(run, error)


def _failed(run: Run, error: BaseException) -> Done:
    return Done(run.call, _noted(run, raised(run.call.id, error)), error)


def _error(call: ToolCall, cause: BaseException) -> ToolError:
    error = ToolError(f"{call.name} failed: {raised(call.id, cause).content}")
    error.__cause__ = cause
    return error


def _noted(run: Run, result: ToolResult) -> ToolResult:
    return evolve(result, content=f"{run.note}{result.content}") if run.note else result


def _progress(running: dict[int, Run], news: Sequence[News]) -> list[Event]:
    return [
        ToolProgress(running[each.place].call, each.message)
        for each in news
        if isinstance(each, Reported) and each.place in running
    ]


def key_of(conversation: str, turn_id: str, call_id: str) -> str:
    """The same for every attempt at one call, and for no other one."""
    whole = f"{conversation}\0{turn_id}\0{call_id}"
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:32]

"""Replies that are to become values: what shows while one comes, and what the model is told was wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from attrs import evolve

from agentkit._engine.accumulate import Builder
from agentkit._engine.beginning import Task
from agentkit._engine.history import aside
from agentkit.effects import Flow, Read
from agentkit.events import PartialValue, TextDelta
from agentkit.messages import Message, ToolCall, assistant
from agentkit.tools import InvalidReply, PartialJson, Problem, Wanted

_SILENT = assistant("(nothing)")
_ENDS, _LONG = 400, 1000
_LEFT_OUT = " [...] "
_BROKEN = (Problem("$", "the arguments of the call are no JSON object, or were cut"),)


def misread(wanted: Wanted[Any], text: str) -> InvalidReply | None:
    """Why the reply does not come to a value."""
    try:
        wanted.read(text)
    except InvalidReply as problem:
        return problem
    return None


def apart(task: Task) -> Task:
    """The same task, where the tool that takes the answer has a name that no other tool has."""
    if task.answer is None or task.answer.name not in task.tools:
        return task
    names = (f"{task.answer.name}_{number}" for number in count(2))
    return evolve(task, answer=evolve(task.answer, name=next(name for name in names if name not in task.tools)))


def miscalled(task: Task, calls: Sequence[ToolCall]) -> InvalidReply | None:
    """Why the call that was to bring the value does not."""
    if task.wanted is None or task.answer is None:
        return None
    for call in calls:
        if call.name == task.answer.name:
            try:
                task.wanted.take(dict(call.arguments), text=call.arguments_json)
            except InvalidReply as problem:
                return problem
            return InvalidReply(_BROKEN, call.raw or "") if call.broken else None
    return None


def told(message: Message, problem: InvalidReply) -> tuple[Message, ...]:
    """What the model is given to put its reply right."""
    return (message if message.text.strip() else _SILENT, aside(str(problem)))


def shortened(besides: tuple[Message, ...]) -> tuple[Message, ...]:
    """The same, where a long reply leaves no room: its beginning and its end tell which one is meant."""
    return tuple(
        assistant(f"{each.text[:_ENDS]}{_LEFT_OUT}{each.text[-_ENDS:]}")
        if each.role == "assistant" and len(each.text) > _LONG
        else each
        for each in besides
    )


class Watch:
    """What a reply comes to as it grows, in its text or in the arguments of the call that is to bring the value."""

    def __init__(self, task: Task, builder: Builder) -> None:
        self._task = task
        self._builder = builder
        self._text = self._new()
        self._call = self._new()
        self._heard = 0

    def _new(self) -> PartialJson | None:
        wanted = self._task.wanted
        return None if wanted is None or wanted.is_text else wanted.partial()

    def carried(self) -> Flow[None]:
        """What had come before."""
        for text in tuple(self._builder.text):
            yield from self.heard(text)

    def heard(self, text: str) -> Flow[None]:
        """More text has come."""
        if self._text is not None and self._text.feed(text):
            yield PartialValue(self._text.value)

    def called(self) -> Flow[None]:
        """More of a call may have come; one that is begun anew is shown from its beginning."""
        given = "" if self._task.answer is None else self._builder.arguments(self._task.answer.name)
        if len(given) < self._heard:
            self._call, self._heard = self._new(), 0
        piece, self._heard = given[self._heard :], len(given)
        if piece and self._call is not None and self._call.feed(piece):
            yield PartialValue(self._call.value)


def watched(flow: Flow[None], watch: Watch) -> Flow[None]:
    """The same flow, and what the reply comes to as it grows."""
    yield from watch.carried()
    answer: Any = None
    thrown: BaseException | None = None
    while True:
        try:
            step = flow.send(answer) if thrown is None else flow.throw(thrown)
        except StopIteration:
            break
        answer = thrown = None
        try:
            if isinstance(step, Read):  # any other effect has to be done, whoever is stopped here
                yield from watch.called()
            answer = yield step
            if isinstance(step, TextDelta):
                yield from watch.heard(step.text)
        except BaseException as error:  # noqa: BLE001 - it belongs to the flow
            thrown = error
    yield from watch.called()

"""Replies that are to become values: what shows while one comes, and what the model is told was wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentkit._engine.beginning import Task
from agentkit.effects import Flow
from agentkit.events import PartialValue, TextDelta
from agentkit.messages import Message, ToolCall, assistant, user
from agentkit.tools import InvalidReply, PartialJson, Problem, Wanted

_SILENT = assistant("(nothing)")
_BROKEN = (Problem("$", "the arguments of the call are no JSON object, or were cut"),)


def misread(wanted: Wanted[Any], text: str) -> InvalidReply | None:
    """Why the reply does not come to a value."""
    try:
        wanted.read(text)
    except InvalidReply as problem:
        return problem
    return None


def miscalled(task: Task, calls: Sequence[ToolCall]) -> InvalidReply | None:
    """Why the call that was to bring the value does not."""
    if task.wanted is None or task.answer is None:
        return None
    for call in calls:
        if call.name == task.answer.name:
            try:
                task.wanted.take(dict(call.arguments))
            except InvalidReply as problem:
                return problem
            return InvalidReply(_BROKEN) if call.broken else None
    return None


def told(message: Message, problem: InvalidReply) -> tuple[Message, ...]:
    """What the model is given to put its reply right."""
    return (message if message.text.strip() else _SILENT, user(str(problem)))


def watched(flow: Flow[None], partial: PartialJson) -> Flow[None]:
    """The same flow, and what its text comes to as it grows."""
    answer: Any = None
    thrown: BaseException | None = None
    while True:
        try:
            step = flow.send(answer) if thrown is None else flow.throw(thrown)
        except StopIteration:
            return
        answer = thrown = None
        try:
            answer = yield step
            if isinstance(step, TextDelta) and partial.feed(step.text):
                yield PartialValue(partial.value)
        except BaseException as error:  # noqa: BLE001 - it belongs to the flow
            thrown = error

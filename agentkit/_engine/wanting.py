"""Replies that are to become values: how a backend is asked for one, what shows while it comes, and what was wrong.

A backend is held to the schema where it can be; else the value comes as the arguments of a call, where one can be
demanded; else the model is told in words. Where there are other tools, a call it is, too: what binds a reply to a schema keeps it from calling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from attrs import evolve

from agentkit._engine.beginning import Task
from agentkit.effects import Flow
from agentkit.events import PartialValue, TextDelta
from agentkit.messages import Message, ToolCall, assistant, user
from agentkit.options import Options
from agentkit.provider import Capabilities
from agentkit.tools import AnyTool, InvalidReply, PartialJson, Problem, Wanted

_SILENT = assistant("(nothing)")
_BROKEN = (Problem("$", "the arguments of the call are no JSON object, or were cut"),)


def way(task: Task, can: Capabilities) -> Literal["text", "native", "call", "words"]:
    """How the value is asked for."""
    if task.wanted is None or task.wanted.is_text:
        return "text"
    if can.json_mode and not task.tools:
        return "native"
    return "call" if can.tools and can.tool_choice else "words"


def offered(task: Task, can: Capabilities) -> tuple[AnyTool, ...]:
    """The tools that a backend with tools is told of."""
    known = tuple(task.tools.values())
    return (*known, task.answer) if way(task, can) == "call" and task.answer is not None else known


def demanded(task: Task, can: Capabilities, options: Options) -> Options:
    """The same options, so that the model calls something until it has given the value."""
    if way(task, can) != "call" or task.answer is None:
        return options
    return evolve(options, tool_choice="required" if task.tools else task.answer.name)


def misread(wanted: Wanted[Any], message: Message) -> InvalidReply | None:
    """Why the reply does not come to a value."""
    try:
        wanted.read(message.text)
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

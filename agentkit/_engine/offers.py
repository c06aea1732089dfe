"""What a backend is told besides history: of tools, and of a value that is wanted. As well as it can take it.

A backend is held to a schema where it can be; else the value comes as the arguments of a call, where one can be
demanded; else the model is told in words. Where there are other tools it is a call, too: what binds a reply to a schema
keeps it from calling them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from attrs import evolve

from agentkit._engine.beginning import Task
from agentkit.messages import Message
from agentkit.options import Options
from agentkit.provider import Capabilities, ReplyShape

if TYPE_CHECKING:
    from agentkit.tools import AnyTool


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
    if way(task, can) != "call" or task.answer is None or options.tool_choice in task.tools:
        return options
    free = task.tools and options.tool_choice != "none"
    return evolve(options, tool_choice="required" if free else task.answer.name)


def shape(task: Task, can: Capabilities) -> ReplyShape | None:
    """What the reply is bound to."""
    return task.wanted.shape if task.wanted is not None and way(task, can) == "native" else None


def worded(task: Task, can: Capabilities, messages: Sequence[Message]) -> Sequence[Message]:
    """The messages for a backend that has tools or none."""
    if can.tools or not task.tools:
        return messages
    from agentkit.tools import as_text

    return as_text(messages)


def in_words(task: Task, can: Capabilities, options: Options) -> list[str]:
    """What the model is told in its instructions."""
    texts: list[str] = []
    if task.tools and not can.tools:
        from agentkit.tools import instructions

        texts.append(instructions(tuple(task.tools.values()), options.tool_choice or "auto"))
    if task.wanted is not None and way(task, can) == "words":
        texts.append(task.wanted.instructions)
    return texts

"""Asking for a value: the task of the turn, and how its reply becomes the value."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import evolve

from agentkit._engine.beginning import Task
from agentkit.errors import IncompleteReply, InvalidInput
from agentkit.events import Reply
from agentkit.tools import Wanted, wanted
from agentkit.usage import Outcome

_ANSWER = "answer"


def asking(task: Task, into: Any, attempts: int) -> tuple[Task, Callable[[Reply], Any]]:
    """The task with what is wanted, and what makes the value of its reply.

    Raises:
        InvalidInput: it cannot be described to a model.
    """
    if type(attempts) is not int or attempts < 1:
        raise InvalidInput(f"attempts must be a whole number of at least 1, not {attempts!r}")
    found = wanted(into)
    names = (_ANSWER, *(f"{_ANSWER}_{number}" for number in range(2, len(task.tools) + 3)))
    answer = None if found.is_text else found.as_tool(next(name for name in names if name not in task.tools))
    made = evolve(task, wanted=found, answer=answer, attempts=attempts)
    return made, partial(value_of, found, None if answer is None else answer.name)


def value_of(found: Wanted[Any], answer: str | None, reply: Reply) -> Any:
    """The value that the reply came to.

    Raises:
        IncompleteReply: it is not whole.
        InvalidReply: it comes to none.
    """
    if reply.outcome is not Outcome.COMPLETE:
        error = IncompleteReply(
            f"there is no value, for the reply is {reply.outcome.replace('_', ' ')}: {reply.reason or ''}".rstrip(": ")
        )
        error.reply = reply
        raise error
    for call in reply.message.tool_calls:
        if call.name == answer:
            return found.take(dict(call.arguments))
    return found.read(reply.text)

"""Asking for a value: the task of the turn, and how its reply becomes the value."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import evolve

from agentkit._engine.beginning import Task
from agentkit.errors import AgentKitError, IncompleteReply, InvalidInput
from agentkit.events import Reply
from agentkit.tools import Wanted, wanted
from agentkit.tools._structured import ANSWER, RECEIVED
from agentkit.usage import Outcome


def asking(task: Task, into: Any, attempts: int) -> tuple[Task, Callable[[Reply], Any]]:
    """The task with what is wanted, and what makes the value of its reply.

    Raises:
        InvalidInput: it cannot be described to a model.
    """
    if type(attempts) is not int or attempts < 1:
        raise InvalidInput(f"attempts must be a whole number of at least 1, not {attempts!r}")
    found = wanted(into)
    answer = None if found.is_text else found.as_tool()
    return evolve(task, wanted=found, answer=answer, attempts=attempts), partial(value_of, found)


def value_of(found: Wanted[Any], reply: Reply) -> Any:
    """The value that the reply came to.

    Raises:
        IncompleteReply: it is not whole.
        InvalidReply: it comes to none.
    """
    try:
        return _value(found, reply)
    except AgentKitError as error:
        error.reply = reply
        raise


def _value(found: Wanted[Any], reply: Reply) -> Any:
    if reply.outcome is not Outcome.COMPLETE:
        raise IncompleteReply(
            f"there is no value, for the reply is {reply.outcome.replace('_', ' ')}: {reply.reason or ''}".rstrip(": ")
        )
    received = {result.call_id for result in reply.tool_results if result.content == RECEIVED}
    for call in reply.message.tool_calls:
        if call.id in received and call.name.startswith(ANSWER):
            return found.take(dict(call.arguments), text=call.arguments_json)
    return found.read(reply.text)

"""Whether a call may run."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

from agentkit.errors import InvalidInput
from agentkit.messages import ToolCall

Approval: TypeAlias = Literal["auto", "ask", "deny"]
"""It runs at once, waits for the user, or is refused."""
Approve: TypeAlias = Approval | Callable[[ToolCall], Approval]
"""The same, or a function that says it of a call; what it raises counts as "ask"."""


def check_approval(instance: object, attribute: Any, value: object) -> None:
    """For fields that hold an `Approve` or None."""
    if inspect.iscoroutinefunction(value):
        raise InvalidInput(f"{attribute.name} is asked while the turn waits: give a plain function, not an async one")
    if value is not None and not callable(value) and value not in get_args(Approval):
        raise InvalidInput(f"{attribute.name} is one of {', '.join(get_args(Approval))}, or a function, not {value!r}")

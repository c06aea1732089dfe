"""How a conversation uses its tools: who is asked before they run, how many at once, and when it is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from attrs import field, frozen

from agentkit._checks import function, number, one_of, whole
from agentkit.errors import InvalidInput
from agentkit.messages import ToolCall, ToolResult
from agentkit.tools._approval import Approve, check_approval
from agentkit.usage import Usage

StopWhen = Callable[[Sequence[tuple[ToolCall, ToolResult]]], bool]
"""Is told the calls of a round with their results, and says whether the turn is over."""


@frozen(kw_only=True)
class ToolUse:
    """How a conversation uses its tools. A limit ends the turn as truncated, and `resume()` goes on with a new one."""

    approve: Approve | None = field(default=None, validator=check_approval)
    """For tools that do not say it themselves: auto, ask, deny, or a function of the call. None is auto."""
    max_parallel: int = field(default=8, validator=whole(1, optional=False))
    """How many calls of one reply run at the same time."""
    timeout: float | None = field(default=None, validator=number(0.001))
    """Seconds for tools that have no limit of their own."""
    max_rounds: int | None = field(default=50, validator=whole(1))
    """Replies with calls, in one turn."""
    max_calls: int | None = field(default=None, validator=whole(1))
    """Calls that are run in one turn."""
    max_seconds: float | None = field(default=None, validator=number(0.001))
    """After which no further round begins."""
    max_cost: float | None = field(default=None, validator=number(0))
    """The same, of what `price` says of the turn so far."""
    price: Callable[[Usage], float] | None = field(default=None, validator=function)
    stop_when: StopWhen | None = field(default=None, validator=function)
    on_error: Literal["tell", "raise"] = field(default="tell", validator=one_of(("tell", "raise")))
    """What a tool raises is told to the model, which may mend its call; or ends the turn as a `ToolError`."""

    def __attrs_post_init__(self) -> None:
        if self.max_cost is not None and self.price is None:
            raise InvalidInput("max_cost needs price=, a function that says what a usage costs")

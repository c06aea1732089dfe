"""Calls that wait for a decision of the user, in both colours."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import field, frozen

from agentkit._engine.deciding import Decision
from agentkit.errors import InvalidInput
from agentkit.messages import ToolCall, ToolResult
from agentkit.store import Decided
from agentkit.tools import AnyTool, InvalidArguments, returned

MAX_ANSWER = 1_000_000
REFUSED = "The user has refused this call, so it was not run."


def to_run(call: ToolCall, arguments: Mapping[str, Any] | None, known: Mapping[str, AnyTool]) -> Decision:
    """The call is to be run, with other arguments where some are given; these have to fit a tool that is known here."""
    if arguments is not None and not isinstance(arguments, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInput(f"arguments must be a mapping of names to values, not {arguments!r:.80}")
    if arguments is not None:
        arguments = _as_json(arguments)
        _check_fit(call, arguments, known)
    if arguments is None and call.broken:
        raise InvalidInput(f"the arguments of the call {call.id!r} cannot be read: give others, or refuse it")
    return lambda turn_id: Decided(turn_id, call.id, arguments)


def _check_fit(call: ToolCall, arguments: Mapping[str, Any], known: Mapping[str, AnyTool]) -> None:
    if call.name not in known:
        return
    try:
        known[call.name].bind(arguments)
    except InvalidArguments as error:
        wrong = "; ".join(f"{problem.path}: {problem.message}" for problem in error.problems)
        raise InvalidInput(f"these arguments do not fit {call.name}: {wrong}") from None


def _as_json(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A copy, as it comes back from a store."""
    try:
        made: dict[str, Any] = json.loads(json.dumps(dict(arguments), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"arguments are values of JSON, as a model gives them: {error}") from None
    return made


def to_refuse(call: ToolCall, reason: str) -> Decision:
    """The model is told that the user does not want it, and why."""
    if not isinstance(reason, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInput(f"the reason must be a text, not {reason!r:.80}")
    result = ToolResult(call.id, f"{REFUSED} They say: {reason}" if reason.strip() else REFUSED, is_error=True)
    return lambda turn_id: Decided(turn_id, call.id, answer=result)


def to_answer(call: ToolCall, value: object) -> Decision:
    """The model is given this as the result."""
    result = returned(call.id, value, most=MAX_ANSWER)
    return lambda turn_id: Decided(turn_id, call.id, answer=result)


@frozen
class PendingCall:
    """A call that is not run before somebody decides. What was decided is stored; `resume()` acts upon it."""

    call: ToolCall
    _decide: Callable[[ToolCall, Decision], None] = field(repr=False, alias="decide")
    _known: Mapping[str, AnyTool] = field(repr=False, alias="known", factory=dict[str, "AnyTool"])

    def approve(self, *, arguments: Mapping[str, Any] | None = None) -> None:
        """Run it, with other arguments where some are given; the model is told of those."""
        self._decide(self.call, to_run(self.call, arguments, self._known))

    def reject(self, reason: str = "") -> None:
        """Do not run it, and tell the model why."""
        self._decide(self.call, to_refuse(self.call, reason))

    def answer(self, result: object) -> None:
        """Give the model this result in its place."""
        self._decide(self.call, to_answer(self.call, result))


@frozen
class AsyncPendingCall:
    """A call that is not run before somebody decides. What was decided is stored; `resume()` acts upon it."""

    call: ToolCall
    _decide: Callable[[ToolCall, Decision], Awaitable[None]] = field(repr=False, alias="decide")
    _known: Mapping[str, AnyTool] = field(repr=False, alias="known", factory=dict[str, "AnyTool"])

    async def approve(self, *, arguments: Mapping[str, Any] | None = None) -> None:
        """Run it, with other arguments where some are given; the model is told of those."""
        await self._decide(self.call, to_run(self.call, arguments, self._known))

    async def reject(self, reason: str = "") -> None:
        """Do not run it, and tell the model why."""
        await self._decide(self.call, to_refuse(self.call, reason))

    async def answer(self, result: object) -> None:
        """Give the model this result in its place."""
        await self._decide(self.call, to_answer(self.call, result))

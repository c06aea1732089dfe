"""A reply in time: tokens, limits, pauses and faults, as steps that every wire plays in its own format. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import field, frozen

from agentkit.sim.plan import Fault
from agentkit.sim.talk import (
    Break,
    CallPiece,
    CallStart,
    Drop,
    End,
    Failure,
    Pause,
    Reason,
    Reply,
    Speak,
    Step,
    Token,
)
from agentkit.sim.text import count_tokens, tokens


def reply_tokens(reply: Reply) -> Iterator[Token]:
    """The tokens of a reply, in the order in which a model would make them."""
    yield from (Reason(text) for text in tokens(reply.reasoning))
    yield from (Speak(text) for text in tokens(reply.text))
    for index, call in enumerate(reply.calls):
        yield CallStart(index, call)
        yield from (CallPiece(index, text) for text in tokens(call.arguments))


def length(reply: Reply) -> int:
    """How many tokens a reply has."""
    calls = sum(1 + count_tokens(call.arguments) for call in reply.calls)
    return count_tokens(reply.reasoning) + count_tokens(reply.text) + calls


@frozen(kw_only=True)
class Performance:
    """One reply, ready to be played as often as needed."""

    reply: Reply
    limit: int
    faults: tuple[Fault, ...] = ()
    pace: float = 0.0
    prompt_tokens: int = 0
    quirks: Mapping[str, str] = field(factory=dict[str, str])

    def steps(self) -> Iterator[Step]:
        """Everything that happens, in order; ends after `End`, `Drop` or `Break`."""
        made = thought = 0
        finish = "tool_calls" if self.reply.calls else "stop"
        yield from self._pauses(None)
        unfinished = any(fault.kind == "end" and fault.after is None for fault in self.faults)
        for token in reply_tokens(self.reply):
            if made >= self.limit:
                finish = "length"
                break
            yield from self._pauses(made)
            end = self._end(made)
            if end is not None:
                yield end
                return
            if self.pace:
                yield Pause(self.pace)
            yield token
            made += 1
            thought += isinstance(token, Reason)
        if unfinished:
            yield Drop(orderly=True)
            return
        yield End(finish=finish, prompt_tokens=self.prompt_tokens, completion_tokens=made, reasoning_tokens=thought)

    def _pauses(self, place: int | None) -> Iterator[Pause]:
        for fault in self.faults:
            if fault.after == place and fault.kind in ("stall", "wait"):
                yield Pause(fault.seconds)

    def _end(self, place: int) -> Drop | Break | None:
        for fault in self.faults:
            if fault.after == place and fault.kind in ("drop", "end", "fail"):
                return Break(failure(fault)) if fault.kind == "fail" else Drop(orderly=fault.kind == "end")
        return None


_TYPES = {
    400: ("invalid_request_error", None),
    401: ("authentication_error", "invalid_api_key"),
    403: ("permission_error", None),
    404: ("not_found_error", None),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}


def failure(fault: Fault) -> Failure:
    """The error that was ordered."""
    if fault.quota:
        message = "You exceeded your current quota, please check your plan and billing details."
        return Failure(status=fault.status, message=message, type="insufficient_quota", code="insufficient_quota")
    kind, code = _TYPES.get(fault.status, ("server_error" if fault.status >= 500 else "invalid_request_error", None))  # noqa: PLR2004 - the first status of a server's error
    return Failure(
        status=fault.status,
        message=f"the simulator was told to fail with {fault.status}",
        type=kind,
        code=code,
        retry_after=fault.retry_after,
    )

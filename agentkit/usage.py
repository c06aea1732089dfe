"""What a reply cost and how it ended. Values only; adding up is the one operation."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


class FinishReason(StrEnum):
    """Why the backend stopped, in one vocabulary. The backend's own word is kept in `message.meta`."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    FILTERED = "filtered"
    ERROR = "error"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """How a turn ended, as the caller should treat it."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    INTERRUPTED = "interrupted"
    FILTERED = "filtered"
    AWAITING_APPROVAL = "awaiting_approval"
    FAILED = "failed"


@frozen
class Usage:
    """Tokens and requests; `+` adds. One estimated summand makes the sum estimated."""

    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    requests: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.cached_tokens + other.cached_tokens,
            self.requests + other.requests,
            self.estimated or other.estimated,
        )

"""Whether a failed request is sent again, and after how long. Pure: the spread comes from the turn's id."""

from __future__ import annotations

import zlib

from agentkit.errors import AgentKitError, ConnectError, ProviderError, QuotaExceeded, TransportError
from agentkit.errors import TimeoutError as LimitReached
from agentkit.options import RetryPolicy


def delay_before_retry(
    policy: RetryPolicy, attempt: int, error: AgentKitError, *, shown: bool, repeatable: bool, turn_id: str
) -> float | None:
    """Seconds to wait before the request is sent again; None where it must not be.

    `attempt` is the number of requests so far. `shown`: the caller has seen output of this one, so that a new answer
    would contradict it. `repeatable`: the backend allows sending again what it may have executed.
    """
    if shown or attempt >= policy.max_attempts or not _may_repeat(policy, error, repeatable=repeatable):
        return None
    asked = error.retry_after if isinstance(error, ProviderError) else None
    if asked is not None and asked > policy.max_retry_after:
        return None
    return max(asked or 0.0, _backoff(policy, attempt, turn_id))


def _may_repeat(policy: RetryPolicy, error: AgentKitError, *, repeatable: bool) -> bool:
    match error:
        case QuotaExceeded():
            return False
        case ConnectError():
            return True
        case LimitReached():
            return error.phase == "connect" or (repeatable and error.phase != "total")
        case TransportError():
            return repeatable
        case ProviderError():
            return error.status in policy.statuses
        case _:
            return False


def _backoff(policy: RetryPolicy, attempt: int, turn_id: str) -> float:
    """Doubling, capped, and spread over its upper half so that many clients do not return at once."""
    whole = min(policy.base_delay * 2.0 ** min(attempt - 1, 64), policy.max_delay)
    spread = zlib.crc32(f"{turn_id}/{attempt}".encode()) / 2**32
    return whole * (0.5 + spread / 2)

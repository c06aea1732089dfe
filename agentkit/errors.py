"""Every exception that agentkit raises on purpose. Nothing else leaves the public surface.

    AgentKitError                 .reply holds what a turn had received when it failed, or None
    |-- InvalidInput              an argument is wrong (also a ValueError)
    |   `-- InvalidDocument       a stored or imported document is wrong; .path names the place
    |-- NotConfigured             no model, key or server: says what to set
    |-- ConversationClosed        used after close()
    |-- Unsupported               the backend cannot carry this content
    |-- TransportError            the network, not the backend
    |   |-- ConnectError          no connection was made, nothing was sent
    |   |-- ConnectionLost        the connection broke after the request went out
    |   `-- TimeoutError          .phase says which limit: connect, first_byte, idle, total, pool
    |-- ProviderError             the backend answered with an error: status, code, type, body, request_id, retry_after
    |   |-- AuthError             key missing, wrong or without permission
    |   |-- RateLimited           too many requests for now
    |   |-- QuotaExceeded         a permanent limit is used up; waiting does not help
    |   |-- BadRequest            the backend refuses the request
    |   |   `-- ContextOverflow   the request does not fit the window; .limit and .used where known
    |   |-- ServerError           the backend failed
    |   |-- JobFailed             the backend's job ended without a reply
    |   `-- ProtocolError         the answer breaks the wire format, or ended too early
    |-- IncompleteReply           the reply is still cut after all that was allowed, or there is no value in it
    |-- InvalidReply              no reply came to the value that was asked for (it stands in agentkit.tools)
    |-- ToolError                 a tool failed and the policy says to stop
    |-- LimitExceeded             a limit the caller set was reached
    |-- ConversationBusy          another writer holds the conversation
    |-- StaleWriter               another writer took the conversation over; nothing of theirs was overwritten
    `-- StoreError                the store cannot be read or written

A message says what happened, where it came from and what to do, on one line, and never holds a key.
This module imports nothing of agentkit.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from agentkit.events import Reply

Phase = Literal["connect", "first_byte", "idle", "total", "pool"]


class AgentKitError(Exception):
    """Base of all errors of agentkit."""

    reply: Reply | None = None
    """What the turn had received when it ended; the same text is in the history."""
    backend: str = ""
    """Which backend it came from, as "backend/model"."""
    hint: str = ""
    """What to do about it, where that is known: one line, beside the message."""


class InvalidInput(AgentKitError, ValueError):
    """An argument is wrong. The message names the value."""


class InvalidDocument(InvalidInput):
    """A document cannot be read; `path` names the place, such as `$.messages[3].parts[0]`."""

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(f"{message} (at {path})")
        self.path = path


class NotConfigured(AgentKitError):
    """Nothing says which backend to use, or a backend lacks its key."""


class ConversationClosed(AgentKitError):
    """The conversation was used after `close()`."""


class Unsupported(AgentKitError):
    """The backend cannot carry this content, and leaving it out would change the meaning."""


class TransportError(AgentKitError):
    """The request did not get through, or its answer did not come back whole."""


class ConnectError(TransportError):
    """No connection was made; the backend has seen nothing."""


class ConnectionLost(TransportError):
    """The connection broke after the request went out; the backend may have acted on it."""


class TimeoutError(TransportError, builtins.TimeoutError):  # noqa: A001 - the public name; it is also the builtin
    """A limit in seconds ran out; `phase` says which one."""

    def __init__(self, message: str, *, phase: Phase) -> None:
        super().__init__(message)
        self.phase: Phase = phase


class ProviderError(AgentKitError):
    """The backend answered, and the answer is an error."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the wire's own word
        body: str = "",
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status; None where the error came inside a stream."""
        self.code = code
        self.type = type
        self.body = body
        """The beginning of the answer, with keys blacked out."""
        self.request_id = request_id
        self.retry_after = retry_after
        """Seconds that the backend asked to wait."""


class AuthError(ProviderError):
    """The key is missing, wrong, or lacks a permission."""


class RateLimited(ProviderError):
    """Too many requests for now; `retry_after` says how long, where the backend does."""


class QuotaExceeded(ProviderError):
    """A limit of the account is used up; trying again will not help."""


class BadRequest(ProviderError):
    """The backend refuses this request as it stands."""


class ContextOverflow(BadRequest):
    """The request does not fit the window of the model."""

    limit: int | None = None
    used: int | None = None


class ServerError(ProviderError):
    """The backend failed on its side."""


class JobFailed(ProviderError):
    """The backend accepted the work and did not finish it."""


class ProtocolError(ProviderError):
    """The answer is not what the wire format promises, or it ended before the end."""


class IncompleteReply(AgentKitError):
    """The reply is still cut after every continuation that was allowed; `.reply` holds it."""


class ToolError(AgentKitError):
    """A tool failed; what it raised is the cause."""


class LimitExceeded(AgentKitError):
    """A limit that the caller set was reached."""


class ConversationBusy(AgentKitError):
    """Another writer holds the conversation; no request was sent."""


class StaleWriter(AgentKitError):
    """Another writer took the conversation over; the late append was refused."""


class StoreError(AgentKitError):
    """The store cannot be read or written."""

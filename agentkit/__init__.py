"""agentkit: stateful conversations with language models.

Only the public names live here; each is loaded when it is first used, so that importing agentkit costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit._lazy import lazy

__version__ = "0.1.0"

_HOMES = {
    "agentkit.codec": ("from_openai", "messages_from_json", "messages_to_json", "to_openai"),
    "agentkit.context": ("ContextPolicy", "pin"),
    "agentkit.conversation": ("AsyncConversation", "Conversation"),
    "agentkit._runtime.aio": ("AsyncTurn", "AsyncValueTurn"),
    "agentkit._runtime.blocking": ("Turn", "ValueTurn"),
    "agentkit._runtime.ratelimit": ("RateLimiter",),
    "agentkit.errors": (
        "AgentKitError",
        "AuthError",
        "BadRequest",
        "ConnectError",
        "ConnectionLost",
        "ContextOverflow",
        "ConversationBusy",
        "ConversationClosed",
        "IncompleteReply",
        "InvalidDocument",
        "InvalidInput",
        "JobFailed",
        "LimitExceeded",
        "NotConfigured",
        "ProtocolError",
        "ProviderError",
        "QuotaExceeded",
        "RateLimited",
        "ServerError",
        "StaleWriter",
        "StoreError",
        "TimeoutError",
        "ToolError",
        "TransportError",
        "Unsupported",
    ),
    "agentkit.continuation": ("Continuation", "Progress"),
    "agentkit.events": (
        "ApprovalNeeded",
        "Continuing",
        "Correcting",
        "Event",
        "Notice",
        "PartialValue",
        "ReasoningDelta",
        "Reply",
        "Retrying",
        "Segment",
        "TextDelta",
        "ToolCallFinished",
        "ToolCallStarted",
        "ToolProgress",
        "Trimmed",
        "TurnFinished",
    ),
    "agentkit.manifest": ("Manifest",),
    "agentkit.messages": (
        "Media",
        "Message",
        "Part",
        "Reasoning",
        "Text",
        "ToolCall",
        "ToolResult",
        "Unknown",
        "assistant",
        "system",
        "user",
    ),
    "agentkit.options": ("Fallback", "Limits", "Options", "RetryPolicy", "Timeouts"),
    "agentkit.pending": ("AsyncPendingCall", "PendingCall"),
    "agentkit.tools": ("InvalidReply", "Tool", "ToolContext", "tool"),
    "agentkit.tooluse": ("ToolUse",),
    "agentkit.usage": ("FinishReason", "Outcome", "Usage"),
    "agentkit.writing": ("WriteProgress", "Written"),
}
__all__ = ["__version__", *sorted(name for names in _HOMES.values() for name in names)]  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__


if TYPE_CHECKING:
    from agentkit._runtime.aio import AsyncTurn as AsyncTurn
    from agentkit._runtime.aio import AsyncValueTurn as AsyncValueTurn
    from agentkit._runtime.blocking import Turn as Turn
    from agentkit._runtime.blocking import ValueTurn as ValueTurn
    from agentkit._runtime.ratelimit import RateLimiter as RateLimiter
    from agentkit.codec import from_openai as from_openai
    from agentkit.codec import messages_from_json as messages_from_json
    from agentkit.codec import messages_to_json as messages_to_json
    from agentkit.codec import to_openai as to_openai
    from agentkit.context import ContextPolicy as ContextPolicy
    from agentkit.context import pin as pin
    from agentkit.continuation import Continuation as Continuation
    from agentkit.continuation import Progress as Progress
    from agentkit.conversation import AsyncConversation as AsyncConversation
    from agentkit.conversation import Conversation as Conversation
    from agentkit.errors import AgentKitError as AgentKitError
    from agentkit.errors import AuthError as AuthError
    from agentkit.errors import BadRequest as BadRequest
    from agentkit.errors import ConnectError as ConnectError
    from agentkit.errors import ConnectionLost as ConnectionLost
    from agentkit.errors import ContextOverflow as ContextOverflow
    from agentkit.errors import ConversationBusy as ConversationBusy
    from agentkit.errors import ConversationClosed as ConversationClosed
    from agentkit.errors import IncompleteReply as IncompleteReply
    from agentkit.errors import InvalidDocument as InvalidDocument
    from agentkit.errors import InvalidInput as InvalidInput
    from agentkit.errors import JobFailed as JobFailed
    from agentkit.errors import LimitExceeded as LimitExceeded
    from agentkit.errors import NotConfigured as NotConfigured
    from agentkit.errors import ProtocolError as ProtocolError
    from agentkit.errors import ProviderError as ProviderError
    from agentkit.errors import QuotaExceeded as QuotaExceeded
    from agentkit.errors import RateLimited as RateLimited
    from agentkit.errors import ServerError as ServerError
    from agentkit.errors import StaleWriter as StaleWriter
    from agentkit.errors import StoreError as StoreError
    from agentkit.errors import TimeoutError as TimeoutError
    from agentkit.errors import ToolError as ToolError
    from agentkit.errors import TransportError as TransportError
    from agentkit.errors import Unsupported as Unsupported
    from agentkit.events import ApprovalNeeded as ApprovalNeeded
    from agentkit.events import Continuing as Continuing
    from agentkit.events import Correcting as Correcting
    from agentkit.events import Event as Event
    from agentkit.events import Notice as Notice
    from agentkit.events import PartialValue as PartialValue
    from agentkit.events import ReasoningDelta as ReasoningDelta
    from agentkit.events import Reply as Reply
    from agentkit.events import Retrying as Retrying
    from agentkit.events import Segment as Segment
    from agentkit.events import TextDelta as TextDelta
    from agentkit.events import ToolCallFinished as ToolCallFinished
    from agentkit.events import ToolCallStarted as ToolCallStarted
    from agentkit.events import ToolProgress as ToolProgress
    from agentkit.events import Trimmed as Trimmed
    from agentkit.events import TurnFinished as TurnFinished
    from agentkit.manifest import Manifest as Manifest
    from agentkit.messages import Media as Media
    from agentkit.messages import Message as Message
    from agentkit.messages import Part as Part
    from agentkit.messages import Reasoning as Reasoning
    from agentkit.messages import Text as Text
    from agentkit.messages import ToolCall as ToolCall
    from agentkit.messages import ToolResult as ToolResult
    from agentkit.messages import Unknown as Unknown
    from agentkit.messages import assistant as assistant
    from agentkit.messages import system as system
    from agentkit.messages import user as user
    from agentkit.options import Fallback as Fallback
    from agentkit.options import Limits as Limits
    from agentkit.options import Options as Options
    from agentkit.options import RetryPolicy as RetryPolicy
    from agentkit.options import Timeouts as Timeouts
    from agentkit.pending import AsyncPendingCall as AsyncPendingCall
    from agentkit.pending import PendingCall as PendingCall
    from agentkit.tools import InvalidReply as InvalidReply
    from agentkit.tools import Tool as Tool
    from agentkit.tools import ToolContext as ToolContext
    from agentkit.tools import tool as tool
    from agentkit.tooluse import ToolUse as ToolUse
    from agentkit.usage import FinishReason as FinishReason
    from agentkit.usage import Outcome as Outcome
    from agentkit.usage import Usage as Usage
    from agentkit.writing import WriteProgress as WriteProgress
    from agentkit.writing import Written as Written

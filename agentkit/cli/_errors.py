"""From a failure to one line for the user and an exit code.

May hold wording: what happened, where the value came from, what to type. Never a key.
"""

from __future__ import annotations

from agentkit.cli._codes import FAILED, INCOMPLETE, NOT_CONFIGURED, USAGE, WAITING, Undecided, UsageError
from agentkit.cli._settings import Choice
from agentkit.config import backend_settings
from agentkit.errors import (
    AgentKitError,
    ContextOverflow,
    IncompleteReply,
    InvalidInput,
    NotConfigured,
    RateLimited,
    StoreError,
    Unsupported,
)
from agentkit.providers import get_provider
from agentkit.usage import Outcome


def exit_code(error: Exception) -> int:
    """The code that a script sees for `error`."""
    match error:
        case NotConfigured():
            return NOT_CONFIGURED
        case Undecided():
            return WAITING
        case UsageError() | InvalidInput():
            return USAGE
        case AgentKitError() if error.reply is not None and error.reply.outcome is not Outcome.FAILED:
            return INCOMPLETE
        case _:
            return FAILED


def explain(error: Exception, choice: Choice | None = None) -> str:
    """One line: what happened and what to do; `choice` is the model that was asked."""
    said = _system_says(error) if isinstance(error, OSError) and error.strerror else str(error)
    said = " ".join(said.split()) or type(error).__name__
    hint = _hint(error, choice)
    return f"{said.rstrip('.')}. {hint}" if hint else said


def _system_says(error: OSError) -> str:
    where = f"{error.filename!r}" if error.filename else "input or output failed"
    return f"{where}: {error.strerror}"


def _hint(error: Exception, choice: Choice | None) -> str:
    match error:
        case AgentKitError(hint=hint) if hint:
            return hint
        case ContextOverflow():
            return "The conversation has outgrown the model's window: /undo, or begin a new one"
        case IncompleteReply():
            return "A larger --max-tokens may leave room for an answer"
        case RateLimited() if error.retry_after:
            return f"The backend asks to wait {error.retry_after:g} s"
        case StoreError():
            return "agentkit doctor looks at the store; --no-store works without one"
        case Unsupported():
            return "agentkit models lists the other backends"
        case _:
            return _from_settings(error, choice)


def _from_settings(error: Exception, choice: Choice | None) -> str:
    """What the settings of the backend say about it."""
    if choice is None or choice.backend == "sim" or len(choice.names) > 1:
        return ""
    from agentkit._runtime.advice import advice

    try:
        settings = backend_settings(choice.backend, base_url=choice.base_url)
        base_url = get_provider(choice.backend, base_url=settings.base_url.value).base_url
    except AgentKitError:
        return ""
    return advice(error, settings, base_url)


def is_expected(error: Exception) -> bool:
    """A failure that needs no traceback: ours, or the system's word on a file or a socket."""
    return isinstance(error, AgentKitError | UsageError | OSError)

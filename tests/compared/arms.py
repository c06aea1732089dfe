"""The two that are compared, each asked in the same words: lexilux's `complete()` and agentkit's `Conversation`."""

from __future__ import annotations

import contextlib
import importlib
import json
from typing import Any

from attrs import frozen

from agentkit import Conversation
from agentkit.continuation import Continuation
from agentkit.errors import AgentKitError
from agentkit.events import Reply, TextDelta
from agentkit.options import Options, RetryPolicy
from agentkit.usage import Outcome

QUESTION = "Please write what I asked for."
TOOL: dict[str, Any] = {
    "name": "book",
    "description": "Book a table.",
    "parameters": {"type": "object", "properties": {"note": {"type": "string"}}},
}


@frozen(kw_only=True)
class Came:
    """What a caller has in hand afterwards."""

    text: str
    """Of the result, or of the error where one was raised."""
    shown: str | None = None
    """What a stream had delivered by then; None where nothing was streamed."""
    error: str = ""
    told: bool = False
    """The caller knows that it is not all."""
    history: int = 0
    """Messages that the conversation holds afterwards."""
    calls: int = 0
    broken: int = 0
    """Tool calls with incomplete arguments that are handed to the caller as calls."""
    ran: int = 0
    """Of those, how many the helper that runs tools would have run."""


def lexilux(url: str, *, stream: bool, tools: bool = False, max_tokens: int | None = None, **settings: Any) -> Came:
    """`complete()` or `complete_stream()` with the settings of a caller who sets none, but for those given."""
    library: Any = importlib.import_module("lexilux")
    if tools:
        settings["tools"] = [library.FunctionTool(**TOOL)]
    if max_tokens:
        settings["max_tokens"] = max_tokens
    shown: str | None = "" if stream else None
    history = library.ChatHistory()
    with library.Chat(base_url=url, api_key="none", model="sim") as chat:
        iterator, result, error = None, None, None
        try:
            if stream:
                shown, iterator = "", chat.complete_stream(QUESTION, history=history, **settings)
                for chunk in iterator:
                    shown += chunk.delta
                result = iterator.result
            else:
                result = chat.complete(QUESTION, history=history, **settings)
        except Exception as raised:
            error = raised
            result = getattr(raised, "final_result", None)
            result = iterator.result if result is None and iterator is not None else result
    calls = list(getattr(result, "tool_calls", None) or ())
    broken = [call for call in calls if not _is_json(call.arguments)]
    return Came(
        text="" if result is None else result.text,
        shown=shown,
        error="" if error is None else type(error).__name__,
        told=error is not None or getattr(result, "finish_reason", None) == "length",
        history=len(history.messages),
        calls=len(calls),
        broken=len(broken),
        ran=_ran(library, result, calls) if broken else 0,
    )


def agentkit(
    url: str,
    backend: str,
    *,
    stream: bool,
    tools: bool = False,
    max_tokens: int | None = None,
    continuation: Continuation | None = None,
    retry: RetryPolicy | None = None,
) -> Came:
    """`send()` or `stream()`, likewise."""
    extra = {"tools": [{"type": "function", "function": TOOL}]} if tools else {}
    options = Options(max_tokens=max_tokens, extra=extra)
    shown: str | None = "" if stream else None
    error: AgentKitError | None = None
    model = f"{backend}/sim"
    with Conversation(model, base_url=url, options=options, continuation=continuation, retry=retry) as chat:
        reply: Reply | None = None
        try:
            if stream:
                shown = ""
                with chat.stream(QUESTION) as turn:
                    for event in turn:
                        shown += event.text if isinstance(event, TextDelta) else ""
                reply = turn.reply
            else:
                reply = chat.send(QUESTION)
        except AgentKitError as raised:
            error, reply = raised, raised.reply
        calls = () if reply is None else reply.message.tool_calls
        return Came(
            text="" if reply is None else reply.text,
            shown=shown,
            error="" if error is None else type(error).__name__,
            told=error is not None or reply is None or reply.outcome is not Outcome.COMPLETE,
            history=len(chat.messages),
            calls=len(calls),
            broken=sum(call.broken for call in calls),
        )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _ran(library: Any, result: Any, calls: list[Any]) -> int:
    ran: list[str] = []
    helper: Any = importlib.import_module("lexilux.chat.tool_helpers")
    with contextlib.suppress(ValueError):
        helper.execute_tool_calls(result, {call.name: lambda **given: ran.append("run") for call in calls})
    return len(ran)

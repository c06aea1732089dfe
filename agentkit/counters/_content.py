"""What a message holds, as texts that templates put into a prompt, and what cannot be counted."""

from __future__ import annotations

import json
from typing import Any

from agentkit.messages import Media, Message, ToolCall, ToolResult, Unknown
from agentkit.tokens import ToolShape

IMAGE = 1_300
"""Tokens of one image, or of another file: about a megapixel for the models that cut it into squares of 28 pixels."""


def results(message: Message) -> tuple[ToolResult, ...]:
    """The results in it; those in a message of the user are sent as messages of their own."""
    return tuple(part for part in message.parts if isinstance(part, ToolResult))


def opaque(message: Message) -> int:
    """Tokens of what no vocabulary counts: a guess that is rather too high."""
    total = 0
    for part in message.parts:
        match part:
            case Media():
                total += IMAGE
            case Unknown(data):
                total += len(to_json(data).encode("utf-8", "surrogatepass")) // 2
            case _:
                pass
    return total


def only_results(message: Message) -> bool:
    """Nothing is said beside the results."""
    return bool(message.parts) and all(isinstance(part, ToolResult) for part in message.parts)


def arguments(call: ToolCall) -> str:
    """The argument text as it is sent; of what is no JSON, something as long."""
    try:
        return call.arguments_json
    except (TypeError, ValueError, RecursionError):
        return to_json(call.arguments)


def spaced(call: ToolCall) -> str:
    """The arguments as a template writes them that reads them as an object."""
    return to_json(call.arguments)


def definition(tool: ToolShape) -> str:
    """A tool as templates write it that show its JSON."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return to_json({"type": "function", "function": function})


def to_json(value: Any) -> str:
    """JSON as templates write it; what is no JSON as its repr."""
    try:
        return json.dumps(value, ensure_ascii=False, default=dict)
    except (TypeError, ValueError, RecursionError):
        return repr(value)

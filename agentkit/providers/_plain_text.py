"""Messages as text under two roles, which take turns: for backends that know nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from agentkit.errors import InvalidInput, Unsupported
from agentkit.messages import Media, Message, ToolCall, ToolResult, Unknown
from agentkit.providers._openai_history import asks


class WireMessage(TypedDict):
    role: Literal["user", "assistant", "system"]
    content: str
    reasoningContent: NotRequired[str]


def window(messages: Sequence[Message], pairs: int) -> int:
    """Where the last questions begin: the current one and `pairs` before it. What answers a question stays with it.

    What was said for the user is no question; a summary in front of the first one stays with it.
    """
    for place in range(len(messages) - 1, -1, -1):
        if asks(messages[place]) and not _is_aside(messages[place]):
            if pairs == 0:
                return place - 2 if place > 1 and _is_aside(messages[place - 2]) else place
            pairs -= 1
    return 0


def _is_aside(message: Message) -> bool:
    return bool(message.meta.get("agentkit", {}).get("aside"))


def wires_of(messages: Sequence[Message], backend: str) -> list[WireMessage]:
    """Messages with something to say; a result names the tool that was called."""
    made: list[WireMessage] = []
    tools: dict[str, str] = {}
    for message in messages:
        tools.update((call.id, call.name) for call in message.tool_calls)
        content = content_of(message, tools, backend)
        if not content.strip():
            continue
        wire: WireMessage = {"role": "assistant" if message.role == "assistant" else "user", "content": content}
        if message.reasoning:
            wire["reasoningContent"] = message.reasoning
        made.append(wire)
    return made


def content_of(message: Message, tools: dict[str, str], backend: str) -> str:
    lost = next((part for part in message.parts if isinstance(part, Media | Unknown)), None)
    if lost is not None:
        raise Unsupported(f"{backend} carries text only, not {lost!r:.200}")
    results = [_result(part, tools) for part in message.parts if isinstance(part, ToolResult)]
    return "\n".join(filter(None, [*results, message.text, *map(_call, message.tool_calls)]))


def _call(call: ToolCall) -> str:
    try:
        arguments = call.arguments_json if call.raw is None else call.raw
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"the arguments of the call {call.id!r} to {call.name!r} are no JSON: {error}") from None
    return f"[called the tool {call.name} with {arguments}]"


def _result(result: ToolResult, tools: dict[str, str]) -> str:
    what = "failed" if result.is_error else "answered"
    return f"[the tool {tools.get(result.call_id) or result.call_id} {what}: {result.content}]"


def merged(wires: list[WireMessage]) -> list[WireMessage]:
    """Roles in turn, as the service expects them: what one role says in a row becomes one message."""
    made: list[WireMessage] = []
    for wire in wires:
        if not made or made[-1]["role"] != wire["role"]:
            made.append(wire)
            continue
        last = made[-1]
        last["content"] = f"{last['content']}\n{wire['content']}"
        thoughts = [each["reasoningContent"] for each in (last, wire) if "reasoningContent" in each]
        if thoughts:
            last["reasoningContent"] = "\n".join(thoughts)
    return made


def fold(instructions: str, wires: list[WireMessage]) -> None:
    """Instructions in front of the first words of the user."""
    first = next((wire for wire in wires if wire["role"] == "user"), None)
    if first is None:
        wires.insert(0, {"role": "user", "content": instructions})
    else:
        first["content"] = f"{instructions}\n\n{first['content']}"

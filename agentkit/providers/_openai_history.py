"""A history as servers that render it by a template of the model need it. Pure, on messages, before any wire form."""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.messages import Message, Part, Reasoning, Text, ToolCall, ToolResult


def asks(message: Message) -> bool:
    """A message of the user, and not only the results of tools in one, as parts or in words."""
    if message.role != "user" or message.meta.get("agentkit", {}).get("tool_results"):
        return False
    return not all(isinstance(part, ToolResult) for part in message.parts)


def one_system(messages: Sequence[Message]) -> Sequence[Message]:
    """All system messages as one, at the beginning: a template drops later ones without a word."""
    if not any(message.role == "system" for message in messages[1:]):
        return messages
    parts: list[Part] = []
    for message in messages:
        if message.role == "system":
            parts += [Text("\n\n"), *message.parts] if parts else message.parts
    return [Message("system", tuple(parts)), *(message for message in messages if message.role != "system")]


NOTHING = Text("…")
"""Stands where one side has said nothing, and a template wants it to."""


def in_turn(messages: Sequence[Message], *, begun: bool) -> Sequence[Message]:
    """User and assistant by turns, calls and results aside, and the user first; a reply that has begun stays apart."""
    made: list[Message] = []
    for message in messages:
        last = made[-1] if made else None
        own = begun and message is messages[-1]
        if not own and not _speaks(message):
            continue
        if last is not None and last.role == message.role and message.role in ("user", "assistant") and not own:
            gap = (Text("\n\n"),) if last.text and message.text else ()
            made[-1] = Message(message.role, (*last.parts, *gap, *message.parts))
            continue
        if message.role == "user" and last is not None and last.role == "tool":
            made.append(Message("assistant", (NOTHING,)))
        if message.role == "assistant" and (last is None or last.role == "system"):
            made.append(Message("user", (NOTHING,)))
        made.append(message)
    return made


def _speaks(message: Message) -> bool:
    return bool(message.text.strip()) or not all(isinstance(part, Text | Reasoning) for part in message.parts)


def in_pairs(messages: Sequence[Message]) -> Sequence[Message]:
    """Parallel calls one after another, each followed by its result: a template renders the first call only."""
    made: list[Message] = []
    calls: Message | None = None
    results: list[Part] = []
    for message in messages:
        if calls is not None and message.role == "tool":
            results += message.parts
            continue
        if calls is not None:
            made += _pairs(calls, results)
            calls, results = None, []
        if len(message.tool_calls) > 1:
            calls = message
        else:
            made.append(message)
    return made if calls is None else [*made, *_pairs(calls, results)]


def _pairs(message: Message, results: Sequence[Part]) -> list[Message]:
    made: list[Message] = []
    said = tuple(part for part in message.parts if not isinstance(part, ToolCall))
    left = list(results)
    for call in message.tool_calls:
        made.append(Message("assistant", (*said, call)))
        said = ()
        answers = [part for part in left if isinstance(part, ToolResult) and part.call_id == call.id]
        if answers:
            made.append(Message("tool", tuple(answers)))
            left = [part for part in left if part not in answers]
    return [*made, Message("tool", tuple(left))] if left else made

"""Finding what was said: in all of a history, whether it goes along with requests or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentkit.errors import InvalidInput
from agentkit.messages import Message, Reasoning, Text, ToolCall, ToolResult


def found(messages: Sequence[Message], words: str) -> tuple[int, ...]:
    """The places of the messages in which all of the words stand, in any order and case."""
    wanted = words.casefold().split()
    if not wanted:
        raise InvalidInput("there are no words to search for")
    texts = ("\n".join(_texts(message)).casefold() for message in messages)
    return tuple(place for place, text in enumerate(texts) if all(word in text for word in wanted))


def _texts(message: Message) -> Iterator[str]:
    """All of it that is text; media are not looked into."""
    for part in message.parts:
        match part:
            case Text() | Reasoning():
                yield part.text
            case ToolCall():
                yield f"{part.name} {part.raw if part.broken else part.arguments}"
            case ToolResult():
                yield part.content
            case _:
                pass

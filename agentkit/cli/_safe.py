"""Values of tools as text that a terminal can be shown: nothing in it moves the cursor, hides, or changes direction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from agentkit.cli._below import cells
from agentkit.messages import Message, Reasoning, Text, ToolCall, ToolResult

TAB = 4


def spelled(text: str) -> str:
    """`text` with every character spelled out that cannot be seen; line ends stay."""
    return "".join(letter if letter.isprintable() or letter == "\n" else _spelled(letter) for letter in text)


def _spelled(letter: str) -> str:
    return json.dumps(letter)[1:-1] if ord(letter) >= 128 else f"\\x{ord(letter):02x}"  # noqa: PLR2004 - the end of ASCII


def as_json(value: object, *, indent: int | None = None) -> str:
    """`value` as JSON that reads back as the same, and holds nothing that cannot be seen."""
    made = json.dumps(value, ensure_ascii=False, indent=indent)
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in made)


def in_short(name: str, arguments: Mapping[str, Any]) -> str:
    """A call as one line."""
    return f"{name}({', '.join(f'{as_json(key)[1:-1]}={as_json(value)}' for key, value in arguments.items())})"


def pieces(message: Message) -> Iterator[str]:
    """What a message holds, each part as a text; what cannot be shown is counted in the end."""
    if message.text:
        yield message.text
    others = 0
    for part in message.parts:
        match part:
            case ToolCall():
                yield f"calls {in_short(part.name, part.arguments)}"
            case ToolResult():
                yield f"{'failed: ' if part.is_error else ''}{part.content}"
            case Text() | Reasoning():
                pass
            case _:
                others += 1
    if others:
        yield f"[{others} other part{'' if others == 1 else 's'}]"


def in_full(arguments: Mapping[str, Any], width: int) -> Iterator[str]:
    """A call's arguments, each on lines of its own; a text of several lines as it reads, behind bars."""
    for key, value in arguments.items():
        name = as_json(key)[1:-1]
        if isinstance(value, str) and "\n" in value:
            yield f"{name}:"
            for line in value.expandtabs(TAB).split("\n"):
                yield from wrapped(spelled(line), width, first="| ", more="| ")
            continue
        short = f"{name}: {as_json(value)}"
        if isinstance(value, str) or len(short) <= width:
            yield from wrapped(short, width, more="  ")
        else:
            for line in f"{name}: {as_json(value, indent=2)}".split("\n"):
                yield from wrapped(line, width, more="  ")


def wrapped(text: str, width: int, *, first: str = "", more: str = "") -> Iterator[str]:
    """`text` on lines of so many columns at most, broken at blanks where there are any."""
    line, start, room = first, first, max(width, len(more) + 2)
    column = len(line)
    for word in _words(text):
        if line != start and column + _columns(word.rstrip()) > room:
            yield line.rstrip()
            line = start = more
            column = len(line)
        for letter in word:
            wide = cells(letter)
            if column + wide > room:
                if letter == " ":
                    continue
                yield line
                line = start = more
                column = len(line)
            line += letter
            column += wide
    if line != start or start == first:
        yield line.rstrip() if line != start else line


def _words(text: str) -> Iterator[str]:
    """Each word with the blanks after it."""
    start = 0
    for place in range(1, len(text)):
        if text[place - 1] == " " and text[place] != " ":
            yield text[start:place]
            start = place
    if text:
        yield text[start:]


def _columns(text: str) -> int:
    return sum(map(cells, text))

"""Stored conversations: `agentkit ls`, `show` and `rm`."""

from __future__ import annotations

import json
import shutil
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from agentkit.cli import _codes
from agentkit.cli._approval import tell_waiting
from agentkit.cli._open import command, how_to_decide
from agentkit.cli._safe import pieces
from agentkit.cli._screen import Screen, one_line
from agentkit.cli._shelf import UNFINISHED, Shelf, opened
from agentkit.messages import Message
from agentkit.store import ConversationInfo
from agentkit.usage import Outcome

if TYPE_CHECKING:
    from agentkit.conversation import Conversation

SHOWN = 20
FIRST_WORDS = 60
LONGEST_NAME = 40


def ls(arguments: Namespace) -> int:
    """List conversations."""
    screen = Screen()
    with opened(arguments) as shelf:
        limit = None if arguments.all or arguments.json else SHOWN
        if arguments.json:
            screen.say(json.dumps([_facts(shelf, info) for info in shelf.store.list()], ensure_ascii=False, indent=1))
            return _codes.OK
        lines = table(shelf, limit=limit)
        if lines:
            screen.say("\n".join(lines))
        else:
            screen.note('nothing is stored yet; agentkit "..." or agentkit chat begins a conversation')
        if limit is not None and len(shelf.names()) > limit:
            screen.note(f"the last {limit} of {len(shelf.names())}; --all lists the others, too")
    return _codes.OK


def table(shelf: Shelf, *, limit: int | None) -> list[str]:
    """One line for each conversation: name, age, turns, first words."""
    facts = [_facts(shelf, info) for info in shelf.store.list()[:limit]]
    width = max((len(one_line(fact["name"], LONGEST_NAME)) for fact in facts), default=0)
    room = shutil.get_terminal_size().columns - width - len("  59 min  999 turns    (waits)")
    return [_line(fact, width, max(room, 20)) for fact in facts]


def _line(fact: dict[str, Any], width: int, room: int) -> str:
    turns = f"{fact['turns']} turn{'' if fact['turns'] == 1 else 's'}"
    age = _age(time.time() - fact["updated_at"])
    mark = "  (cut)" if fact["unfinished"] else "  (waits)" if fact["waiting"] else ""
    name, words = one_line(fact["name"], LONGEST_NAME), one_line(fact["first_words"], room)
    return f"{name:<{width}}  {age:>6}  {turns:>9}  {words}{mark}"


def _facts(shelf: Shelf, info: ConversationInfo) -> dict[str, Any]:
    messages = shelf.reader(info.name).messages
    standing = shelf.standing(info.name)
    asked = [message for message in messages if message.role == "user"]
    return {
        "name": info.name,
        "created_at": info.created_at,
        "updated_at": info.updated_at,
        "turns": len(asked),
        "messages": len(messages),
        "first_words": one_line(asked[0].text, FIRST_WORDS) if asked else "",
        "unfinished": not info.busy and standing in UNFINISHED,
        "waiting": not info.busy and standing is Outcome.AWAITING_APPROVAL,
        "busy": info.busy,
        "parent": info.parent,
    }


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "now"


def show(arguments: Namespace) -> int:
    """Print a conversation."""
    screen = Screen()
    with opened(arguments) as shelf:
        name = shelf.find(arguments.name) if arguments.name else shelf.last()
        chat = shelf.reader(name)
        if arguments.json:
            from agentkit.codec import messages_to_json

            screen.say(messages_to_json(chat.messages))
            return _codes.OK
        if arguments.find is not None:
            return _find(chat, arguments.find, screen)
        for line in _transcript(chat.system, chat.messages):
            screen.say(line)
        standing = shelf.standing(name)
        if standing is Outcome.AWAITING_APPROVAL:
            tell_waiting(chat, screen, how_to_decide(None, shelf, arguments, name))
        if standing in UNFINISHED:
            screen.warn(f"the last reply is not finished: {command(None, arguments, 'resume', name)}")
    return _codes.OK


def _find(chat: Conversation, words: str, screen: Screen) -> int:
    from agentkit.cli.find import places

    found = places(chat, words)
    if not found:
        screen.warn(f"no message of {chat.name} holds all of these words")
        return _codes.FAILED
    screen.say("\n".join(found))
    return _codes.OK


def _transcript(instructions: str | None, messages: Sequence[Message]) -> Iterator[str]:
    if instructions:
        yield f"system: {instructions}\n"
    for message in messages:
        cut = " (interrupted)" if message.interrupted else ""
        said = "\n".join(pieces(message))
        yield f"{message.role}{cut}: {said}\n"


def rm(arguments: Namespace) -> int:
    """Delete conversations; all names are looked up before the first one goes."""
    screen = Screen()
    with opened(arguments) as shelf:
        for name in [shelf.find(name) for name in arguments.names]:
            shelf.store.delete(name)
            screen.note(f"deleted {name}")
    return _codes.OK

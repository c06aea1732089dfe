"""What can be typed in a chat beside messages: `/help` and its like. One function for each command."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable

from attrs import frozen

from agentkit.cli import _codes
from agentkit.cli._codes import UsageError
from agentkit.cli._screen import columns, last_line, one_line
from agentkit.cli._shelf import UNFINISHED
from agentkit.cli._talk import Talk
from agentkit.usage import Outcome

TAIL = 60
LEGIBLE = 20
"""Columns below which a description says nothing."""
_COMMAND = re.compile(r"/([A-Za-z?][\w-]*)?(?:\s+(.*))?", re.DOTALL)


class Leave(Exception):
    """The user wants to go."""


@frozen
class Command:
    """What a command does, and what `/help` says of it."""

    run: Callable[[Talk, str], int]
    usage: str
    help: str


def obey(talk: Talk, text: str) -> int:
    """Send a message or run a command; the exit code that it would be worth."""
    if not text.strip():
        return _codes.OK
    if text.startswith("//"):
        return talk.say(text[1:])
    found = _COMMAND.fullmatch(text.rstrip())
    if found is None:
        return talk.say(text)
    return _named(found[1] or "").run(talk, (found[2] or "").strip())


def _named(name: str) -> Command:
    low = _ALIASES.get(name.lower(), name.lower())
    if low in COMMANDS:
        return COMMANDS[low]
    begun = [known for known in COMMANDS if low and known.startswith(low)]
    close = begun or difflib.get_close_matches(low, COMMANDS, n=1, cutoff=0.6)
    hint = f"did you mean /{close[0]}?" if close else "/help lists the commands"
    raise UsageError(f"unknown command /{name}; {hint}; a message that begins with / is typed as //")


def _help(talk: Talk, rest: str) -> int:
    width = max(len(command.usage) for command in COMMANDS.values())
    lines = [f"  {command.usage:<{width}}  {command.help}" for command in COMMANDS.values()]
    talk.screen.say("\n".join([*lines, *_KEYS]))
    return _codes.OK


def _continue(talk: Talk, rest: str) -> int:
    standing = talk.shelf.standing(talk.chat.name)
    if standing is Outcome.AWAITING_APPROVAL:
        return talk.decide()
    if standing not in UNFINISHED:
        raise UsageError("the last reply is complete; there is nothing to continue")
    last = talk.chat.messages[-1]
    seen = last.text if last.role == "assistant" else ""
    if seen:
        talk.screen.lead_in(last_line(seen, TAIL))
    return talk.run(talk.chat.stream_resume(), seen=seen)


def _retry(talk: Talk, rest: str) -> int:
    _need_messages(talk)
    return talk.run(talk.chat.stream_retry())


def _undo(talk: Talk, rest: str) -> int:
    _need_messages(talk)
    dropped = talk.chat.undo()
    talk.screen.note(f"taken back: {one_line(dropped[0].text, TAIL)}")
    return _codes.OK


def _need_messages(talk: Talk) -> None:
    if not any(message.role == "user" for message in talk.chat.messages):
        raise UsageError("nothing has been said yet")


def _model(talk: Talk, rest: str) -> int:
    if rest:
        talk.use_model(rest)
        talk.screen.note(f"{talk.choice.name} answers from here on")
    else:
        talk.screen.say(f"{talk.choice.name} ({talk.choice.origin})")
        talk.screen.note("/model BACKEND/MODEL takes another one; /models lists those of this backend")
    return _codes.OK


def _models(talk: Talk, rest: str) -> int:
    from agentkit.cli.models import tell_models

    return tell_models(talk.screen, rest or talk.choice.backend, None if rest else talk.choice.base_url)


def _tokens(talk: Talk, rest: str) -> int:
    from agentkit.cli.why import account

    talk.screen.say(account(talk.chat.manifest))
    return _codes.OK


def _find(talk: Talk, rest: str) -> int:
    from agentkit.cli.find import places

    if not rest:
        raise UsageError("/find WORDS says where they were said")
    found = places(talk.chat, rest)
    if found:
        talk.screen.say("\n".join(found))
    else:
        talk.screen.note("no message holds all of these words")
    return _codes.OK


def _tools(talk: Talk, rest: str) -> int:
    words = talk.bench.words()
    if not words:
        raise UsageError(
            "there are no tools here; agentkit chat --tool calculator brings one, agentkit chat -h lists more"
        )
    wide, said = (max(len(pair[at]) for pair in [(tool.name, word) for tool, word in words]) for at in (0, 1))
    room = columns() - wide - said - 7
    lines = [
        f"  {tool.name:<{wide}}  {word:<{said}}  {one_line(tool.description, room) if room >= LEGIBLE else ''}"
        for tool, word in words
    ]
    talk.screen.say("\n".join(line.rstrip() for line in lines))
    return _codes.OK


def _pending(talk: Talk, rest: str) -> int:
    if not talk.waits:
        raise UsageError("nothing waits for a decision")
    return talk.decide()


def _fork(talk: Talk, rest: str) -> int:
    before = talk.chat.name
    talk.fork(rest or None)
    talk.screen.note(f"now in {talk.chat.name}; {before} stays as it was")
    return _codes.OK


def _system(talk: Talk, rest: str) -> int:
    if rest:
        talk.use_system(rest)
        talk.screen.note("these instructions hold from the next message on")
    else:
        talk.screen.say(talk.chat.system or "there are no standing instructions; /system TEXT gives some")
    return _codes.OK


def _list(talk: Talk, rest: str) -> int:
    from agentkit.cli.stored import table

    talk.screen.say("\n".join(table(talk.shelf, limit=20)) or "nothing is stored yet")
    return _codes.OK


def _quit(talk: Talk, rest: str) -> int:
    raise Leave


_KEYS = (
    '  several lines: paste them, or type """ before and after',
    "  Ctrl-C stops a reply and keeps it; Ctrl-C twice or Ctrl-D leaves",
)
_ALIASES = {"?": "help", "": "help", "exit": "quit", "bye": "quit", "ls": "list", "resume": "continue"}
COMMANDS: dict[str, Command] = {
    "help": Command(_help, "/help", "this list"),
    "continue": Command(_continue, "/continue", "finish a reply that was stopped or cut"),
    "retry": Command(_retry, "/retry", "ask the last question again"),
    "undo": Command(_undo, "/undo", "take the last question and its reply back"),
    "model": Command(_model, "/model [NAME]", "which model answers; go on with another one"),
    "models": Command(_models, "/models [BACKEND]", "which models it has, or another backend"),
    "tools": Command(_tools, "/tools", "what the model may call, and whether you are asked first"),
    "pending": Command(_pending, "/pending", "decide about the calls that wait"),
    "tokens": Command(_tokens, "/tokens", "what the last request held, and what was left out of it"),
    "find": Command(_find, "/find WORDS", "the messages that hold all of these words"),
    "system": Command(_system, "/system [TEXT]", "the standing instructions; give others"),
    "fork": Command(_fork, "/fork [NAME]", "go on in a copy, and leave this conversation as it is"),
    "list": Command(_list, "/list", "the stored conversations"),
    "quit": Command(_quit, "/quit", "leave; everything is stored"),
}

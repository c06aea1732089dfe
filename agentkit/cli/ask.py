"""One question, one reply: `agentkit "..."`, and `agentkit resume`, which finishes a reply that was cut."""

from __future__ import annotations

import os
import stat
import sys
import traceback
from argparse import Namespace
from typing import TYPE_CHECKING

from agentkit.cli import _codes
from agentkit.cli._codes import UsageError
from agentkit.cli._open import choice_of, command, conversation
from agentkit.cli._play import Played, code_of, play, tell
from agentkit.cli._screen import Screen, is_terminal
from agentkit.cli._settings import Choice, banner
from agentkit.cli._shelf import Shelf, opened

if TYPE_CHECKING:
    from agentkit.conversation import Conversation

MOST_INPUT = 32 << 20
"""Characters of standard input that are taken."""


def ask(arguments: Namespace) -> int:
    """Ask once; without anything to ask, chat."""
    if arguments.version:
        from agentkit import __version__

        print(f"agentkit {__version__}")
        return _codes.OK
    if not arguments.prompt and is_terminal(sys.stdin) and is_terminal(sys.stdout):
        from agentkit.cli.chat import chat as converse

        return converse(arguments)
    choice = choice_of(arguments, watched=is_terminal(sys.stdout) and is_terminal(sys.stderr))
    prompt = question(arguments.prompt)
    if prompt is None:
        raise UsageError('nothing to ask: give a prompt, as in  agentkit "Why is the sky blue?"  or pipe one in')
    with opened(arguments) as shelf:
        name = shelf.last() if arguments.last else arguments.name or shelf.fresh_name(prompt)
        with conversation(choice, shelf, name, arguments) as chat:
            return _answer(chat, choice, shelf, arguments, prompt)


def resume(arguments: Namespace) -> int:
    """Finish the last reply of a conversation, and print the whole of it."""
    choice = choice_of(arguments, watched=is_terminal(sys.stdout) and is_terminal(sys.stderr))
    with opened(arguments) as shelf:
        name = shelf.find(arguments.name) if arguments.name else shelf.last()
        with conversation(choice, shelf, name, arguments) as chat:
            return _answer(chat, choice, shelf, arguments, None)


def question(words: list[str]) -> str | None:
    """What is piped in, and what is said on the command line below it."""
    said = " ".join(words).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    piped = piped_input()
    parts = [part for part in (piped.rstrip("\n"), said) if part.strip()]
    return "\n\n".join(parts) or None


def piped_input() -> str:
    """Standard input, where it is a pipe or a file; nothing from a terminal."""
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty() or not _has_content():  # pyright: ignore[reportUnnecessaryComparison] - without a console
        return ""
    text = sys.stdin.read(MOST_INPUT + 1)
    if len(text) > MOST_INPUT:
        raise UsageError(f"the input is longer than {MOST_INPUT} characters; no model reads that much at once")
    return text


def _has_content() -> bool:
    """Devices and broken descriptors have none; where it cannot be known, the stream is read."""
    try:
        kind = os.fstat(sys.stdin.fileno()).st_mode
    except ValueError:
        return True
    except OSError:
        return False
    return stat.S_ISFIFO(kind) or stat.S_ISREG(kind) or stat.S_ISSOCK(kind)


def _answer(chat: Conversation, choice: Choice, shelf: Shelf, arguments: Namespace, prompt: str | None) -> int:
    from agentkit import __version__

    screen = Screen(quiet=arguments.quiet)
    if choice.stand_in:
        screen.plain("\n".join(banner(__version__)))
    played = play(chat.stream_resume() if prompt is None else chat.stream(prompt), screen)
    finish = f"Finish it: {command(choice, arguments, 'resume', chat.name)}" if shelf.kept else ""
    tell(played, screen, choice=choice, what_now=finish)
    if arguments.verbose:
        _tell_more(played, screen, chat, choice)
    return code_of(played)


def _tell_more(played: Played, screen: Screen, chat: Conversation, choice: Choice) -> None:
    usage = chat.usage
    guessed = " (estimated)" if usage.estimated else ""
    screen.note(f"{choice.name} ({choice.origin}), conversation {chat.name}")
    screen.note(f"{usage.input_tokens} tokens in, {usage.output_tokens} out{guessed}, {usage.requests} requests")
    if played.error is not None:
        traceback.print_exception(played.error)

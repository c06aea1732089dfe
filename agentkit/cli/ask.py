"""One question, one reply: `agentkit "..."`, and `agentkit resume`, which finishes a reply that was cut."""

from __future__ import annotations

import os
import stat
import sys
import traceback
from argparse import Namespace
from typing import TYPE_CHECKING

from agentkit.cli import _codes
from agentkit.cli._approval import Approver, settled, tell_waiting
from agentkit.cli._codes import UsageError
from agentkit.cli._keyboard import Editor, Plain
from agentkit.cli._open import choice_of, command, conversation, how_to_decide
from agentkit.cli._play import Played, code_of, play, tell
from agentkit.cli._screen import Screen, is_terminal
from agentkit.cli._settings import Choice, banner
from agentkit.cli._shelf import Shelf, opened
from agentkit.cli._tools import Bench, bench_of
from agentkit.usage import Outcome

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
    with bench_of(arguments) as bench, opened(arguments) as shelf:
        name = shelf.last() if arguments.last else arguments.name or shelf.fresh_name(prompt)
        with conversation(choice, shelf, name, arguments, bench=bench) as chat:
            return _Asking(chat, choice, shelf, arguments, bench).run(prompt)


def resume(arguments: Namespace) -> int:
    """Finish the last reply of a conversation, and print the whole of it."""
    choice = choice_of(arguments, watched=is_terminal(sys.stdout) and is_terminal(sys.stderr))
    with bench_of(arguments) as bench, opened(arguments) as shelf:
        name = shelf.find(arguments.name) if arguments.name else shelf.last()
        with conversation(choice, shelf, name, arguments, bench=bench) as chat:
            return _Asking(chat, choice, shelf, arguments, bench).run(None)


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


class _Asking:
    """One run of the command."""

    def __init__(self, chat: Conversation, choice: Choice, shelf: Shelf, arguments: Namespace, bench: Bench) -> None:
        self._chat = chat
        self._choice = choice
        self._shelf = shelf
        self._arguments = arguments
        self._screen = screen = Screen(quiet=arguments.quiet)
        asked = is_terminal(sys.stdin) and screen.watched
        keys = Editor(None, ()) if asked and screen.terminal else Plain()
        self._approver = Approver(screen, keys, bench, shelf) if asked else None

    def run(self, prompt: str | None) -> int:
        """Ask, or finish the last reply where there is no prompt; the exit code."""
        from agentkit import __version__

        if self._choice.stand_in:
            self._screen.plain("\n".join(banner(__version__)))
        if self._shelf.standing(self._chat.name) is Outcome.AWAITING_APPROVAL:
            code = self._told(None)  # first, since another question would pass it over
            if code != _codes.OK or prompt is None:
                return code
        return self._told(
            play(self._chat.stream_resume() if prompt is None else self._chat.stream(prompt), self._screen)
        )

    def _told(self, played: Played | None) -> int:
        played = settled(played, self._chat, self._screen, self._approver)
        if played is None or played.waits:
            how = how_to_decide(self._choice, self._shelf, self._arguments, self._chat.name)
            tell_waiting(self._chat, self._screen, how)
            return _codes.WAITING
        finish = command(self._choice, self._arguments, "resume", self._chat.name)
        tell(played, self._screen, choice=self._choice, what_now=f"Finish it: {finish}" if self._shelf.kept else "")
        if self._arguments.verbose:
            _tell_more(played, self._screen, self._chat, self._choice)
        return code_of(played)


def _tell_more(played: Played, screen: Screen, chat: Conversation, choice: Choice) -> None:
    usage = chat.usage
    guessed = " (estimated)" if usage.estimated else ""
    screen.note(f"{choice.name} ({choice.origin}), conversation {chat.name}")
    screen.note(f"{usage.input_tokens} tokens in, {usage.output_tokens} out{guessed}, {usage.requests} requests")
    if played.error is not None:
        traceback.print_exception(played.error)

"""`agentkit chat`: the loop of reading a message, showing the reply, and obeying commands."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable
from functools import partial

from agentkit.cli import _codes
from agentkit.cli._approval import Approver
from agentkit.cli._codes import UsageError
from agentkit.cli._errors import exit_code, explain
from agentkit.cli._keyboard import Editor, Lines, Piped, Plain, read_message
from agentkit.cli._open import choice_of
from agentkit.cli._safe import pieces
from agentkit.cli._screen import Screen, is_terminal, last_line, visible
from agentkit.cli._settings import banner
from agentkit.cli._shelf import UNFINISHED, Shelf, opened
from agentkit.cli._talk import Talk
from agentkit.cli._tools import bench_of
from agentkit.cli.commands import COMMANDS, Leave, obey
from agentkit.config import data_path
from agentkit.errors import AgentKitError

TWICE = 1.0
"""Seconds within which a second Ctrl-C means to leave."""
TAIL = 70
"""Characters of an interrupted reply that are shown again."""


def chat(arguments: Namespace) -> int:
    """Talk until the user leaves."""
    typed = is_terminal(sys.stdin)
    choice = choice_of(arguments, watched=typed and is_terminal(sys.stdout))
    screen = Screen(quiet=arguments.quiet)
    with (
        bench_of(arguments) as bench,
        opened(arguments) as shelf,
        Talk(choice, shelf, _name(arguments, shelf), arguments, screen, bench) as talk,
    ):
        return _Terminal(talk).run() if typed else _Script(talk).run()


def _name(arguments: Namespace, shelf: Shelf) -> str:
    if getattr(arguments, "last", False):
        if arguments.name:
            raise UsageError(f"-c is the last conversation; leave it out to open {arguments.name!r}")
        return shelf.last()
    return arguments.name or shelf.fresh_name("")


class _Script:
    """Messages from a pipe, one on each line; the first failure ends it."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    def run(self) -> int:
        code = _codes.OK
        lines = Piped()
        while True:
            try:
                text = read_message(lines, "")
                code = self._talk_code(text) or code
            except (EOFError, Leave):
                return code
            if code in (_codes.FAILED, _codes.NOT_CONFIGURED, _codes.WAITING, _codes.INTERRUPTED):
                return code

    def _talk_code(self, text: str) -> int:
        try:
            return obey(self._talk, text)
        except (AgentKitError, UsageError) as error:
            self._talk.screen.error(explain(error, self._talk.choice))
            return exit_code(error)


class _Terminal:
    """Messages from a person."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._pressed = -TWICE
        history = data_path() / "history" if talk.shelf.kept else None
        self._editor = Editor(history, (f"/{name}" for name in COMMANDS)) if talk.screen.terminal else None
        if talk.screen.watched:
            talk.approver = Approver(talk.screen, self._editor or Plain(), talk.bench, talk.shelf)

    def run(self) -> int:
        talk = self._talk
        try:
            self._greet()
            if talk.waits:
                self._obeyed(talk.decide)
            return self._loop()
        finally:
            if self._editor is not None:
                self._editor.close()
            self._part()

    def _loop(self) -> int:
        lines: Lines = self._editor or Piped()
        while True:
            try:
                text = read_message(lines, self._prompt())
                self._pressed = -TWICE
                self._obeyed(partial(obey, self._talk, text))
            except Leave:
                return _codes.OK
            except EOFError:
                print(file=sys.stderr)
                return _codes.OK
            except KeyboardInterrupt:
                if self._twice():
                    return _codes.INTERRUPTED

    def _obeyed(self, what: Callable[[], int]) -> None:
        """A failure is told, and ends nothing."""
        try:
            what()
        except (AgentKitError, UsageError) as error:
            self._talk.screen.error(explain(error, self._talk.choice))

    def _prompt(self) -> str:
        prompt = f"{visible(self._talk.choice.label)}> "
        if self._editor is None:
            print(prompt, end="", file=sys.stderr, flush=True)
        return prompt

    def _twice(self) -> bool:
        """Whether this is the second Ctrl-C in a row; the first one has cleared the line."""
        now = time.monotonic()
        print(file=sys.stderr)
        if now - self._pressed < TWICE:
            return True
        self._pressed = now
        return False

    def _greet(self) -> None:
        from agentkit import __version__

        talk = self._talk
        if talk.choice.stand_in:
            talk.screen.plain("\n".join(banner(__version__)))
        else:
            talk.screen.note(f"{talk.choice.name} ({talk.choice.origin}). /help lists the commands, Ctrl-D leaves.")
        if talk.bench.specs:
            names = ", ".join(tool.name for tool, _ in talk.bench.words())
            talk.screen.note(f"tools: {names}. /tools says which of them ask first")
        if talk.chat.messages:
            self._recall()

    def _recall(self) -> None:
        """Where a reopened conversation stands."""
        talk = self._talk
        messages = talk.chat.messages
        talk.screen.note(f"{talk.chat.name}: {len(messages)} messages; the last one ends:")
        talk.screen.note(f"  {last_line(' '.join(pieces(messages[-1])), TAIL)}")
        if talk.shelf.standing(talk.chat.name) in UNFINISHED:
            talk.screen.warn("its last reply was interrupted. /continue finishes it, /retry asks again")

    def _part(self) -> None:
        talk = self._talk
        if talk.shelf.kept and talk.chat.messages:
            talk.screen.note(f"resume with: {talk.command('chat', talk.chat.name)}")

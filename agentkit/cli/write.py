"""`agentkit write`: a long text into a file, chapter by chapter, with one line that says how far it is."""

from __future__ import annotations

import hashlib
import shutil
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from agentkit.cli import _codes
from agentkit.cli._below import moves
from agentkit.cli._codes import UsageError
from agentkit.cli._errors import exit_code, explain
from agentkit.cli._open import choice_of, command, conversation
from agentkit.cli._screen import Screen, is_terminal, one_line
from agentkit.cli._settings import Choice
from agentkit.cli._shelf import Shelf, opened
from agentkit.cli.ask import question
from agentkit.errors import AgentKitError, InvalidInput
from agentkit.usage import Outcome
from agentkit.writing import WriteProgress, Written

if TYPE_CHECKING:
    from agentkit.conversation import Conversation

_SLUG = 24


def write(arguments: Namespace) -> int:
    """Write a text, or go on with one that was interrupted."""
    task = None if arguments.resume else question(arguments.task)
    _check(arguments, task)
    path = Path(arguments.resume or arguments.output).absolute()
    choice = choice_of(arguments, watched=False)
    with opened(arguments) as shelf:
        name = _conversation_of(path)
        if arguments.resume and name not in shelf.names():
            raise UsageError(f"no text was begun in {str(path)!r}, as far as this store knows")
        with conversation(choice, shelf, name, arguments) as chat:
            return _Writing(chat, choice, shelf, arguments, path).run(task)


def _check(arguments: Namespace, task: str | None) -> None:
    if arguments.resume and (arguments.task or arguments.output or arguments.words):
        raise UsageError("--resume FILE goes on with what was asked for then; it takes no prompt, -o or --words")
    if not arguments.resume and not (task and arguments.output and arguments.words):
        raise UsageError(
            'a text needs a prompt, --words N and -o FILE: agentkit write "A field guide" --words 8000 -o guide.md'
        )


def _conversation_of(path: Path) -> str:
    """The conversation that holds the text of a file: the same for the same file, wherever the command is run."""
    slug = "".join(letter if letter.isalnum() else "-" for letter in path.stem.lower())[:_SLUG].strip("-")
    return f"write-{slug or 'text'}-{hashlib.sha256(str(path).encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


class _Writing:
    """One run of the command."""

    def __init__(self, chat: Conversation, choice: Choice, shelf: Shelf, arguments: Namespace, path: Path) -> None:
        self._chat = chat
        self._choice = choice
        self._shelf = shelf
        self._arguments = arguments
        self._path = path
        self._screen = Screen(quiet=arguments.quiet)
        self._line = _Line(quiet=arguments.quiet)

    def run(self, task: str | None) -> int:
        """Write; the exit code."""
        try:
            written = self._write(task)
        except KeyboardInterrupt:
            self._line.end()
            self._screen.warn(f"stopped; {self._path.name} keeps what came. {self._go_on()}".rstrip())
            return _codes.INTERRUPTED
        except InvalidInput:
            self._line.end()
            raise
        except AgentKitError as error:
            self._line.end()
            self._screen.error(explain(error, self._choice))
            self._screen.warn(f"{self._path.name} keeps what came. {self._go_on()}".rstrip())
            return exit_code(error)
        self._line.end()
        return self._told(written)

    def _write(self, task: str | None) -> Written:
        given, chat = self._arguments, self._chat
        if task is None:
            return chat.write(into=self._path, on_progress=self._line.show)
        return chat.write(
            task,
            words=given.words,
            outline=_outline(given),
            into=self._path,
            append=given.append,
            on_progress=self._line.show,
        )

    def _told(self, written: Written) -> int:
        chapters = f" in {len(written.titles)} chapters" if len(written.titles) > 1 else ""
        self._screen.note(f"{self._path.name}: {written.words:,} words{chapters}")
        if written.outcome is Outcome.COMPLETE:
            return _codes.OK
        self._screen.warn(f"not complete: {written.reason}. {self._go_on()}".rstrip())
        return _codes.INCOMPLETE

    def _go_on(self) -> str:
        if not self._shelf.kept:
            return ""
        return f"Go on: {command(self._choice, self._arguments, 'write', '--resume', str(self._path))}"


def _outline(arguments: Namespace) -> str | bool | None:
    if arguments.outline_file:
        return Path(arguments.outline_file).read_text(encoding="utf-8")
    if arguments.no_outline:
        return False
    return True if arguments.outline else None


class _Line:
    """How far the text is, on one line of the terminal; elsewhere a line for each chapter."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._moves = is_terminal(sys.stderr) and moves()
        self._told: tuple[int, bool] | None = None
        self._open = False

    def show(self, progress: WriteProgress) -> None:
        if self._quiet:
            return
        if self._moves:
            line = one_line(str(progress), shutil.get_terminal_size().columns - 3)
            print(f"\r  {line}\x1b[K", end="", file=sys.stderr)
            sys.stderr.flush()
            self._open = True
            return
        place = progress.chapter, progress.words >= progress.target
        if place != self._told:
            self._told = place
            print(f"  {progress}", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._open:
            print(file=sys.stderr, flush=True)
            self._open = False

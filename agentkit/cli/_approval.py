"""Calls that wait for a decision: shown, and decided by the person at the terminal, one after the other.

What was typed before a question was asked never answers it, and nothing but a word for it runs a tool.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from attrs import define, field

from agentkit._engine.toolround import MAYBE_RUN
from agentkit.cli._keyboard import Keys, forget_typed
from agentkit.cli._play import Played, play
from agentkit.cli._safe import as_json, in_full, in_short, spelled, wrapped
from agentkit.cli._screen import Screen, columns, one_line
from agentkit.cli._shelf import Shelf
from agentkit.cli._tools import Bench
from agentkit.tools import InvalidArguments

if TYPE_CHECKING:
    from agentkit.conversation import Conversation
    from agentkit.pending import PendingCall

MOST_LINES = 12
"""Of the arguments, before they are asked for."""
INDENT = 4
NARROWEST = 20
SHORT = 200
KEYS = "y: run it   n: do not (n REASON says why)   e: edit the arguments   a: always run {name} in this session"
ALL = "   v: view all of them"


@define
class _Asked:
    """One call, as it would run now."""

    pending: PendingCall
    reason: str
    arguments: Mapping[str, Any]
    changed: bool = False

    @property
    def name(self) -> str:
        return self.pending.call.name


@define
class Approver:
    """The person who decides."""

    screen: Screen
    keys: Keys
    bench: Bench
    shelf: Shelf
    given: dict[str, Mapping[str, Any]] = field(factory=dict[str, Mapping[str, Any]])
    """Arguments in place of the model's, by the ids of calls."""

    def settle(self, chat: Conversation) -> bool:
        """Have all calls decided that wait; False where the user left before that.

        Raises:
            AgentKitError: a decision could not be stored.
        """
        try:
            begun = self.shelf.begun(chat.name)
            for pending in chat.pending:
                reason = MAYBE_RUN if pending.call.id in begun else ""
                self._decide(_Asked(pending, reason, pending.call.arguments))
        except (EOFError, KeyboardInterrupt):
            self.screen.plain("")
            return False
        return True

    def _decide(self, asked: _Asked) -> None:
        if asked.name in self.bench.always and not asked.reason:
            asked.pending.approve()
            return
        self._show(asked)
        while True:
            word, _, rest = self.keys.ask(f"{one_line(asked.name, SHORT)}? ").strip().partition(" ")
            match word.lower(), rest.strip():
                case (("n" | "no"), why):
                    asked.pending.reject(why)
                    return
                case (("y" | "yes"), ""):
                    self._approve(asked)
                    return
                case (("a" | "always"), ""):
                    self.bench.always.add(asked.name)
                    self._approve(asked)
                    return
                case (("e" | "edit"), ""):
                    self._edit(asked)
                case (("v" | "view" | "all"), ""):
                    self._show(asked, most=None)
                case _:
                    self.screen.warn("y, n, e, a or v, and Enter; Ctrl-C leaves it undecided")

    def _approve(self, asked: _Asked) -> None:
        if asked.changed:
            self.given[asked.pending.call.id] = asked.arguments
        asked.pending.approve(arguments=asked.arguments if asked.changed else None)

    def _show(self, asked: _Asked, most: int | None = MOST_LINES) -> None:
        width = max(columns() - INDENT - 1, NARROWEST)
        why = f": {asked.reason}" if asked.reason else ""
        changed = ", with the arguments that you gave" if asked.changed else ""
        self._lines(wrapped(f"{asked.name} asks to be run{changed}{why}", width), indent=2)
        if self._is_unknown(asked.name):
            self._lines(wrapped("it is not among the tools here, so it cannot run: --tool names it", width), indent=2)
        lines = list(islice(in_full(asked.arguments, width), None if most is None else most + 1))
        is_cut = most is not None and len(lines) > most
        if is_cut:
            size = len(json.dumps(asked.arguments, ensure_ascii=False))
            lines[-1] = f"... ({size:,} characters in all; v shows them)"
        self._lines(lines or ["(no arguments)"], indent=INDENT)
        keys = KEYS.format(name=one_line(asked.name, SHORT)) + (ALL if is_cut else "")
        self._lines(_side_by_side(keys.split("   "), width), indent=2)
        forget_typed()

    def _lines(self, lines: Iterable[str], *, indent: int) -> None:
        self.screen.plain("\n".join(f"{' ' * indent}{line}" for line in lines))

    def _is_unknown(self, name: str) -> bool:
        with contextlib.suppress(Exception):  # a server that does not answer says so when the tool runs
            return self.bench.named(name) is None
        return False

    # --- other arguments

    def _edit(self, asked: _Asked) -> None:
        """Until they fit, or the user gives up; then the question is asked anew, with what would run now."""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
        text = as_json(asked.arguments, indent=2 if editor else None)
        while True:
            typed = self._edited(editor, text) if editor else self.keys.ask("arguments: ", text)
            if not typed.strip():
                self.screen.warn("nothing is changed")
                return
            problem, arguments = self._read(asked.name, typed)
            if not problem:
                asked.changed = asked.changed or arguments != asked.arguments
                asked.arguments = arguments
                self._show(asked)
                return
            self.screen.warn(problem)
            if editor and self.keys.ask("edit again? Enter, or n: ").strip().lower() in ("n", "no"):
                return
            text = typed if editor else spelled(typed)

    def _read(self, name: str, text: str) -> tuple[str, dict[str, Any]]:
        """What is wrong with these arguments, or nothing; and the arguments."""
        try:
            made: object = json.loads(text)
        except (ValueError, RecursionError) as error:
            return f"this is no JSON: {error}", {}
        if not isinstance(made, dict):
            return 'the arguments are an object, as in {"name": "value"}', {}
        arguments = cast("dict[str, Any]", made)
        with contextlib.suppress(Exception):  # the tool itself may be out of reach
            tool = self.bench.named(name)
            if tool is not None:
                try:
                    tool.bind(arguments)
                except InvalidArguments as error:
                    return "\n  ".join(str(error).splitlines()[1:-1]), {}
        return "", arguments

    def _edited(self, editor: str, text: str) -> str:
        """What the user's editor makes of it."""
        import subprocess
        import tempfile

        with tempfile.TemporaryDirectory(prefix="agentkit-") as folder:
            file = Path(folder) / "arguments.json"
            file.write_text(text + "\n", encoding="utf-8")
            try:
                subprocess.run([*shlex.split(editor), str(file)], check=True)  # noqa: S603 - the user's own editor
            except (OSError, ValueError, subprocess.CalledProcessError) as error:
                self.screen.warn(f"the editor {editor!r} cannot be used: {error}")
                return ""
            return file.read_text(encoding="utf-8", errors="replace")


def _side_by_side(pieces: Iterable[str], width: int) -> Iterable[str]:
    """Pieces on as few lines as they fit on, each in one piece if it can be."""
    line = ""
    for piece in pieces:
        if line and len(line) + 3 + len(piece) > width:
            yield from wrapped(line, width, more="   ")
            line = piece
        else:
            line = f"{line}   {piece}" if line else piece
    yield from wrapped(line, width, more="   ")


def settled(played: Played | None, chat: Conversation, screen: Screen, approver: Approver | None) -> Played | None:
    """Have what waits decided and go on, until nothing waits any more, or nobody decides. None is an earlier turn."""
    while (played is None or played.waits) and approver is not None and approver.settle(chat):
        played = play(chat.stream_resume(), screen, given=approver.given)
    return played


def tell_waiting(chat: Conversation, screen: Screen, how: str) -> None:
    """Say which calls wait, and how they can be decided."""
    for each in chat.pending:
        call = each.call
        screen.warn(f"{one_line(in_short(call.name, call.arguments), SHORT)} waits for a decision")
    screen.warn(how)

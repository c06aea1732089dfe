"""The state of `agentkit chat`: the open conversation, its model, and how both change."""

from __future__ import annotations

from argparse import Namespace
from types import TracebackType
from typing import TYPE_CHECKING

from attrs import evolve

from agentkit.cli._open import command, conversation
from agentkit.cli._play import Played, code_of, play, tell
from agentkit.cli._screen import Screen
from agentkit.cli._settings import Choice, choose
from agentkit.cli._shelf import Shelf

if TYPE_CHECKING:
    from agentkit import Turn
    from agentkit.conversation import Conversation

WHAT_NOW = "/continue  /retry  /undo"


class Talk:
    """One conversation at a time, which can be exchanged for another."""

    def __init__(self, choice: Choice, shelf: Shelf, name: str, arguments: Namespace, screen: Screen) -> None:
        self.choice = choice
        self.shelf = shelf
        self.screen = screen
        self._arguments = arguments
        self.chat: Conversation = conversation(choice, shelf, name, arguments)

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.chat.close()

    def run(self, turn: Turn, *, seen: str = "") -> int:
        """Show a turn; the exit code that it would be worth."""
        played: Played = play(turn, self.screen, seen=seen)
        tell(played, self.screen, choice=self.choice, what_now=WHAT_NOW)
        return code_of(played)

    def command(self, *words: str) -> str:
        """A command line that comes back to this store and this model."""
        return command(self.choice, self._arguments, *words)

    def use_model(self, name: str) -> None:
        """Go on with another model; the conversation stays."""
        choice = choose([name], watched=self.screen.terminal, pace=self._arguments.pace)
        arguments = Namespace(**{**vars(self._arguments), "base_url": None})
        self._exchange(conversation(choice, self.shelf, self.chat.name, arguments, system=self.chat.system))
        self.choice = evolve(choice, origin="/model")
        self._arguments = arguments

    def use_system(self, text: str) -> None:
        """Other standing instructions from here on."""
        self._exchange(conversation(self.choice, self.shelf, self.chat.name, self._arguments, system=text))
        self._arguments.system = text

    def fork(self, name: str | None) -> None:
        """Go on in a copy; the original stays as it is."""
        self._exchange(self.chat.fork(name=name))

    def _exchange(self, other: Conversation) -> None:
        self.chat.close()
        self.chat = other

"""The state of `agentkit chat`: the open conversation, its model, and how both change."""

from __future__ import annotations

from argparse import Namespace
from types import TracebackType
from typing import TYPE_CHECKING

from attrs import evolve

from agentkit.cli._approval import Approver, settled, tell_waiting
from agentkit.cli._codes import WAITING, Undecided
from agentkit.cli._open import command, conversation, how_to_decide
from agentkit.cli._play import Played, code_of, play, tell
from agentkit.cli._screen import Screen
from agentkit.cli._settings import Choice, choose
from agentkit.cli._shelf import Shelf
from agentkit.cli._tools import Bench
from agentkit.usage import Outcome

if TYPE_CHECKING:
    from agentkit import Turn
    from agentkit.conversation import Conversation

PENDING = "/pending asks again; another message passes it over"
WHAT_NOW = "/continue  /retry  /undo"


class Talk:
    """One conversation at a time, which can be exchanged for another."""

    def __init__(  # noqa: PLR0917 - made in two places
        self, choice: Choice, shelf: Shelf, name: str, arguments: Namespace, screen: Screen, bench: Bench
    ) -> None:
        self.choice = choice
        self.shelf = shelf
        self.screen = screen
        self.bench = bench
        self.approver: Approver | None = None
        """The person who decides about calls, where there is one."""
        self._arguments = arguments
        self.chat: Conversation = self._opened(choice, name, arguments)

    def _opened(self, choice: Choice, name: str, arguments: Namespace, *, system: str | None = None) -> Conversation:
        return conversation(choice, self.shelf, name, arguments, system=system, bench=self.bench)

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.chat.close()

    def run(self, turn: Turn, *, seen: str = "") -> int:
        """Show a turn; the exit code that it would be worth."""
        return self._told(play(turn, self.screen, seen=seen))

    def _told(self, played: Played | None) -> int:
        played = settled(played, self.chat, self.screen, self.approver)
        if played is None or played.waits:
            how = how_to_decide(self.choice, self.shelf, self._arguments, self.chat.name)
            tell_waiting(self.chat, self.screen, how if self.approver is None else PENDING)
            return WAITING
        tell(played, self.screen, choice=self.choice, what_now=WHAT_NOW)
        return code_of(played)

    def say(self, text: str) -> int:
        """Send a message and show the reply; the exit code that it would be worth.

        Raises:
            Undecided: calls wait, which a message would pass over, and nobody can be asked whether that is meant.
        """
        if self.approver is None and self.waits:
            self._told(None)
            raise Undecided("nothing was sent: decide first")
        return self.run(self.chat.stream(text))

    @property
    def waits(self) -> bool:
        """The last turn waits for decisions, or is to go on after them."""
        return self.shelf.standing(self.chat.name) is Outcome.AWAITING_APPROVAL

    def decide(self) -> int:
        """Ask about the calls that wait, and go on; the exit code that it would be worth."""
        return self._told(None)

    def command(self, *words: str) -> str:
        """A command line that comes back to this store and this model."""
        return command(self.choice, self._arguments, *words)

    def use_model(self, name: str) -> None:
        """Go on with another model; the conversation stays."""
        choice = choose([name], watched=self.screen.terminal, pace=self._arguments.pace)
        arguments = Namespace(**{**vars(self._arguments), "base_url": None})
        self._exchange(self._opened(choice, self.chat.name, arguments, system=self.chat.system))
        self.choice = evolve(choice, origin="/model")
        self._arguments = arguments

    def use_system(self, text: str) -> None:
        """Other standing instructions from here on."""
        self._exchange(self._opened(self.choice, self.chat.name, self._arguments, system=text))
        self._arguments.system = text

    def fork(self, name: str | None) -> None:
        """Go on in a copy; the original stays as it is."""
        self._exchange(self.chat.fork(name=name))

    def _exchange(self, other: Conversation) -> None:
        self.chat.close()
        self.chat = other

"""Stored conversations, as the command sees them: where they are kept, what they are called, where they stand.

May hold reading of the store for lists and messages. Turns are the business of `Conversation`.
"""

from __future__ import annotations

import difflib
import secrets
from argparse import Namespace
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import frozen

from agentkit.cli._codes import UsageError
from agentkit.config import Setting, blaming, setting, store_path
from agentkit.store import Rewound, Store, ToolFinished, ToolStarted, TurnEnded, TurnResumed, TurnStarted
from agentkit.stores import open_store
from agentkit.usage import Outcome

if TYPE_CHECKING:
    from agentkit.conversation import Conversation

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""No letter that looks like another one."""
UNFINISHED = (Outcome.INTERRUPTED, Outcome.TRUNCATED, Outcome.FAILED)


@frozen
class Shelf:
    """An open store."""

    store: Store
    kept: bool = True
    """False: in memory, gone at the end."""

    def names(self) -> list[str]:
        """All conversations, the last one first."""
        return [info.name for info in self.store.list()]

    def fresh_name(self, prompt: str) -> str:
        """A name that no other process is about to choose, with a word of what it is about."""
        words = "-".join(word for word in "".join(_plain(prompt)).split()[:3])[:24].strip("-")
        return f"{words or 'chat'}-{''.join(secrets.choice(LETTERS) for _ in range(5))}"

    def last(self) -> str:
        """The conversation that was used last.

        Raises:
            UsageError: there is none.
        """
        names = self.names()
        if not names:
            raise UsageError("there is no conversation to go on with yet; leave -c out to begin one")
        return names[0]

    def find(self, name: str) -> str:
        """The name of a stored conversation.

        Raises:
            UsageError: there is none of this name.
        """
        names = self.names()
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "agentkit ls lists them"
            raise UsageError(f"there is no conversation {name!r}; {hint}")
        return name

    def standing(self, name: str) -> Outcome | None:
        """How the last turn ended; a turn without an end was interrupted. None where there was no turn."""
        for entry in reversed(self.store.read(name)):
            match entry.record:
                case TurnEnded():
                    return entry.record.outcome
                case TurnStarted() | TurnResumed():
                    return Outcome.INTERRUPTED
                case Rewound():
                    return None
                case _:
                    pass
        return None

    def begun(self, name: str) -> set[str]:
        """The calls that were begun and have no result, by their ids: they may have run."""
        records = [entry.record for entry in self.store.read(name)]
        done = {record.result.call_id for record in records if isinstance(record, ToolFinished)}
        return {record.call_id for record in records if isinstance(record, ToolStarted)} - done

    def reader(self, name: str) -> Conversation:
        """The conversation, to be read only: no backend is asked."""
        from agentkit.conversation import Conversation

        return Conversation("sim", store=self.store, name=name)


def open_shelf(given: str | None, *, kept: bool = True) -> Shelf:
    """The store that the options, the environment or the user's file name; SQLite in the user's folder otherwise."""
    if not kept:
        return Shelf(open_store(None, default_path=store_path), kept=False)
    found = Setting(given, "--store") if given else setting("store")
    with blaming(found):
        return Shelf(open_store(found.value or "sqlite", default_path=store_path))


@contextmanager
def opened(arguments: Namespace) -> Generator[Shelf, None, None]:
    """The store that the options name, closed in the end."""
    shelf = open_shelf(arguments.store, kept=not arguments.no_store)
    try:
        yield shelf
    finally:
        shelf.store.close()


def _plain(text: str) -> Iterable[str]:
    return (letter.lower() if letter.isalnum() else " " for letter in text[:200] if letter != "'")

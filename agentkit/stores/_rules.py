"""What every store refuses, in the same words."""

from __future__ import annotations

from agentkit.errors import ConversationBusy, InvalidInput, StaleWriter, StoreError
from agentkit.store import Lease

PATIENCE = 5.0
"""Seconds after which a waiting owner that has not asked again loses its place."""


def check_name(name: object, of: str = "a conversation") -> None:
    """Refuse what is no name.

    Raises:
        InvalidInput: not a text, empty, or with half a surrogate pair, which no file and no wire can carry.
    """
    if not isinstance(name, str):
        raise InvalidInput(f"the name of {of} is a text, not {name!r}")
    if not name:
        raise InvalidInput(f"the name of {of} cannot be empty: ''")
    if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
        raise InvalidInput(f"the name of {of} cannot hold lone surrogates: {name!r}")


def is_number_above_0(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def check_fork(name: str, version: int | None, new_name: str, at: int, *, taken: bool) -> None:
    """Refuse a fork of what is not there (`version` None), or onto what is."""
    if version is None:
        raise InvalidInput(f"there is no conversation {name!r} to fork")
    if not 0 <= at <= version:
        raise InvalidInput(f"conversation {name!r} has versions 0 to {version}, not {at!r}")
    if taken:
        raise InvalidInput(f"conversation {new_name!r} exists already; choose another name for the fork")


def lost(lease: Lease, name: str, owner: str | None) -> StaleWriter:
    """Why this lease does not open `name`, of which `owner` holds the lease now."""
    if lease.name != name:
        return StaleWriter(f"a lease on conversation {lease.name!r} does not open {name!r}")
    if owner is None:
        return StaleWriter(f"{lease.owner!r} holds no lease on conversation {name!r} any more; acquire it anew")
    return StaleWriter(f"{owner!r} took conversation {name!r} over from {lease.owner!r}; nothing was overwritten")


def outdated(name: str, version: int, expect: int) -> StaleWriter:
    return StaleWriter(f"conversation {name!r} is at version {version}, not {expect!r}; read it again")


def busy(name: str, owner: str) -> ConversationBusy:
    return ConversationBusy(f"conversation {name!r} is being written by {owner!r}; delete it once the turn is over")


def closed(store: object) -> StoreError:
    return StoreError(f"{store!r} was used after close(); make a new one")

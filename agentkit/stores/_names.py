"""What a conversation may be called: the one rule, shared by all stores."""

from __future__ import annotations

from agentkit.errors import InvalidInput


def check_name(name: object) -> None:
    """Refuse what is no name.

    Raises:
        InvalidInput: not a text, empty, or with half a surrogate pair, which no file and no wire can carry.
    """
    if not isinstance(name, str):
        raise InvalidInput(f"the name of a conversation is a text, not {name!r}")
    if not name:
        raise InvalidInput("the name of a conversation cannot be empty: ''")
    if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
        raise InvalidInput(f"the name of a conversation cannot hold lone surrogates: {name!r}")

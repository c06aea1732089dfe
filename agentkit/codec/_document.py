"""Documents of messages, which have a version, and records of the journal, whose version is that of their store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from agentkit.codec._convert import structure, unstructure
from agentkit.codec._json import dumps, loads, short
from agentkit.errors import InvalidDocument, InvalidInput
from agentkit.messages import Message
from agentkit.store import Record

FORMAT = "agentkit.messages"
VERSION = 1
"""Raised by any change that an older agentkit would read wrongly; every raise adds to MIGRATIONS."""

MIGRATIONS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""How a document of the version that is the key becomes one of the next version: plain dicts, never classes."""


def messages_to_json(messages: Iterable[Message]) -> str:
    """A document of messages, compact; `messages_from_json` gives them back equal."""
    if not isinstance(messages, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInput(f"expected messages in a list, not {short(messages)}")
    listed = unstructure(tuple(messages), tuple[Message, ...])
    return dumps({"format": FORMAT, "version": VERSION, "messages": listed})


def messages_from_json(text: str | bytes) -> tuple[Message, ...]:
    """Read a document that `messages_to_json` of this or an earlier version wrote.

    Raises:
        InvalidDocument: with the path of what is wrong.
    """
    document = _current(_header(loads(text)))
    for key in document.keys() - {"format", "version", "messages"}:
        raise InvalidDocument(f"unknown key {short(key)}")
    if "messages" not in document:
        raise InvalidDocument("the messages are missing", path="$.messages")
    return cast("tuple[Message, ...]", structure(document["messages"], tuple[Message, ...], "$.messages"))


def encode_record(record: Record) -> str:
    """One record of the journal as one line of JSON."""
    return dumps(unstructure(record, Record))


def decode_record(text: str | bytes) -> Record:
    """Read what `encode_record` wrote.

    Raises:
        InvalidDocument: with the path of what is wrong.
    """
    return cast("Record", structure(loads(text), Record))


def _header(document: Any) -> dict[str, Any]:
    match document:
        case {"format": str(name), "version": int(version)} if name == FORMAT and not isinstance(version, bool):
            return cast("dict[str, Any]", document)
        case {"format": str(name), **rest} if name == FORMAT:
            raise InvalidDocument(
                f"the version must be a whole number, not {short(rest.get('version'))}", path="$.version"
            )
        case list():
            raise InvalidDocument("this is a list, not a document of agentkit; read chat dicts with from_openai")
        case _:
            raise InvalidDocument(f"this is no document of messages with the format {FORMAT!r}: {short(document)}")


def _current(document: dict[str, Any]) -> dict[str, Any]:
    version = document["version"]
    if version > VERSION:
        raise InvalidDocument(
            f"the document has version {version}, this agentkit reads up to {VERSION}; upgrade agentkit",
            path="$.version",
        )
    while version < VERSION:
        if version not in MIGRATIONS:
            raise InvalidDocument(f"there is no version {short(version)} of this document", path="$.version")
        document = MIGRATIONS[version](document)
        version += 1
    return document

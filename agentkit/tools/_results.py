"""What a tool returns or raises, as a text for the model: any value, within a limit, without keys and folders."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

import attrs

from agentkit._middle import mark, without_middle
from agentkit.tools._json import is_mapping, is_named_tuple, is_sequence, is_set

NOTHING = "(nothing)"
"""What is said where a tool returns None, or no more than spaces: some servers refuse an empty result."""
HIDDEN = "***"
_MORE = "..."
_DEEPEST = 50
_MOST_VALUES = 100_000
_LONGEST_ERROR = 500
_MOST_READ = 20_000
"""Of what an exception says: the rest would be left out anyway."""

_SECRET = r"(?:api|access|secret|private)[-_ ]?key|secret|passwo?r?d|(?<=\w)[-_]token|token(?=\s*=)|authorization"  # noqa: S105
_HIDING: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=://)[^\s/?#@]+@"), f"{HIDDEN}@"),
    (re.compile(r"\b(bearer|basic)\s+\S+", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(rf"((?:{_SECRET})[\"']?\s*[=:]\s*)(?!bearer|basic)[^\s,;&]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\b(?:sk|pk|rk|gh[a-z]|hf|xox[a-z]|github_pat|AKIA|AIza|eyJ)[-_A-Za-z0-9.]{16,}"), HIDDEN),
    (re.compile(r"(?<![\w/:.~\\-])(?:~|\.{0,2})/(?:[^\s/'\":,;()]+/)+([^\s/'\":,;()]*)"), r"\1"),
    (re.compile(r"(?:\b[A-Za-z]:|\\)\\(?:[^\s\\'\":,;()]+\\+)*([^\s\\'\":,;()]*)"), r"\1"),
)


def text_of(value: object) -> str:
    """The value as a text: a text as it is, everything else as JSON, and what JSON lacks by a description."""
    match value:
        case str() if not isinstance(value, Enum):
            return str(value)
        case None:
            return NOTHING
        case _:
            made = plain(value)
            return made if isinstance(made, str) else json.dumps(made, ensure_ascii=False, separators=(",", ":"))


def plain(value: object) -> Any:
    """The value as JSON has it."""
    return _Writer().plain(value)


def limited(text: str, most: int) -> str:
    """The text within so many characters: what is too long loses its middle, and a mark says so."""
    if len(text) <= most:
        return text
    keep = max(most - len(mark(len(text))), 0)
    return without_middle(text, keep - keep // 3, len(text) - keep // 3)


def explain(error: BaseException) -> str:
    """An exception as one line for the model: what happened, without keys, and without the folders of this machine."""
    name = type(error).__name__
    said = " ".join(cleaned(limited(_message(error), _MOST_READ)).split())
    return limited(f"{name}: {said}" if said else name, _LONGEST_ERROR).replace("\n", " ")


def cleaned(text: str) -> str:
    """The text without what looks like a key, and with names of files in place of their paths."""
    for pattern, left in _HIDING:
        text = pattern.sub(left, text)
    return text


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and isinstance(error.filename, str):
        return f"{error.strerror}: {PurePath(error.filename).name}"
    return _said(error, "")


def _said(value: object, otherwise: str) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a class may fail to describe itself in any way
        return otherwise


class _Writer:
    """Takes one value apart. What holds itself, and what is too much, ends in dots."""

    def __init__(self) -> None:
        self._left = _MOST_VALUES
        self._inside: list[int] = []

    def plain(self, value: object) -> Any:
        self._left -= 1
        match value:
            case Enum():
                return self.plain(value.value)
            case None | bool() | str():
                return value
            case int():
                return int(value)
            case float():
                return float(value) if math.isfinite(value) else str(float(value))
            case bytes() | bytearray():
                return f"<{len(value)} bytes>"
            case date() | time():
                return value.isoformat()
            case Decimal() | UUID() | PurePath():
                return str(value)
            case _:
                return self._whole(value)

    def _whole(self, value: object) -> Any:
        if id(value) in self._inside or len(self._inside) > _DEEPEST or self._left < 0:
            return _MORE
        self._inside.append(id(value))
        try:
            return self._parts(value)
        finally:
            self._inside.pop()

    def _parts(self, value: object) -> Any:
        fields = _fields(value, type(value))
        if fields is not None:
            return self._object(fields.items())
        if is_mapping(value):
            return self._object(value.items())
        if is_set(value):
            return sorted(self._array(value), key=_order)
        return self._array(value) if is_sequence(value) else _described(value)

    def _object(self, items: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, item in items:
            if self._left < 0:
                return {**made, _MORE: _MORE}
            made[key if type(key) is str else _key(self.plain(key))] = self.plain(item)
        return made

    def _array(self, items: Iterable[Any]) -> list[Any]:
        made: list[Any] = []
        for item in items:
            if self._left < 0:
                return [*made, _MORE]
            made.append(self.plain(item))
        return made


def _key(key: Any) -> str:
    return key if isinstance(key, str) else json.dumps(key)


def _order(item: Any) -> str:
    return json.dumps(item, sort_keys=True)


def _fields(value: Any, kind: Any) -> Mapping[Any, Any] | None:
    """The fields of an instance of a class with fields; not those that its repr hides, nor private ones."""
    if attrs.has(kind):
        names: list[str] = [field.name for field in attrs.fields(kind) if field.repr is not False]
    elif dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind) if field.repr]
    elif is_named_tuple(kind):
        names = list(kind._fields)
    elif hasattr(kind, "__struct_fields__"):
        names = list(kind.__struct_fields__)
    elif hasattr(kind, "model_dump"):
        return cast("Mapping[Any, Any]", value.model_dump())
    else:
        return None
    return {name: getattr(value, name, None) for name in names if not name.startswith("_")}


def _described(value: object) -> str:
    """A word for what has no form in JSON; an address in memory says nothing to a model."""
    name = f"<{type(value).__name__}>"
    text = _said(value, name)
    return name if " at 0x" in text else text

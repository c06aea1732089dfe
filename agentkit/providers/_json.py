"""Strict JSON in, compact JSON out, and text that can always be encoded. Knows no wire format."""

from __future__ import annotations

import json
from typing import Any, NoReturn


class Constant(ValueError):
    """The text holds NaN or Infinity, which Python reads and JSON does not know."""


def _refuse(name: str) -> NoReturn:
    raise Constant(f"{name} is no JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse)
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def loads(text: str) -> Any:
    """Read JSON as the standard has it; whatever is wrong with the text is a ValueError."""
    try:
        return _decoder.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dumps(value: object) -> str:
    """Write compact JSON; whatever is wrong with the value is a ValueError."""
    try:
        return _encoder.encode(value)
    except TypeError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def encodable(text: str) -> str:
    """The same text with surrogate halves joined to their characters, or replaced by U+FFFD where one is alone."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def utf8(text: str) -> bytes:
    """The bytes of any text."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return encodable(text).encode()


def as_dict(value: object) -> dict[str, Any]:
    """The value where it is a JSON object, else an empty one: what is left out and what is garbled look alike."""
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def as_list(value: object) -> list[Any]:
    """The value where it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]

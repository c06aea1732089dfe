"""JSON text and plain JSON values, strictly: what is written can be read back equal, in UTF-8, by any parser."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from reprlib import Repr
from typing import Any, NoReturn, cast

from agentkit.errors import InvalidDocument, InvalidInput

_SURROGATE = re.compile("[\ud800-\udfff]")


class _Short(Repr):
    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to spell out what has thousands of digits.
        return repr(x) if x.bit_length() < 200 else f"<a number of {x.bit_length()} bits>"  # noqa: PLR2004 - any bound


_REPR = _Short()
_REPR.maxstring = _REPR.maxother = 80
_REPR.maxlevel = 3
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Wrong(ValueError):
    """A value is not what its place asks for."""


def short(value: object) -> str:
    """The repr of a value for a message, never long."""
    return _REPR.repr(value)


def dumps(value: Any) -> str:
    """Compact JSON that can always be written as UTF-8: only halves of surrogate pairs are escaped.

    A pair that was split into two halves comes back as the one character it spells: JSON cannot tell them apart.
    """
    try:
        text = _encode(value)
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", _encode(value))
    except (RecursionError, ValueError) as error:
        raise InvalidInput(f"this cannot be written as JSON ({error}): {short(value)}") from None
    return text


def loads(text: str | bytes) -> Any:
    """Read JSON; refuses NaN, Infinity and numbers too large for a float.

    Raises:
        InvalidDocument: no JSON, or nested too deeply.
    """
    if not isinstance(text, str | bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidDocument(f"expected JSON as a text or bytes, not {short(text)}")
    try:
        return _decode(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except RecursionError:
        raise InvalidDocument("the document is nested too deeply to be one of agentkit") from None
    except ValueError as error:
        raise InvalidDocument(f"the document is no JSON: {error}; it begins with {short(text[:40])}") from None


def plain(value: Any) -> Any:
    """A free-form value as plain JSON; tuples become arrays.

    Raises:
        Wrong: something in it has no JSON form, or would come back as something else.
    """
    match value:
        case None | bool() | str():
            return value
        case float() if not math.isfinite(value):
            raise Wrong(f"JSON has no {value!r}")
        case int() | float():
            return value
        case Mapping():
            return {_key(key): plain(item) for key, item in cast("Mapping[object, Any]", value).items()}
        case list() | tuple():
            return [plain(item) for item in cast("list[Any]", value)]
        case _:
            raise Wrong(f"{short(value)} is a {type(value).__name__}, which has no JSON form")


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    raise Wrong(f"the key {short(key)} is not a text, as keys of JSON objects must be")


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")


def _number(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(short(digits))


_decode = json.JSONDecoder(parse_constant=_refuse, parse_float=_number).decode

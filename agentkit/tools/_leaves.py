"""Values without parts: how they are written in JSON, and how they are read. May hold no more than the table of them.

A text counts as a date, a time or a number only in the one form that its schema names, so that nobody has to guess.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

from agentkit.tools._shapes import Leaf

_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,6})?)?"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_DECIMAL = "-?[0-9]+(\\.[0-9]+)?"


def _wrong() -> ValueError:
    return ValueError("it stands for no such value")


def _anything(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong()
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong()
    return value


def _null(value: Any) -> None:
    if value is not None:
        raise _wrong()


def _number(value: Any) -> float:
    """A number of JSON, which knows no difference between 5 and 5.0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise _wrong()
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return True


def _int(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise _wrong()
    return int(number)


def _float(value: Any) -> float:
    try:
        return float(_number(value))
    except OverflowError:
        raise _wrong() from None


def _decimal(value: Any) -> Decimal:
    if isinstance(value, str):
        return Decimal(_matching(value, _DECIMAL))
    number = _number(value)
    return Decimal(number if isinstance(number, int) else repr(number))


def _matching(value: Any, pattern: str | re.Pattern[str]) -> str:
    text = _text(value)
    if not re.fullmatch(pattern, text):
        raise _wrong()
    return text


def _datetime(value: Any) -> datetime:
    return datetime.fromisoformat(_matching(value, _DATETIME))


def _date(value: Any) -> date:
    return date.fromisoformat(_matching(value, _DATE))


def _time(value: Any) -> time:
    return time.fromisoformat(_matching(value, _TIME))


def _uuid(value: Any) -> UUID:
    return UUID(_matching(value, _UUID))


def _leaf(kind: str, read: Callable[[Any], Any], words: str, **more: Any) -> Leaf:
    return Leaf({"type": kind, **more}, read, words)


ANYTHING = Leaf({}, _anything, "anything")
NULL = _leaf("null", _null, "null")

LEAVES: Mapping[Any, Leaf] = {
    Any: ANYTHING,
    object: ANYTHING,
    None: NULL,
    type(None): NULL,
    str: _leaf("string", _text, "a text"),
    bool: _leaf("boolean", _bool, "true or false"),
    int: _leaf("integer", _int, "a whole number"),
    float: _leaf("number", _float, "a number"),
    Decimal: Leaf(
        {"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{_DECIMAL}$"}]},
        _decimal,
        'a number, or a text such as "12.50"',
    ),
    datetime: _leaf(
        "string", _datetime, 'a date and time with an offset, such as "2031-01-02T10:00:00Z"', format="date-time"
    ),
    date: _leaf("string", _date, 'a date such as "2031-01-02"', format="date"),
    time: _leaf("string", _time, 'a time of day such as "08:30"', pattern=f"^{_TIME}$"),
    UUID: _leaf("string", _uuid, 'a UUID such as "00000000-0000-4000-8000-000000000000"', format="uuid"),
    Path: _leaf("string", lambda value: Path(_text(value)), "a path, as a text"),
    PurePath: _leaf("string", lambda value: PurePath(_text(value)), "a path, as a text"),
}

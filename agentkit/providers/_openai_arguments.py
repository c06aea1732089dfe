"""The arguments of a tool call as they leave: JSON that any server reads, whatever the model wrote.

Readers in other languages are stricter than Python's. They refuse numbers beyond a double, halves of characters, and
what is nested deeply, and with it the whole request.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from agentkit.errors import InvalidInput
from agentkit.messages import ToolCall
from agentkit.providers._json import as_dict, as_list, dumps, encodable, loads

_DEEPEST = 64
_HALF = re.compile("[\ud800-\udfff]")


def arguments_of(call: ToolCall) -> str:
    """The model's own wording where that is an object any server reads, else what can be kept of it, or none.

    Raises:
        InvalidInput: the arguments were made here, and are nothing that JSON has.
    """
    if call.broken:
        return "{}"
    try:
        text = call.arguments_json
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"the arguments of the call {call.id!r} to {call.name!r} are no JSON: {error}") from None
    try:
        value = loads(text)
    except ValueError:
        return _repaired(text)
    return text if isinstance(value, dict) and _is_sound(value, _DEEPEST) else _repaired(text)  # pyright: ignore[reportUnknownArgumentType]


def _repaired(text: str) -> str:
    """NaN and numbers beyond all bounds as null, halves of characters as U+FFFD; nothing of what is too deep."""
    try:
        value = json.loads(text, parse_constant=lambda _: None, parse_float=_finite)
        made = encodable(dumps(as_dict(value)))
        return made if _is_sound(loads(made), _DEEPEST) else "{}"
    except (ValueError, RecursionError):
        return "{}"


def _finite(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None


def _is_sound(value: Any, levels: int) -> bool:
    if isinstance(value, str):
        return value.isascii() or not _HALF.search(value)
    if isinstance(value, float):
        return math.isfinite(value)
    if not isinstance(value, dict | list):
        return True
    named = as_dict(value)  # pyright: ignore[reportUnknownArgumentType]
    inner = (*as_list(value), *named, *named.values())  # pyright: ignore[reportUnknownArgumentType]
    return levels > 0 and all(_is_sound(each, levels - 1) for each in inner)

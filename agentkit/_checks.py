"""Checks of settings, for the fields of frozen values: each says what a setting must be, and what it is."""

from __future__ import annotations

import math
from typing import Any

from attrs import Attribute

from agentkit.errors import InvalidInput

_MOST_SHOWN = 80


def shown(value: object) -> str:
    """The value for a message, never long; Python refuses to spell out what has thousands of digits."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."


def number(low: float, high: float = math.inf, *, optional: bool = True) -> Any:
    """A number between these, both allowed."""
    return _between(low, high, "a number", float, optional=optional)


def whole(low: int, *, optional: bool = True) -> Any:
    """A whole number of at least this."""
    return _between(low, math.inf, "a whole number", int, optional=optional)


def _between(low: float, high: float, what: str, kind: type[float], *, optional: bool) -> Any:
    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:
        if value is None and optional:
            return
        if isinstance(value, bool) or not isinstance(value, int | kind) or not low <= value <= high:
            top = "" if high == math.inf else f" and at most {high:g}"
            raise InvalidInput(f"{attribute.name} must be {what} of at least {low:g}{top}, not {shown(value)}")

    return check


def one_of(words: tuple[str, ...], *, or_function: bool = False) -> Any:
    """One of these words, or, where that is said, a function."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:
        if or_function and callable(value):
            plain_function(attribute.name, value)
        elif value not in words:
            also = ", or a function" if or_function else ""
            raise InvalidInput(f"{attribute.name} must be one of {', '.join(words)}{also}, not {shown(value)}")

    return check


def function(instance: object, attribute: Attribute[Any], value: Any) -> None:
    """A function, or None."""
    plain_function(attribute.name, value)


def plain_function(name: str, value: object) -> None:
    """A function that answers at once, or None: nobody would await what an async one returns."""
    if value is None:
        return
    if not callable(value):
        raise InvalidInput(f"{name} must be a function, not {shown(value)}")
    from inspect import iscoroutinefunction

    if iscoroutinefunction(value) or iscoroutinefunction(type(value).__call__):
        raise InvalidInput(f"{name} must be a plain function, not an async one: {shown(value)}")

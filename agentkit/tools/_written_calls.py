"""What stands between the marks of a call: where its JSON ends, and which calls it comes to."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, TypeAlias

from agentkit.tools._json import is_array

Written: TypeAlias = tuple[str, str]
"""The name of a call and its arguments as text."""

NAMELESS = "unknown_tool"
"""The name of a call whose own cannot be read."""
_OUTSIDE = re.compile(r'["{}\[\]<]')
_INSIDE = re.compile(r'["\\]')
_NAME = re.compile(r'\s*\[?\s*\{\s*(?:"function"\s*:\s*\{\s*)?"(?:name|tool)"\s*:\s*"([A-Za-z0-9_-]{1,64})"')
_ARGUMENTS = ("arguments", "parameters", "args", "input")


class JsonEnd:
    """Finds the end of a JSON value that begins with a bracket, as more comes. A mark outside its texts ends it too."""

    __slots__ = ("_depth", "_in_text", "_marks", "_place", "cut")

    def __init__(self, *marks: str) -> None:
        self._marks = marks
        self._place = self._depth = 0
        self._in_text = False
        self.cut = False
        """It was a mark that ended it."""

    def find(self, text: str) -> int | None:
        """The place after the value in all of its text so far; None where it has not ended."""
        while found := (_INSIDE if self._in_text else _OUTSIDE).search(text, self._place):
            place = self._place = found.start()
            if found[0] == "<":
                if text.startswith(self._marks, place):
                    self.cut = True
                    return place
                if any(mark.startswith(text[place:]) for mark in self._marks):
                    return None
            self._place += 2 if found[0] == "\\" else 1
            if self._is_over(found[0]):
                return self._place
        self._place = max(self._place, len(text))
        return None

    def _is_over(self, sign: str) -> bool:
        if sign == '"':
            self._in_text = not self._in_text
        elif sign in "{[":
            self._depth += 1
        elif sign in "}]":
            self._depth -= 1
            return self._depth == 0
        return False


def calls_in(text: str) -> list[Written] | None:
    """The calls that a JSON text comes to; None where it is malformed. Line breaks within its texts are let pass."""
    try:
        value = json.loads(text, strict=False, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    items = value if is_array(value) else [value]
    made = [_call(item) for item in items]
    found = [call for call in made if call is not None]
    return found if found and len(found) == len(made) else None


def broken_call(text: str) -> Written:
    """A call that cannot be read: its name, if that can be, and what was written in place of its arguments."""
    found = _NAME.match(text)
    return found[1] if found else NAMELESS, text.strip() or "..."


def _call(item: Any) -> Written | None:
    """Models vary the keys: the forms of several dialects are known."""
    match item:
        case {"function": {"name": str()} as inner}:
            return _call(inner)
        case {"name": str(name)} | {"tool": str(name)} | {"function": str(name)}:
            key = next((key for key in _ARGUMENTS if key in item), None)
            given: Any = "{}" if key is None else item[key]
            return name, given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        case _:
            return None


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")

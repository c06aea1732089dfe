"""A JSON document while it comes: what it amounts to so far. Incremental; any cutting of the text gives the same.

Each sign is looked at once. Objects and lists grow in place, so what was shown before costs nothing again. A text is
shown as far as it has come, but no escape and no pair of surrogates by half; a number or a word once it is complete.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from agentkit.tools._json import is_object
from agentkit.tools._json_text import MAY_OPEN, OPENING, scalar

_DEEPEST = 500
"""Containers within containers; what is deeper is not shown."""

_HIGH, _LOW, _HEX = "[dD][89abAB][0-9a-fA-F]{2}", "[dD][c-fC-F][0-9a-fA-F]{2}", "[0-9a-fA-F]"
_BLANK = re.compile(r"[ \t\r\n]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]+')
_WORD = re.compile(r"[-+.0-9A-Za-z]*")
_ESCAPE = re.compile(
    rf'\\(?:["\\/bfnrt]|u(?:{_HIGH}\\u{_LOW}|(?!{_HIGH}){_HEX}{{4}}|{_HIGH}(?!(?:\\(?:u{_HEX}{{0,3}})?)?\Z)))'
)
_MAY_ESCAPE = re.compile(rf"\\(?:u(?:{_HEX}{{0,3}}|{_HIGH}(?:\\(?:u{_HEX}{{0,3}})?)?))?\Z")


class PartialJson:
    """The only JSON document in a text that comes in pieces. What stands before and after it is passed over.

    The document is an object or a list: of anything else nothing is shown. A document that turns out to be broken stays
    as it was before that place; this is for showing, and whether it is right is said by those who read the whole.
    """

    __slots__ = ("_changed", "_held", "_key", "_parts", "_root", "_stack", "_step", "_text", "_under", "complete")

    def __init__(self, *, under: str | None = None) -> None:
        """With `under`, what is shown of an object that begins with this key is what stands there."""
        self._under = under
        self._step: _Step = PartialJson._lead
        self._held = ""  # what is not decided; never long
        self._root: Any = None
        self._stack: list[dict[str, Any] | list[Any]] = []
        self._key = ""
        self._parts: list[str] = []  # of the text, the key or the word under way
        self._text = ""  # the text under way, as it is shown
        self._changed = False
        self.complete = False
        """The document has come to its end."""

    @property
    def begun(self) -> bool:
        """There is something to show."""
        return self._root is not None and (not self._hides() or bool(self._root))

    @property
    def value(self) -> Any:
        """What there is so far, or None. It is the same object each time and goes on growing: copy what is to be kept,
        and change nothing in it. Looking costs as much as what has been added to the text under way."""
        if self._step is PartialJson._in_text:
            self._settle()
        if self._hides() and self._root:
            key, value = next(iter(self._root.items()))
            return value if key == self._under else self._root
        return self._root if self.begun else None

    def feed(self, text: str) -> bool:
        """Take in what comes next; says whether it changes what is shown."""
        self._changed = False
        data = self._held + text
        place = 0
        while place < len(data):
            after = self._step(self, data, place)
            if after == place:
                break
            place = after
        self._held = data[place:]
        return self._changed and self.begun

    def _hides(self) -> bool:
        """The outermost object is not shown itself."""
        return self._under is not None and is_object(self._root)

    # --- each step says how far it has come; where that is no further, it waits for more

    def _lead(self, data: str, place: int) -> int:
        opening = OPENING.search(data, place)
        if opening:
            return self._value(data, opening.start())
        undecided = MAY_OPEN.search(data, place)
        return undecided.start() if undecided else len(data)

    def _value(self, data: str, place: int) -> int:
        place = _after_blanks(data, place)
        sign = data[place : place + 1]
        if sign == '"':
            self._put("")
            self._step = PartialJson._in_text
        elif sign == "{":
            self._open({}, PartialJson._first_key)
        elif sign == "[":
            self._open([], PartialJson._first_item)
        elif sign and sign in "-0123456789tfn":
            self._step = PartialJson._word
            return self._word(data, place)
        elif sign:
            return self._broken(data, place)
        return place + len(sign)

    def _first_item(self, data: str, place: int) -> int:
        place = _after_blanks(data, place)
        if data[place : place + 1] == "]":
            return self._close(place)
        if place < len(data):
            self._step = PartialJson._value
        return self._value(data, place)

    def _first_key(self, data: str, place: int) -> int:
        place = _after_blanks(data, place)
        return self._close(place) if data[place : place + 1] == "}" else self._next_key(data, place)

    def _next_key(self, data: str, place: int) -> int:
        return self._expected('"', PartialJson._in_key, data, place)

    def _in_key(self, data: str, place: int) -> int:
        if data[place] != '"':
            return self._piece(data, place)
        self._key, self._parts = "".join(self._parts), []
        self._step = PartialJson._colon
        return place + 1

    def _colon(self, data: str, place: int) -> int:
        return self._expected(":", PartialJson._value, data, place)

    def _in_text(self, data: str, place: int) -> int:
        if data[place] != '"':
            after = self._piece(data, place)
            self._changed = self._changed or after > place
            return after
        self._settle()
        self._text = ""
        self._step = PartialJson._next
        return place + 1

    def _word(self, data: str, place: int) -> int:
        end = _after(_WORD, data, place)
        self._parts.append(data[place:end])
        if end == len(data):
            return end
        try:
            value = scalar("".join(self._parts))
        except ValueError:
            return self._broken(data, end)
        self._parts = []
        self._put(value)
        self._step = PartialJson._next
        return self._next(data, end)

    def _next(self, data: str, place: int) -> int:
        place = _after_blanks(data, place)
        inside = is_object(self._stack[-1])
        if data[place : place + 1] == ("}" if inside else "]"):
            return self._close(place)
        return self._expected(",", PartialJson._next_key if inside else PartialJson._value, data, place)

    def _over(self, data: str, place: int) -> int:
        return len(data)

    # --- what they do

    def _expected(self, sign: str, step: _Step, data: str, place: int) -> int:
        place = _after_blanks(data, place)
        found = data[place : place + 1]
        if found and found != sign:
            return self._broken(data, place)
        if found:
            self._step = step
        return place + len(found)

    def _piece(self, data: str, place: int) -> int:
        """One run of plain signs, or one escape."""
        end = _after(_PLAIN, data, place)
        if end > place:
            self._parts.append(data[place:end])
            return end
        escape = _ESCAPE.match(data, place)
        if escape:
            self._parts.append(json.loads(f'"{escape[0]}"'))
            return escape.end()
        return place if _MAY_ESCAPE.match(data, place) else self._broken(data, place)

    def _put(self, value: Any) -> None:
        self._changed = True
        if not self._stack:
            self._root = value
            return
        holder = self._stack[-1]
        if isinstance(holder, list):
            holder.append(value)
        else:
            holder[self._key] = value

    def _open(self, container: dict[str, Any] | list[Any], step: _Step) -> None:
        if len(self._stack) == _DEEPEST:
            self._step = PartialJson._over
        else:
            self._put(container)
            self._stack.append(container)
            self._step = step

    def _close(self, place: int) -> int:
        self._stack.pop()
        self.complete = not self._stack
        self._step = PartialJson._over if self.complete else PartialJson._next
        return place + 1

    def _settle(self) -> None:
        """What has come of the text under way is shown."""
        if self._parts:
            text, self._text = self._text, ""
            self._show("")  # nobody else holds the text now, so Python makes it longer where it is
            text += "".join(self._parts)
            self._text, self._parts = text, []
            self._show(text)

    def _show(self, text: str) -> None:
        holder = self._stack[-1]
        if isinstance(holder, list):
            holder[-1] = text
        else:
            holder[self._key] = text

    def _broken(self, data: str, place: int) -> int:
        if self._step is PartialJson._in_text:
            self._settle()
        self._step = PartialJson._over
        return self._over(data, place)


_Step: TypeAlias = Callable[[PartialJson, str, int], int]


def _after(pattern: re.Pattern[str], data: str, place: int) -> int:
    found = pattern.match(data, place)
    return found.end() if found else place


def _after_blanks(data: str, place: int) -> int:
    return _after(_BLANK, data, place)

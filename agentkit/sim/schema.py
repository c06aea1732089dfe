"""JSON values that follow a JSON schema, by seed: the arguments of tool calls and replies of a given shape.

Understood: type, const, enum, default, properties, required, additionalProperties, items, prefixItems, bounds of
numbers, texts and arrays, uniqueItems, multipleOf, the common formats, anyOf, oneOf, allOf, and references within the
document. What is no schema at all gives some value; nothing here fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from agentkit.sim.text import Dice

_DEEP = 5
"""From here on only what is required is made."""
_DEEPEST = 40
_MOST_VALUES = 2000
"""However wide and deep a schema is, this many values are made at most."""
_MOST_ITEMS = 32
_MOST_CHARS = 1024
_MOST_NUMBER = 1e15

_WORDS = ("tide", "kelp", "lantern", "harbour", "shell", "beacon", "breeze", "mussel", "jetty", "swell")
_CITIES = ("Oslo", "Lisbon", "Galway", "Ålesund", "Porto", "Bergen")
_BY_NAME: Mapping[str, tuple[str, ...]] = {
    "city": _CITIES,
    "location": _CITIES,
    "place": _CITIES,
    "country": ("Norway", "Portugal", "Ireland"),
    "name": ("Ada", "Grace", "Alan", "Edsger"),
    "unit": ("celsius", "metres", "knots"),
}
_BY_FORMAT: Mapping[str, Callable[[int], str]] = {
    "date": lambda n: f"2031-{n % 12 + 1:02}-{n % 28 + 1:02}",
    "time": lambda n: f"{n % 24:02}:{n % 60:02}:00Z",
    "date-time": lambda n: f"2031-{n % 12 + 1:02}-{n % 28 + 1:02}T{n % 24:02}:30:00Z",
    "duration": lambda n: f"PT{n % 60}M",
    "email": lambda n: f"keeper{n % 100}@lighthouse.example",
    "uri": lambda n: f"https://lighthouse.example/{n % 100}",
    "uuid": lambda n: f"00000000-0000-4000-8000-{n:012}",
    "hostname": lambda n: f"lamp{n % 100}.example",
    "ipv4": lambda n: f"192.0.2.{n % 255}",
    "ipv6": lambda n: f"2001:db8::{n % 9999}",
}

Schema = Mapping[str, Any]
Number = int | float


def example(schema: Any, *seed: object) -> Any:
    """A value that follows the schema."""
    return _Maker(schema, Dice(*seed)).make(schema)


def arguments(schema: Schema, *seed: object) -> dict[str, Any]:
    """The arguments of a tool: an object, whatever the schema says."""
    made = example({"type": "object", **schema}, *seed)
    return cast("dict[str, Any]", made) if isinstance(made, dict) else {}


class _Maker:
    """Makes one value."""

    def __init__(self, root: Any, dice: Dice) -> None:
        self._root = root
        self._dice = dice
        self._left = _MOST_VALUES
        self._makers: Mapping[str, Callable[[Schema, int, str], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._text,
            "integer": self._integer,
            "number": self._number,
            "boolean": lambda _spec, _depth, _name: bool(dice.below(2)),
            "null": lambda _spec, _depth, _name: None,
        }

    def make(self, schema: Any, depth: int = 0, name: str = "") -> Any:
        self._left -= 1
        if schema is False or depth > _DEEPEST or self._left < 0:
            return None
        spec = self._resolved(_mapping(schema), depth)
        if "const" in spec:
            return spec["const"]
        if options := _list(spec, "enum"):
            return self._dice.pick(options)
        if "default" in spec and self._dice.below(2):
            return spec["default"]
        for key in ("anyOf", "oneOf"):
            if branches := _list(spec, key):
                return self.make(_merged(_without(spec, key), self._branch(branches, depth)), depth + 1, name)
        return self._makers.get(self._kind(spec), self._text)(spec, depth, name)

    def _branch(self, branches: list[Any], depth: int) -> Any:
        """One of several schemas; deep inside the plainest, so that there is an end."""
        if depth < _DEEP:
            return self._dice.pick(branches)
        flat = [branch for branch in branches if not {"$ref", "properties", "items"} & set(_mapping(branch))]
        return (flat or branches)[0]

    def _resolved(self, schema: Schema, depth: int) -> Schema:
        """The schema with its references and its allOf put in."""
        for _ in range(_DEEPEST):
            self._left -= 1
            if isinstance(reference := schema.get("$ref"), str):
                schema = _merged(self._lookup(reference), _without(schema, "$ref"))
            elif (parts := _list(schema, "allOf")) and depth <= _DEEPEST and self._left > 0:
                schema = _without(schema, "allOf")
                for part in parts:
                    schema = _merged(schema, self._resolved(_mapping(part), depth + 1))
            else:
                break
        return schema

    def _lookup(self, reference: str) -> Schema:
        found: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            found = _mapping(found).get(step.replace("~1", "/").replace("~0", "~"))
        return _mapping(found)

    def _kind(self, spec: Schema) -> str:
        kind = spec.get("type")
        if kinds := _list(spec, "type"):
            kind = self._dice.pick(kinds)
        if isinstance(kind, str):
            return kind
        implied = {"properties": "object", "items": "array", "minimum": "number", "maximum": "number"}
        return next((implied[name] for name in implied if name in spec), "string")

    def _object(self, spec: Schema, depth: int, name: str) -> dict[str, Any]:
        properties, required = _mapping(spec.get("properties")), _list(spec, "required")
        made = {
            key: self.make(inner, depth + 1, key)
            for key, inner in properties.items()
            if key in required or (depth < _DEEP and self._dice.below(2))
        }
        others = spec.get("additionalProperties", True)
        missing = [key for key in required if isinstance(key, str) and key not in properties]
        if isinstance(others, Mapping) and not properties and depth < _DEEP:
            missing.append("first")
        return {**made, **{key: self.make(others, depth + 1, key) for key in missing}}

    def _array(self, spec: Schema, depth: int, name: str) -> list[Any]:
        low = _size(spec, "minItems", 0, _MOST_ITEMS)
        high = _size(spec, "maxItems", low + 3, _MOST_ITEMS)
        wanted = low if depth >= _DEEP else low + self._dice.below(max(high - low, 0) + 1)
        given = _list(spec, "prefixItems")
        made: list[Any] = []
        for _ in range(wanted * 8):
            if len(made) == wanted:
                break
            inner = given[len(made)] if len(made) < len(given) else spec.get("items", True)
            value = self.make(inner, depth + 1, name)
            if spec.get("uniqueItems") is not True or value not in made:
                made.append(value)
        return made

    def _text(self, spec: Schema, depth: int, name: str) -> str:
        shape = _BY_FORMAT.get(str(spec.get("format")))
        if shape:
            return shape(self._dice.below(1000))
        said = self._dice.pick(_BY_NAME.get(name.lower(), _WORDS))
        low = _size(spec, "minLength", 0, _MOST_CHARS)
        while len(said) < low:
            said += " " + self._dice.pick(_WORDS)
        return said[: max(low, _size(spec, "maxLength", _MOST_CHARS, _MOST_CHARS))]

    def _integer(self, spec: Schema, depth: int, name: str) -> int:
        lows = [math.ceil(bound) for bound in _given(spec, "minimum")]
        lows += [math.floor(bound) + 1 for bound in _given(spec, "exclusiveMinimum")]
        highs = [math.floor(bound) for bound in _given(spec, "maximum")]
        highs += [math.ceil(bound) - 1 for bound in _given(spec, "exclusiveMaximum")]
        low, high = _range(lows, highs)
        step = max(1, math.ceil(next(iter(_given(spec, "multipleOf")), 1)))
        first, last = -(-int(low) // step), int(high) // step
        return (first + self._dice.below(max(last - first, 0) + 1)) * step

    def _number(self, spec: Schema, depth: int, name: str) -> Number:
        lows = [*_given(spec, "minimum"), *_given(spec, "exclusiveMinimum")]
        low, high = _range(lows, [*_given(spec, "maximum"), *_given(spec, "exclusiveMaximum")])
        step = next((step for step in _given(spec, "multipleOf") if step > 0), None)
        if step is None:
            return low if low == high else low + (high - low) * (1 + self._dice.below(15)) / 16
        first, last = math.ceil(low / step), math.floor(high / step)
        inside = max(last - first - 1, 1)
        return round((first + (1 if last - first > 1 else 0) + self._dice.below(inside)) * step, 9)


def _range(lows: Sequence[Number], highs: Sequence[Number]) -> tuple[Number, Number]:
    low = max(lows, default=min(highs, default=101) - 100)
    return low, max(low, min(highs, default=low + 100))


def _mapping(value: Any) -> Schema:
    return cast("Schema", value) if isinstance(value, Mapping) else {}


def _list(spec: Schema, name: str) -> list[Any]:
    found = spec.get(name)
    return cast("list[Any]", found) if isinstance(found, list) else []  # type: ignore[redundant-cast]


def _given(spec: Schema, name: str) -> list[Number]:
    """The number of this name, if there is one: not a truth value, and not without end."""
    found = spec.get(name)
    if isinstance(found, bool) or not isinstance(found, Number) or not abs(found) <= _MOST_NUMBER:
        return []
    return [found]


def _size(spec: Schema, name: str, default: int, most: int) -> int:
    return max(0, min(int(next(iter(_given(spec, name)), default)), most))


def _without(schema: Schema, name: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != name}


def _merged(first: Schema, second: Any) -> dict[str, Any]:
    """Both at once: properties and required names add up, the rest of `second` wins."""
    made = {**first, **_mapping(second)}
    properties = {**_mapping(first.get("properties")), **_mapping(_mapping(second).get("properties"))}
    required = [*_list(first, "required"), *_list(_mapping(second), "required")]
    return {
        **made,
        **({"properties": properties} if properties else {}),
        **({"required": required} if required else {}),
    }

"""JSON values that follow a JSON schema, by seed: the arguments of tool calls and replies of a given shape.

Understood: type, const, enum, default, properties, required, additionalProperties, items, prefixItems, bounds of numbers, texts
and arrays, uniqueItems, multipleOf, the common formats, anyOf, oneOf, allOf, and references within the document.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

from attrs import evolve, frozen

from agentkit.sim.text import Dice

_DEEP = 5
"""From here on only what is required is made."""
_DEEPEST = 40
_MOST_ITEMS = 64
_MOST_CHARS = 4096

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


@frozen
class _Place:
    """Where in the document a value is made."""

    root: Schema
    dice: Dice
    depth: int = 0
    name: str = ""

    def inside(self, name: str = "") -> _Place:
        return evolve(self, depth=self.depth + 1, name=name or self.name)


def example(schema: Schema, *seed: object) -> Any:
    """A value that follows the schema."""
    return _make(schema, _Place(schema, Dice(*seed)))


def arguments(schema: Schema, *seed: object) -> dict[str, Any]:
    """The arguments of a tool: an object, whatever the schema says."""
    made = example({"type": "object", **schema}, *seed)
    return cast("dict[str, Any]", made) if isinstance(made, dict) else {}


def _make(schema: Any, place: _Place) -> Any:
    if not isinstance(schema, Mapping) or place.depth > _DEEPEST:
        return None if schema is False or place.depth > _DEEPEST else place.dice.pick(_WORDS)
    spec = _resolved(cast("Schema", schema), place)
    if "const" in spec:
        return spec["const"]
    if _filled(spec, "enum"):
        return place.dice.pick(spec["enum"])
    if "default" in spec and place.dice.below(2):
        return spec["default"]
    for name in ("anyOf", "oneOf"):
        if _filled(spec, name):
            return _make(
                _merged({key: value for key, value in spec.items() if key != name}, _branch(spec[name], place)),
                place.inside(),
            )
    return _MAKERS.get(_kind(spec, place.dice), _text)(spec, place)


def _filled(spec: Schema, name: str) -> bool:
    return isinstance(spec.get(name), list) and bool(spec[name])


def _branch(branches: list[Any], place: _Place) -> Any:
    """One of several schemas; deep inside the plainest, so that it ends."""
    if place.depth < _DEEP:
        return place.dice.pick(branches)
    flat = [
        branch
        for branch in branches
        if isinstance(branch, Mapping) and "$ref" not in branch and "properties" not in branch
    ]
    return (flat or branches)[0]


def _resolved(schema: Schema, place: _Place) -> Schema:
    """The schema with its references and its allOf put in."""
    for _ in range(_DEEPEST):
        if isinstance(schema.get("$ref"), str):
            own = {key: value for key, value in schema.items() if key != "$ref"}
            schema = _merged(_lookup(schema["$ref"], place.root), own)
        elif _filled(schema, "allOf"):
            parts = schema["allOf"]
            schema = {key: value for key, value in schema.items() if key != "allOf"}
            for part in parts:
                schema = _merged(
                    schema, _resolved(part, place) if isinstance(part, Mapping) and "$ref" in part else part
                )
        else:
            break
    return schema


def _lookup(reference: str, root: Schema) -> Schema:
    found: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            key = step.replace("~1", "/").replace("~0", "~")
            found = cast("Schema", found).get(key) if isinstance(found, Mapping) else None
    return cast("Schema", found) if isinstance(found, Mapping) else {}


def _merged(first: Schema, second: Any) -> dict[str, Any]:
    """Both at once: properties and required names add up, the rest of `second` wins."""
    made = dict(first)
    for key, value in cast("Schema", second).items() if isinstance(second, Mapping) else ():
        if key == "properties" and isinstance(made.get(key), Mapping):
            made[key] = {**made[key], **value}
        elif key == "required" and isinstance(made.get(key), list):
            made[key] = [*made[key], *value]
        else:
            made[key] = value
    return made


def _kind(spec: Schema, dice: Dice) -> str:
    kind = spec.get("type")
    if isinstance(kind, list) and kind:
        kind = dice.pick(cast("list[Any]", kind))
    if isinstance(kind, str):
        return kind
    for name, implied in (("properties", "object"), ("items", "array"), ("minimum", "number"), ("maximum", "number")):
        if name in spec:
            return implied
    return "string"


def _object(spec: Schema, place: _Place) -> dict[str, Any]:
    properties = cast("Schema", spec.get("properties") or {})
    required = cast("list[str]", spec.get("required") or [])
    made = {
        name: _make(inner, place.inside(name))
        for name, inner in properties.items()
        if name in required or (place.depth < _DEEP and place.dice.below(2))
    }
    free = spec.get("additionalProperties", True)
    for name in required:
        if name not in made:
            made[name] = _make(free, place.inside(name))
    if isinstance(free, Mapping) and not properties and place.depth < _DEEP:
        made["first"] = _make(free, place.inside("first"))
    return made


def _array(spec: Schema, place: _Place) -> list[Any]:
    low = min(int(spec.get("minItems", 0)), _MOST_ITEMS)
    high = min(int(spec.get("maxItems", low + 3)), _MOST_ITEMS)
    wanted = low if place.depth >= _DEEP else low + place.dice.below(max(high - low, 0) + 1)
    given = cast("list[Any]", spec.get("prefixItems") or [])
    made: list[Any] = []
    for tried in range(wanted * 8):
        if len(made) == wanted:
            break
        inner = given[len(made)] if len(made) < len(given) else spec.get("items", True)
        value = _make(inner, place.inside())
        if value not in made or not spec.get("uniqueItems") or tried > wanted * 7:
            made.append(value)
    return made


def _text(spec: Schema, place: _Place) -> str:
    shape = _BY_FORMAT.get(str(spec.get("format")))
    if shape:
        return shape(place.dice.below(1000))
    said = place.dice.pick(_BY_NAME.get(place.name.lower(), _WORDS))
    low = min(int(spec.get("minLength", 0)), _MOST_CHARS)
    while len(said) < low:
        said += " " + place.dice.pick(_WORDS)
    high = int(spec.get("maxLength", _MOST_CHARS))
    return said[: max(high, 0)] if len(said) > high else said


def _bounds(spec: Schema, step: float) -> tuple[float, float]:
    """The lowest and the highest value allowed; `step` keeps away from an exclusive bound."""
    lows = [spec["minimum"]] if "minimum" in spec else []
    highs = [spec["maximum"]] if "maximum" in spec else []
    for name, found, sign in (("exclusiveMinimum", lows, 1), ("exclusiveMaximum", highs, -1)):
        bound = spec.get(name)
        if isinstance(bound, int | float) and not isinstance(bound, bool):
            found.append(bound + sign * step)
    low = max(lows, default=min(highs, default=101) - 100)
    return low, min(highs, default=low + 100)


def _integer(spec: Schema, place: _Place) -> int:
    step = max(1, math.ceil(spec.get("multipleOf", 1)))
    low, high = _bounds(spec, 1)
    first, last = math.ceil(math.ceil(low) / step), math.floor(math.floor(high) / step)
    return (first + place.dice.below(max(last - first, 0) + 1)) * step


def _number(spec: Schema, place: _Place) -> float:
    if "multipleOf" in spec:
        step = float(spec["multipleOf"])
        low, high = _bounds(spec, step)
        first, last = math.ceil(low / step), math.floor(high / step)
        return (first + place.dice.below(max(last - first, 0) + 1)) * step
    low, high = _bounds(spec, 0)
    return low + (high - low) * (1 + place.dice.below(15)) / 16


_MAKERS: Mapping[str, Callable[[Schema, _Place], Any]] = {
    "object": _object,
    "array": _array,
    "string": _text,
    "integer": _integer,
    "number": _number,
    "boolean": lambda _, place: bool(place.dice.below(2)),
    "null": lambda _, place: None,
}

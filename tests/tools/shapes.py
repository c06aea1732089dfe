"""Hints by chance, with JSON values that may fit them: the schema and the converter are held to each other."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Optional, TypedDict, Union
from uuid import UUID

import attrs
from hypothesis import strategies as st

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "red", "green", "a", "b", "x", "1", "2", "2.50", "-0", "1\n", "1.", "٣"])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcxy"), inner, max_size=3),
    max_leaves=6,
)


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Word(StrEnum):
    A = "a"
    B = "b"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(Enum):
    NONE = None
    TRUE = True
    TWO = 2
    TEXT = "x"


@attrs.frozen
class Node:
    """Holds itself."""

    a: int
    b: list[Node] = attrs.field(factory=list)


@attrs.frozen
class Left:
    """Fits whatever `Right` fits."""

    child: Left | Right | int


@attrs.frozen
class Right:
    child: Left | Right | int


@dataclasses.dataclass
class Tree:
    a: dict[str, Tree] = dataclasses.field(default_factory=dict)
    b: int | Tree | None = None


def _dated(text: str, choices: str) -> st.SearchStrategy[str]:
    """Such a text, or nearly one."""
    changed = st.tuples(st.integers(0, len(text) - 1), st.sampled_from(choices)).map(
        lambda change: text[: change[0]] + change[1] + text[change[0] + 1 :]
    )
    return st.just(text) | changed | st.sampled_from([text[:-1], text + "0", text + "\n", " " + text, text.lower()])


CHARS = "0123456789-:.TZtz+ /"
DATETIMES = (
    _dated("2031-12-29T23:59:59Z", CHARS)
    | _dated("2024-02-29T00:00:00.123456+01:00", CHARS)
    | _dated("1999-01-01T10:00:00-23:59", CHARS)
    | st.datetimes().map(lambda it: it.isoformat() + "Z")
    | st.just("2031-01-01T10:00:00")
)
DATES = _dated("2024-02-29", CHARS) | st.dates().map(str) | st.just("20240229")
TIMES = _dated("23:59:59.123", CHARS) | _dated("08:30", CHARS) | st.times().map(lambda it: it.isoformat())
UUIDS = (
    st.uuids().map(str) | _dated("c4f6a0de-0000-4000-8000-00000000000F", "0g-{}") | st.uuids().map(lambda it: it.hex)
)

LEAVES: Mapping[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=4),
    bool: st.booleans(),
    int: st.integers() | st.integers(-5, 5).map(float) | st.floats(-3, 3),
    float: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70),
    None: st.none(),
    Any: JSON,
    datetime: DATETIMES,
    date: DATES,
    time: TIMES,
    UUID: UUIDS,
    Path: st.text(max_size=4),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False).map(str) | st.integers() | st.floats(-9, 9),
    Colour: st.sampled_from(["red", "green", "blue"]),
    Word: st.sampled_from(["a", "b", "c"]),
    Level: st.sampled_from([1, 2, 2.0, 3, True]),
    Mixed: st.sampled_from([None, True, 1, 2, "x", False]),
    Literal["a", 1, True, None]: st.sampled_from(["a", 1, 1.0, True, None, "b", False]),
    Literal[Colour.RED, "green"]: st.sampled_from(["red", "green"]),
}
HASHABLE = [hint for hint in LEAVES if hint is not Any]


@st.composite
def _nodes(draw: st.DrawFn, depth: int = 3) -> Any:
    made: dict[str, Any] = {"a": draw(st.integers() | JSON)}
    if depth and draw(st.booleans()):
        made["b"] = draw(st.lists(_nodes(depth - 1), max_size=2))
    return made


@st.composite
def _trees(draw: st.DrawFn, depth: int = 3) -> Any:
    made: dict[str, Any] = {}
    if depth and draw(st.booleans()):
        made["a"] = draw(st.dictionaries(st.sampled_from("xy"), _trees(depth - 1), max_size=2))
    if draw(st.booleans()):
        made["b"] = draw(_trees(depth - 1) if depth else JSON)
    return made


Pair = tuple[Any, st.SearchStrategy[Any]]


@st.composite
def pairs(draw: st.DrawFn, depth: int = 2) -> Pair:
    """A hint, and values for it."""
    kind = draw(st.sampled_from(_KINDS if depth else ["leaf"]))
    hint, values = _MAKERS[kind](draw, depth)
    return hint, values | JSON


def _leaf(draw: st.DrawFn, depth: int) -> Pair:
    hint = draw(st.sampled_from(list(LEAVES)))
    return hint, LEAVES[hint]


def _list(draw: st.DrawFn, depth: int) -> Pair:
    hint, values = draw(pairs(depth - 1))
    made = draw(st.sampled_from([list[hint], typing.List[hint], typing.Sequence[hint], tuple[hint, ...]]))  # noqa: UP006
    return made, st.lists(values, max_size=3)


def _set(draw: st.DrawFn, depth: int) -> Pair:
    hint = draw(st.sampled_from(HASHABLE))
    return draw(st.sampled_from([set[hint], frozenset[hint]])), st.lists(LEAVES[hint], max_size=3)


def _row(draw: st.DrawFn, depth: int) -> Pair:
    items = draw(st.lists(pairs(depth - 1), min_size=1, max_size=3))
    values = st.tuples(*(values for _, values in items)).map(list)
    return tuple[tuple(hint for hint, _ in items)], values | st.lists(JSON, max_size=3)  # type: ignore[misc]


def _table(draw: st.DrawFn, depth: int) -> Pair:
    hint, values = draw(pairs(depth - 1))
    return dict[str, hint], st.dictionaries(st.text(max_size=2), values, max_size=3)  # type: ignore[valid-type]


def _union(draw: st.DrawFn, depth: int) -> Pair:
    options = draw(st.lists(pairs(depth - 1), min_size=2, max_size=3))
    return Union[tuple(hint for hint, _ in options)], st.one_of(*(values for _, values in options))  # noqa: UP007 - the number of options is not known


def _optional(draw: st.DrawFn, depth: int) -> Pair:
    hint, values = draw(pairs(depth - 1))
    return Optional[hint], st.none() | values  # noqa: UP045 - a hint may be a text


def _annotated(draw: st.DrawFn, depth: int) -> Pair:
    hint, values = draw(pairs(depth - 1))
    return Annotated[hint, "said of it", 5], values


def _record(draw: st.DrawFn, depth: int) -> Pair:
    fields = {name: draw(pairs(depth - 1)) for name in draw(st.sets(st.sampled_from("abc"), max_size=3))}
    optional = {name: draw(st.booleans()) for name in fields}
    hints = {name: hint for name, (hint, _) in fields.items()}
    kind = _CLASSES[draw(st.sampled_from(list(_CLASSES)))](hints, optional)
    given = {name: values for name, (_, values) in fields.items()}
    needed = {name: values for name, values in given.items() if not optional[name]}
    others = {name: values for name, values in given.items() if optional[name]}
    return kind, st.fixed_dictionaries(needed, optional=others) | st.fixed_dictionaries(
        {}, optional={**given, "x": JSON}
    )


def _itself(draw: st.DrawFn, depth: int) -> Pair:
    return draw(st.sampled_from([(Node, _nodes()), (Tree, _trees())]))


_MAKERS = {
    "leaf": _leaf,
    "list": _list,
    "set": _set,
    "row": _row,
    "table": _table,
    "union": _union,
    "optional": _optional,
    "annotated": _annotated,
    "record": _record,
    "itself": _itself,
}
_KINDS = [*_MAKERS, "leaf", "record", "union"]


def _attrs(hints: Mapping[str, Any], optional: Mapping[str, bool]) -> Any:
    fields = {
        name: attrs.field(
            type=type(None) if hint is None else hint, kw_only=True, default=None if optional[name] else attrs.NOTHING
        )
        for name, hint in hints.items()
    }
    return attrs.make_class("Made", fields)


def _dataclass(hints: Mapping[str, Any], optional: Mapping[str, bool]) -> Any:
    fields = [
        (name, hint, dataclasses.field(default=None) if optional[name] else dataclasses.field())
        for name, hint in hints.items()
    ]
    return dataclasses.make_dataclass("Made", fields, kw_only=True)


def _typed_dict(hints: Mapping[str, Any], optional: Mapping[str, bool]) -> Any:
    fields = {name: NotRequired[hint] if optional[name] else hint for name, hint in hints.items()}
    return TypedDict("Made", fields)  # type: ignore[operator]


def _named_tuple(hints: Mapping[str, Any], optional: Mapping[str, bool]) -> Any:
    ordered = sorted(hints.items(), key=lambda item: optional[item[0]])
    made = NamedTuple("Made", ordered)  # type: ignore[misc]
    made.__new__.__defaults__ = (None,) * sum(optional.values())
    made._field_defaults = {name: None for name, _ in ordered if optional[name]}
    return made


_CLASSES = {"attrs": _attrs, "dataclass": _dataclass, "TypedDict": _typed_dict, "NamedTuple": _named_tuple}

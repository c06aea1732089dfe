"""What arguments look like, as values. The JSON schema and the converter are both made from these, so they agree.

A shape says nothing of where its value goes; a `Field` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, assert_never

from attrs import frozen


@frozen
class Leaf:
    """A value without parts."""

    schema: Mapping[str, Any]
    read: Callable[[Any], Any]
    """The value that a JSON value stands for; raises `ValueError` where it stands for none."""
    words: str


@frozen
class Choice:
    """One of some values: what is written in JSON, and what it stands for."""

    options: tuple[tuple[str | int | float | bool | None, Any], ...]


@frozen
class Items:
    """An array of any length."""

    item: Shape
    into: Callable[[list[Any]], Any]
    hashable: bool = False


@frozen
class Row:
    """An array of a fixed length."""

    items: tuple[Shape, ...]


@frozen
class Table:
    """An object with any keys."""

    value: Shape


@frozen
class Field:
    """One key of an object."""

    name: str
    shape: Shape
    required: bool = True
    about: str = ""
    default: Any = None
    """What is shown of the default, as JSON in a list of one; None where nothing is."""


@frozen
class Record:
    """An object with these keys and no others."""

    name: str
    fields: tuple[Field, ...]
    make: Callable[[dict[str, Any]], Any]
    about: str = ""
    hashable: bool = False


@frozen
class Either:
    """The first of several shapes that fits."""

    options: tuple[Shape, ...]


@frozen
class About:
    """A shape with a word of explanation."""

    shape: Shape
    text: str


@frozen
class Omissible:
    """A value, or null where it is left out: for servers that demand every key."""

    shape: Shape


@frozen
class Foreign:
    """A class of another library, which has a schema and a reader of its own."""

    name: str
    schema: Mapping[str, Any]
    read: Callable[[Any], Any]
    """Raises whatever the library raises."""
    hashable: bool = False


@frozen
class Named:
    """A shape that stands in the definitions, because it holds itself."""

    name: str
    hashable: bool = False


Shape: TypeAlias = Leaf | Choice | Items | Row | Table | Record | Either | About | Omissible | Foreign | Named
Definitions: TypeAlias = Mapping[str, Shape]


@frozen
class Outline:
    """All arguments of a tool, and the shapes that hold themselves."""

    root: Shape
    definitions: Definitions


class LeftOut:
    """Stands for a value that was not given."""


LEFT_OUT = LeftOut()


def is_hashable(shape: Shape) -> bool:
    """Every value of the shape can be in a set."""
    match shape:
        case Leaf():
            return bool(shape.schema)
        case Choice():
            return True
        case Items():
            return shape.hashable and is_hashable(shape.item)
        case Row():
            return all(map(is_hashable, shape.items))
        case Either():
            return all(map(is_hashable, shape.options))
        case Record():
            return shape.hashable and all(is_hashable(field.shape) for field in shape.fields)
        case About() | Omissible():
            return is_hashable(shape.shape)
        case Foreign() | Named():
            return shape.hashable
        case Table():
            return False
        case _:
            assert_never(shape)

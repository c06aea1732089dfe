"""What type checkers make of `wanted`: read by them among the gates, and never run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, NamedTuple, TypedDict, assert_type

from attrs import frozen

from agentkit.structured import Wanted, wanted
from agentkit.tools import Tool


@frozen
class Plan:
    title: str


@dataclass
class Stop:
    where: str


class Film(TypedDict):
    name: str


class Point(NamedTuple):
    x: float


class Colour(Enum):
    RED = "red"


assert_type(wanted(Plan), Wanted[Plan])
assert_type(wanted(Plan).read(""), Plan)
assert_type(wanted(Plan).take({}), Plan)
assert_type(wanted(Plan).as_tool(), Tool[..., str])
assert_type(wanted(Stop).read(""), Stop)
assert_type(wanted(Film).read(""), Film)
assert_type(wanted(Point).read(""), Point)
assert_type(wanted(Colour).read(""), Colour)
assert_type(wanted(str).read(""), str)
assert_type(wanted(int).read(""), int)
assert_type(wanted(list[str]).read(""), list[str])
assert_type(wanted(dict[str, Plan]).read(""), dict[str, Plan])
assert_type(wanted(tuple[int, str]).read(""), tuple[int, str])

choice: Any = wanted(Literal["a", "b"]).read("")
either: Plan | Stop = wanted(Plan | Stop).read("")
maybe: Plan | None = wanted(Plan | None).read("")

"""The ways of asking a backend to go on with a cut reply, as values, and the order in which they are tried."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeAlias, assert_never

from attrs import frozen


@frozen
class Native:
    """The partial reply goes along as the last message, and the backend goes on from it."""

    repeats_prefix: bool | None = None
    """As in the capabilities: the answer begins with the text it continues; None where that is not known."""


@frozen
class Raw:
    """The rendered conversation goes along as one text, and the model goes on from its end."""


@frozen
class Echo:
    """A message of the user asks to go on, and to repeat these last words first."""

    quote: str


@frozen
class Overlap:
    """A message of the user asks to go on; what the model repeats is found without its help."""


Strategy: TypeAlias = Native | Raw | Echo | Overlap

LADDER = ("native", "raw", "echo", "overlap")
"""The best first."""


def strategy_name(strategy: Strategy) -> str:
    """The word for segments and events."""
    match strategy:
        case Native():
            return "native"
        case Raw():
            return "raw"
        case Echo():
            return "echo"
        case Overlap():
            return "overlap"
        case _:
            assert_never(strategy)


def rungs(*, prefix: bool, raw: bool = False, failed: Collection[str] = ()) -> tuple[str, ...]:
    """The strategies that are left for a backend, the best first, by what it can do and by what was seen to fail."""
    can = {"native": prefix, "raw": raw}
    return tuple(name for name in LADDER if can.get(name, True) and name not in failed)

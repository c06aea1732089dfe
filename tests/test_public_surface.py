"""The public names and signatures, against the list that is kept in public_surface.txt.

A change of the surface is a change of that file, seen in review: `python tests/test_public_surface.py` writes it anew.
"""

from __future__ import annotations

import enum
import importlib
import inspect
from pathlib import Path
from typing import Any

import attrs
import pytest

import agentkit

LIST = Path(__file__).parent / "public_surface.txt"
MODULES = ("agentkit", "agentkit.sim", "agentkit.stores", "agentkit.testing", "agentkit.codec", "agentkit.toolbox")


def surface() -> str:
    lines: list[str] = []
    for name in MODULES:
        module = importlib.import_module(name)
        for public in sorted(module.__all__):
            lines += described(f"{name}.{public}", getattr(module, public))
    return "\n".join(lines) + "\n"


def described(name: str, thing: Any) -> list[str]:
    if not inspect.isclass(thing):
        return [f"{name}{signature(thing)}" if callable(thing) and not hasattr(thing, "__args__") else name]
    bases = ", ".join(base.__name__ for base in thing.__bases__ if base is not object)
    lines = [f"class {name}({bases})"]
    if issubclass(thing, enum.Enum):
        return [*lines, *[f"    {member.name} = {member.value!r}" for member in thing]]
    if attrs.has(thing):
        # As they are written: the codec resolves the types that attrs keeps, at its first use.
        written = {
            name: text
            for base in reversed(thing.__mro__)
            for name, text in vars(base).get("__annotations__", {}).items()
        }
        names = [field.name for field in attrs.fields(thing) if not field.name.startswith("_")]
        lines += [f"    {field}: {written[field]}" for field in names]
    elif not issubclass(thing, BaseException) and thing.__init__ is not object.__init__:
        lines.append(f"    __init__{signature(thing.__init__)}")
    own = [base for base in reversed(thing.__mro__) if base is thing or is_private(base)]
    for member, value in sorted({name: value for base in own for name, value in vars(base).items()}.items()):
        if member.startswith("_") or (attrs.has(thing) and member in attrs.fields_dict(thing)):
            continue
        if isinstance(value, property):
            lines.append(f"    {member} (property)")
        elif callable(value) or isinstance(value, classmethod | staticmethod):
            lines.append(f"    {member}{signature(getattr(thing, member))}")
    return lines


def is_private(base: type) -> bool:
    """No public name, but its members are those of a public class."""
    return any(part.startswith("_") for part in (*base.__module__.split("."), base.__name__))


def signature(call: Any) -> str:
    return str(inspect.signature(call)).replace("'", "")


def test_the_surface_is_the_one_on_the_list() -> None:
    assert surface() == LIST.read_text(encoding="utf-8"), "run tests/test_public_surface.py, and review the difference"


def test_every_public_name_resolves_and_nothing_else_does() -> None:
    assert sorted(agentkit.__all__) == sorted(set(agentkit.__all__))
    assert set(agentkit.__all__) <= set(dir(agentkit))
    for name in agentkit.__all__:
        assert getattr(agentkit, name) is not None
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = agentkit.Nonsense  # type: ignore[attr-defined]


if __name__ == "__main__":
    LIST.write_text(surface(), encoding="utf-8")

"""The fields of classes (attrs, dataclass, TypedDict, NamedTuple) and the parameters of functions, in one form."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, NotRequired, Required, get_origin, is_typeddict

import attrs
from attrs import frozen

from agentkit.errors import InvalidInput
from agentkit.tools._json import is_named_tuple

UNKNOWN = object()
"""A default that is not known, or made anew each time."""


@frozen
class Member:
    """A parameter of a function, or a field of a class."""

    name: str
    hint: Any
    required: bool
    default: Any = UNKNOWN
    kind: Literal["parameter", "field"] = "field"


class _Hints:
    """Hints, and the names that they may use."""

    def __init__(self, annotations: dict[str, Any], names: dict[str, Any]) -> None:
        self.__annotations__ = annotations
        self.__globals__ = names


def members_of(kind: Any, where: str) -> list[Member] | None:
    """The fields of a class, as it is given them; None where it is no class with fields.

    Raises:
        InvalidInput: a field has no hint, or one that leads nowhere.
    """
    if not isinstance(kind, type):
        return None
    for is_such, read in _READERS:
        if is_such(kind):
            return read(kind, hints_of(kind, where), where)
    return None


def hints_of(owner: Any, where: str) -> Mapping[str, Any]:
    """The hints of a class or a function.

    Raises:
        InvalidInput: a hint is a text that names nothing.
    """
    names = owner.__globals__ if isinstance(owner, _Hints) else None
    try:
        return typing.get_type_hints(owner, names, include_extras=True)
    except (NameError, AttributeError) as error:
        raise InvalidInput(
            f"{where}: a type hint leads nowhere ({error}); import what it names at the top of the module, "
            "or define it there"
        ) from None
    except (TypeError, SyntaxError) as error:
        raise InvalidInput(f"{where}: a type hint cannot be read ({error})") from None


def _of_attrs(kind: Any, hints: Mapping[str, Any], where: str) -> list[Member]:
    made: list[Member] = []
    for field in attrs.fields(kind):
        if not field.init:
            continue
        name, default = field.alias or field.name, field.default
        hint = _hint(hints.get(field.name, field.type), f"{where}, field {name!r}")
        is_plain = default is not attrs.NOTHING and not isinstance(default, attrs.Factory)  # type: ignore[arg-type]
        made.append(Member(name, hint, default is attrs.NOTHING, default if is_plain else UNKNOWN))
    return made


def _of_dataclass(kind: Any, hints: Mapping[str, Any], where: str) -> list[Member]:
    for name, hint in hints.items():
        if isinstance(hint, dataclasses.InitVar):
            raise InvalidInput(f"{where}, field {name!r}: an InitVar cannot be described; make it a field")
    return [
        Member(
            field.name,
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
            UNKNOWN if field.default is dataclasses.MISSING else field.default,
        )
        for field in dataclasses.fields(kind)
        if field.init
    ]


def _of_typed_dict(kind: Any, hints: Mapping[str, Any], where: str) -> list[Member]:
    return [Member(name, hint, _is_required(kind, name, hint)) for name, hint in hints.items()]


def _is_required(kind: Any, name: str, hint: Any) -> bool:
    """What the hint says goes before what the class says, which cannot read hints that are texts."""
    origin = get_origin(hint)
    return origin is Required or (origin is not NotRequired and name in kind.__required_keys__)


def _of_named_tuple(kind: Any, hints: Mapping[str, Any], where: str) -> list[Member]:
    defaults = kind._field_defaults
    return [
        Member(
            name, _hint(hints.get(name), f"{where}, field {name!r}"), name not in defaults, defaults.get(name, UNKNOWN)
        )
        for name in kind._fields
    ]


_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Mapping[str, Any], str], list[Member]]], ...] = (
    (attrs.has, _of_attrs),
    (dataclasses.is_dataclass, _of_dataclass),
    (is_typeddict, _of_typed_dict),
    (is_named_tuple, _of_named_tuple),
)


def _hint(hint: Any, where: str) -> Any:
    if hint is None:
        raise InvalidInput(
            f"{where}: it has no type hint; say what it is, such as {where.rsplit(' ', 1)[-1][1:-1]}: str"
        )
    return hint


def maker(kind: Any) -> Callable[[dict[str, Any]], Any]:
    """What makes an instance of the values of its fields by name."""
    return dict if is_typeddict(kind) else lambda values: kind(**values)


def can_hash(kind: Any) -> bool:
    """Instances of the class can be in a set, if their fields can."""
    return isinstance(kind, type) and not is_typeddict(kind) and kind.__hash__ is not None  # pyright: ignore[reportUnnecessaryComparison]


def about(kind: Any) -> str:
    """What is written of the class; not what dataclasses and NamedTuple write of themselves."""
    inherited = any(kind.__doc__ is base.__doc__ for base in kind.__mro__[1:])
    return "" if inherited or kind.__doc__ is None or kind.__doc__.startswith(f"{kind.__name__}(") else kind.__doc__


# --- functions


def parameters_of(function: Callable[..., Any], where: str, *, skip: int = 0) -> list[Member]:
    """The parameters of whatever can be called, without the first few, and without those that a partial fills.

    Raises:
        InvalidInput: they cannot be given by name, have no hints, or are not known.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise InvalidInput(f"{where}: its parameters are not known; wrap it in a function of yours") from None
    hints = hints_of(_annotated(function), where)
    filled: Mapping[str, Any] = function.keywords if isinstance(function, functools.partial) else {}
    taken = [each for each in [*signature.parameters.values()][skip:] if each.name not in filled]
    return [_parameter(each, hints, f"{where}, parameter {each.name!r}") for each in taken]


def _annotated(function: Any) -> Any:
    """What has the hints, without that of the result: it may name what is imported for type checkers only."""
    while isinstance(function, functools.partial):
        function = function.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    holder = inspect.unwrap(function if inspect.isroutine(function) else type(function).__call__)
    hints = {name: hint for name, hint in getattr(holder, "__annotations__", {}).items() if name != "return"}
    return _Hints(hints, getattr(holder, "__globals__", {}))


def _parameter(given: inspect.Parameter, hints: Mapping[str, Any], where: str) -> Member:
    if given.kind in (given.VAR_POSITIONAL, given.VAR_KEYWORD):
        raise InvalidInput(f"{where}: a model fills parameters by name; take a list or a dict in place of {given}")
    if given.kind is given.POSITIONAL_ONLY:
        raise InvalidInput(f"{where}: a model fills parameters by name; take the / out of the signature")
    if given.name == "cls" and "cls" not in hints:
        raise InvalidInput(f"{where}: make a tool of the bound class method instead, as in tool(Thing.method)")
    required = given.default is given.empty
    hint = _hint(hints.get(given.name), where)
    return Member(given.name, hint, required, UNKNOWN if required else given.default, "parameter")

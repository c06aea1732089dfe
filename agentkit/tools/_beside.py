"""What stands beside a type in `Annotated`: texts, and limits of other libraries, none of which is imported here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

_NO_LIMITS = frozenset(
    {"Unit", "Strict", "FailFast", "Discriminator", "Tag", "PlainSerializer", "WrapSerializer", "SkipValidation"}
)
"""What refuses nothing that is taken here, by the names of its classes."""
_BOUNDS_OF_MSGSPEC = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz")


def words(mark: Any) -> str:
    """What it says of a parameter: as a text, or as the description of pydantic, msgspec and `Doc`."""
    if isinstance(mark, str):
        return mark
    described = is_field(mark) or _is(mark, "msgspec", "Meta")
    said: object = getattr(mark, "description" if described else "documentation", None)
    return said if isinstance(said, str) else ""


def limits(mark: Any) -> Iterator[str]:
    """What it would have checked, each as it is written."""
    if is_field(mark):
        yield from _limits_of(mark.metadata)
    elif _is(mark, "annotated_types", "GroupedMetadata"):
        yield from _limits_of(mark)
    elif _is(mark, "msgspec", "Meta"):
        given = ((name, getattr(mark, name)) for name in _BOUNDS_OF_MSGSPEC)
        yield from (f"{name}={value!r}" for name, value in given if value is not None)
    elif _checks(mark):
        yield repr(mark)


def is_field(mark: Any) -> bool:
    """What `pydantic.Field(...)` makes."""
    return _is(mark, "pydantic", "FieldInfo")


def checks_itself(made: Any) -> bool:
    """A dataclass of pydantic, or a function under its `validate_call`: it checks what it is given."""
    return hasattr(made, "raw_function") or (isinstance(made, type) and "__pydantic_validator__" in vars(made))


def _limits_of(marks: Iterable[Any]) -> Iterator[str]:
    for each in marks:
        yield from limits(each)


def _checks(mark: Any) -> bool:
    kind: Any = mark if isinstance(mark, type) else type(mark)
    if kind.__name__ in _NO_LIMITS:
        return False
    return (
        _is(mark, "annotated_types", "BaseMetadata")
        or _is(mark, "pydantic", "PydanticMetadata")
        or hasattr(kind, "__get_pydantic_core_schema__")
    )


def _is(mark: Any, library: str, name: str) -> bool:
    """It is an instance of this class, wherever in the library that stands."""
    return any(each.__name__ == name and each.__module__.partition(".")[0] == library for each in type(mark).__mro__)

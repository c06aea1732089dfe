"""What values are, in a way that type checkers follow; there is no telling what is in a list of a stranger."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, TypeGuard


def is_array(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def is_set(value: object) -> TypeGuard[Set[Any]]:
    return isinstance(value, Set)


def is_sequence(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    return isinstance(value, list | tuple)


def is_named_tuple(kind: Any) -> bool:
    return tuple in kind.__mro__ and hasattr(kind, "_fields")

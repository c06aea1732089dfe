"""Models of pydantic and structs of msgspec, which bring a schema and a reader. Neither is imported before its use."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from agentkit.tools._json import is_array, is_object

_DEFINED = "#/$defs/"


def is_foreign(kind: Any) -> bool:
    """A class of one of the two."""
    return isinstance(kind, type) and (hasattr(kind, "model_json_schema") or hasattr(kind, "__struct_fields__"))


def schema_and_reader(kind: Any) -> tuple[Mapping[str, Any], Any]:
    """The schema that the library makes of the class, and what reads a JSON value into it."""
    if hasattr(kind, "model_json_schema"):
        return kind.model_json_schema(), kind.model_validate
    library: Any = importlib.import_module("msgspec")
    return library.json.schema(kind), partial(library.convert, type=kind)


def parted(schema: Mapping[str, Any], name: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The schema without its own definitions, and these under names that no other class has."""
    definitions = {f"{name}.{key}": _renamed(value, name) for key, value in schema.get("$defs", {}).items()}
    rest = _renamed({key: value for key, value in schema.items() if key != "$defs"}, name)
    if rest.keys() == {"$ref"}:  # servers look for an object at the top
        rest = definitions[rest["$ref"].removeprefix(_DEFINED)]
    return rest, definitions


def _renamed(value: Any, name: str) -> Any:
    if is_array(value):
        return [_renamed(item, name) for item in value]
    if not is_object(value):
        return value
    return {key: _reference(key, item, name) for key, item in value.items()}


def _reference(key: str, value: Any, name: str) -> Any:
    if key == "$ref" and isinstance(value, str) and value.startswith(_DEFINED):
        return f"{_DEFINED}{name}.{value.removeprefix(_DEFINED)}"
    return _renamed(value, name)

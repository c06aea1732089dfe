"""Shapes to JSON schema, draft 2020-12; and to shapes of which every key is demanded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from attrs import evolve

from agentkit.errors import Unsupported
from agentkit.tools._leaves import ANYTHING, NULL
from agentkit.tools._shapes import (
    About,
    Choice,
    Either,
    Field,
    Foreign,
    Items,
    Leaf,
    Named,
    Omissible,
    Outline,
    Record,
    Row,
    Shape,
    Table,
)

Schema = dict[str, Any]


def schema_of(outline: Outline) -> Schema:
    """The schema of all arguments."""
    made = _schema(_opened(outline))
    made.pop("description", None)  # it is that of the tool
    definitions = {name: _schema(shape) for name, shape in outline.definitions.items()}
    return {**made, "$defs": definitions} if definitions else made


def _opened(outline: Outline) -> Shape:
    """The shape of all arguments itself, also where it holds itself: servers look for an object at the top."""
    return outline.definitions[outline.root.name] if isinstance(outline.root, Named) else outline.root


def _schema(shape: Shape) -> Schema:  # noqa: C901 - one arm for each shape
    match shape:
        case Leaf():
            return dict(shape.schema)
        case Choice():
            return _choice([value for value, _ in shape.options])
        case Items():
            item = _schema(shape.item)
            return {"type": "array", "items": item} if item else {"type": "array"}
        case Row():
            return _row(shape)
        case Table():
            value = _schema(shape.value)
            return {"type": "object", "additionalProperties": value} if value else {"type": "object"}
        case Record():
            return _record(shape)
        case Either():
            return _either([_schema(option) for option in shape.options])
        case About():
            return {**_schema(shape.shape), "description": shape.text}
        case Omissible():
            return _schema(Either((shape.shape, NULL)))
        case Foreign():
            return dict(shape.schema)
        case Named():
            return {"$ref": f"#/$defs/{shape.name}"}
        case _:
            assert_never(shape)


_KINDS: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def _choice(values: list[Any]) -> Schema:
    kinds = {_KINDS[type(value)] for value in values}
    return {"type": kinds.pop(), "enum": values} if len(kinds) == 1 else {"enum": values}


def _row(shape: Row) -> Schema:
    size = len(shape.items)
    items = [_schema(item) for item in shape.items]
    return {"type": "array", "prefixItems": items, "minItems": size, "maxItems": size}


def _record(shape: Record) -> Schema:
    made: Schema = {"type": "object"}
    if shape.about:
        made["description"] = shape.about
    made["properties"] = {field.name: _field(field) for field in shape.fields}
    required = [field.name for field in shape.fields if field.required]
    if required:
        made["required"] = required
    return {**made, "additionalProperties": False}


def _field(field: Field) -> Schema:
    made = _schema(field.shape)
    if field.about:
        made["description"] = field.about
    if field.default is not None:
        made["default"] = field.default[0]
    return made


def _either(options: Sequence[Schema]) -> Schema:
    """Plain types as a list of types, which every reader of schemas understands."""
    if all(option.keys() == {"type"} for option in options):
        kinds = [kind for option in options for kind in _kinds(option["type"])]
        return {"type": list(dict.fromkeys(kinds))}
    return {"anyOf": list(options)}


def _kinds(of_option: str | list[str]) -> list[str]:
    return of_option if isinstance(of_option, list) else [of_option]


def strict_outline(outline: Outline) -> Outline:
    """The same arguments for servers that demand every key: null stands for what is left out.

    Raises:
        Unsupported: an object may have any keys, or a value any type.
    """
    definitions = {name: _strict(shape, name) for name, shape in outline.definitions.items()}
    return Outline(_strict(outline.root, "$"), definitions)


def _strict(shape: Shape, where: str) -> Shape:
    match shape:
        case Leaf() if shape is ANYTHING:
            raise Unsupported(f"{where}: a strict schema cannot say that a value may be anything")
        case Leaf() | Choice() | Named() | Omissible():
            return shape
        case Items():
            return evolve(shape, item=_strict(shape.item, where))
        case Row():
            return Row(tuple(_strict(item, where) for item in shape.items))
        case Record():
            return _strict_record(shape, where)
        case Either():
            return Either(tuple(_strict(option, where) for option in shape.options))
        case About():
            return About(_strict(shape.shape, where), shape.text)
        case Table():
            raise Unsupported(f"{where}: a strict schema has no objects with any keys; use a class with fields")
        case Foreign():
            raise Unsupported(f"{where}: the schema of {shape.name} is not ours, so it cannot be made strict")
        case _:
            assert_never(shape)


def _strict_record(record: Record, where: str) -> Record:
    fields = tuple(_strict_field(field, f"{where}.{field.name}") for field in record.fields)
    return evolve(record, fields=fields)


def _strict_field(field: Field, where: str) -> Field:
    shape = _strict(field.shape, where)
    if field.required:
        return evolve(field, shape=shape)
    return evolve(field, shape=shape if _takes_null(shape) else Omissible(shape), required=True, default=None)


def _takes_null(shape: Shape) -> bool:
    match shape:
        case About():
            return _takes_null(shape.shape)
        case Either():
            return any(map(_takes_null, shape.options))
        case Choice():
            return any(value is None for value, _ in shape.options)
        case _:
            return shape is NULL

"""Tool definitions as gpt-oss models read them: types of TypeScript, made from a JSON schema as harmony makes them.

The text need not be right as TypeScript; it must be the one that the model is given, so that its tokens are counted.
Values of a wrong type in a schema are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from agentkit.tokens import ToolShape

Schema: TypeAlias = Mapping[str, Any]


def namespace(tools: Sequence[ToolShape]) -> str:
    """The section that describes the tools."""
    return f"# Tools\n\n## functions\n\nnamespace functions {{\n\n{''.join(map(_tool, tools))}}} // namespace functions"


def _tool(tool: ToolShape) -> str:
    lines = tool.description.removesuffix("\n").split("\n") if tool.description else []
    about = "".join(f"// {line}\n" for line in lines)
    shape = f"_: {_type(tool.parameters, '')}"
    return f"{about}type {tool.name} = ({shape}) => any;\n\n"


def _type(schema: Schema, indent: str) -> str:
    match schema:
        case {"oneOf": list()}:
            return "".join(f"\n{line}" for line in _variants(_items(schema, "oneOf"), indent))
        case {"type": list()}:
            return " | ".join(map(_plain, _texts(schema, "type"))) or "any"
        case {"type": "object"}:
            return _object(schema, indent)
        case {"type": "array", "items": items}:
            return f"{_type(_schema(items), indent)}[]"
        case {"type": "array"}:
            return "Array<any>"
        case {"type": "string", "enum": list()}:
            return " | ".join(f'"{word}"' for word in _texts(schema, "enum")) or "string"
        case {"type": "string" | "number" | "boolean" | "integer" as name}:
            return _plain(name)
        case _:
            return "any"


def _plain(name: str) -> str:
    return "number" if name == "integer" else name


def _schema(value: object) -> Schema:
    return cast("Schema", value) if isinstance(value, Mapping) else {}


def _items(schema: Schema, key: str) -> Sequence[object]:
    """The list under this key; empty where there is none."""
    value = schema.get(key)
    return cast("list[object]", value) if isinstance(value, list) else ()


def _texts(schema: Schema, key: str) -> list[str]:
    return [item for item in _items(schema, key) if isinstance(item, str)]


def _nullable(schema: Schema, indent: str) -> str:
    made = _type(schema, indent)
    return f"{made} | null" if schema.get("nullable") is True and "null" not in made else made


def _object(schema: Schema, indent: str) -> str:
    about = schema.get("description")
    lines = [f"{indent}// {about}\n"] if isinstance(about, str) else []
    lines.append("{\n")
    for name, value in _schema(schema.get("properties")).items():
        field, mark = _schema(value), "" if name in _items(schema, "required") else "?"
        lines += (f"{indent}{line}\n" for line in _comments(field))
        if _is_choice(field):
            lines.append(f"{indent}{name}{mark}:\n")
            lines += (f"{line}\n" for line in _variants(_items(field, "oneOf"), indent, field))
            lines.append(f"{indent},\n")
        else:
            note = f" // {_default(field)}" if "default" in field else ""
            lines.append(f"{indent}{name}{mark}: {_nullable(field, indent + '    ')},{note}\n")
    return "".join([*lines, indent, "}"])


def _is_choice(field: Schema) -> bool:
    return isinstance(field.get("oneOf"), list)


def _comments(field: Schema) -> Iterator[str]:
    if isinstance(title := field.get("title"), str):
        yield f"// {title}"
        yield "//"
    about = [f"// {text}"] if isinstance(text := field.get("description"), str) else []
    if not _is_choice(field):
        yield from about
    if _items(field, "examples"):
        yield "// Examples:"
        yield from (f'// - "{example}"' for example in _texts(field, "examples"))
    if _is_choice(field):
        first = _schema(next(iter(_items(field, "oneOf")), None))
        yield from about if first.get("description") != text else ()
        if "default" in field:
            yield f"// {_default(field)}"


def _variants(variants: Sequence[object], indent: str, field: Schema | None = None) -> Iterator[str]:
    """One line each; what was said of the field is not said again."""
    about = field.get("description") if field is not None else None
    for place, value in enumerate(variants):
        variant = _schema(value)
        notes: list[str] = []
        said = variant.get("description")
        if isinstance(said, str) and said != about and not (place == 0 and isinstance(about, str)):
            notes.append(said)
        if "default" in variant:
            notes.append(_default(variant, bare=field is not None))
        note = f" // {' '.join(notes)}" if notes else ""
        yield f"{indent} | {_nullable(variant, indent + '   ')}{note}"


def _default(schema: Schema, *, bare: bool = True) -> str:
    """`bare`: one word of several is written without quotation marks."""
    is_word = bool(_items(schema, "enum"))
    match schema["default"]:
        case str(value) if is_word and bare:
            return f"default: {value}"
        case str(value) if not is_word:
            return f'default: "{value}"'
        case value:
            return f"default: {_json(value)}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)

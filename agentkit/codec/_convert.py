"""The classes of values, their tags, and the converters that take them to plain JSON values and back.

A tag belongs to the format, not to the class: renaming a class changes nothing here. A default that is left out of a
document is part of the format too, so it may change only together with the version of the document.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache, partial
from typing import Any, Literal, TypeAlias, cast, get_args, get_origin

import attrs
from cattrs import Converter, override
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from agentkit import messages, store
from agentkit.codec._json import Wrong, plain, short
from agentkit.errors import InvalidDocument, InvalidInput
from agentkit.usage import FinishReason, Outcome

PARTS: Mapping[type[Any], str] = {
    messages.Text: "text",
    messages.Reasoning: "reasoning",
    messages.ToolCall: "tool_call",
    messages.ToolResult: "tool_result",
    messages.Media: "media",
}
RECORDS: Mapping[type[Any], str] = {
    store.Configured: "configured",
    store.Imported: "imported",
    store.TurnStarted: "turn_started",
    store.TurnResumed: "turn_resumed",
    store.PartialReply: "partial_reply",
    store.Replied: "replied",
    store.ToolStarted: "tool_started",
    store.ToolFinished: "tool_finished",
    store.Decided: "decided",
    store.Discarded: "discarded",
    store.TurnEnded: "turn_ended",
    store.Rewound: "rewound",
    store.Summarized: "summarized",
}
UNKNOWN = "unknown"
"""The tag of an unknown value whose own tag would be taken for one of ours."""

Read: TypeAlias = Callable[[Any, Any], Any]
Write: TypeAlias = Callable[[Any], Any]
_WORDS: Mapping[Any, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    dict: "an object",
    list: "an array",
}


def unstructure(value: Any, type_: Any) -> Any:
    """The plain JSON form of a value.

    Raises:
        InvalidInput: it could not be read back.
    """
    try:
        return _writer().unstructure(value, type_)
    except RecursionError:
        raise InvalidInput(f"{type(value).__name__} cannot be stored: nested too deeply") from None
    except Exception as error:  # noqa: BLE001 - the caller may have put anything into a value
        raise InvalidInput(f"{short(value)} cannot be stored: {error}") from None


def structure(value: Any, type_: Any, path: str = "$") -> Any:
    """The value that a plain JSON form stands for.

    Raises:
        InvalidDocument: with the path of the first thing that is wrong.
    """
    try:
        return _reader(exact=False).structure(value, type_)
    except Exception:  # noqa: BLE001 - whatever it is, the slower reader says what and where
        return _explain(value, type_, path)


def _explain(value: Any, type_: Any, path: str) -> Any:
    try:
        return _reader(exact=True).structure(value, type_)
    except RecursionError:
        raise InvalidDocument("the document is nested too deeply", path=path) from None
    except Exception as error:  # noqa: BLE001 - a document may be wrong in any way
        message, path = _locate(error, path)
        raise InvalidDocument(message, path=path) from None


def _locate(error: BaseException, path: str) -> tuple[str, str]:
    while True:
        notes: list[AttributeValidationNote | IterableValidationNote] = getattr(error, "__notes__", [])
        for note in reversed(notes):
            path += f".{note.name}" if isinstance(note, AttributeValidationNote) else f"[{note.index}]"
        if not isinstance(error, BaseValidationError):
            break
        error = error.exceptions[0]
    match error:
        case ForbiddenExtraKeysError():
            return f"unknown key {short(min(error.extra_fields))}", path
        case KeyError():
            return "this key is missing", path
        case _:
            return str(error), path


# --- writing


@cache
def _writer() -> Converter:
    converter = Converter(omit_if_default=True)
    for type_ in (str, int, bool, FinishReason, Outcome):
        converter.register_unstructure_hook(type_, partial(_instance, type_=type_))
    converter.register_unstructure_hook(bytes, _write_bytes)
    converter.register_unstructure_hook_factory(_is_literal, _literal_writer)
    converter.register_unstructure_hook_func(_is_free, plain)
    converter.register_unstructure_hook(messages.ToolCall, _call_writer(converter))
    converter.register_unstructure_hook_func(_is_part, _union_writer(converter, PARTS, messages.Unknown))
    converter.register_unstructure_hook_func(_is_record, _union_writer(converter, RECORDS, store.UnknownRecord))
    return converter


def _literal_writer(type_: Any) -> Write:
    return partial(_member, type_=type_)


def _write_bytes(data: object) -> str:
    return base64.b64encode(_instance(data, bytes)).decode()


def _call_writer(converter: Converter) -> Write:
    write = make_dict_unstructure_fn(
        messages.ToolCall, converter, _cattrs_omit_if_default=True, arguments=override(omit=True)
    )

    def tool_call(call: messages.ToolCall) -> dict[str, Any]:
        return {**write(call), **_arguments(call)}

    return tool_call


def _arguments(call: messages.ToolCall) -> dict[str, Any]:
    """What `raw` says already is not written twice; so arguments that only `raw` can hold, such as NaN, are kept."""
    try:
        # repr tells 1 from True and from 1.0, and finds NaN equal to itself.
        if repr(_said(call.raw, broken=call.broken)) == repr(call.arguments):
            return {}
        return {"arguments": plain(_instance(call.arguments, Mapping))}
    except RecursionError:
        if call.raw is None:
            raise
        return {}


def _said(raw: str | None, *, broken: bool) -> Mapping[str, Any]:
    return {} if raw is None or broken else messages.ToolCall.parse("", "", raw).arguments


def _union_writer(converter: Converter, tags: Mapping[type[Any], str], unknown: type[Any]) -> Write:
    writers = {type_: (tag, converter.get_unstructure_hook(type_)) for type_, tag in tags.items()}
    reserved = {UNKNOWN, *tags.values()}

    def write(value: object) -> dict[str, Any]:
        found = writers.get(type(value))
        if found is not None:
            tag, writer = found
            return {"type": tag, **writer(value)}
        data = plain(_instance(_instance(value, unknown).data, Mapping))
        tag = data.get("type")
        return data if isinstance(tag, str) and tag not in reserved else {"type": UNKNOWN, "data": data}

    return write


# --- reading


@cache
def _reader(*, exact: bool) -> Converter:
    converter = Converter(forbid_extra_keys=True, detailed_validation=exact)
    for type_ in (str, int, bool):
        converter.register_structure_hook(type_, _instance)
    converter.register_structure_hook(FinishReason, _read_enum)  # by class, or the hook of str would take them
    converter.register_structure_hook(Outcome, _read_enum)
    converter.register_structure_hook(bytes, _read_bytes)
    converter.register_structure_hook_func(_is_literal, _member)
    converter.register_structure_hook_func(_is_free, lambda value, _: _object(value))
    converter.register_structure_hook_factory(_is_tuple, partial(_tuple_reader, converter))
    converter.register_structure_hook_factory(attrs.has, partial(_class_reader, converter))
    converter.register_structure_hook(messages.ToolCall, _call_reader(converter))
    converter.register_structure_hook_func(_is_part, _union_reader(converter, PARTS, messages.Unknown))
    converter.register_structure_hook_func(_is_record, _union_reader(converter, RECORDS, store.UnknownRecord))
    return converter


def _class_reader(converter: Converter, type_: type[Any]) -> Read:
    read = make_dict_structure_fn(type_, converter)
    return lambda value, _: read(_object(value), type_)


def _call_reader(converter: Converter) -> Read:
    read = _class_reader(converter, messages.ToolCall)

    def tool_call(value: Any, type_: Any) -> messages.ToolCall:
        call: messages.ToolCall = read(value, type_)
        return call if "arguments" in value else attrs.evolve(call, arguments=_said(call.raw, broken=call.broken))

    return tool_call


def _tuple_reader(converter: Converter, type_: Any) -> Read:
    item = get_args(type_)[0]
    read = converter.get_structure_hook(item)

    def items(value: Any, _: Any) -> tuple[Any, ...]:
        made: list[Any] = []
        try:
            for each in _instance(value, list):
                made.append(read(each, item))  # noqa: PERF401 - its length tells which one failed
        except Exception as error:
            if isinstance(value, list):
                error.add_note(IterableValidationNote("", len(made), item))
            raise
        return tuple(made)

    return items


def _union_reader(converter: Converter, tags: Mapping[type[Any], str], unknown: type[Any]) -> Read:
    readers = {tag: (type_, converter.get_structure_hook(type_)) for type_, tag in tags.items()}

    def read(value: Any, _: Any) -> Any:
        rest = dict(_object(value))
        tag = rest.pop("type", None)
        if not isinstance(tag, str):
            raise Wrong(f"a text is missing under the key 'type' in {short(value)}")
        found = readers.get(tag)
        if found is not None:
            type_, reader = found
            return reader(rest, type_)
        return unknown(_unwrapped(rest) if tag == UNKNOWN else value)

    return read


def _unwrapped(rest: dict[str, Any]) -> dict[str, Any]:
    if rest.keys() != {"data"}:
        raise Wrong(f"an unknown value has the keys 'type' and 'data', not {short(sorted(rest))}")
    return _object(rest["data"])


def _read_bytes(value: Any, _: Any) -> bytes:
    text = _instance(value, str)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Wrong(f"{short(text)} is not base64") from None


def _read_enum(value: Any, type_: Any) -> StrEnum:
    return cast("StrEnum", type_(_member(value, Literal[tuple(type_)])))


# --- what a type is, and what a value must be for it


def _is_part(type_: Any) -> bool:
    return bool(type_ == messages.Part)


def _is_record(type_: Any) -> bool:
    return bool(type_ == store.Record)


def _is_literal(type_: Any) -> bool:
    return get_origin(type_) is Literal


def _is_free(type_: Any) -> bool:
    return get_origin(type_) is Mapping


def _is_tuple(type_: Any) -> bool:
    return get_origin(type_) is tuple


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", _instance(value, dict))


def _instance(value: Any, type_: Any) -> Any:
    if isinstance(value, type_) and not (type_ is int and isinstance(value, bool)):
        return value
    raise Wrong(f"expected {_WORDS.get(type_, type_.__name__)}, not {short(value)}")


def _member(value: Any, type_: Any) -> Any:
    if isinstance(value, str) and value in get_args(type_):
        return value
    raise Wrong(f"expected one of {', '.join(get_args(type_))}, not {short(value)}")

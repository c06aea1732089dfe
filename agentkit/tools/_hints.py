"""Type hints to shapes. What cannot be described is an error here, when a tool is defined, and never at a call."""

from __future__ import annotations

import json
from collections import abc
from collections.abc import Hashable, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from inspect import formatannotation
from types import UnionType
from typing import Annotated, Any, Literal, NoReturn, NotRequired, Required, TypeVar, Union, get_args, get_origin

from attrs import evolve

from agentkit.errors import InvalidInput
from agentkit.tools import _beside, _classes, _foreign
from agentkit.tools._convert import convert
from agentkit.tools._docs import parameters, summary
from agentkit.tools._leaves import ANYTHING, LEAVES
from agentkit.tools._results import explain, plain
from agentkit.tools._shapes import (
    About,
    Choice,
    Definitions,
    Either,
    Field,
    Foreign,
    Items,
    Named,
    Outline,
    Record,
    Row,
    Shape,
    Table,
    is_hashable,
)

_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection)
_SETS: Mapping[Any, type] = {set: set, frozenset: frozenset, abc.Set: frozenset, abc.MutableSet: set}
_TABLES = (dict, abc.Mapping, abc.MutableMapping)
_BYTES = (bytes, bytearray, memoryview)
_LONGEST_DEFAULT = 200

_DESCRIBED = (
    "str, int, float, bool, list[...], dict[str, ...], Literal, Enum, date, datetime, time, Path, Decimal, UUID, "
    "or a class with fields (attrs, dataclass, TypedDict, NamedTuple)"
)


class HintReader:
    """Reads the hints of one tool."""

    def __init__(self, *, checked: bool = False) -> None:
        self._checked = checked
        """Whoever is given the values that are being described checks them by its own hints."""
        self._under_way: list[Any] = []
        self._names: dict[Any, str] = {}
        self._found: dict[str, Shape] = {}
        self._recursive: set[str] = set()

    @property
    def definitions(self) -> Definitions:
        """The shapes that hold themselves."""
        return self._found

    def record(self, name: str, members: Sequence[_classes.Member], where: str, about: str = "") -> Record:
        """The shape of some parameters or fields; `make` of it gives them back by name."""
        told = parameters(about)
        fields = [self._field(member, told, f"{where}, {member.kind} {member.name!r}") for member in members]
        return Record(name, tuple(fields), dict, summary(about))

    def read(self, hint: Any, where: str) -> Shape:
        """The shape of a hint.

        Raises:
            InvalidInput: it cannot be described; the message says where, and what to do.
        """
        origin, given = get_origin(hint), get_args(hint)
        if origin is not None:
            return self._generic(origin, given, hint, where) if given else self._bare(origin, where)
        if not isinstance(hint, Hashable):
            return self._refuse(hint, where)
        return self._plain(hint, where)

    def _plain(self, hint: Any, where: str) -> Shape:
        if hint in LEAVES:
            return LEAVES[hint]
        if hint in _LISTS or hint in _SETS or hint in _TABLES or hint is tuple:
            return self._bare(hint, where)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return self._choice([(member.value, member) for member in hint], hint, where)
        return self._class(hint, where)

    def _field(self, member: _classes.Member, told: Mapping[str, str], where: str) -> Field:
        if _beside.is_field(member.default):
            member = self._of_pydantic(member, member.default, where)
        shape = self.read(member.hint, where)
        about = "" if isinstance(shape, About) else told.get(member.name, "")
        made = Field(member.name, shape, required=member.required, about=about)
        return made if member.required else evolve(made, default=self._default(member, shape))

    def _of_pydantic(self, member: _classes.Member, found: Any, where: str) -> _classes.Member:
        """The member without the `Field(...)` that stands where its default would."""
        if not self._checked:
            raise InvalidInput(
                f"{where}: only classes of pydantic read a Field(...) that stands for the default; "
                "write the default itself, and what there is to say as a text in Annotated"
            )
        is_plain = not found.is_required() and found.default_factory is None
        return evolve(
            member,
            hint=Annotated[member.hint, found],
            required=found.is_required(),
            default=found.default if is_plain else _classes.UNKNOWN,
        )

    def _bare(self, hint: Any, where: str) -> Shape:
        if hint in _TABLES:
            return Table(ANYTHING)
        return self._array(tuple if hint is tuple else hint, ANYTHING, where)

    def _generic(self, origin: Any, given: tuple[Any, ...], hint: Any, where: str) -> Shape:
        if origin is Annotated:
            return self._annotated(given, where)
        if origin is Literal:
            return self._choice([(_value(each), each) for each in given], hint, where)
        if origin in (Union, UnionType):
            return Either(tuple(self.read(option, where) for option in given))
        if origin in (Required, NotRequired):
            return self.read(given[0], where)
        if origin is tuple:
            return self._tuple(given, where)
        if origin in _LISTS or origin in _SETS:
            return self._array(origin, self.read(given[0], where), where)
        if origin in _TABLES:
            return self._table(given, where)
        return self._refuse(hint, where)

    def _annotated(self, given: tuple[Any, ...], where: str) -> Shape:
        shape = self.read(given[0], where)
        lost = [] if self._checked else [limit for each in given[1:] for limit in _beside.limits(each)]
        if lost:
            raise InvalidInput(
                f"{where}: nothing here checks {', '.join(lost)}; take a Literal, or a class of pydantic or msgspec, "
                "or check it in the function, and tell the model in a text"
            )
        texts = [text for text in map(_beside.words, given[1:]) if text]
        return About(shape, " ".join(texts)) if texts else shape

    def _tuple(self, given: tuple[Any, ...], where: str) -> Shape:
        if len(given) > 1 and given[1] is ...:
            return self._array(tuple, self.read(given[0], where), where)
        return Row(tuple(self.read(item, where) for item in given))

    def _array(self, kind: Any, item: Shape, where: str) -> Shape:
        into = _SETS.get(kind)
        if into is None:
            return Items(item, tuple if kind is tuple else list, hashable=kind is tuple)
        if not is_hashable(item):
            raise InvalidInput(f"{where}: these items cannot be in a set; take a list")
        return Items(item, into, hashable=into is frozenset)

    def _table(self, given: tuple[Any, ...], where: str) -> Shape:
        if given[0] is not str:
            raise InvalidInput(f"{where}: the keys of an object are texts; take dict[str, ...] or a list of pairs")
        return Table(self.read(given[1], where))

    def _choice(self, options: Sequence[tuple[Any, Any]], hint: Any, where: str) -> Shape:
        if not options or not all(type(value) in (str, int, float, bool, type(None)) for value, _ in options):
            raise InvalidInput(f"{where}: {formatannotation(hint)} needs values that JSON has: texts or numbers")
        return Choice(tuple(options))

    def _class(self, hint: Any, where: str) -> Shape:
        """A class with fields, or an alias: what may hold itself."""
        name = self._name(hint)
        if hint in self._under_way:
            self._recursive.add(name)
        if hint in self._under_way or name in self._found:
            return Named(name, hashable=_classes.can_hash(hint))
        self._under_way.append(hint)
        made = self._opened(hint, name, where)
        self._under_way.pop()
        if name not in self._recursive:
            return made
        self._found[name] = made
        return Named(name, hashable=_classes.can_hash(hint))

    def _opened(self, hint: Any, name: str, where: str) -> Shape:
        for inner in ("__supertype__", "__value__"):
            if hasattr(hint, inner):
                return self.read(getattr(hint, inner), where)
        if _foreign.is_foreign(hint):
            return self._foreign(hint, name, where)
        members = _classes.members_of(hint, where)
        if members is None:
            return self._refuse(hint, where)
        outer, self._checked = self._checked, _beside.checks_itself(hint)
        made = self.record(hint.__name__, members, where, _classes.about(hint))
        self._checked = outer
        return evolve(made, make=_classes.maker(hint), hashable=_classes.can_hash(hint))

    def _foreign(self, kind: Any, name: str, where: str) -> Foreign:
        try:
            schema, read = _foreign.schema_and_reader(kind)
        except Exception as error:  # noqa: BLE001 - each library has errors of its own
            raise InvalidInput(f"{where}: {kind.__name__} has no schema: {explain(error)}") from None
        rest, definitions = _foreign.parted(schema, name)
        for key, definition in definitions.items():
            self._found[key] = Foreign(key, definition, read)
        return Foreign(kind.__name__, rest, read, hashable=_classes.can_hash(kind))

    def _name(self, hint: Any) -> str:
        """One name for one class, in the definitions of the schema."""
        if hint not in self._names:
            plain_name = str(getattr(hint, "__name__", "value"))
            count = sum(each.partition("-")[0] == plain_name for each in self._names.values())
            self._names[hint] = f"{plain_name}-{count + 1}" if count else plain_name
        return self._names[hint]

    def _default(self, member: _classes.Member, shape: Shape) -> list[Any] | None:
        """The default as JSON, in a list; None where it would say nothing to a model, or is long."""
        if member.default is _classes.UNKNOWN:
            return None
        written = plain(member.default)
        if shape is ANYTHING and written != member.default:
            return None
        alone = Record("", (Field("it", shape),), dict)
        try:
            _, problems = convert(Outline(alone, self._found), {"it": written})
        except KeyError:  # a class that is still being described
            return None
        return None if problems or len(json.dumps(written)) > _LONGEST_DEFAULT else [written]

    def _refuse(self, hint: Any, where: str) -> NoReturn:
        raise InvalidInput(f"{where}: {formatannotation(hint)} cannot be described to a model; {_advice(hint)}")


def _value(option: Any) -> Any:
    return option.value if isinstance(option, Enum) else option


def _advice(hint: Any) -> str:
    if hint in _BYTES:
        return "take a str: the path of a file, or base64"
    if hint is timedelta:
        return "take the seconds as a float"
    if isinstance(hint, TypeVar):
        return "name a type in its place"
    return f"use {_DESCRIBED}"

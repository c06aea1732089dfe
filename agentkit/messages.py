"""Parts and messages: the values a conversation is made of.

A value has no identity, time or parent: those belong to the journal record that holds it. Two messages with the
same content are equal. Values are never changed; mappings inside them are to be treated as read-only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from attrs import evolve, field, frozen

from agentkit.errors import InvalidInput

Meta: TypeAlias = Mapping[str, Any]
"""Provider-only data under the provider's name, and agentkit's own marks under "agentkit"."""

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[str, ...] = get_args(Role)

T = TypeVar("T")


@frozen
class Text:
    """What is said."""

    text: str


@frozen
class Reasoning:
    """What the model thought before it spoke."""

    text: str
    meta: Meta = field(factory=dict[str, Any], kw_only=True)


@frozen
class ToolCall:
    """The model asks for a tool."""

    id: str
    name: str
    arguments: Mapping[str, Any] = field(factory=dict[str, Any])
    raw: str | None = field(default=None, kw_only=True)
    """The argument text as the model wrote it; None where `arguments` were made here."""
    broken: bool = field(default=False, kw_only=True)
    """The argument text is no JSON object: cut or malformed. Such a call is never run and never sent as it is."""
    meta: Meta = field(factory=dict[str, Any], kw_only=True)

    @classmethod
    def parse(cls, id: str, name: str, text: str, *, meta: Meta | None = None) -> ToolCall:  # noqa: A002 - the wire's word
        """Read the argument text of a model; never fails, marks what it cannot read as broken."""
        if not text.strip():
            return cls(id, name, {}, meta=meta or {})
        try:
            arguments: Any = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            arguments = None
        if isinstance(arguments, dict):
            return cls(id, name, arguments, raw=text, meta=meta or {})  # pyright: ignore[reportUnknownArgumentType]
        return cls(id, name, {}, raw=text, broken=True, meta=meta or {})

    @property
    def arguments_json(self) -> str:
        """The arguments as valid JSON text: the model's own wording where that is valid."""
        if self.raw is not None and not self.broken:
            return self.raw
        return json.dumps(self.arguments, ensure_ascii=False, separators=(",", ":"))


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


@frozen
class ToolResult:
    """What a tool answered to the call with this id."""

    call_id: str
    content: str
    is_error: bool = False


@frozen
class Media:
    """An image, a sound or a file: either the bytes or the address of them."""

    mime: str
    data: bytes | None = field(default=None, kw_only=True, repr=lambda d: f"<{len(d)} bytes>" if d else "None")
    url: str | None = field(default=None, kw_only=True)


@frozen
class Unknown:
    """A part written by a newer version or another program; kept and written back unchanged."""

    data: Mapping[str, Any]


Part: TypeAlias = Text | Reasoning | ToolCall | ToolResult | Media | Unknown
Prompt: TypeAlias = "str | Message | Part | Iterable[str | Part]"
"""What can be said in one turn."""


@frozen
class Message:
    """One message of a conversation."""

    role: Role
    parts: tuple[Part, ...]
    meta: Meta = field(factory=dict[str, Any])
    _memo: dict[Any, Any] = field(factory=dict[Any, Any], init=False, eq=False, repr=False)

    @property
    def text(self) -> str:
        """All text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def reasoning(self) -> str:
        """All reasoning parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Reasoning))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def interrupted(self) -> bool:
        """The message was cut by a stop, a crash or a broken connection, not by the model."""
        return bool(self.meta.get("agentkit", {}).get("interrupted"))

    def memo(self, key: Any, compute: Callable[[Message], T]) -> T:
        """What `compute` says of this message, remembered: a message never changes, so neither does its wire form."""
        found: T | None = self._memo.get(key)
        if found is None:
            found = self._memo[key] = compute(self)
        return found

    def with_meta(self, owner: str, **values: Any) -> Message:
        """The same message with more data under `owner` in its meta."""
        return evolve(self, meta={**self.meta, owner: {**self.meta.get(owner, {}), **values}})


def user(*content: str | Part) -> Message:
    """A message of the user."""
    return message("user", content)


def assistant(*content: str | Part) -> Message:
    """A message of the assistant."""
    return message("assistant", content)


def system(*content: str | Part) -> Message:
    """A message of the system: the standing instructions."""
    return message("system", content)


def message(role: Role, content: Prompt) -> Message:
    """Make a message of `role` out of text, a part, or several of them; refuses what is empty or of another type."""
    if isinstance(content, Message):
        return _checked(content)
    if isinstance(content, str | Part):
        content = (content,)
    if isinstance(content, Mapping):
        raise InvalidInput(f"a mapping is no message: {content!r}; from_openai() reads lists of those")
    try:
        items: tuple[object, ...] = tuple(content)
    except TypeError:
        raise InvalidInput(f"a message is text, parts or a Message, not {content!r}") from None
    return _checked(Message(role, tuple(_part(item) for item in items)))


def _part(item: object) -> Part:
    if isinstance(item, str):
        return Text(item)
    if isinstance(item, Part):
        _check_texts(item)
        return item
    raise InvalidInput(f"a message holds text and parts, not {item!r}")


_TEXTS: Mapping[type, tuple[str, ...]] = {
    Text: ("text",),
    Reasoning: ("text",),
    ToolCall: ("id", "name"),
    ToolResult: ("call_id", "content"),
    Media: ("mime",),
}


def _check_texts(part: Part) -> None:
    """What a caller made; parts are not checked when they are made, as that happens for each piece of a stream."""
    for name in _TEXTS.get(type(part), ()):
        value = getattr(part, name)
        if not isinstance(value, str):
            raise InvalidInput(f"{type(part).__name__}.{name} must be a text, not {value!r}")


def well_formed(made: Message) -> Message:
    """The message itself, if it has a role and parts of the right types.

    Raises:
        InvalidInput
    """
    if made.role not in ROLES:
        raise InvalidInput(f"unknown role {made.role!r}; one of {', '.join(ROLES)}")
    if not isinstance(made.parts, tuple):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInput(f"the parts of a message are a tuple, not {made.parts!r}")
    for part in made.parts:
        if isinstance(part, str):
            raise InvalidInput(f"the parts of a Message are values such as Text({part!r}), not {part!r}")
        _part(part)
    return made


def _checked(made: Message) -> Message:
    well_formed(made)
    if not any(not isinstance(part, Text | Reasoning) or part.text.strip() for part in made.parts):
        raise InvalidInput(f"an empty message cannot be sent: {made.text!r}")
    return made

"""A tool as a value, a call with its arguments in place, and what a running tool is told."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Self, TypeAlias, TypeVar, get_args, overload

from attrs import evolve, field, frozen

from agentkit._checks import number, one_of, whole
from agentkit.errors import InvalidInput
from agentkit.tools._approval import Approve, check_approval
from agentkit.tools._convert import convert
from agentkit.tools._errors import InvalidArguments
from agentkit.tools._schema import schema_of, strict_outline
from agentkit.tools._shapes import Outline

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")

Rerun: TypeAlias = Literal["rerun", "ask", "fail"]
"""What is done about a call of which nobody knows whether it ran: a crash came between."""
MAX_OUTPUT = 32_000
"""Characters of a result that the model is shown."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@frozen(kw_only=True)
class ToolContext:
    """What a running tool may know and do. A parameter with this hint is filled in, and the model is not told of it."""

    conversation: str = ""
    turn_id: str = ""
    call_id: str = ""
    key: str = ""
    """The same for every attempt at one call: for services that do the same thing once."""
    report: Callable[[str], None] = lambda _: None
    """Say how far the work has come."""
    cancelled: Callable[[], bool] = lambda: False
    """The turn was stopped, so nobody waits for the result any more."""


def _name(instance: object, attribute: object, value: str) -> None:
    if not _NAME.fullmatch(value):
        raise InvalidInput(
            f"a tool cannot have the name {value!r}: letters, digits, _ and -, at most 64; set it with tool(name=...)"
        )


@frozen(kw_only=True, eq=False)
class Tool(Generic[P, R]):
    """Something that the model can call. Calling it from Python calls what it was made of."""

    name: str = field(validator=_name)
    description: str
    parameters: Mapping[str, Any] = field(repr=False)
    """JSON schema of an object."""
    function: Callable[P, R]
    timeout: float | None = field(default=None, validator=number(0.001))
    """Seconds that one run may take."""
    retries: int = field(default=0, validator=whole(0, optional=False))
    """How often a run that failed is repeated."""
    approve: Approve | None = field(default=None, validator=check_approval)
    """None leaves it to the conversation."""
    rerun: Rerun = field(default="ask", validator=one_of(get_args(Rerun)))
    max_output: int = field(default=MAX_OUTPUT, validator=whole(100, optional=False))
    """Characters of a result that the model is shown."""
    ends_turn: bool = False
    """The turn is over once this has run."""
    is_async: bool = False
    strict: bool = False
    """The server is to hold the model to the schema, which then demands every key; for servers that have the mode."""
    _outline: Outline = field(repr=False, alias="outline")
    _context: str | None = field(default=None, repr=False, alias="context")
    _unbound: bool = field(default=False, repr=False, alias="unbound")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    @overload
    def __get__(self, instance: None, owner: object = None) -> Tool[P, R]: ...
    @overload
    def __get__(self: Tool[Concatenate[Any, Q], R], instance: object, owner: object = None) -> Tool[Q, R]: ...
    def __get__(self, instance: object, owner: object = None) -> Any:
        """A method that was made a tool becomes one of this instance."""
        if instance is None or not self._unbound:
            return self
        method: Any = inspect.unwrap(self.function)
        return evolve(self, function=method.__get__(instance, owner), unbound=False)

    @property
    def is_class(self) -> bool:
        """The arguments are the fields of a class."""
        return isinstance(self.function, type)

    def strictly(self) -> Self:
        """The same tool for servers that hold a model to a schema, which then demands every key and allows no other.

        Raises:
            Unsupported: these arguments have no such schema.
        """
        return evolve(self, strict=True, parameters=schema_of(strict_outline(self._outline)))

    def bind(self, arguments: Mapping[str, Any]) -> BoundCall:
        """The call that these arguments make.

        Raises:
            InvalidArguments: they do not fit; the message tells the model what to mend.
        """
        check_bound(self)
        outline = strict_outline(self._outline) if self.strict else self._outline
        made, problems = convert(outline, dict(arguments))
        if problems:
            raise InvalidArguments(self.name, problems)
        return BoundCall(self, made, self._context)


def check_bound(tool: Tool[..., Any]) -> None:
    """A method needs its instance.

    Raises:
        InvalidInput: it is there as its class has it.
    """
    if tool._unbound:  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - of this module
        raise InvalidInput(f"{tool.name} is a method: take it from an instance, as in tools=[thing.{tool.name}]")


@frozen
class BoundCall:
    """A call whose arguments fit: `run` does it."""

    tool: Tool[..., Any]
    arguments: Any
    """The values by name; the instance, where the fields of a class are the arguments."""
    _context: str | None = None

    def run(self, context: ToolContext | None = None) -> Any:
        """What the tool returns: an awaitable where it is async. Whatever it raises is raised."""
        more = {} if self._context is None else {self._context: context or ToolContext()}
        if not self.tool.is_class:
            return self.tool.function(**self.arguments, **more)
        return self.arguments(**more) if callable(self.arguments) else self.arguments

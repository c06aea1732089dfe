"""Functions and classes as tools: the decorator, and what it finds out."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, ParamSpec, TypeVar, Union, get_args, get_origin, overload

from agentkit.errors import InvalidInput
from agentkit.tools import _beside, _classes
from agentkit.tools._approval import Approve
from agentkit.tools._docs import summary
from agentkit.tools._hints import HintReader
from agentkit.tools._schema import schema_of
from agentkit.tools._shapes import Foreign, Named, Outline, Record
from agentkit.tools._tool import MAX_OUTPUT, Rerun, Tool, ToolContext

P = ParamSpec("P")
R = TypeVar("R")


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    retries: int = 0,
    approve: Approve | None = None,
    rerun: Rerun = "ask",
    max_output: int = MAX_OUTPUT,
    ends_turn: bool = False,
    strict: bool = False,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...
def tool(function: Any = None, /, **settings: Any) -> Any:
    """Make a tool of a function, a method, a callable object, or a class whose fields are the arguments.

    Raises:
        InvalidInput: a parameter cannot be described to a model; says which, and what to do.
        Unsupported: with `strict`, these arguments have no such schema.
    """
    if function is None:
        return functools.partial(define, **settings)
    return define(function, **settings)


def define(
    made: Any, *, name: str | None = None, description: str | None = None, strict: bool = False, **settings: Any
) -> Tool[..., Any]:
    """The tool that a function or a class makes, with these settings."""
    if isinstance(made, Tool) or not callable(made):
        raise InvalidInput(f"a tool is made of a function or a class, not of {made!r:.80}")
    name = name or _named(made)
    runs = _code(made)
    if inspect.isgeneratorfunction(runs) or inspect.isasyncgenfunction(runs):
        raise InvalidInput(f"{name}(): a generator is no tool; return a list")
    outline, context = _of_class(made, runs, name) if isinstance(made, type) else _of_function(made, runs, name)
    made_of = Tool(
        name=name,
        description=summary(_about(made, runs)) if description is None else description,
        parameters=schema_of(outline),
        function=made,
        is_async=inspect.iscoroutinefunction(runs),
        outline=outline,
        context=context,
        unbound=_is_unbound(made),
        **settings,
    )
    return made_of.strictly() if strict else made_of


def _is_partial(made: Any) -> bool:
    return isinstance(made, functools.partial)


def _named(made: Any) -> str:
    """Its own name; a partial without one has that of its function."""
    name: object = getattr(made, "__name__", None)
    if name is None and isinstance(made, functools.partial):
        return _named(made.func)  # pyright: ignore[reportUnknownMemberType]
    return type(made).__name__ if name is None else str(name)  # pyright: ignore[reportUnknownArgumentType]


def _code(made: Any) -> Any:
    """The function or method that will run; None for a class without `__call__`."""
    if isinstance(made, functools.partial):
        return _code(made.func)  # pyright: ignore[reportUnknownMemberType]
    if isinstance(made, type):
        return next((vars(each)["__call__"] for each in made.__mro__ if "__call__" in vars(each)), None)
    return made if inspect.isroutine(made) else type(made).__call__


def _about(made: Any, runs: Any) -> str:
    if isinstance(made, type):
        return _classes.about(made)
    said = getattr(runs, "__doc__", None) or ""
    return said if said or inspect.isroutine(made) or _is_partial(made) else _classes.about(type(made))


def _of_function(made: Any, runs: Any, name: str) -> tuple[Outline, str | None]:
    where, reader = f"{name}()", HintReader(checked=_beside.checks_itself(runs))
    context, members = _parted(_classes.parameters_of(made, where, skip=int(_is_unbound(made))), where)
    return Outline(reader.record(name, members, where, _about(made, runs)), reader.definitions), context


def _of_class(made: type, runs: Any, name: str) -> tuple[Outline, str | None]:
    where, reader = f"{name}()", HintReader()
    context, more = _parted([] if runs is None else _classes.parameters_of(runs, where, skip=1), where)
    if more:
        raise InvalidInput(f"{where}: the fields are the arguments, so __call__ takes none but a ToolContext")
    root = reader.read(made, where)
    if not isinstance(root, Record | Foreign | Named):
        raise InvalidInput(f"{where}: a class without fields is no tool")
    return Outline(root, reader.definitions), context


def _parted(members: list[_classes.Member], where: str) -> tuple[str | None, list[_classes.Member]]:
    """The name of the parameter that takes the context, and the others."""
    taking = [member.name for member in members if _is_context(member.hint)]
    if len(taking) > 1:
        raise InvalidInput(f"{where}: one parameter takes the ToolContext, not {len(taking)}: {', '.join(taking)}")
    return next(iter(taking), None), [member for member in members if not _is_context(member.hint)]


def _is_context(hint: Any) -> bool:
    """Also where the hint says more than that, or that there may be none."""
    return hint is ToolContext or (
        get_origin(hint) in (Annotated, Union, UnionType) and any(map(_is_context, get_args(hint)))
    )


def _is_unbound(made: Any) -> bool:
    """A method in the body of its class: its first parameter is the instance, which has no hint."""
    if not inspect.isfunction(made) or "." not in made.__qualname__.rpartition("<locals>.")[2]:
        return False
    first = next(iter(inspect.signature(made).parameters.values()), None)
    return first is not None and first.name == "self" and first.annotation is first.empty

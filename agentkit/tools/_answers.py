"""From the call of a model to a call that can run, and from what came of it to the result that the model reads.

None of it fails: whatever a model calls has an answer from which it can mend the call.
"""

from __future__ import annotations

import difflib
import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias, cast, runtime_checkable

from attrs import evolve

from agentkit.errors import InvalidInput
from agentkit.messages import ToolCall, ToolResult
from agentkit.tools._define import define
from agentkit.tools._errors import InvalidArguments
from agentkit.tools._given import fit_name
from agentkit.tools._results import NOTHING, explain, limited, text_of
from agentkit.tools._tool import BoundCall, Tool, check_bound

AnyTool: TypeAlias = Tool[..., Any]
_MOST_NAMES = 50


@runtime_checkable
class ToolSource(Protocol):
    """Something that brings several tools."""

    def tools(self) -> Iterable[AnyTool | Callable[..., Any]]:
        """The tools as they are now. What was named once keeps its name, and does the same."""
        ...


@runtime_checkable
class NamedSource(ToolSource, Protocol):
    """A source that did not choose the names of its tools, so that another may have chosen the same."""

    @property
    def prefix_on_clash(self) -> str:
        """What goes before the name of a tool that another has, too."""
        ...


def gather(given: Iterable[AnyTool | ToolSource | Callable[..., Any]]) -> dict[str, AnyTool]:
    """All tools by name: of functions, tools and sources. Where two share one, those of named sources get a prefix.

    Raises:
        InvalidInput: something among them is no tool, or a method without its instance; or two have one name.
    """
    found = [pair for item in given for pair in _tools_of(item)]
    count = Counter(one.name for one, _ in found)
    made: dict[str, AnyTool] = {}
    for one in (_apart(one, prefix) if count[one.name] > 1 else one for one, prefix in found):
        if one.name in made:
            raise InvalidInput(
                f"two tools have the name {one.name!r}; give one another name with tool(name=...), or name its source"
            )
        check_bound(one)
        made[one.name] = one
    return made


def _tools_of(item: object, prefix: str = "") -> Iterator[tuple[AnyTool, str]]:
    """Each tool with what goes before its name where that is not its own."""
    if isinstance(item, Tool):
        yield cast("AnyTool", item), prefix
    elif isinstance(item, ToolSource) and not isinstance(item, type):
        tools = list(_brought(item))
        inner = item.prefix_on_clash if isinstance(item, NamedSource) else prefix
        for each in tools:
            yield from _tools_of(each, inner)
    else:
        yield define(item), prefix


def _brought(source: ToolSource) -> Iterable[AnyTool | Callable[..., Any]]:
    found: Any = source.tools()
    if isinstance(found, Iterable):
        return cast("Iterable[AnyTool | Callable[..., Any]]", found)
    if inspect.iscoroutine(found):
        found.close()
    raise InvalidInput(f"tools() of {type(source).__name__} gives a list of tools, and is no async function")


def _apart(one: AnyTool, prefix: str) -> AnyTool:
    return evolve(one, name=fit_name(f"{prefix}_{one.name}")) if prefix else one


def prepare(tools: Mapping[str, AnyTool], call: ToolCall) -> BoundCall | ToolResult:
    """The call, ready to run; or the result that tells the model what is wrong with it."""
    found = tools.get(call.name)
    if found is None:
        return _refused(call, _unknown(call.name, tools))
    if call.broken:
        return _refused(
            call,
            f"The arguments of this call were cut off, or are no JSON object, so {call.name} was not run. "
            "Call it again with all arguments in one JSON object.",
        )
    try:
        return found.bind(call.arguments)
    except InvalidArguments as error:
        return _refused(call, str(error))


def _unknown(name: str, tools: Mapping[str, AnyTool]) -> str:
    if not tools:
        return f"There is no tool {name!r}, and no other: answer without one."
    near = difflib.get_close_matches(name, tools, 1)
    names = ", ".join([*near, *(each for each in tools if each not in near)][:_MOST_NAMES])
    return f"There is no tool {name!r}, so nothing was run. The tools are: {names}."


def _refused(call: ToolCall, text: str) -> ToolResult:
    return ToolResult(call.id, text, is_error=True)


def returned(call_id: str, value: object, *, most: int) -> ToolResult:
    """The result of a tool that returned this, in so many characters at most."""
    text = text_of(value)
    return ToolResult(call_id, limited(text if text.strip() else NOTHING, most))


def raised(call_id: str, error: BaseException) -> ToolResult:
    """The result of a tool that raised this."""
    return ToolResult(call_id, explain(error), is_error=True)

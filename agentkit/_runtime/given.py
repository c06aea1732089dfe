"""The tools that a conversation was given: functions are known at once, what a source brings only when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from agentkit.errors import InvalidInput
from agentkit.tools import AnyTool, ToolSource, gather

Known: TypeAlias = Mapping[str, AnyTool]


def given(
    tools: Iterable[AnyTool | ToolSource | Callable[..., Any]], *, may_be_async: bool
) -> tuple[Known, Callable[[], Known] | None]:
    """The tools by name. Where there are sources among them, what asks those, which may take a while, stands behind.

    Raises:
        InvalidInput: something is no tool, two have one name, or one is async where that cannot be.
    """
    items = [item if is_source(item) else next(iter(gather([item]).values())) for item in tools]
    known = _checked(gather(item for item in items if not is_source(item)), may_be_async=may_be_async)
    if not any(map(is_source, items)):
        return known, None
    return known, lambda: _checked(gather(items), may_be_async=may_be_async)


def is_source(item: object) -> bool:
    """It brings several tools."""
    return isinstance(item, ToolSource) and not isinstance(item, type)


def _checked(tools: Known, *, may_be_async: bool) -> Known:
    awaited = [name for name, tool in tools.items() if tool.is_async]
    if awaited and not may_be_async:
        raise InvalidInput(f"{awaited[0]}() is async: use AsyncConversation, or give a plain function")
    return tools

"""The tools that a conversation was given: functions are known at once, what a source brings only when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from agentkit.errors import InvalidInput
from agentkit.tools import AnyTool, ToolSource, gather


class Tools:
    """The tools of a conversation."""

    def __init__(self, given: Iterable[AnyTool | ToolSource | Callable[..., Any]], *, may_be_async: bool) -> None:
        if not isinstance(cast("object", given), Iterable) or isinstance(given, str):
            raise InvalidInput(f"tools= takes a list of functions, tools and sources of tools, not {given!r}")
        self._may_be_async = may_be_async
        self._items = items = [item if is_source(item) else next(iter(gather([item]).values())) for item in given]
        self.known: Mapping[str, AnyTool] = {}
        self.supply: Callable[[], Mapping[str, AnyTool]] | None = None
        """Where there are sources: asks them; the first time may take a while."""
        if any(map(is_source, items)):
            self._checked(gather(item for item in items if not is_source(item)))
            self.supply = self._gathered
        else:
            self.known = self._checked(gather(items))

    def _gathered(self) -> Mapping[str, AnyTool]:
        return self._checked(gather(self._items))

    def _checked(self, tools: Mapping[str, AnyTool]) -> Mapping[str, AnyTool]:
        awaited = [name for name, tool in tools.items() if tool.is_async]
        if awaited and not self._may_be_async:
            raise InvalidInput(f"{awaited[0]}() is async: use AsyncConversation, or give a plain function")
        return tools


def is_source(item: object) -> bool:
    """It brings several tools."""
    return isinstance(item, ToolSource) and not isinstance(item, type)

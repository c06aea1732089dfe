"""Tools of servers that speak the Model Context Protocol, through the official SDK: the extra `mcp`.

Nothing starts before the tools are asked for. A server that has ended is started anew by the next call; a call that it
was working on is never made twice. What a server does wrong is an error of that call.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from attrs import define, field, frozen
from attrs.converters import optional

from agentkit.errors import AgentKitError, InvalidInput, NotConfigured, ToolError
from agentkit.toolbox._mcp_held import Held
from agentkit.toolbox._mcp_results import progress_of, value_of
from agentkit.toolbox._mcp_servers import Address, Program, Server
from agentkit.tools import AnyTool, Approve, ToolContext, fit_name, tool_of_schema
from agentkit.tools._approval import check_approval

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.types import CallToolResult
    from mcp.types import Tool as Offered

    from agentkit.toolbox._mcp_connection import Connection

_NEEDED = 'pip install "agentkit-conversation[mcp]"'
_MOST_PAGES = 1000


class Settings(TypedDict, total=False):
    """Those of every source; `MCP` says what they are."""

    name: str | None
    prefix: str | None
    include: Collection[str] | None
    exclude: Collection[str]
    approve: Approve | None
    timeout: float
    start_timeout: float
    max_tools: int


def _patterns(value: Collection[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _above_zero(instance: object, attribute: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InvalidInput(f"{attribute.name} must be a number above 0, not {value!r}")


@define(eq=False, kw_only=True)
class MCP:
    """The tools of one server. Any number of threads, event loops and conversations can share it.

    Raises:
        NotConfigured: the extra is not installed.
    """

    server: Server
    name: str | None = None
    """What stands before the name of a tool that another has, too; the server's own name where none is given."""
    prefix: str | None = None
    """What stands before the name of every tool, with an underscore between."""
    include: tuple[str, ...] | None = field(default=None, converter=optional(_patterns))
    """The tools that are wanted, by the names that the server has for them, such as `read_*`; None means all."""
    exclude: tuple[str, ...] = field(default=(), converter=_patterns)
    approve: Approve | None = field(default=None, validator=check_approval)
    timeout: float = field(default=60.0, validator=_above_zero)
    """Seconds for one answer."""
    start_timeout: float = field(default=60.0, validator=_above_zero)
    """Seconds from the start of the server to its first answer."""
    max_tools: int = field(default=128, validator=_above_zero)
    """More than these are an error: each of them takes room in every request."""
    _held: Held = field(init=False, repr=False)
    _own_name: str = field(init=False, default="", repr=False)
    _tools: list[AnyTool] | None = field(init=False, default=None, repr=False)
    _tools_of: tuple[Connection, int] | None = field(init=False, default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        if not _installed():
            raise NotConfigured(f"tools of MCP servers need the official SDK, version 2: {_NEEDED}")
        self._held = Held(self.name or self.server.label, self.server, self.start_timeout)

    @classmethod
    def stdio(
        cls,
        command: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        **settings: Unpack[Settings],
    ) -> Self:
        """A program that is started when its tools are needed. `env` is added to the few variables that it is given."""
        return cls(server=Program(command, arguments, env, cwd), **settings)

    @classmethod
    def http(cls, url: str, *, headers: Mapping[str, str] | None = None, **settings: Unpack[Settings]) -> Self:
        """A server that is running somewhere."""
        return cls(server=Address(url, headers), **settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def prefix_on_clash(self) -> str:
        """What `gather` puts before the name of a tool that another has, too."""
        return self.name or self._own_name or self.server.label

    def tools(self) -> list[AnyTool]:
        """The tools of the server, which the first call starts. They stay the same until the server says otherwise.

        Raises:
            ConnectError: the server cannot be started or reached.
            TimeoutError: it does not answer.
            InvalidInput: it has more than `max_tools`, or none that `include` names.
        """
        with self._held.listing:
            if self._tools is None:
                self._list()
            elif self._has_changed():
                try:
                    self._list()
                except AgentKitError:  # what was known is better than nothing, and each call says what is wrong
                    self._tools_of = None
            return list(self._tools or ())

    def call(self, name: str, arguments: Mapping[str, Any], context: ToolContext | None = None) -> Any:
        """What a tool answers, by the name that the server has for it: a text, or a value of JSON where there is none.

        Raises:
            ToolError: the tool failed, or the server refuses.
            ConnectError: the server cannot be started or reached; nothing was done.
            ConnectionLost: the server ended in the middle.
            TimeoutError: it did not answer in time; it was told to stop.
        """
        context = context or ToolContext()
        said: SimpleQueue[str] = SimpleQueue()

        async def note(progress: float, total: float | None, message: str | None) -> None:
            said.put(progress_of(progress, total, message))

        async def ask(session: ClientSession) -> CallToolResult:
            return await session.call_tool(name, dict(arguments), progress_callback=note)

        def tell() -> None:
            while not said.empty():
                context.report(said.get())

        result = self._held.request(ask, f"{name}()", self.timeout, cancelled=context.cancelled, tick=tell)
        value = value_of(result)
        if result.is_error:
            raise ToolError(str(value or f"{name} failed, and did not say why"))
        return value

    def close(self) -> None:
        """End the session, and the program. The source is of no use any more."""
        self._held.close()

    def _has_changed(self) -> bool:
        """There is a session that was not asked since it began, or since it spoke of changes."""
        session = self._held.current
        return session is not None and not session.is_over and self._tools_of != (session, session.changes)

    def _list(self) -> None:
        session = self._held.live()
        at = session, session.changes
        offered = self._held.request(_offered, "the list of its tools", self.timeout)
        self._own_name = session.ready.result()
        self._tools, self._tools_of = self._chosen(offered), at

    def _chosen(self, offered: list[Offered]) -> list[AnyTool]:
        by_name = {each.name: each for each in offered}
        wanted = [each for name, each in by_name.items() if self._is_wanted(name)]
        if len(wanted) > self.max_tools:
            raise InvalidInput(
                f"the MCP server {self._held.name!r} has {len(wanted):,} tools, and max_tools is {self.max_tools}; "
                "name those that are wanted with include="
            )
        if self.include and not wanted:
            names = ", ".join(by_name)
            raise InvalidInput(
                f"the MCP server {self._held.name!r} has no tool {', '.join(self.include)}; it has: {names}"
            )
        made: dict[str, AnyTool] = {}
        for each in wanted:
            tool = self._tool(each, made)
            made[tool.name] = tool
        return list(made.values())

    def _is_wanted(self, name: str) -> bool:
        included = self.include is None or any(fnmatchcase(name, pattern) for pattern in self.include)
        return included and not any(fnmatchcase(name, pattern) for pattern in self.exclude)

    def _tool(self, offered: Offered, taken: Mapping[str, AnyTool]) -> AnyTool:
        hints = offered.annotations
        harmless = hints is not None and bool(hints.read_only_hint or hints.idempotent_hint)
        return tool_of_schema(
            fit_name(f"{self.prefix}_{offered.name}" if self.prefix else offered.name, taken),
            offered.description or offered.title or "",
            offered.input_schema,
            _Remote(self, offered.name),
            approve=self.approve,
            rerun="rerun" if harmless else "ask",
        )


@frozen
class _Remote:
    """One tool of a server, by the server's own name for it."""

    source: MCP
    name: str

    def __call__(self, arguments: dict[str, Any], context: ToolContext) -> Any:
        return self.source.call(self.name, arguments, context)


async def _offered(session: ClientSession) -> list[Offered]:
    """All pages of the list."""
    from mcp.types import PaginatedRequestParams

    found: list[Offered] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
        found += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def _installed() -> bool:
    try:
        return find_spec("mcp") is not None and find_spec("mcp_types") is not None
    except (ImportError, ValueError):
        return False

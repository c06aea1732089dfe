"""The tools that `--tool` names: those that come along, those of MCP servers, and the user's own.

May hold how they are found and who is asked before they run. The user's code is imported only where it is named.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import os
import shlex
import sys
import zlib
from argparse import Namespace
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast, runtime_checkable

from attrs import evolve

from agentkit.cli._codes import UsageError
from agentkit.errors import InvalidInput
from agentkit.messages import ToolCall
from agentkit.tools import AnyTool, Approval, Approve, ToolSource, gather

USUAL: Approval = "auto"
"""What comes along only reads, and only what the command line has named."""
OWN: Approval = "ask"
"""Of the user's tools, and of those of servers, nobody knows what they do."""


@runtime_checkable
class Closable(Protocol):
    """A source that holds something open."""

    def close(self) -> None: ...


class Bench:
    """The tools of one run of the command. A source: what servers offer may change from turn to turn."""

    def __init__(self, specs: Sequence[str], approve: Approval | None, *, at_once: bool = False) -> None:
        self._at_once = at_once
        self.specs = tuple(specs)
        self.approve: Approval | None = approve
        self.always: set[str] = set()
        """Tools that the user does not want to be asked about any more."""
        self._along: dict[str, AnyTool] = {}
        self._others: list[AnyTool | ToolSource | Callable[..., Any]] = []
        try:
            self._fill()
        except BaseException:
            self.close()
            raise

    def _fill(self) -> None:
        for spec in self.specs:
            try:
                self._add(spec)
            except InvalidInput as error:
                raise UsageError(f"--tool {spec}: {error}") from error

    def _add(self, spec: str) -> None:
        kind, given, value = spec.partition("=")
        if kind in ALONG:
            self._along.update(gather([ALONG[kind](_value(spec, kind, given, value))]))
        elif kind == "mcp":
            self._others.append(_server(_value(spec, kind, given, value)))
        else:
            self._others += [awaited(each) for each in _own(spec)]

    def given(self) -> Sequence[AnyTool | ToolSource]:
        """What a conversation is given: sources are asked when a turn begins, unless it has to be known at once."""
        if not self.specs:
            return ()
        is_source = any(isinstance(each, ToolSource) and not isinstance(each, type) for each in self._others)
        return [self] if is_source and not self._at_once else self.tools()

    def tools(self) -> list[AnyTool]:
        """All of them, each with the word that holds for it here.

        Raises:
            AgentKitError: they have no schema, two share a name, or a server does not answer.
        """
        found = gather([*self._along.values(), *self._others])
        return [self._governed(tool, self._word(tool)) for tool in found.values()]

    def named(self, name: str) -> AnyTool | None:
        """The tool with this name."""
        return next((tool for tool in self.tools() if tool.name == name), None) if self.specs else None

    def words(self) -> list[tuple[AnyTool, str]]:
        """Each tool, and what becomes of its calls."""
        return [(tool, self._said(tool)) for tool in self.tools()]

    def close(self) -> None:
        """End what was started for them."""
        for each in self._others:
            if isinstance(each, Closable):
                each.close()

    def _said(self, tool: AnyTool) -> str:
        original = cast("_Word", tool.approve).said
        if tool.name in self.always:
            return "runs, as you said"
        return "decides by itself" if callable(original) else SAID[original]

    def _word(self, tool: AnyTool) -> Approve:
        """What the tool says itself holds; then `--approve`; then what is usual for tools of its kind."""
        if tool.approve is not None:
            return tool.approve
        return self.approve or (USUAL if tool.name in self._along else OWN)

    def _governed(self, tool: AnyTool, said: Approve) -> AnyTool:
        return evolve(tool, approve=_Word(tool.name, said, self.always))


class _Word:
    """Whether a call of one tool runs at once."""

    def __init__(self, name: str, said: Approve, always: set[str]) -> None:
        self.said: Approve = said
        self._name = name
        self._always = always

    def __call__(self, call: ToolCall) -> Approval:
        if self._name in self._always:
            return "auto"
        return self.said(call) if callable(self.said) else self.said


@contextmanager
def bench_of(arguments: Namespace, *, at_once: bool = False) -> Generator[Bench, None, None]:
    """The tools that the options name, closed in the end."""
    bench = Bench(arguments.tool or (), arguments.approve, at_once=at_once)
    try:
        yield bench
    finally:
        bench.close()


def _calculator(_: str) -> ToolSource:
    from agentkit.toolbox import Calculator

    return Calculator()


def _clock(_: str) -> ToolSource:
    from agentkit.toolbox import Clock

    return Clock()


def _files(folder: str) -> ToolSource:
    from agentkit.toolbox import Files

    return Files(Path(folder).expanduser())


def _web(hosts: str) -> ToolSource:
    from agentkit.toolbox import Web

    return Web(allow=[host.strip() for host in hosts.split(",") if host.strip()])


def _server(where: str) -> ToolSource:
    """A server that speaks the Model Context Protocol: running at an address, or a program to be started."""
    from agentkit.toolbox import MCP

    if where.startswith(("http://", "https://")):
        return MCP.http(where)
    program, *arguments = shlex.split(where)
    return MCP.stdio(program, *arguments)


ALONG: Mapping[str, Callable[[str], ToolSource]] = {
    "calculator": _calculator,
    "clock": _clock,
    "files": _files,
    "web": _web,
}
_VALUES = {"files": "=DIR", "web": "=HOST[,HOST]", "mcp": "=COMMAND or mcp=URL"}
SAID: Mapping[str, str] = {"auto": "runs", "ask": "asks first", "deny": "is refused"}
KINDS = "calculator, clock, files=DIR, web=HOST[,HOST], mcp=COMMAND, mcp=URL, MODULE:NAME or FILE.py:NAME"


def _value(spec: str, kind: str, given: str, value: str) -> str:
    if bool(value) is not (kind in _VALUES) or (given and not value):
        raise UsageError(f"--tool {spec}: it is written {kind}{_VALUES.get(kind, '')}")
    return value


# --- the user's own


def _own(spec: str) -> Sequence[AnyTool | ToolSource | Callable[..., Any]]:
    """What stands in a module or a file under a name: a tool, a function, a class, a source, or several of them."""
    place, _, name = spec.rpartition(":")
    if not place or not name:
        close = difflib.get_close_matches(spec.partition("=")[0], [*ALONG, "mcp"], n=1)
        raise UsageError(f"--tool {spec}: {f'did you mean {close[0]}?' if close else f'it is one of {KINDS}'}")
    found: object = _module(spec, place)
    for part in name.split("."):
        if not hasattr(found, part):
            raise UsageError(f"--tool {spec}: there is no {part!r} in {place}")
        found = getattr(found, part)
    several = cast("Iterable[Any]", found) if isinstance(found, list | tuple) else [found]
    return list(several)


def _module(spec: str, place: str) -> ModuleType:
    try:
        return _of_file(Path(place).expanduser()) if place.endswith(".py") else _of_name(place)
    except UsageError as error:
        raise UsageError(f"--tool {spec}: {error}") from None
    except (Exception, SystemExit) as error:  # the user's module may raise anything
        said = " ".join(str(error).split())
        raise UsageError(f"--tool {spec}: {place} cannot be imported: {type(error).__name__}: {said}") from error


def _of_name(name: str) -> ModuleType:
    """Looked for in the folder that the command is run in, too."""
    _look_in(Path.cwd())
    return importlib.import_module(name)


def _of_file(path: Path) -> ModuleType:
    """It is run once, and may import what lies beside it."""
    if not path.is_file():
        raise UsageError(f"there is no such file as {str(path)!r}")
    whole = path.resolve()
    name = f"_tools_{zlib.crc32(os.fsencode(whole)):08x}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    _look_in(whole.parent)
    found = importlib.util.spec_from_file_location(name, whole)
    if found is None or found.loader is None:
        raise ImportError("it is no file of Python")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # where classes look for their module
    try:
        found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _look_in(folder: Path) -> None:
    """Last of all: what lies there is not to stand in for a module of Python."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def awaited(item: Any) -> Any:
    """An async tool as one that this command, which has no event loop, can run; each call has a loop of its own."""
    if isinstance(item, ToolSource) and not isinstance(item, type):
        return item
    tool: AnyTool = next(iter(gather([item]).values()))
    if not tool.is_async or tool.is_class:
        return tool

    @functools.wraps(tool.function)
    def run(*args: Any, **kwargs: Any) -> Any:
        import asyncio

        return asyncio.run(tool.function(*args, **kwargs))

    return evolve(tool, function=run, is_async=False)

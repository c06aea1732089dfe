"""Tools that come along, each a source to be given to a conversation. They touch the outside, and so stand at the edge.

`calculator` is pure, `clock` reads the time, `files` reads below one folder, `web` fetches from some sites through the
transport of agentkit. `mcp` brings the tools of servers that speak the Model Context Protocol. Each is loaded at
its first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME_OF = {
    "MCP": "agentkit.toolbox.mcp",
    "Calculator": "agentkit.toolbox.calculator",
    "Clock": "agentkit.toolbox.clock",
    "Fetched": "agentkit.toolbox.web",
    "Fetcher": "agentkit.toolbox.web",
    "Files": "agentkit.toolbox.files",
    "Target": "agentkit.toolbox.web",
    "Web": "agentkit.toolbox.web",
}

__all__ = ["MCP", "Calculator", "Clock", "Fetched", "Fetcher", "Files", "Target", "Web"]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'agentkit.toolbox' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return __all__


if TYPE_CHECKING:
    from agentkit.toolbox.calculator import Calculator as Calculator
    from agentkit.toolbox.clock import Clock as Clock
    from agentkit.toolbox.files import Files as Files
    from agentkit.toolbox.mcp import MCP as MCP
    from agentkit.toolbox.web import Fetched as Fetched
    from agentkit.toolbox.web import Fetcher as Fetcher
    from agentkit.toolbox.web import Target as Target
    from agentkit.toolbox.web import Web as Web

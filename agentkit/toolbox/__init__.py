"""Tools that come along, each a source to be given to a conversation. They touch the outside, and so stand at the edge.

`calculator` is pure, `clock` reads the time, `files` reads below one folder, `web` fetches from some sites through the
transport of agentkit. `mcp` brings the tools of servers that speak the Model Context Protocol. Each is loaded at
its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "agentkit.toolbox.calculator": ("Calculator",),
        "agentkit.toolbox.clock": ("Clock",),
        "agentkit.toolbox.files": ("Files",),
        "agentkit.toolbox.mcp": ("MCP",),
        "agentkit.toolbox.web": ("Fetched", "Fetcher", "Target", "Web"),
    },
)

__all__ = ["MCP", "Calculator", "Clock", "Fetched", "Fetcher", "Files", "Target", "Web"]


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

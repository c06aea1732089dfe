"""Tools that come along, each a source to be given to a conversation. They touch the outside, and so stand at the edge.

`calculator` is pure, `clock` reads the time, `files` reads below one folder, `web` fetches from some sites through a
transport that it is given. `mcp` brings the tools of servers that speak the Model Context Protocol.
"""

from __future__ import annotations

from agentkit.toolbox.calculator import Calculator
from agentkit.toolbox.clock import Clock
from agentkit.toolbox.files import Files
from agentkit.toolbox.mcp import MCP
from agentkit.toolbox.web import Fetched, Fetcher, Target, Web

__all__ = ["MCP", "Calculator", "Clock", "Fetched", "Fetcher", "Files", "Target", "Web"]

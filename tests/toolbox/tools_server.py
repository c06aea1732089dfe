"""A server that speaks the Model Context Protocol, made with the official SDK: a program for the tests.

tools_server.py             over standard input and output
tools_server.py http PORT   streamable HTTP at /mcp
tools_server.py sse PORT    the older way at /sse
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
    ToolAnnotations,
)
from pydantic import BaseModel

server = MCPServer("workshop")


class Weather(BaseModel):
    city: str
    degrees: float


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


@server.tool()
def weather(city: str) -> Weather:
    """The weather somewhere."""
    return Weather(city=city, degrees=-3.5)


@server.tool()
def only_structured() -> CallToolResult:
    return CallToolResult(content=[], structured_content={"answer": 42})


@server.tool()
def nothing() -> CallToolResult:
    return CallToolResult(content=[])


@server.tool(name="odd.name / with spaces", structured_output=False)
def odd(value: str) -> str:
    return f"odd: {value}"


@server.tool(structured_output=False)
def fail(how: str = "loudly") -> str:
    """Fail."""
    raise ToolError(f"it failed {how}")


@server.tool(structured_output=False)
def fail_silently() -> CallToolResult:
    return CallToolResult(content=[], is_error=True)


@server.tool(structured_output=False)
def identity() -> str:
    """The process and the working directory of the server, and a variable of its environment."""
    return f"{os.getpid()} {Path.cwd()} {os.environ.get('AGENTKIT_TEST_WORD', '')}"


@server.tool(structured_output=False)
async def steps(count: int, ctx: Context) -> str:
    """Work in steps."""
    for step in range(count):
        await ctx.report_progress(step + 1, count, f"step {step + 1}")
    await ctx.report_progress(count)
    return "done"


@server.tool(structured_output=False)
async def wait(mark: str) -> str:
    """Wait for ever; leaves a mark when that begins, and another when it is cancelled."""
    Path(f"{mark}.begun").touch()
    try:
        await anyio.sleep_forever()
    finally:
        Path(f"{mark}.cancelled").touch()
    return "never"


@server.tool(structured_output=False)
def die() -> str:
    """End in the middle of a call."""
    print("the last words of a server, api_key=abc123secret", file=sys.stderr, flush=True)
    os._exit(3)


@server.tool(structured_output=False)
def say_garbage() -> str:
    print("this is no message", flush=True)
    return "it was said"


@server.tool(structured_output=False)
def much(size: int) -> str:
    return "x" * size


@server.tool(structured_output=False)
def parts() -> CallToolResult:
    """Everything that is no text."""
    return CallToolResult(
        content=[
            TextContent(type="text", text="first"),
            ImageContent(type="image", data="AAAA", mime_type="image/png"),
            AudioContent(type="audio", data="AAA=", mime_type="audio/wav"),
            ResourceLink(type="resource_link", name="notes", uri="file:///notes.txt", description="what was said"),
            ResourceLink(type="resource_link", name="more", uri="file:///more.txt"),
            EmbeddedResource(type="resource", resource=TextResourceContents(uri="file:///a.txt", text="inside")),
            EmbeddedResource(type="resource", resource=BlobResourceContents(uri="file:///b.bin", blob="AAAAAA==")),
        ]
    )


@server.tool(structured_output=False)
async def learn(name: str, ctx: Context) -> str:
    """Learn a new tool."""

    def learnt() -> str:
        return f"learnt {name}"

    server.add_tool(learnt, name=name, structured_output=False)
    await ctx.session.send_tool_list_changed()
    return "learnt"


def main() -> None:
    match sys.argv[1:]:
        case ["http", port]:
            server.run("streamable-http", port=int(port))
        case ["sse", port]:
            server.run("sse", port=int(port))
        case _:
            server.run("stdio")


if __name__ == "__main__":
    main()

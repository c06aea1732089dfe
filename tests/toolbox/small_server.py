"""A server that speaks the Model Context Protocol, made without the SDK, so that it starts quickly.

small_server.py             one of an early version
small_server.py modern      one of a version without a greeting
small_server.py faulty      one whose second tool has no schema of an object, and whose third has no name
small_server.py lost        one whose list goes on at no place
small_server.py many 1000   with so many tools, some on each page; one of them twice
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

NEWEST = "2026-07-28"
PAGE = 300
MODE = sys.argv[1] if len(sys.argv) > 1 else "plain"
IS_MODERN = MODE == "modern"
COMPLETE = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if IS_MODERN else {}
COUNT = int(sys.argv[2]) if MODE == "many" else 0
TOOLS: list[dict[str, Any]] = [
    {"name": name, "inputSchema": {"type": "object"}}
    for name in ["identity", *(f"tool_{number}" for number in range(COUNT)), "identity"]
]
if MODE == "faulty":
    TOOLS[1:] = [{"name": "broken", "inputSchema": {"type": "string"}}, {"inputSchema": {"type": "object"}}]
    TOOLS.append({"name": "named", "inputSchema": {"type": "object"}})


class Refused(Exception):
    pass


def initialize(params: dict[str, Any]) -> dict[str, Any]:
    if IS_MODERN:
        raise Refused("Method not found")
    info = {"name": "small", "version": "1"}
    return {"protocolVersion": "2024-11-05", "capabilities": {"tools": {}}, "serverInfo": info}


def discover(params: dict[str, Any]) -> dict[str, Any]:
    if not IS_MODERN:
        raise Refused("Method not found")
    return {"supportedVersions": [NEWEST], "capabilities": {"tools": {}}, **COMPLETE}


def tools(params: dict[str, Any]) -> dict[str, Any]:
    if MODE == "lost":
        return {"tools": TOOLS, "nextCursor": 5}
    first = int(params.get("cursor", 0))
    after = {"nextCursor": str(first + PAGE)} if first + PAGE < len(TOOLS) else {}
    return {"tools": TOOLS[first : first + PAGE], **after, **COMPLETE}


def call(params: dict[str, Any]) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": str(os.getpid())}], **COMPLETE}


METHODS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "initialize": initialize,
    "server/discover": discover,
    "tools/list": tools,
    "tools/call": call,
}


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        answer = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            answer["result"] = METHODS[message["method"]](message.get("params", {}))
        except Refused as error:
            answer["error"] = {"code": -32601, "message": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

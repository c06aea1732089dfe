"""A server that speaks the Model Context Protocol, made without the SDK, so that it starts quickly.

small_server.py             one of an early version
small_server.py modern      one of a version without a greeting
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
TOOLS = [
    {"name": name, "inputSchema": {"type": "object"}}
    for name in ["identity", *(f"tool_{number}" for number in range(COUNT)), "identity"]
]


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

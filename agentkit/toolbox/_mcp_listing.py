"""The list of a server's tools before the SDK reads it, which refuses all of them where one is not as it should be."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from agentkit.tools import cleaned, limited

_LIST = "tools/list"
_LONGEST_REASON = 300
_log = logging.getLogger("agentkit.mcp")


def readable(server: str, version: str | None, result: dict[str, Any]) -> dict[str, Any]:
    """The result of any request; if it is a list of tools, without those that cannot be read, each with a warning."""
    tools: object = result.get("tools")
    if version is None or not isinstance(tools, list) or not _fault(version, result):
        return result
    if _fault(version, {**result, "tools": []}):  # the tools are not what is wrong, or this is no list of them
        return result
    kept: list[Any] = []
    for each in tools:  # pyright: ignore[reportUnknownVariableType]
        fault = _fault(version, {**result, "tools": [each]})
        if fault:
            _log.warning("the MCP server %r: the tool %s is left out: %s", server, _named(each), fault)
        else:
            kept.append(each)
    return {**result, "tools": kept}


def _fault(version: str, result: Mapping[str, Any]) -> str:
    """Why the SDK would refuse this list; empty where it would not."""
    from mcp_types import methods
    from pydantic import ValidationError

    try:
        methods.parse_server_result(_LIST, version, result)
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(map(str, found["loc"][2:]))
        return limited(cleaned(f"{place}: {found['msg']}"), _LONGEST_REASON)
    return ""


def _named(offered: Any) -> str:
    name: object = offered.get("name") if isinstance(offered, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return f"{name!r:.80}"

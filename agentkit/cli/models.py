"""`agentkit models`: the backends, what each would use, and where that comes from. No connection is made."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from agentkit.cli import _codes
from agentkit.cli._screen import Screen
from agentkit.cli._settings import backends, configured, key_origin, url_origin
from agentkit.config import backend_settings, variables
from agentkit.errors import AgentKitError

_WANT_A_KEY = ("gravixlayer", "openai", "pixigpt")
"""The services; what runs on one's own machine asks for none, unless told to."""


def models(arguments: Namespace) -> int:
    """List the backends."""
    screen = Screen()
    rows = [_facts(name) for name in backends()]
    name, origin = configured()
    if arguments.json:
        chosen = {"model": name, "origin": origin if name else None}
        screen.say(json.dumps({"configured": chosen, "backends": rows}, ensure_ascii=False, indent=1))
        return _codes.OK
    screen.say("\n".join(_table(rows)))
    if name:
        screen.note(f"in use: {name} (from {origin})")
    else:
        screen.note("in use: none. Choose with -m BACKEND/MODEL, or export AGENTKIT_MODEL=...")
    return _codes.OK


def _facts(name: str) -> dict[str, Any]:
    return {"name": name, "key": key_origin(name), "address": _address(name), "address_origin": url_origin(name)}


def _address(name: str) -> str | None:
    """Where the backend would be asked; None in this process, or where it does not say."""
    if name == "sim":
        return None
    from agentkit.providers import get_provider

    try:
        url = backend_settings(name).base_url.value
        return getattr(get_provider(name, base_url=url), "base_url", None)
    except AgentKitError as error:
        return f"({error})"


def _table(rows: list[dict[str, Any]]) -> list[str]:
    cells = [("backend", "key", "address"), *(_cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(2)]
    return [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in cells]


def _cells(row: dict[str, Any]) -> tuple[str, str, str]:
    if row["name"] == "sim":
        return "sim", "needs none", "in this process; no AI behind it"
    missing = f"{variables(row['name'], 'api_key')[0]} is not set" if row["name"] in _WANT_A_KEY else "needs none"
    key = f"from {row['key']}" if row["key"] else missing
    origin = f" (from {row['address_origin']})" if row["address_origin"] else ""
    return row["name"], key, f"{row['address'] or '?'}{origin}"

"""`agentkit models`: the backends and where each stands; with a backend or --probe, what the servers say they have."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from agentkit.cli import _codes
from agentkit.cli._codes import UsageError
from agentkit.cli._screen import Screen
from agentkit.cli._settings import address, backends, configured, key_origin, short, url_origin
from agentkit.config import DEFAULT, backend_settings, variables
from agentkit.errors import AgentKitError, AuthError
from agentkit.providers.openai_chat import shown_url

if TYPE_CHECKING:
    from agentkit.discovery import Found

WANT_A_KEY = ("gravixlayer", "openai", "pixigpt", "pixigpt-threads")
"""The services; what runs on one's own machine asks for none, unless told to."""


def models(arguments: Namespace) -> int:
    """List the backends, or the models of one; only --probe and a backend make a connection."""
    if arguments.backend is not None:
        return _of_backend(arguments)
    if arguments.base_url is not None:
        raise UsageError("--base-url needs a backend, as in agentkit models vllm --base-url URL")
    screen = Screen()
    rows = [_facts(name) for name in backends()]
    found = _discovered() if arguments.probe else ()
    name, origin = configured()
    if arguments.json:
        chosen = {"model": name, "origin": origin if name else None}
        servers = {"servers": list(map(as_json, found))} if arguments.probe else {}
        screen.say(json.dumps({"configured": chosen, "backends": rows, **servers}, ensure_ascii=False, indent=1))
        return _codes.OK
    screen.say("\n".join(_table(rows)))
    if arguments.probe:
        _tell_servers(found, screen)
    if name:
        screen.note(f"in use: {name} (from {origin})")
    else:
        screen.note("in use: none. Choose with -m BACKEND/MODEL, or export AGENTKIT_MODEL=...")
    return _codes.OK


def _discovered() -> tuple[Found, ...]:
    from agentkit.discovery import discover

    return tuple(found for found in discover() if found.answered)


def _tell_servers(found: tuple[Found, ...], screen: Screen) -> None:
    for server in found:
        screen.say("\n".join(("", title(server), *(f"  {line}" for line in _lines(server, server.backend)))))
    if not found:
        screen.note("no server answers on this machine")


def _of_backend(arguments: Namespace) -> int:
    screen, name = Screen(), arguments.backend
    if not arguments.json:
        return tell_models(screen, name, arguments.base_url)
    if name == "sim":
        screen.say(json.dumps({"models": ["sim"]}))
    else:
        screen.say(json.dumps(as_json(_ask(name, arguments.base_url)), ensure_ascii=False, indent=1))
    return _codes.OK


def tell_models(screen: Screen, name: str, base_url: str | None) -> int:
    """Say which models a backend has, and what it is."""
    if name == "sim":
        screen.say("sim")
        return _codes.OK
    found = _ask(name, base_url)
    right = name in (found.backend, "gpt-oss")  # the latter is any server
    if found.models:
        screen.say("\n".join(_lines(found, name if right else found.backend)))
    screen.note(title(found) if found.models else f"{title(found)}; it lists no model")
    if not right:
        screen.warn(f"that is no {name}: call its models {found.backend}/MODEL" + _at(found))
    return _codes.OK


def _at(found: Found) -> str:
    """How to say that another backend is at this address."""
    variable = variables(found.backend, "base_url")[0]
    return "" if found.origin == DEFAULT else f", and set {variable}={shown_url(found.base_url)}"


def _ask(name: str, base_url: str | None) -> Found:
    """What a backend says it has; a failure comes with its hint."""
    from agentkit._runtime.advice import attach
    from agentkit.discovery import models_of

    try:
        found = models_of(name, base_url=base_url)
        if found.needs_key:
            raise AuthError(f"{name} lists its models only with a key")
    except AgentKitError as error:
        settings = backend_settings(name, base_url=base_url)
        attach(error, settings, base_url or address(name) or "")
        raise
    return found


def title(found: Found) -> str:
    """Which server, and where."""
    version = f" {found.version}" if found.version else ""
    return f"{found.backend}{version} at {shown_url(found.base_url)} ({short(found.origin)}), known by {found.evidence}"


def _lines(found: Found, backend: str) -> Iterator[str]:
    """Each model as it is named, and its window."""
    width = max((len(model) for model in found.models), default=0)
    for model in found.models:
        window = found.windows.get(model)
        told = f"window {window:,} tokens" if window else ""
        yield f"{backend}/{model:<{width}}  {told}".rstrip()


def as_json(found: Found) -> dict[str, Any]:
    """What is known of a server, for programs."""
    listed = [{"name": model, "window": found.windows.get(model)} for model in found.models]
    return {
        "backend": found.backend,
        "version": found.version,
        "address": shown_url(found.base_url),
        "origin": found.origin,
        "evidence": found.evidence,
        "needs_key": found.needs_key,
        "models": listed,
    }


def _facts(name: str) -> dict[str, Any]:
    return {"name": name, "key": key_origin(name), "address": _address(name), "address_origin": url_origin(name)}


def _address(name: str) -> str | None:
    """Where the backend would be asked, or why nowhere; None in this process."""
    try:
        return None if name == "sim" else address(name)
    except AgentKitError as error:
        return f"({error})"


def _table(rows: list[dict[str, Any]]) -> list[str]:
    cells = [("backend", "key", "address"), *(_cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(2)]
    return [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in cells]


def _cells(row: dict[str, Any]) -> tuple[str, str, str]:
    if row["name"] == "sim":
        return "sim", "needs none", "in this process; no AI behind it"
    missing = f"{variables(row['name'], 'api_key')[0]} is not set" if row["name"] in WANT_A_KEY else "needs none"
    key = f"from {row['key']}" if row["key"] else missing
    origin = f" (from {row['address_origin']})" if row["address_origin"] else ""
    return row["name"], key, f"{row['address'] or '?'}{origin}"

"""`agentkit config`: every setting with its origin, and where the file is. No connection is made."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Iterator

from attrs import frozen

from agentkit.cli import _codes
from agentkit.cli._codes import UsageError
from agentkit.cli._screen import Screen
from agentkit.cli._settings import address, backends
from agentkit.config import DEFAULT, Setting, backend_settings, config_path, data_path, setting, store_path
from agentkit.continuation import Continuation
from agentkit.errors import AgentKitError


@frozen
class Row:
    """One setting, as it is shown."""

    name: str
    value: str | None
    origin: str


def show(arguments: Namespace) -> int:
    """Print every value with its origin; `USAGE` where one of them cannot be meant."""
    screen = Screen()
    if arguments.action == "path":
        if arguments.backend is not None or arguments.json:
            raise UsageError("agentkit config path prints the path of the file, and takes nothing else")
        screen.say(str(config_path()))
        return _codes.OK
    rows: list[Row] = []
    wrong: list[str] = []
    for name in _chosen(arguments.backend):
        try:
            rows += _of_backend(name, whole=arguments.backend is not None)
        except AgentKitError as error:
            wrong.append(str(error))
    rows = ([] if arguments.backend is not None else [*_general()]) + rows
    screen.say(_as_json(rows) if arguments.json else "\n".join(_table(rows)))
    for line in dict.fromkeys(wrong):
        screen.error(line)
    return _codes.USAGE if wrong else _codes.OK


def _chosen(backend: str | None) -> list[str]:
    known = [name for name in backends() if name != "sim"]
    if backend is None:
        return known
    if backend not in known:
        raise UsageError(f"{backend!r} has no settings; there are {', '.join(known)}")
    return [backend]


def _general() -> Iterator[Row]:
    moved = next((name for name in ("AGENTKIT_CONFIG", "AGENTKIT_HOME") if os.environ.get(name)), None)
    there = "" if config_path().exists() else " (not there; it is optional)"
    yield Row("file", f"{config_path()}{there}", f"environment {moved}" if moved else DEFAULT)
    home = "environment AGENTKIT_HOME" if os.environ.get("AGENTKIT_HOME") else DEFAULT
    yield Row("data", str(data_path()), home)
    yield _row("model", setting("model"))
    store = setting("store")
    yield _row("store", store if store.value else Setting(f"sqlite:///{store_path()}", home))
    yield _row("transcript", setting("transcript"))
    rounds = setting("continuations", number=True)
    yield _row("continuations", rounds if rounds.value else Setting(str(Continuation().max_attempts), DEFAULT))
    offline = os.environ.get("AGENTKIT_OFFLINE", "")
    yield Row(
        "offline", "no" if offline in ("", "0") else "yes", "environment AGENTKIT_OFFLINE" if offline else DEFAULT
    )


def _of_backend(name: str, *, whole: bool) -> Iterator[Row]:
    """The address, and what else is set; all there is to set where one backend is asked for."""
    found = backend_settings(name)
    url = found.base_url if found.base_url.value else Setting(address(name), DEFAULT)
    yield _row(f"{name}.base_url", url)
    for entry, each in (("api_key", found.api_key), ("model", found.model)):
        if whole or each.value is not None:
            yield _row(f"{name}.{entry}", each)


def _row(name: str, found: Setting) -> Row:
    return Row(name, found.shown, found.origin)


def _table(rows: list[Row]) -> list[str]:
    cells = [(row.name, row.value or "-", row.origin) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(2)]
    return [f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}" for name, value, origin in cells]


def _as_json(rows: list[Row]) -> str:
    values = {row.name: {"value": row.value, "origin": row.origin} for row in rows}
    return json.dumps(values, ensure_ascii=False, indent=1)

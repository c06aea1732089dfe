"""`agentkit doctor`: a finding for each thing that a conversation depends on, with a fix. It asks this machine only."""

from __future__ import annotations

import os
import platform
import ssl
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from attrs import evolve

from agentkit.cli import _codes
from agentkit.cli._backends import Finding, backends_said, model_in_use, servers_running
from agentkit.cli._screen import Screen
from agentkit.cli._settings import backends
from agentkit.config import ENTRIES, config_path, setting, store_path, user_settings
from agentkit.errors import AgentKitError
from agentkit.stores import open_store

OTHERS_READ = 0o077


def doctor(arguments: Namespace) -> int:
    """Print all findings; 1 where something is wrong."""
    screen = Screen()
    findings = list(_examine(arguments))
    for finding in findings:
        screen.say(f"{finding.grade:<5}  {finding.text}")
        if finding.fix:
            screen.say(f"       -> {finding.fix}")
    wrong = sum(finding.grade == "wrong" for finding in findings)
    screen.note(f"{wrong or 'nothing'} {'is' if wrong <= 1 else 'are'} wrong; only this machine was asked")
    return _codes.FAILED if wrong else _codes.OK


def _examine(arguments: Namespace) -> Iterator[Finding]:
    """All findings; what is wrong for many reasons is told once."""
    checks: tuple[tuple[str, Callable[[], Finding | Iterable[Finding]]], ...] = (
        ("version", _version),
        ("settings", _settings),
        ("backends", backends_said),
        ("servers", servers_running),
        ("model", model_in_use),
        ("store", lambda: _store(arguments)),
        ("TLS", _tls),
        ("proxies", _proxies),
        ("offline", _offline),
    )
    told: set[str] = set()
    for subject, check in checks:
        for found in _found_by(check, f"correct what {subject} names"):
            if found.grade != "wrong" or found.text not in told:
                told.add(found.text)
                yield evolve(found, text=f"{subject}: {found.text}")


def _found_by(check: Callable[[], Finding | Iterable[Finding]], fix: str) -> Iterator[Finding]:
    try:
        found = check()
        yield from (found,) if isinstance(found, Finding) else found
    except (AgentKitError, OSError) as error:
        yield Finding("wrong", " ".join(str(error).split()), fix)


def _version() -> Finding:
    from agentkit import __version__

    return Finding("ok", f"agentkit {__version__}, Python {platform.python_version()} on {sys.platform}")


def _settings() -> Iterator[Finding]:
    path = config_path()
    given = user_settings()
    if not path.exists():
        yield Finding("ok", f"{path} (not there; it is optional)")
        return
    if os.name == "posix" and path.stat().st_mode & OTHERS_READ and "api_key" in path.read_text(encoding="utf-8"):
        yield Finding("note", f"{path} holds a key and others may read it", f"chmod 600 {path}")
    else:
        yield Finding("ok", str(path))
    for entry in _unknown(given):
        yield Finding("note", f"{entry} in {path} is not known, and does nothing", "agentkit config show lists what is")


def _unknown(given: dict[str, Any]) -> Iterator[str]:
    known = backends()
    for name, value in given.items():
        if name in known and isinstance(value, dict):
            yield from (f"[{name}] {entry}" for entry in cast("dict[str, Any]", value) if entry not in ENTRIES)
        elif name not in (*known, "model", "store", "transcript", "continuations"):
            yield f"[{name}]" if isinstance(value, dict) else name


def _store(arguments: Namespace) -> Finding:
    spec = arguments.store or setting("store").value or "sqlite"
    path = _file(spec)
    if path is None:
        open_store(spec).close()
        return Finding("ok", f"{spec}")
    folder = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not os.access(folder, os.W_OK):
        return Finding("wrong", f"{path} cannot be written", f"give yourself the right to write {folder}, or --store")
    if not path.exists():
        return Finding("ok", f"{path} (made by the first conversation), SQLite {_sqlite_version()}")
    store = open_store(f"sqlite:///{path}")
    try:
        count = len(store.list())
    finally:
        store.close()
    size = f"{path.stat().st_size / 1024:,.0f} kB"
    return Finding("ok", f"{path}, {count} conversations, {size}, SQLite {_sqlite_version()}")


def _file(spec: str) -> Path | None:
    if spec == "sqlite":
        return store_path()
    return Path(spec.removeprefix("sqlite:///")) if spec.startswith("sqlite:///") else None


def _sqlite_version() -> str:
    import sqlite3

    return sqlite3.sqlite_version


def _tls() -> Finding:
    for name, right in (("SSL_CERT_FILE", Path.is_file), ("SSL_CERT_DIR", Path.is_dir)):
        given = os.environ.get(name)
        if given and not right(Path(given)):
            return Finding("wrong", f"{name}={given!r} does not exist", f"correct {name}, or unset it")
        if given:
            return Finding("ok", f"{ssl.OPENSSL_VERSION}, certificates from {name}={given}")
    import certifi

    return Finding("ok", f"{ssl.OPENSSL_VERSION}, certificates of certifi ({certifi.where()})")


def _proxies() -> Finding:
    from urllib.parse import urlsplit
    from urllib.request import getproxies

    found = getproxies()
    excepted = found.pop("no", "")
    for scheme, url in found.items():
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https", "socks5", "socks5h") or not parts.hostname:
            return Finding("wrong", f"the one for {scheme} is no address", f"correct {scheme}_proxy, or unset it")
    hosts = ", ".join(f"{scheme} by {urlsplit(url).hostname or url}" for scheme, url in sorted(found.items()))
    return Finding("ok", (hosts or "none") + (f"; not for {excepted}" if found and excepted else ""))


def _offline() -> Finding:
    if os.environ.get("AGENTKIT_OFFLINE", "") not in ("", "0"):
        return Finding(
            "note", "AGENTKIT_OFFLINE is set: only servers on this machine are reached", "unset it to go out"
        )
    return Finding("ok", "AGENTKIT_OFFLINE is not set")

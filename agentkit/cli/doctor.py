"""`agentkit doctor`: one finding for each thing that a conversation depends on, with a fix. No connection is made."""

from __future__ import annotations

import os
import platform
import ssl
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from attrs import frozen

from agentkit.cli import _codes
from agentkit.cli._screen import Screen
from agentkit.cli._settings import backends, configured, found_keys, url_origin
from agentkit.config import config_path, setting, store_path, user_settings
from agentkit.errors import AgentKitError
from agentkit.stores import open_store

Grade = Literal["ok", "note", "wrong"]
OTHERS_READ = 0o077


@frozen
class Finding:
    """What was looked at, what was found, and what to do about it."""

    grade: Grade
    text: str
    fix: str = ""


def doctor(arguments: Namespace) -> int:
    """Print all findings; 1 where something is wrong."""
    screen = Screen()
    findings = list(_examine(arguments))
    for finding in findings:
        screen.say(f"{finding.grade:<5}  {finding.text}")
        if finding.fix:
            screen.say(f"       -> {finding.fix}")
    wrong = sum(finding.grade == "wrong" for finding in findings)
    screen.note(f"{wrong or 'nothing'} {'is' if wrong <= 1 else 'are'} wrong; no connection was made")
    return _codes.FAILED if wrong else _codes.OK


def _examine(arguments: Namespace) -> Iterator[Finding]:
    checks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("version", _version),
        ("settings", _settings),
        ("model", _model),
        ("keys", _keys),
        ("store", lambda: _store(arguments)),
        ("TLS", _tls),
        ("proxies", _proxies),
        ("offline", _offline),
    )
    for subject, check in checks:
        try:
            found = check()
            yield Finding(found.grade, f"{subject}: {found.text}", found.fix)
        except (AgentKitError, OSError) as error:
            yield Finding("wrong", f"{subject}: {' '.join(str(error).split())}", f"correct what {subject} names")


def _version() -> Finding:
    from agentkit import __version__

    return Finding("ok", f"agentkit {__version__}, Python {platform.python_version()} on {sys.platform}")


def _settings() -> Finding:
    path = config_path()
    user_settings()
    if not path.exists():
        return Finding("ok", f"{path} (not there; it is optional)")
    if os.name == "posix" and path.stat().st_mode & OTHERS_READ and "api_key" in path.read_text(encoding="utf-8"):
        return Finding("note", f"{path} holds a key and others may read it", f"chmod 600 {path}")
    return Finding("ok", str(path))


def _model() -> Finding:
    name, origin = configured()
    if name is None:
        return Finding(
            "note",
            "none is configured; in a terminal the simulator answers",
            "export AGENTKIT_MODEL=BACKEND/MODEL; agentkit models lists them",
        )
    backend, _, model = name.partition("/")
    if backend not in backends():
        return Finding("wrong", f"{name}, from {origin}: no such backend", f"one of {', '.join(backends())}")
    if not model and backend != "sim":
        return Finding("wrong", f"{name}, from {origin}: the model is missing", f"name it as {backend}/MODEL")
    return Finding("ok", f"{name}, from {origin}")


def _keys() -> Finding:
    found = [origin for _, origin in found_keys()]
    urls = [origin for origin in (url_origin(name) for name in backends()) if origin is not None]
    others = f"; addresses: {', '.join(urls)}" if urls else ""
    if found:
        return Finding("ok", f"found {', '.join(found)}{others}")
    return Finding("ok", f"none; local servers and the simulator need none{others}")


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

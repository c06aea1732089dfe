"""What `agentkit doctor` finds out about backends: keys and addresses, servers of this machine, the model in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from attrs import frozen

from agentkit._runtime.advice import advice
from agentkit.cli._settings import address, backends, configured, found_keys, url_origin
from agentkit.cli.models import WANT_A_KEY, title
from agentkit.config import BackendSettings, backend_settings, variables
from agentkit.discovery import SERVERS, Found, discover, is_local, probe
from agentkit.errors import AgentKitError
from agentkit.providers._identify import Verdict
from agentkit.providers.openai_chat import shown_url

Grade = Literal["ok", "note", "wrong"]
MOST_NAMED = 5


@frozen
class Finding:
    """What was looked at, what was found, and what to do about it."""

    grade: Grade
    text: str
    fix: str = ""


def backends_said() -> Iterator[Finding]:
    """Keys and addresses by their origin, and each backend whose settings cannot be meant."""
    keys = [origin for _, origin in found_keys()]
    urls = dict.fromkeys(origin for origin in map(url_origin, backends()) if origin is not None)
    others = f"; addresses: {', '.join(urls)}" if urls else ""
    told = f"found {', '.join(keys)}" if keys else "no keys; local servers and the simulator need none"
    yield Finding("ok", f"{told}{others}")
    for line in dict.fromkeys(map(_refused, backends())):
        if line:
            yield Finding("wrong", line, "correct it there; agentkit config show lists all origins")


def _refused(backend: str) -> str:
    try:
        backend_settings(backend)
    except AgentKitError as error:
        return str(error)
    return ""


def servers_running() -> Iterator[Finding]:
    """What answers on this machine."""
    running = [found for found in discover() if found.answered]
    nothing_chosen = configured()[0] is None
    for found in running:
        if found.needs_key:
            how = f"export {_assigned(found, 'api_key', '...')} {_assigned(found, 'base_url', found.base_url)}"
            yield Finding("note", title(found), how)
        else:
            window = max(found.windows.values(), default=None)
            told = f"{title(found)}: {_few(found.models)}{f'; window {window:,} tokens' if window else ''}"
            yield Finding("ok", told, _how_to_use(found) if nothing_chosen and found.models else "")
    if not running:
        yield Finding("ok", "none answers on this machine")


def _few(models: tuple[str, ...]) -> str:
    more = f" and {len(models) - MOST_NAMED} more" if len(models) > MOST_NAMED else ""
    return f"{', '.join(models[:MOST_NAMED]) or 'no model'}{more}"


def _how_to_use(found: Found) -> str:
    usual = found.base_url == address(found.backend)
    where = "" if usual else f" {_assigned(found, 'base_url', found.base_url)}"
    return f"to use it: export AGENTKIT_MODEL={found.backend}/{found.models[0]}{where}"


def _assigned(found: Found, entry: str, value: str) -> str:
    return f"{variables(found.backend, entry)[0]}={shown_url(value)}"


def model_in_use() -> Finding:
    """The model that answers where none is named, and whether it can."""
    name, origin = configured()
    if name is None:
        how = "export AGENTKIT_MODEL=BACKEND/MODEL; agentkit models lists them"
        return Finding("note", "none is configured; in a terminal the simulator answers", how)
    backend, _, model = name.partition("/")
    told = f"{name}, from {origin}"
    if backend not in backends():
        return Finding("wrong", f"{told}: no such backend", f"one of {', '.join(backends())}")
    return Finding("ok", told) if backend == "sim" else _reachable(told, backend, model)


def _reachable(told: str, backend: str, model: str) -> Finding:
    """The backend of the model in use: one elsewhere has what it needs, one on this machine answers."""
    settings = backend_settings(backend)
    wanted = model or settings.model.value or ""
    url = address(backend) or ""
    if is_local(url):
        return _answering(told, settings, wanted, url)
    usual = settings.base_url.value is None and backend in WANT_A_KEY
    if usual and not wanted:
        return Finding("wrong", f"{told}: the model is missing", f"name it as {backend}/MODEL")
    if usual and settings.api_key.value is None:
        return Finding("wrong", f"{told}: no key", f"export {variables(backend, 'api_key')[0]}=...")
    return Finding("ok", f"{told}, at {shown_url(url)}")


def _answering(told: str, settings: BackendSettings, wanted: str, url: str) -> Finding:
    backend = settings.backend
    try:
        verdict = probe(url, api_key=settings.api_key.value)
    except AgentKitError as error:
        return Finding("wrong", f"{told}: {error}", advice(error, settings, url))
    url = shown_url(url)
    lists = f"agentkit models {backend} lists what there is"
    match verdict:
        case Verdict(backend=None):
            change = f"{variables(backend, 'base_url')[0]}=URL names another address"
            return Finding("wrong", f"{told}: at {url} is something else ({verdict.evidence})", change)
        case Verdict(needs_key=True):
            return Finding("wrong", f"{told}: {url} wants a key", f"export {variables(backend, 'api_key')[0]}=...")
        case Verdict(backend=str(found)) if backend in SERVERS - {"gpt-oss"} and found not in (backend, "openai"):
            how = f"name it as {found}/{wanted or 'MODEL'}, with {variables(found, 'base_url')[0]}={url}"
            return Finding("note", f"{told}: at {url} is a {found}", how)
        case Verdict() if not wanted and len(verdict.models) != 1:
            return Finding("wrong", f"{told}: the model is missing", lists)
        case Verdict() if wanted and not _has(verdict, wanted):
            return Finding("wrong", f"{told}: {url} has no such model", lists)
        case _:
            return Finding("ok", f"{told}, answers at {url}")


def _has(verdict: Verdict, wanted: str) -> bool:
    """Whether the server lists the model; one of llama.cpp answers to any name."""
    return verdict.backend == "llamacpp" or wanted in verdict.models or f"{wanted}:latest" in verdict.models

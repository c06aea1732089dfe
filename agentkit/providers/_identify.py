"""Which server answers at an address, judged by its answers to a few GET requests. Pure, and never by the port.

May hold the marks of each server, where it tells its version, and where it tells the window that it really serves. Who
asks is elsewhere: it sends what `next_probe` names, relative to `root_of` the address, until that is None; at any time
`identify` says what is known so far. A path that gave no answer at all counts as `NO_ANSWER`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from attrs import field, frozen

from agentkit.providers._errors import one_line
from agentkit.providers._json import as_dict, as_list, loads

Answer: TypeAlias = tuple[int, Mapping[str, str], bytes]
Answers: TypeAlias = Mapping[str, Answer]

NO_ANSWER: Answer = (0, {}, b"")
PROBES = (
    "/v1/models",
    "/api/version",
    "/api/v0/models",
    "/health",
    "/info",
    "/cluster/status_json",
    "/version",
    "/props",
    "/api/ps",
    "/api/v1/models",
    "/server_info",
)
"""Every path that may be asked. Most servers are known after the first one."""
_MODELS = PROBES[0]

_OWNERS = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llamacpp",
    "parallax": "parallax",
    "organization_owner": "lmstudio",
}
"""`owned_by` in the list of models, where it names the server."""
_VERSION_AT = {"vllm": "/version", "sglang": "/server_info", "ollama": "/api/version", "llamacpp": "/props"}
_WINDOW_AT = {"llamacpp": ("/props",), "ollama": ("/api/ps",), "lmstudio": ("/api/v0/models", "/api/v1/models")}
"""Where the window is told, by servers that do not always tell it in the list of models."""
_NO_SUCH_PATH = "Unexpected endpoint or method"
"""What LM Studio answers to a path that it lacks, with status 200."""
_SHOWN = 60
_LONGEST_NAME = 512


@frozen(kw_only=True)
class Verdict:
    """What answers at an address."""

    backend: str | None
    """The name for `get_provider`; `openai` for a compatible server that is not known, None for something else."""
    evidence: str
    """What the verdict rests on, for a person."""
    version: str | None = None
    models: tuple[str, ...] = ()
    windows: Mapping[str, int] = field(factory=dict[str, int])
    """Tokens that prompt and reply share, by model, where the server tells what it really serves."""
    needs_key: bool = False

    def window(self, model: str) -> int | None:
        """The window of a model, which a request may name a little differently."""
        exact = self.windows.get(model) or self.windows.get(f"{model}:latest")
        if exact is not None or self.backend != "llamacpp":
            return exact
        return next(iter(self.windows.values()), None) if len(self.windows) == 1 else None  # it answers to any name


def root_of(base_url: str) -> str:
    """What the paths of `PROBES` are relative to: the address without the path of the OpenAI dialect."""
    return base_url.rstrip("/").removesuffix("/v1").rstrip("/")


def next_probe(answers: Answers, *, version: bool = False) -> str | None:
    """The path to ask next; None where the server and its windows are known, or no path would tell more."""
    if _MODELS not in answers:
        return _MODELS
    seen = _Seen(answers)
    told = _told(seen)
    paths = _to_decide(seen) if told is None else _to_complete(told[0], seen, version=version)
    return next((path for path in paths if path not in answers), None)


def identify(answers: Answers) -> Verdict:
    """What the answers say. Never raises, whatever the bytes are."""
    seen = _Seen(answers)
    backend, evidence = _told(seen) or _guess(seen)
    return Verdict(
        backend=backend,
        evidence=evidence,
        version=_version(seen),
        models=_names(seen),
        windows=dict(_windows(seen)),
        needs_key=seen.locked,
    )


class _Seen:
    """The answers, read once."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._read: dict[str, dict[str, Any]] = {}
        self.status, headers, _ = answers.get(_MODELS, NO_ANSWER)
        self.headers = {name.lower(): text for name, text in headers.items()}
        self.locked = self.status in (401, 403)
        listed = self.json(_MODELS)
        self.entries = tuple(map(as_dict, as_list(listed.get("data"))))
        self.listed = self.ok(_MODELS) and (listed.get("object") == "list" or any("id" in e for e in self.entries))
        self.owners = {owner for entry in self.entries if isinstance(owner := entry.get("owned_by"), str)}

    def status_of(self, path: str) -> int:
        return self._answers.get(path, NO_ANSWER)[0]

    def ok(self, path: str) -> bool:
        return self.status_of(path) == 200  # noqa: PLR2004 - HTTP's word for it

    def json(self, path: str) -> dict[str, Any]:
        """The body as a JSON object; an empty one where it is something else."""
        if path not in self._read:
            try:
                self._read[path] = as_dict(loads(self._answers.get(path, NO_ANSWER)[2].decode("utf-8-sig")))
            except ValueError:
                self._read[path] = {}
        return self._read[path]

    def entries_of(self, path: str, name: str) -> tuple[dict[str, Any], ...]:
        return tuple(map(as_dict, as_list(self.json(path).get(name)))) if self.ok(path) else ()


def _told(seen: _Seen) -> tuple[str, str] | None:
    """The server that the answers name, and the mark of it."""
    for owner in sorted(seen.owners & set(_OWNERS)):
        return _OWNERS[owner], f"owned_by {owner!r} in {_MODELS}"
    for backend, mark in _MARKS:
        evidence = mark(seen)
        if evidence:
            return backend, evidence
    return None


def _llamacpp(seen: _Seen) -> str:
    return "its header Server: llama.cpp" if seen.headers.get("server", "").lower() == "llama.cpp" else ""


def _vllm(seen: _Seen) -> str:
    return (
        "its version at /version, while the rest needs a key"
        if seen.locked and _text(seen.json("/version"), "version")
        else ""
    )


def _ollama(seen: _Seen) -> str:
    return (
        "its version at /api/version" if seen.ok("/api/version") and _text(seen.json("/api/version"), "version") else ""
    )


def _lmstudio(seen: _Seen) -> str:
    if any("state" in entry for entry in seen.entries_of("/api/v0/models", "data")):
        return "the loaded models at /api/v0/models"
    said = _text(seen.json("/api/version"), "error")
    return "how it answers an unknown path" if said.startswith(_NO_SUCH_PATH) else ""


def _mlx(seen: _Seen) -> str:
    """Python's own server; the only one whose models have a time and no owner."""
    if seen.owners or not any("created" in entry for entry in seen.entries):
        return ""
    if seen.headers.get("server", "").startswith("BaseHTTP"):
        return f"no owned_by in {_MODELS}, and its header Server: BaseHTTP"
    return f"no owned_by in {_MODELS}, and its /health" if _healthy(seen) and not _is_fastapi(seen) else ""


def _parallax(seen: _Seen) -> str:
    told = _text(seen.json("/cluster/status_json"), "type") == "cluster_status"
    return "/cluster/status_json" if told else ""


def _transformers(seen: _Seen) -> str:
    if any(isinstance(entry.get("owned_by"), list) for entry in seen.entries):
        return f"the lists in owned_by in {_MODELS}"
    if "x-request-id" not in seen.headers:
        return ""
    if any(isinstance(entry.get("created"), float) for entry in seen.entries):
        return f"the fractions of seconds in {_MODELS}"
    return "its /health, and how it refuses an unknown path" if _healthy(seen) and _is_fastapi(seen) else ""


_MARKS: tuple[tuple[str, Callable[[_Seen], str]], ...] = (
    ("llamacpp", _llamacpp),
    ("vllm", _vllm),
    ("ollama", _ollama),
    ("lmstudio", _lmstudio),
    ("transformers", _transformers),
    ("mlx", _mlx),
    ("parallax", _parallax),
)


def _healthy(seen: _Seen) -> bool:
    return seen.ok("/health") and seen.json("/health") == {"status": "ok"}


def _is_fastapi(seen: _Seen) -> bool:
    return "detail" in seen.json("/api/version") and not seen.ok("/api/version")


def _guess(seen: _Seen) -> tuple[str | None, str]:
    if seen.listed:
        owner = f", owned_by {_short(min(seen.owners))!r}" if seen.owners else ""
        return "openai", f"a list of models in {_MODELS}{owner}"
    if seen.locked:
        return "openai", f"{_MODELS}, which wants a key (HTTP {seen.status})"
    if not seen.status:
        return None, f"no answer to {_MODELS}"
    kind = _short(seen.headers.get("content-type", "no content type"))
    return None, f"no list of models in {_MODELS} (HTTP {seen.status}, {kind})"


def _to_decide(seen: _Seen) -> Iterator[str]:
    if seen.locked:
        yield "/version"
    if not seen.listed:
        return
    yield "/api/version"
    if not _is_fastapi(seen):
        yield "/api/v0/models"
    if any(entry.get("id") == entry.get("owned_by") for entry in seen.entries):
        yield "/info"  # TGI: the model is its own owner
    if not seen.entries:
        yield "/cluster/status_json"
    yield "/health"


def _to_complete(backend: str, seen: _Seen, *, version: bool) -> Iterator[str]:
    if version and backend in _VERSION_AT:
        yield _VERSION_AT[backend]
    if not any(_windows(seen)):
        yield from _WINDOW_AT.get(backend, ())


def _version(seen: _Seen) -> str | None:
    for path in ("/version", "/api/version", "/server_info", "/info"):
        if seen.ok(path) and (told := _text(seen.json(path), "version")):
            return _short(told)
    return _short(_text(seen.json("/props"), "build_info")) or None


def _names(seen: _Seen) -> tuple[str, ...]:
    """What can be asked for a reply, in the server's order."""
    others = {_text(entry, "id") for entry in seen.entries_of("/api/v0/models", "data") if _embeds(entry)}
    others |= {_text(entry, "key") for entry in seen.entries_of("/api/v1/models", "models") if _embeds(entry)}
    names = (_text(entry, "id") for entry in seen.entries if seen.listed)
    return tuple(dict.fromkeys(name for name in names if _is_name(name) and name not in others))


def _embeds(entry: Mapping[str, Any]) -> bool:
    return _text(entry, "type").startswith("embedding")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable()


def _windows(seen: _Seen) -> Iterator[tuple[str, int]]:
    """Each model with the window that is served; never what the model was trained for."""
    for name, size in _told_windows(seen):
        if _is_name(name) and isinstance(size, int) and not isinstance(size, bool) and size > 0:
            yield name, size


def _told_windows(seen: _Seen) -> Iterator[tuple[str, Any]]:
    slot = as_dict(seen.json("/props").get("default_generation_settings")).get("n_ctx") if seen.ok("/props") else None
    for entry in seen.entries:
        name = _text(entry, "id")
        yield name, slot
        yield name, entry.get("max_model_len")
        yield name, as_dict(entry.get("meta")).get("n_ctx")
    for entry in seen.entries_of("/api/ps", "models"):
        yield _text(entry, "name") or _text(entry, "model"), entry.get("context_length")
    for entry in seen.entries_of("/api/v0/models", "data"):
        yield _text(entry, "id"), entry.get("loaded_context_length")
    for entry in seen.entries_of("/api/v1/models", "models"):
        for instance in map(as_dict, as_list(entry.get("loaded_instances"))):
            size = as_dict(instance.get("config")).get("context_length")
            yield _text(entry, "key"), size
            yield _text(instance, "id"), size
    if seen.ok("/info"):
        yield _text(seen.json("/info"), "model_id"), seen.json("/info").get("max_total_tokens")


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _short(text: str) -> str:
    return one_line(text)[:_SHOWN]

"""Backends by name. A backend is a module of this package, or an entry point in the group `agentkit.providers`.

Both are factories that take a base URL and a key, either of which may be None. The environment is not read here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias, cast

from agentkit.errors import InvalidInput, NotConfigured
from agentkit.provider import Provider

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

Factory: TypeAlias = Callable[[str | None, str | None], Provider]

GROUP = "agentkit.providers"
_BUILT_IN: Mapping[str, str] = {
    "gpt-oss": "agentkit.providers.detecting:gpt_oss",
    "gradient": "agentkit.providers.gradient:gradient",
    "gravixlayer": "agentkit.providers.gravixlayer:gravixlayer",
    "llamacpp": "agentkit.providers.local:llamacpp",
    "lmstudio": "agentkit.providers.local:lmstudio",
    "mlx": "agentkit.providers.local:mlx",
    "ollama": "agentkit.providers.local:ollama",
    "openai": "agentkit.providers.openai_chat:openai",
    "parallax": "agentkit.providers.parallax:parallax",
    "pixigpt": "agentkit.providers.pixigpt:pixigpt",
    "pixigpt-threads": "agentkit.providers.pixigpt_threads:pixigpt_threads",
    "sglang": "agentkit.providers.local:sglang",
    "sim": "agentkit.providers.openai_chat:sim",
    "transformers": "agentkit.providers.local:transformers",
    "vllm": "agentkit.providers.local:vllm",
}
_SHOWN: Mapping[object, str] = {True: "yes", False: "no", None: "?"}


def provider_names() -> tuple[str, ...]:
    """The names that `get_provider` knows, those of installed packages included."""
    return tuple(sorted({*_BUILT_IN, *_installed().names}))


def get_provider(name: str, *, base_url: str | None = None, api_key: str | None = None) -> Provider:
    """The backend of this name, at another address or with a key where these are given.

    Raises:
        InvalidInput: there is no such name.
        NotConfigured: the package that brings the backend cannot be loaded.
    """
    return _factory(name)(base_url, api_key)


def capability_table() -> str:
    """What each built-in backend can do, as a table in Markdown; a second row where a gpt-oss model differs."""
    from attrs import asdict

    rows: dict[str, dict[str, object]] = {}
    for name in _BUILT_IN:
        backend = get_provider(name)
        plain, harmony = (asdict(backend.capabilities(model)) for model in ("any", "gpt-oss-20b"))
        rows[name] = plain
        if harmony != plain:
            rows[f"{name}, gpt-oss"] = harmony
    heads = ["backend", *next(iter(rows.values()))]
    lines = [heads, ["---"] * len(heads)]
    lines += [[name, *(_SHOWN.get(value) or str(value) for value in row.values())] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _factory(name: str) -> Factory:
    import pkgutil

    if name in _BUILT_IN:
        return cast("Factory", pkgutil.resolve_name(_BUILT_IN[name]))
    found = next(iter(_installed().select(name=name)), None)
    if found is None:
        raise InvalidInput(_unknown(name))
    return _loaded(found)


def _installed() -> EntryPoints:
    from importlib.metadata import entry_points  # slow to import

    return entry_points(group=GROUP)


def _loaded(entry: EntryPoint) -> Factory:
    try:
        return cast("Factory", entry.load())
    except (ImportError, AttributeError) as error:
        raise NotConfigured(f"the backend {entry.name!r} cannot be loaded from {entry.value!r}: {error}") from error


def _unknown(name: str) -> str:
    import difflib  # needed where something is wrong only

    known = provider_names()
    close = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"there are {', '.join(known)}"
    return f"unknown backend {name!r}; {hint}"

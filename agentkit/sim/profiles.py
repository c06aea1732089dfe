"""Which backends the simulator plays, and where: names and addresses, and nothing of how they speak."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import frozen

from agentkit.errors import InvalidInput

DEFAULT = "openai"


@frozen
class Profile:
    """One server that the simulator can be."""

    name: str
    backend: str
    """The backend of agentkit that speaks with it."""
    base: str
    """The address on the simulator at which it is always found."""

    @property
    def path(self) -> str:
        """The address that the real server has, at which the simulator plays the profile that was chosen."""
        return self.base.removeprefix(f"/{self.name}")


def _profile(name: str, backend: str = "", path: str = "/v1") -> Profile:
    return Profile(name, backend or name, f"/{name}{path}")


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        made.name: made
        for made in (
            _profile("openai", "sim"),
            _profile("vllm-0.11", "vllm"),
            _profile("vllm-0.12", "vllm"),
            _profile("vllm-0.33", "vllm"),
            _profile("llamacpp-2025", "llamacpp"),
            _profile("llamacpp-2026", "llamacpp"),
            _profile("ollama"),
            _profile("lmstudio"),
            _profile("sglang"),
            _profile("transformers"),
            _profile("mlx"),
            _profile("parallax-2025", "parallax"),
            _profile("parallax-2026", "parallax"),
            _profile("gravixlayer", path="/v1/inference"),
            _profile("gradient", path="/api"),
            _profile("pixigpt"),
        )
    }
)
"""By name; `openai` is what the simulator plays where nothing is chosen."""


def profile_named(name: object) -> Profile:
    """The profile of this name.

    Raises:
        InvalidInput: there is none.
    """
    found = PROFILES.get(name) if isinstance(name, str) else None
    if found is None:
        raise InvalidInput(f"unknown profile {name!r:.200}; there are {', '.join(PROFILES)}")
    return found


def routed(path: str, chosen: str) -> tuple[str, str]:
    """The name of the profile that a path leads to, and the path as the server it plays would see it."""
    name, slash, rest = path.removeprefix("/").partition("/")
    return (name, slash + rest or "/") if name in PROFILES else (chosen, path)


def addresses(url: str) -> dict[str, str]:
    """The address of each wire on a server; that of `openai` is the plain one, which plays what was chosen."""
    return {name: url + (made.path if name == DEFAULT else made.base) for name, made in PROFILES.items()}

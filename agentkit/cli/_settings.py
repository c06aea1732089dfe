"""Which model answers, and where each setting came from.

May hold the choice of the model, the simulator that stands in for it, and the origins that messages name. Values of
keys are never read here, only whether they are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from agentkit.cli._codes import UsageError
from agentkit.config import BackendSettings, Setting, backend_settings, config_path, configured_model, setting
from agentkit.errors import AgentKitError, NotConfigured

if TYPE_CHECKING:
    from agentkit.sim import Simulator

PACE = 0.02
"""Seconds per token of the simulator, where somebody watches."""


class NothingConfigured(NotConfigured):
    """No model is named anywhere, and nobody watches who could be told that a simulator answers."""


@frozen(kw_only=True)
class Choice:
    """The model that answers."""

    name: str
    model: str | Simulator
    origin: str
    base_url: str | None = None
    """Where it is, if the command line says so."""
    stand_in: bool = False
    """Nobody asked for the simulator: it answers because nothing is configured."""

    @property
    def backend(self) -> str:
        return self.name.partition("/")[0]

    @property
    def label(self) -> str:
        """What the prompt shows."""
        return self.name.rpartition("/")[2] or self.name


def choose(named: str | None, *, watched: bool, pace: float | None = None, base_url: str | None = None) -> Choice:
    """The model to use: the option, the environment, the user's file; the simulator only where somebody watches.

    Raises:
        NothingConfigured
    """
    name, origin = (named, "-m") if named else configured()
    if name is None and not watched:
        raise NothingConfigured
    if name is not None and not named:
        configured_model()  # which says where a wrong name came from
    if name is not None and name.partition("/")[0] != "sim":
        return Choice(name=name, model=name, origin=origin, base_url=base_url)
    if base_url is not None:
        raise UsageError("--base-url needs a backend that has an address, such as -m openai/MODEL")
    return Choice(name="sim", model=simulator(pace, watched=watched), origin=origin, stand_in=name is None)


def simulator(pace: float | None, *, watched: bool) -> Simulator:
    """A simulator, as slow as a model where somebody watches."""
    from agentkit.sim import Simulator

    return Simulator(pace=pace if pace is not None else PACE if watched else 0.0)


def configured() -> tuple[str | None, str]:
    """The model that the environment or the user's file names, and which of them."""
    found = setting("model")
    return found.value, short(found.origin) if found.value else "nothing is configured"


def short(origin: str) -> str:
    """The origin of a value without what goes without saying."""
    return origin.removeprefix("environment ").removeprefix("argument ")


def key_origin(backend: str) -> str | None:
    """Where the key of `backend` comes from."""
    return _origin(backend, lambda settings: settings.api_key)


def url_origin(backend: str) -> str | None:
    """Where the address of `backend` comes from, if it is not the usual one."""
    return _origin(backend, lambda settings: settings.base_url)


def _origin(backend: str, entry: Callable[[BackendSettings], Setting]) -> str | None:
    try:
        found = entry(backend_settings(backend))
    except AgentKitError:
        return None
    return short(found.origin) if found.value else None


def address(backend: str) -> str | None:
    """Where the backend would be asked; None where it does not say.

    Raises:
        AgentKitError: the settings say something that cannot be meant.
    """
    from agentkit.providers import get_provider

    return getattr(get_provider(backend, base_url=backend_settings(backend).base_url.value), "base_url", None)


def backends() -> Sequence[str]:
    """The names of all backends, the simulator last."""
    from agentkit.providers import provider_names

    return sorted(provider_names(), key=lambda name: (name == "sim", name))


def found_keys() -> list[tuple[str, str]]:
    """Each backend that has a key, with the origin of the key."""
    origins = ((name, key_origin(name)) for name in backends())
    return [(name, origin) for name, origin in origins if origin is not None]


def advice() -> tuple[str, ...]:
    """What to do where nothing is configured: four lines."""
    keys = found_keys()
    backend = keys[0][0] if keys else "openai"
    found = f" ({keys[0][1]} is there)" if keys else ""
    return (
        "agentkit: no model is configured, so there is nobody to answer.",
        f'  name one now:   agentkit -m {backend}/MODEL "..."{found}; agentkit models lists the backends',
        f'  or for good:    export AGENTKIT_MODEL={backend}/MODEL, or model = "{backend}/MODEL" in {config_path()}',
        '  or without AI:  agentkit -m sim "write 100 words" asks the simulator',
    )


def banner(version: str) -> tuple[str, ...]:
    """What is said before the simulator answers unasked."""
    keys = found_keys()
    connect = f"/model {keys[0][0]}/MODEL uses {keys[0][1]}" if keys else "connect later with  /model BACKEND/MODEL"
    return (
        f"agentkit {version} - nothing configured: no -m, no AGENTKIT_MODEL, no model in the settings",
        "  simulator: no AI behind this. It streams, truncates and fails on request: try  write 100 words",
        f"  {connect}  or see  agentkit doctor",
    )

"""Which model answers, and where each setting came from.

May hold the choice of the model, the simulator that stands in for it, and the origins that messages name. Values of
keys are never read here, only whether they are there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from attrs import frozen

from agentkit.cli._codes import UsageError
from agentkit.config import (
    BackendSettings,
    Setting,
    backend_settings,
    blaming,
    config_path,
    configured_model,
    setting,
)
from agentkit.errors import AgentKitError, InvalidInput, NotConfigured

if TYPE_CHECKING:
    from agentkit.continuation import Continuation
    from agentkit.sim import Simulator

PACE = 0.02
"""Seconds per token of the simulator, where somebody watches."""
NOWHERE = "nothing is configured"
_WHOLE = re.compile(r"[0-9]{1,6}")


class NothingConfigured(NotConfigured):
    """No model is named anywhere, and nobody watches who could be told that a simulator answers."""


@frozen(kw_only=True)
class Choice:
    """The model that answers."""

    names: Sequence[str]
    """As it was asked for; several stand in for each other, in this order."""
    model: str | Simulator | list[str | Simulator]
    origin: str
    base_url: str | None = None
    """Where it is, if the command line says so."""
    stand_in: bool = False
    """Nobody asked for the simulator: it answers because nothing is configured."""

    @property
    def name(self) -> str:
        """As it can be asked for again."""
        return ",".join(self.names)

    @property
    def backend(self) -> str:
        """The one that is preferred."""
        return self.names[0].partition("/")[0]

    @property
    def label(self) -> str:
        """What the prompt shows."""
        return self.names[0].rpartition("/")[2] or self.names[0]


def choose(named: Sequence[str], *, watched: bool, pace: float | None = None, base_url: str | None = None) -> Choice:
    """The models to use: the options, the environment, the user's file; the simulator only where somebody watches.

    Raises:
        NothingConfigured
    """
    names = [name.strip() for several in named for name in several.split(",") if name.strip()]
    origin = "-m"
    if not names:
        name, origin = configured()
        names = ["sim"] if name is None else [configured_model()]  # which says where a wrong name came from
        if name is None and not watched:
            raise NothingConfigured
    model = _model(names, base_url, partial(simulator, pace, watched=watched))
    return Choice(names=names, model=model, origin=origin, base_url=base_url, stand_in=origin == NOWHERE)


def _model(
    names: Sequence[str], base_url: str | None, simulated: Callable[[], Simulator]
) -> str | Simulator | list[str | Simulator]:
    models = [simulated() if name.partition("/")[0] == "sim" else name for name in names]
    if base_url is not None and len(names) > 1:
        raise UsageError("--base-url belongs to one backend; for several, set ..._BASE_URL in the environment")
    if base_url is not None and not isinstance(models[0], str):
        raise UsageError("--base-url needs a backend that has an address, such as -m openai/MODEL")
    return models if len(models) > 1 else models[0]


def continuation(given: str | None) -> Continuation:
    """How far a cut reply is continued: the option, the environment, the user's file.

    Raises:
        InvalidInput
    """
    from agentkit.continuation import Continuation

    found = Setting(given, "--continuations") if given is not None else setting("continuations", number=True)
    if found.value is None:
        return Continuation()
    with blaming(found):
        if not _WHOLE.fullmatch(found.value):
            raise InvalidInput("continuations must be a whole number; 0 leaves a cut reply as it is")
        return Continuation(max_attempts=int(found.value))


def simulator(pace: float | None, *, watched: bool) -> Simulator:
    """A simulator, as slow as a model where somebody watches."""
    from agentkit.sim import Simulator

    return Simulator(pace=pace if pace is not None else PACE if watched else 0.0)


def configured() -> tuple[str | None, str]:
    """The model that the environment or the user's file names, and which of them."""
    found = setting("model")
    return found.value, short(found.origin) if found.value else NOWHERE


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

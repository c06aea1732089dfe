"""From what the caller named to a provider, a model, and the transports that reach it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast, runtime_checkable

from agentkit._engine.line import Learnt
from agentkit.config import BackendSettings, backend_settings, configured_model
from agentkit.errors import InvalidInput, NotConfigured
from agentkit.provider import Detecting, Provider
from agentkit.providers import get_provider

if TYPE_CHECKING:
    from agentkit._runtime.transport import AsyncTransport, Transport
    from agentkit.sim import Simulator
    from agentkit.tokens import TokenCounter


Named: TypeAlias = "str | Provider | Simulator"

_MOST_KNOWN = 256
_SIMULATED = "sk-of-the-simulator"
_known: dict[tuple[Provider, str], Learnt] = {}
"""What this process has learnt of its backends, by provider (address and key included) and model."""


@runtime_checkable
class SelfReaching(Protocol):
    """A provider that needs no network: it brings the ways to reach it."""

    def transport(self) -> Transport: ...

    def async_transport(self) -> AsyncTransport: ...


class Backend:
    """A provider, the model to ask it for, and the way there; transports are made when they are first needed."""

    def __init__(
        self,
        provider: Provider,
        model: str,
        http_client: Any,
        simulator: Simulator | None,
        settings: BackendSettings | None = None,
    ) -> None:
        self.provider = provider
        self.model = model
        self.settings = settings
        """What was said of it, and where; None where the caller gave it ready-made."""
        self._http_client = http_client
        self._simulator = simulator
        self.learnt = _learnt_of(provider, model) if simulator is None else Learnt()

    def transport(self) -> Transport:
        return self._blocking

    def async_transport(self) -> AsyncTransport:
        return self._async

    @cached_property
    def _blocking(self) -> Transport:
        if self._simulator is not None:
            from agentkit.sim.transport import SimTransport

            return SimTransport(self._simulator)
        if isinstance(self.provider, SelfReaching):
            return self.provider.transport()
        from agentkit._runtime.http import ClientTransport, shared_transport

        return shared_transport() if self._http_client is None else ClientTransport(self._http_client)

    @cached_property
    def _async(self) -> AsyncTransport:
        if self._simulator is not None:
            from agentkit.sim.transport import AsyncSimTransport

            return AsyncSimTransport(self._simulator)
        if isinstance(self.provider, SelfReaching):
            return self.provider.async_transport()
        from agentkit._runtime.http import AsyncClientTransport, shared_async_transport

        return shared_async_transport() if self._http_client is None else AsyncClientTransport(self._http_client)


def _learnt_of(provider: Provider, model: str) -> Learnt:
    """What all conversations with this backend know of it."""
    try:
        found = _known.setdefault((provider, model), Learnt())
    except TypeError:  # a provider of somebody else's need not be hashable
        return Learnt()
    while len(_known) > _MOST_KNOWN:
        _ = _known.pop(next(iter(_known)), None)
    return found


def backends_for(
    model: Named | Sequence[Named] | None, *, base_url: str | None, api_key: str | None, http_client: Any
) -> tuple[Backend, ...]:
    """The backends that the caller means, the preferred one first.

    Raises:
        InvalidInput, NotConfigured
    """
    _check_texts(base_url, api_key)
    if model is None:
        model = configured_model()
    if not isinstance(model, list | tuple):
        return (_backend(cast("Named", model), base_url, api_key, http_client),)
    named = cast("Sequence[Named]", model)
    if not named:
        raise InvalidInput("an empty list names no backend")
    if len(named) > 1 and (base_url is not None or api_key is not None):
        raise InvalidInput("base_url and api_key belong to one backend; several are named: set them in the environment")
    return tuple(_backend(each, base_url, api_key, http_client) for each in named)


def _backend(model: Named, base_url: str | None, api_key: str | None, http_client: Any) -> Backend:
    if isinstance(model, str):
        return _named(model, base_url, api_key, http_client)
    if base_url is not None or api_key is not None:
        raise InvalidInput("base_url and api_key belong to a backend given by name; this one was given ready-made")
    from agentkit.sim import Simulator

    if isinstance(model, Simulator):
        return _simulated("", model, http_client)
    if not callable(getattr(model, "encode", None)):
        raise InvalidInput(f"a model is a name such as 'openai/MODEL', a provider or a simulator, not {model!r}")
    return Backend(model, cast("str", getattr(model, "model", "")) or "default", http_client, None)


def _named(name: str, base_url: str | None, api_key: str | None, http_client: Any) -> Backend:
    backend, slash, wanted = name.strip().partition("/")
    if not backend or (slash and not wanted) or any(mark.isspace() for mark in name):
        raise InvalidInput(f"a model is named 'backend' or 'backend/model', without blanks, not {name!r}")
    if backend == "sim":
        from agentkit.sim import Simulator

        return _simulated(wanted or "sim", Simulator(), base_url, api_key, http_client)
    found = backend_settings(backend, base_url=base_url, api_key=api_key)
    provider = get_provider(backend, base_url=found.base_url.value, api_key=found.api_key.value)
    chosen = wanted or found.model.value or cast("str", getattr(provider, "model", ""))
    return Backend(*_with_model(provider, chosen), http_client, None, found)


def _with_model(provider: Provider, model: str) -> tuple[Provider, str]:
    """A provider that can do without a model, or be asked for it, where none is named."""
    from agentkit.providers.detecting import undetected
    from agentkit.providers.openai_chat import OpenAIChat

    if model or isinstance(provider, Detecting):
        return provider, model
    if isinstance(provider, OpenAIChat) and _lists_models(provider):
        return cast("Provider", undetected(provider)), ""
    raise NotConfigured(f"{provider.name} needs a model: name it as '{provider.name}/MODEL'")


@lru_cache(_MOST_KNOWN)
def counter_of(backend: str, model: str) -> TokenCounter:
    """The counter for a model; what it takes is loaded when something must be counted."""
    from agentkit.counters import counter_for

    return counter_for(backend, model)


def _lists_models(provider: object) -> bool:
    return bool(getattr(getattr(provider, "dialect", None), "lists_models", False))


def _simulated(model: str, simulator: Simulator, *given: object) -> Backend:
    if any(value is not None for value in given):
        raise InvalidInput(
            "the simulator is within this process: base_url, api_key and http_client are for a backend elsewhere"
        )
    from agentkit.sim.profiles import PROFILES

    profile = PROFILES[simulator.profile]
    provider = get_provider(profile.backend, base_url=f"sim://local{profile.path}", api_key=_SIMULATED)
    listed = next(iter(simulator.models), "sim")
    usual = cast("str", getattr(provider, "model", "")) or ("" if _lists_models(provider) else listed)
    return Backend(*_with_model(provider, model or usual), None, simulator)


def _check_texts(base_url: object, api_key: object) -> None:
    if base_url is not None and not isinstance(base_url, str):
        raise InvalidInput(f"base_url must be a text, not {base_url!r}")
    if api_key is not None and not isinstance(api_key, str):
        raise InvalidInput(f"api_key must be a text, not of type {type(api_key).__name__}")

"""The simulator: a labelled stand-in for every backend, in process and as a server. There is no AI behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentkit.sim.server import SimServer
    from agentkit.sim.simulator import Simulator
    from agentkit.sim.transport import AsyncSimTransport, SimTransport

__all__ = ["AsyncSimTransport", "SimServer", "SimTransport", "Simulator"]

_HOMES = {
    "AsyncSimTransport": "agentkit.sim.transport",
    "SimServer": "agentkit.sim.server",
    "SimTransport": "agentkit.sim.transport",
    "Simulator": "agentkit.sim.simulator",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)

"""The simulator: a labelled stand-in for every backend, in process and as a server. There is no AI behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit._lazy import lazy

if TYPE_CHECKING:
    from agentkit.sim.server import SimServer
    from agentkit.sim.simulator import Simulator
    from agentkit.sim.transport import AsyncSimTransport, SimTransport

__all__ = ["AsyncSimTransport", "SimServer", "SimTransport", "Simulator"]

__getattr__ = lazy(
    __name__,
    {
        "agentkit.sim.server": ("SimServer",),
        "agentkit.sim.simulator": ("Simulator",),
        "agentkit.sim.transport": ("AsyncSimTransport", "SimTransport"),
    },
)

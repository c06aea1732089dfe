"""Which wire plays which profile. A wire is given the path without the name of the profile."""

from __future__ import annotations

from collections.abc import Mapping

from agentkit.sim import accents, gradient_wire, pixigpt_wire
from agentkit.sim.wire import Wire

WIRES: Mapping[str, Wire] = {
    **accents.WIRES,
    "gradient": gradient_wire.answer,
    "pixigpt": pixigpt_wire.answer,
}

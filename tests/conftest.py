"""How examples are drawn, for the whole suite: the same ones at each run, however slow the machine is.

`AGENTKIT_EXPLORE=1` draws others at each run, to look for what the usual ones miss.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "agentkit",
    deadline=None,
    derandomize=not os.environ.get("AGENTKIT_EXPLORE"),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("agentkit")

"""Which wire plays which profile. A wire is given the path without the name of the profile."""

from __future__ import annotations

from collections.abc import Mapping

from agentkit.sim import gradient_wire, openai_wire, pixigpt_wire
from agentkit.sim.wire import Wire

_OPENAI_LIKE = (
    "openai",
    "vllm-0.11",
    "vllm-0.12",
    "vllm-0.33",
    "llamacpp-2025",
    "llamacpp-2026",
    "ollama",
    "lmstudio",
    "sglang",
    "transformers",
    "mlx",
    "parallax-2025",
    "parallax-2026",
    "gravixlayer",
)

WIRES: Mapping[str, Wire] = {
    **dict.fromkeys(_OPENAI_LIKE, openai_wire.answer),
    "gradient": gradient_wire.answer,
    "pixigpt": pixigpt_wire.answer,
}

"""What importing the simulator costs, and what it must never touch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import agentkit.sim
from agentkit.sim import Simulator

HEAVY = (
    "asyncio",
    "anyio",
    "httpx",
    "cattrs",
    "tiktoken",
    "agentkit.providers",
    "agentkit._engine",
    "agentkit._runtime",
)


def test_importing_is_cheap() -> None:
    code = (
        "import sys, agentkit.sim, agentkit.sim.simulator, agentkit.sim.transport\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_nothing_of_the_other_side_is_imported() -> None:
    folder = Path(agentkit.sim.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.startswith(("agentkit.providers", "agentkit._engine"))], path


def test_names() -> None:
    for name in agentkit.sim.__all__:
        assert getattr(agentkit.sim, name).__name__ == name
    with pytest.raises(AttributeError, match="'Nothing'"):
        _ = agentkit.sim.Nothing
    assert agentkit.sim.Simulator is Simulator

"""What importing agentkit loads. Time is not asserted here: `python -m tests.benchmarks imports` measures it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NETWORK_AND_STORES = ("httpx", "httpcore", "h11", "anyio", "asyncio", "ssl", "sqlite3", "cattrs", "tiktoken")
SLOW = ("platformdirs", "tomllib", "importlib.metadata", "hashlib", "uuid", "inspect", "attr", "attrs")


def loaded_by(statement: str, names: tuple[str, ...]) -> list[str]:
    """Which of these modules a fresh process has after the statement."""
    code = f"import sys\n{statement}\nprint(*(name for name in {names!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    return done.stdout.split()


def test_importing_agentkit_loads_nothing_heavy() -> None:
    assert loaded_by("import agentkit", (*NETWORK_AND_STORES, *SLOW)) == []


@pytest.mark.parametrize("name", ["Conversation", "AsyncConversation", "Message", "RateLimiter", "TextDelta"])
def test_a_name_that_needs_no_network_loads_none(name: str) -> None:
    assert loaded_by(f"import agentkit; agentkit.{name}", NETWORK_AND_STORES) == []


def test_a_conversation_opens_without_network_or_database() -> None:
    opened = 'import agentkit; agentkit.Conversation("openai/any", api_key="none")'
    assert loaded_by(opened, NETWORK_AND_STORES) == []


def test_errors_load_no_class_machinery() -> None:
    assert loaded_by("import agentkit; agentkit.AgentKitError", ("attr", "attrs", *NETWORK_AND_STORES)) == []


TALK = """
import agentkit
with agentkit.Conversation("sim", context=agentkit.ContextPolicy({policy})) as chat:
    for number in range(8):
        chat.send(f"write 30 words about {{number}}")
    assert bool(chat.manifest.excluded) == {trimmed}
"""
PLANNER = ("agentkit._engine.plan.planner", "agentkit._engine.plan.fit")


def test_a_short_conversation_needs_no_planner() -> None:
    said = 'import agentkit; agentkit.Conversation("sim").send("say hello")'
    assert loaded_by(said, ("tiktoken", "agentkit._engine.plan.state", *PLANNER)) == []


@pytest.mark.parametrize(
    ("policy", "loads"),
    [("max_pairs=2", False), ("max_history=4", False), ("max_pairs=2, shorten_tool_results=100", True)],
)
def test_limits_in_questions_and_messages_load_no_vocabulary(policy: str, loads: bool) -> None:
    found = loaded_by(TALK.format(policy=policy, trimmed=True), ("tiktoken", *PLANNER))
    assert set(found) == {*PLANNER, *(["tiktoken"] if loads else [])}

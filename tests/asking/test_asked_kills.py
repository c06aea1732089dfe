"""Real processes killed with SIGKILL in the middle of an ask, which another process then brings to its value."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from asked_bench import Plan, roles
from asked_killed import QUESTION, opened

from agentkit import Conversation
from agentkit.sim import Simulator

KILLED = str(Path(__file__).parent / "asked_killed.py")
PLACES = (0, 3, 13, 16, 30)
"""After so many events: in the reply that is no JSON, about the correction, and in the value."""


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("way", ["native", "words", "tools"])
def test_a_killed_ask_comes_to_its_value(tmp_path: Path, way: str) -> None:
    values: list[Plan] = []
    for place in PLACES:
        store = f"sqlite:///{tmp_path}/{place}.db"
        killed_after(place, store, way)
        chat, simulator = opened(store, way, 0.0)
        with chat:
            values.append(chat.ask(QUESTION, into=Plan, turn_id="t"))
            asked = simulator.received
            assert chat.ask(QUESTION, into=Plan, turn_id="t") == values[-1]
            assert simulator.received == asked, "a second request for a turn that is finished"
            assert roles(chat.messages) == "ua"
            assert simulator.clean(), simulator.problems
        with Conversation(Simulator(), store=store, name="c") as again:
            assert again.messages[-1].text
    assert {type(value) for value in values} == {Plan}


@pytest.mark.slow
@pytest.mark.no_cover
def test_an_ask_that_ctrl_c_ends_keeps_what_came(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/c.db"
    killed_after(17, store, "native", signal.SIGINT)
    chat, simulator = opened(store, "native", 0.0)
    with chat:
        assert chat.messages[-1].interrupted
        assert chat.messages[-1].text.startswith("{")
        assert isinstance(chat.ask(QUESTION, into=Plan, turn_id="t"), Plan)
        assert roles(chat.messages) == "ua"
        assert simulator.received <= 2


def killed_after(place: int, store: str, way: str, how: int = signal.SIGKILL) -> None:
    """Let a process ask until it has said so much."""
    command = [sys.executable, KILLED, store, way, "0.02"]
    quiet: Any = subprocess.DEVNULL if how == signal.SIGINT else None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=quiet, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        for heard, _ in enumerate(process.stdout):
            if heard == place:
                break
        os.kill(process.pid, how)

"""Servers on loopback that answer as recorded, and a user without settings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from played import Played

from agentkit.providers._identify import Answer


@pytest.fixture
def play() -> Iterator[Callable[[Mapping[str, Answer], Answer], Played]]:
    """Start a server that answers so."""
    running: list[tuple[Played, threading.Thread]] = []

    def play(answers: Mapping[str, Answer], missing: Answer) -> Played:
        server = Played(answers, missing)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        running.append((server, thread))
        return server

    yield play
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LM_API_TOKEN", raising=False)
    monkeypatch.setenv("AGENTKIT_CONFIG", str(tmp_path / "config.toml"))

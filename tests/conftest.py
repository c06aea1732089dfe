from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "agentkit",
    deadline=None,
    derandomize=not os.environ.get("AGENTKIT_EXPLORE"),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("agentkit")
# the same examples at each run, however slow the machine is; AGENTKIT_EXPLORE=1 draws others, to look for more

pytest_plugins = ["agentkit.testing.plugin"]

OF_THE_SUITE = ("AGENTKIT_KILLS", "AGENTKIT_EXPLORE", "AGENTKIT_TURNS")
UNMEASURED = ("test_crossing.py", "test_every_point.py", "test_fault_memory.py", "test_kill.py", "test_tool_schema.py")
"""Long ones that reach nothing that others do not reach as well."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
LOOPBACK = ("127.", "::1", "localhost")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measuring takes time. Under trio the same engine runs as under asyncio, and once is enough to measure it."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        on_trio = parameters is not None and "trio" in parameters.params.values()
        if on_trio or item.path.name in UNMEASURED:
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the settings, keys and conversations of whoever runs it."""
    for name in list(os.environ):
        ours = name.startswith(("AGENTKIT_", "OLLAMA_", "LLAMA_")) and name not in OF_THE_SUITE
        if ours or name.endswith(("_API_KEY", "_API_BASE", "_BASE_URL", "_MODEL")) or name.lower() in PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for the network fails."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check(address: Any) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(LOOPBACK):
            raise AssertionError(f"a test tried to reach {address!r}")

    def guarded(sock: socket.socket, address: Any) -> None:
        check(address)
        connect(sock, address)

    def guarded_ex(sock: socket.socket, address: Any) -> int:
        check(address)
        return connect_ex(sock, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_ex)

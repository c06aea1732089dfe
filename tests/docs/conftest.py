"""A user without settings, keys, conversations or network, in a folder of their own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from fences import ROOT


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pages, commands and examples run; `agentkit` is a command there."""
    for name in list(os.environ):
        ours = name.startswith(("AGENTKIT_", "OLLAMA_", "LLAMA_"))
        if ours or name.endswith(("_API_KEY", "_API_BASE", "_BASE_URL", "_MODEL")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    commands = tmp_path / "bin"
    commands.mkdir()
    script = commands / "agentkit"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m agentkit "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("AGENTKIT_HOME", str(work / "home"))
    monkeypatch.setenv("AGENTKIT_OFFLINE", "1")
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return work

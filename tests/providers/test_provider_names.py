"""Backends by name."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

from agentkit import providers
from agentkit.errors import InvalidInput, NotConfigured
from agentkit.provider import Provider
from agentkit.providers.openai_chat import OpenAIChat


def test_built_in() -> None:
    openai = providers.get_provider("openai", api_key="k")
    assert isinstance(openai, OpenAIChat)
    assert (openai.name, openai.base_url, openai.api_key) == ("openai", "https://api.openai.com/v1", "k")
    sim = providers.get_provider("sim")
    assert (sim.name, sim.base_url, sim.capabilities("m").prefix) == ("sim", "sim://local/v1", True)
    assert providers.get_provider("sim", base_url="http://host/v1/").base_url == "http://host/v1"
    typed: Provider = openai
    assert typed is openai


def test_an_unknown_name_is_named_with_what_comes_close() -> None:
    with pytest.raises(InvalidInput, match="'opnai'; did you mean 'openai'"):
        providers.get_provider("opnai")
    with pytest.raises(InvalidInput, match=r"'zzz'; there are .*openai, .*sim"):
        providers.get_provider("zzz")


def install(monkeypatch: pytest.MonkeyPatch, **entries: str) -> None:
    found = [metadata.EntryPoint(name, value, providers.GROUP) for name, value in entries.items()]
    monkeypatch.setattr(metadata, "entry_points", lambda group: metadata.EntryPoints(found))


def test_a_package_brings_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, mine="agentkit.providers.openai_chat:sim", openai="nowhere:at_all")
    assert "mine" in providers.provider_names()
    assert providers.get_provider("mine", base_url="http://host").base_url == "http://host"
    assert providers.get_provider("openai").name == "openai"


@pytest.mark.parametrize("value", ["no_such_module:make", "agentkit.providers.openai_chat:no_such_name"])
def test_a_package_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    install(monkeypatch, broken=value)
    with pytest.raises(NotConfigured, match=f"'broken' cannot be loaded from '{value}'"):
        providers.get_provider("broken")


def test_asking_for_the_package_loads_no_backend() -> None:
    code = (
        "import sys, agentkit.providers; print([m for m in sys.modules if 'openai' in m or m == 'importlib.metadata'])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [name for name in providers.provider_names() if name != "sim"])
def test_no_secret_of_its_settings_is_shown(name: str) -> None:
    provider = providers.get_provider(name, base_url="http://ann:tops3cret@host/v1", api_key="sk-very-secret")
    assert "http://ann:***@host" in repr(provider)
    assert "tops3cret" not in repr(provider)
    assert "sk-very-secret" not in repr(provider)

"""Which profiles there are, and how they are reached and chosen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sim_client import body

from agentkit.errors import InvalidInput
from agentkit.providers import provider_names
from agentkit.sim import Simulator
from agentkit.sim.profiles import PROFILES


def post(simulator: Simulator, path: str, data: bytes) -> tuple[int, Any]:
    response = simulator.handle("POST", path, {"Authorization": "Bearer key"}, data)
    return response.status, json.loads(b"".join(item for item in response.body if isinstance(item, bytes)))


def test_each_profile_belongs_to_a_backend() -> None:
    assert {made.backend for made in PROFILES.values()} <= set(provider_names())
    assert [made.name for made in PROFILES.values()] == list(PROFILES)
    assert PROFILES["gravixlayer"].path == "/v1/inference"
    assert PROFILES["vllm-0.33"].base == "/vllm-0.33/v1"


def test_a_profile_is_chosen_and_changed() -> None:
    assert Simulator().profile == "openai"
    simulator = Simulator(profile="ollama")
    assert simulator.profile == "ollama"
    simulator.configure(profile="mlx")
    assert simulator.profile == "mlx"
    assert post(simulator, "/control", json.dumps({"profile": "sglang"}).encode())[1]["profile"] == "sglang"


@pytest.mark.parametrize("name", ["vllm", "", None, 5, ["ollama"], "x" * 1000])
def test_a_wrong_name_is_answered_with_the_right_ones(name: Any) -> None:
    simulator = Simulator()
    if name is not None:
        with pytest.raises(InvalidInput, match=r"unknown profile .*; there are openai, vllm-0\.11, .*, pixigpt"):
            simulator.configure(profile=name, seed=9)
        assert (simulator.profile, simulator.seed) == ("openai", 0)
        status, answer = post(simulator, "/control", json.dumps({"profile": name}).encode())
        assert (status, "there are openai" in answer["error"]["message"]) == (400, True)


def test_each_profile_has_a_path_of_its_own_and_the_chosen_one_the_plain_path() -> None:
    simulator = Simulator(profile="gravixlayer")
    for path, profile in (
        ("/v1/inference/chat/completions", "gravixlayer"),
        ("/gravixlayer/v1/inference/chat/completions", "gravixlayer"),
        ("/openai/v1/chat/completions", "openai"),
        ("/ollama/v1/chat/completions", "ollama"),
    ):
        assert post(simulator, path, body("say hi"))[0] == 200
        assert (simulator.requests[-1].path, simulator.requests[-1].profile) == (path, profile)
    for path in ("/v1/chat/completions", "/gravixlayer/v1/chat/completions", "/nowhere/v1/chat/completions", "/openai"):
        assert post(simulator, path, body("say hi"))[0] == 404

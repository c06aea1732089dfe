"""The real `gradient-chat-client` against the server, unchanged. It reads an answer whole, whatever it is."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentkit.sim import SimServer, Simulator

with warnings.catch_warnings():  # what it is built on reads a file of its own without naming the encoding
    warnings.simplefilter("ignore", EncodingWarning)
    from gradient_chat import GradientChatClient, GradientChatError, GradientConversation

Make = Callable[..., GradientChatClient]


@pytest.fixture(scope="module")
def server() -> Iterator[SimServer]:
    with SimServer(Simulator()) as running:
        yield running


@pytest.fixture
def make(server: SimServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    server.simulator.reset()
    monkeypatch.setattr(GradientChatClient, "BASE_URL", server.describe()["gradient"])
    return lambda **settings: GradientChatClient(log_dir=str(tmp_path / "logs"), **settings)


@pytest.fixture
def client(make: Make) -> GradientChatClient:
    return make()


def test_models(client: GradientChatClient) -> None:
    assert client.available_models == ["GPT OSS 120B", "Qwen3 235B"]
    assert client.get_model_info() == client.available_models


def test_a_reply(client: GradientChatClient, tmp_path: Path) -> None:
    answer = client.generate("say hello there")
    assert answer == {"reply": "hello there", "reasoning": "", "model": "GPT OSS 120B"}
    (log,) = tmp_path.glob("logs/*/*.json")
    lines = json.loads(log.read_text(encoding="utf-8"))["response"]
    kinds = [json.loads(line)["type"] for line in lines]
    assert kinds == ["jobInfo", "clusterInfo", "blockUpdate", "reply", "reply", "jobInfo"]


def test_it_thinks_when_it_is_asked_to(client: GradientChatClient) -> None:
    assert len(client.generate("say hi", enableThinking=True)["reasoning"].split()) == 24
    answer = client.generate("think 50 words. say hi", enableThinking=True)
    assert len(answer["reasoning"].split()) == 50
    assert answer["reply"] == "hi"
    assert client.generate("think 50 words. say hi")["reasoning"] == ""


def test_a_conversation_remembers(client: GradientChatClient, server: SimServer) -> None:
    client.generate("My name is Ada", enableThinking=True)
    assert "Ada" in client.generate("What is my name?")["reply"]
    sent = server.simulator.requests[-1].json["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert len(sent[1]["reasoningContent"].split()) == 24
    assert client.get_conversation().messages[-1]["role"] == "assistant"
    assert "Ada" not in client.generate("What is my name?", context_size=0)["reply"]
    assert server.simulator.clean()


def test_a_conversation_of_the_caller(client: GradientChatClient, server: SimServer) -> None:
    own = GradientConversation()
    own.add_user_message("My name is Eve")
    own.add_assistant_message("Hello", "a greeting")
    assert "Eve" in client.generate("What is my name?", conversation=own)["reply"]
    own.add_user_message("and another question")
    assert client.generate("say two questions in a row", conversation=own)["reply"] == "two questions in a row"
    assert server.simulator.clean()


def test_models_and_clusters(make: Make, server: SimServer) -> None:
    client = make(model="Qwen3 235B", cluster_mode="hybrid")
    assert client.generate("hi")["model"] == "Qwen3 235B"
    assert client.generate("hi", model="GPT OSS 120B")["model"] == "GPT OSS 120B"
    assert server.simulator.clean()
    for wrong in ({"cluster_mode": "nvidia"}, {"model": "none"}, {"cluster_mode": "moon"}):
        with pytest.raises(GradientChatError, match="HTTP Error"):
            client.generate("hi", **wrong)
    assert len(server.simulator.problems) == 3


def test_what_goes_wrong(client: GradientChatClient) -> None:
    for order, words in (
        ("fail with 500", "HTTP Error"),
        ("fail with 429", "HTTP Error"),
        ("drop the connection", "Network Error"),
        ("drop after 3 words", "Network Error"),
        ("fail with 500 after 3 words", "Job Failed"),
        ("never complete. write 4 words", "Job Failed"),
    ):
        with pytest.raises(GradientChatError, match=words):
            client.generate(order)
    assert client.get_conversation().messages == []
    assert client.generate("fail with 500")["reply"]


def test_a_timeout(client: GradientChatClient) -> None:
    with pytest.raises(GradientChatError, match="Timeout"):
        client.generate("wait 30 seconds", timeout=0.1)  # type: ignore[arg-type]


def test_a_reply_that_is_cut_looks_complete(client: GradientChatClient) -> None:
    assert len(client.generate("stop at 7 tokens. write 40 words")["reply"].split()) == 7
    cut = client.generate("stop at 7 tokens. write 40 words", enableThinking=True)
    assert (cut["reply"], len(cut["reasoning"].split())) == ("", 7)


def test_leaks(client: GradientChatClient) -> None:
    assert client.generate("leak harmony. write 3 words")["reply"].startswith("<|channel|>final<|message|>")
    both = client.generate("leak harmony. think 4 words. write 3 words")
    assert both["reply"].startswith("<|channel|>analysis<|message|>")
    assert "<|end|><|start|>assistant<|channel|>final<|message|>" in both["reply"]
    assert both["reply"].endswith("<|return|>")
    assert both["reasoning"] == ""
    aloud = client.generate("think aloud. write 3 words")
    assert (aloud["reply"], len(aloud["reasoning"].split())) == ("", 3)

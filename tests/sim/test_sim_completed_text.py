"""The completion of a text: what the servers make of a rendered conversation, and what they refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from accent_client import Answer, send

from agentkit.sim import Simulator
from agentkit.sim.talk import Drop, Pause

COMPLETING = ["vllm-0.11", "vllm-0.12", "vllm-0.33", "llamacpp-2025", "llamacpp-2026", "sglang"]
HARMONY = "<|start|>system<|message|>Hm.<|end|><|start|>user<|message|>count to 9<|end|>"
BEGUN = f"{HARMONY}<|start|>assistant<|channel|>final<|message|>1, 2, 3"
CHATML = "<|im_start|>user\ncount to 9<|im_end|>\n<|im_start|>assistant\n"


def complete(profile: str, prompt: Any, *orders: str, **more: Any) -> Answer:
    simulator = Simulator()
    simulator.script(orders)
    return send(simulator, "POST", f"/{profile}/v1/completions", {"model": "m", "prompt": prompt, **more})


def text(answer: Answer) -> str:
    said: str = answer.value["choices"][0]["text"]
    return said


@pytest.mark.parametrize("profile", COMPLETING)
@pytest.mark.parametrize(
    "prompt",
    [BEGUN, f"{CHATML}1, 2, 3", f"{CHATML}<think>\nHm.\n</think>\n\n1, 2, 3"],
    ids=["harmony", "chatml", "thought"],
)
def test_a_text_is_gone_on_with(profile: str, prompt: str) -> None:
    answer = complete(profile, prompt, max_tokens=100)
    assert text(answer) == ", 4, 5, 6, 7, 8, 9"
    assert answer.value["choices"][0]["finish_reason"] == "stop"
    assert answer.value["object"] == "text_completion"
    assert answer.value["usage"]["completion_tokens"] > 0
    assert text(complete(profile, prompt, max_tokens=2)) == ", 4,"
    assert text(complete(profile, prompt, max_tokens=100, stop=["7"])) == ", 4, 5, 6, "


def test_an_open_turn_is_answered() -> None:
    assert text(complete("vllm-0.33", CHATML, max_tokens=100)) == "1, 2, 3, 4, 5, 6, 7, 8, 9"
    thought = f"{HARMONY}<|start|>assistant<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
    assert text(complete("vllm-0.33", thought + "<|channel|>final<|message|>1,", max_tokens=2)) == " 2, 3,"


@pytest.mark.parametrize(("profile", "words"), [("vllm-0.33", 16), ("sglang", 16), ("llamacpp-2026", 40)])
def test_the_limit_where_none_is_given(profile: str, words: int) -> None:
    prompt = "<|im_start|>user\nwrite 40 words<|im_end|>\n<|im_start|>assistant\n"
    assert len(text(complete(profile, prompt)).split()) == words


@pytest.mark.parametrize("counted", [True, False])
def test_it_is_streamed(counted: bool) -> None:
    more: dict[str, Any] = {"stream_options": {"include_usage": True}} if counted else {}
    answer = complete("vllm-0.33", BEGUN, stream=True, max_tokens=100, **more)
    *events, done = [line[6:] for line in answer.data.decode().split("\n\n") if line]
    assert done == "[DONE]"
    values = [json.loads(event) for event in events]
    last = values[-2 if counted else -1]
    assert "".join(choice["text"] for value in values for choice in value["choices"]) == ", 4, 5, 6, 7, 8, 9"
    assert last["choices"][0]["finish_reason"] == "stop"
    assert ("usage" in values[-1]) is counted


@pytest.mark.parametrize(
    ("prompt", "words"), [(None, "prompt"), (["<|start|>"], "prompt"), ("Once upon a time", "harmony or ChatML")]
)
def test_what_is_no_conversation_is_refused(prompt: Any, words: str) -> None:
    answer = complete("vllm-0.33", prompt)
    assert answer.status == 400
    assert words in answer.data.decode()


@pytest.mark.parametrize("profile", ["openai", "ollama", "transformers", "mlx", "parallax-2026", "gravixlayer"])
def test_others_do_not_have_it(profile: str) -> None:
    assert complete(profile, BEGUN).status in (401, 404)


@pytest.mark.parametrize("stream", [True, False])
def test_what_goes_wrong_in_the_middle(stream: bool) -> None:
    orders = {"stream": stream, "max_tokens": 100}
    failed = complete("vllm-0.33", BEGUN, "fail 500 after 2 tokens, count to 9", **orders)
    assert (failed.status == 200) is stream
    assert "error" in failed.data.decode()
    waited = complete("vllm-0.33", BEGUN, "wait 3 seconds after 2 tokens, count to 9", **orders)
    assert "7" in waited.data.decode()
    assert waited.items == [Pause(3.0)]
    dropped = complete("vllm-0.33", BEGUN, "drop after 2 tokens, count to 9", **orders)
    assert dropped.items == [Drop()]
    cut = complete("vllm-0.33", BEGUN, "end after 2 tokens, count to 9", **orders)
    assert "stop" not in cut.data.decode()

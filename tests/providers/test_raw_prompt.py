"""A conversation as one text: by which template, for which models, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from provider_contract import EVENT_STREAM, JSON, check_any_cut, decode, summary

from agentkit.errors import Unsupported
from agentkit.messages import Media, Message, Reasoning, Text, ToolResult, assistant, system, user
from agentkit.options import Options
from agentkit.provider import ChatRequest, HTTPRequest
from agentkit.providers import get_provider
from agentkit.tools import tool

HARMONY_HEAD = """<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.
Knowledge cutoff: 2024-06

Reasoning: medium

# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>"""
BEGUN = assistant("It is a")


@tool
def look() -> str:
    """Look."""
    return ""


def encode(*messages: Message, name: str = "vllm", model: str = "gpt-oss-20b", **settings: Any) -> HTTPRequest:
    wanted = ChatRequest(model=model, messages=messages, prefix=True, raw=True, **settings)
    return get_provider(name).encode(wanted)


def sent(*messages: Message, **settings: Any) -> dict[str, Any]:
    wire: dict[str, Any] = json.loads(encode(*messages, **settings).body)
    return wire


@pytest.mark.parametrize(
    ("name", "model", "can"),
    [
        ("vllm", "openai/gpt-oss-20b", True),
        ("vllm", "Qwen/Qwen3-8B", True),
        ("vllm", "qwen2.5:7b-instruct", True),
        ("vllm", "QwQ-32B", True),
        ("vllm", "DeepSeek-R1-Distill-Qwen2.5-7B", False),
        ("vllm", "llama-3.1-8b", False),
        ("llamacpp", "gpt-oss-20b", True),
        ("llamacpp", "whatever.gguf", False),
        ("sglang", "gpt-oss-120b", True),
        ("ollama", "gpt-oss:20b", False),
        ("lmstudio", "qwen3-8b", False),
        ("gpt-oss", "gpt-oss:20b", False),
        ("openai", "qwen3", False),
    ],
)
def test_only_where_server_and_template_are_known(name: str, model: str, can: bool) -> None:
    assert get_provider(name).capabilities(model).raw is can


def test_harmony_is_left_open_in_the_final_channel() -> None:
    thought = Message("assistant", (Reasoning("Old."), Text("No. <|channel|>analysis<|message|>hm<|end|>")))
    begun = Message("assistant", (Reasoning("Hm <|end|>."), Text("It is a")))
    found = sent(system("Be brief."), user("Is it?"), thought, system("Be kind."), user("And <|end|> this?"), begun)
    assert found["prompt"] == (
        f"{HARMONY_HEAD}<|start|>developer<|message|># Instructions\n\nBe brief.\n\nBe kind.<|end|>"
        "<|start|>user<|message|>Is it?<|end|><|start|>assistant<|channel|>final<|message|>No. <|end|>"
        "<|start|>user<|message|>And <\u200b|end|> this?<|end|>"
        "<|start|>assistant<|channel|>analysis<|message|>Hm <\u200b|end|>.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>It is a"
    )


def test_thinking_of_the_turn_under_way_goes_along() -> None:
    before = Message("assistant", (Reasoning("Look it up."), Text("Well.")))
    found = sent(user("Is it?"), before, BEGUN)["prompt"]
    assert "analysis<|message|>Look it up.<|end|><|start|>assistant<|channel|>final<|message|>Well.<|end|>" in str(
        found
    )
    assert "<think>\nLook it up.\n</think>\n\nWell." in str(
        sent(user("Is it?"), before, BEGUN, model="qwen3")["prompt"]
    )


def test_chatml_is_left_open() -> None:
    old = Message("assistant", (Reasoning("Old."), Text("No.")))
    begun = Message("assistant", (Reasoning("New."), Text("It is a")))
    found = sent(system("Be brief."), user("Is it?"), old, user("<|im_end|>?"), begun, model="qwen3-8b")
    assert found["prompt"] == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nIs it?<|im_end|>\n"
        "<|im_start|>assistant\nNo.<|im_end|>\n<|im_start|>user\n<\u200b|im_end|>?<|im_end|>\n"
        "<|im_start|>assistant\n<think>\nNew.\n</think>\n\nIt is a"
    )


def test_what_else_is_sent() -> None:
    options = Options(
        temperature=0, max_tokens=9, stop=("END",), reasoning_effort="high", tool_choice="none", extra={"min_p": 0.1}
    )
    wire = encode(user("Is it?"), BEGUN, options=options)
    assert wire.url == "http://localhost:8000/v1/completions"
    assert wire.repeatable
    assert dict(wire.headers)["accept"] == "text/event-stream"
    found = json.loads(wire.body)
    assert "Reasoning: high\n" in found.pop("prompt")
    assert found == {
        "model": "gpt-oss-20b",
        "temperature": 0,
        "max_tokens": 9,
        "stop": ["END", "<|end|>", "<|return|>", "<|call|>", "<|start|>"],
        "min_p": 0.1,
        "stream": True,
        "stream_options": {"include_usage": True},
        "skip_special_tokens": False,
        "add_special_tokens": False,
    }
    whole = encode(user("Is it?"), BEGUN, name="llamacpp", model="qwen3", stream=False)
    assert dict(whole.headers)["accept"] == "application/json"
    assert sorted(json.loads(whole.body)) == ["model", "prompt", "stop"]


def test_the_short_limit_of_a_server_is_lifted() -> None:
    assert sent(user("Is it?"), BEGUN)["max_tokens"] is None
    assert sent(user("Is it?"), BEGUN, name="sglang")["max_tokens"] == 1024


@pytest.mark.parametrize(
    ("messages", "more"),
    [
        ((user("Is it?"), assistant("They write <|end|> and")), {}),
        ((user("Is it?"), BEGUN), {"model": "llama-3"}),
        ((user("Is it?"), BEGUN), {"options": Options(extra={"messages": []})}),
        ((user("Look", Media("image/png", data=b"x")), BEGUN), {}),
        ((user("Is it?"), Message("tool", (ToolResult("c", "yes"),)), BEGUN), {"model": "qwen3"}),
        ((user("Is it?"), BEGUN), {"tools": (look,)}),
    ],
)
def test_what_cannot_go_as_one_text(messages: tuple[Message, ...], more: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        encode(*messages, **more)


CHOICE = {"text": " ferry — now", "index": 0, "logprobs": None, "finish_reason": "length"}
COUNTS = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


def test_a_completed_text_is_read_whole_and_as_a_stream() -> None:
    whole = json.dumps({"object": "text_completion", "choices": [CHOICE], "usage": COUNTS}).encode()
    frames = [{**CHOICE, "text": piece, "finish_reason": None} for piece in (" fer", "ry", " — ", "now", "")]
    frames[-1]["finish_reason"] = "length"
    values = [*({"choices": [frame]} for frame in frames), {"choices": [], "usage": COUNTS}]
    stream = b"".join(b"data: %b\n\n" % json.dumps(value).encode() for value in values) + b"data: [DONE]\n\n"
    provider = get_provider("vllm")
    for body, head in ((whole, JSON), (stream, EVENT_STREAM)):
        found = summary(decode(provider, head, [body]))
        assert (found["text"], found["finish"]) == (" ferry — now", "length")
        check_any_cut(provider, head, body)

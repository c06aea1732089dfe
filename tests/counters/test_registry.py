"""Which counter a model has, counters from files, and servers that count."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from agentkit.counters import ChatMLCounter, HarmonyCounter, PlainCounter, counter_for, counter_from_file, warm
from agentkit.counters._chatml import QWEN_25
from agentkit.counters._harmony import ANY, OBJECTS, REFERENCE, TEXTS
from agentkit.counters._packed import O200K, QWEN, as_tiktoken, read
from agentkit.errors import InvalidInput, NotConfigured
from agentkit.messages import Message, Reasoning, Text, ToolCall, ToolResult, assistant, user
from agentkit.provider import Answered, ChatRequest, ResponseHead
from agentkit.providers import counting, get_provider, provider_names
from agentkit.tokens import count_prompt

# --- the table


@pytest.mark.parametrize("model", ["gpt-oss-20b", "openai/gpt-oss-120b", "gpt-oss:20b", "GPT OSS 120B", "gptoss"])
def test_gpt_oss_is_counted_by_harmony(model):
    assert counter_for("vllm", model) == HarmonyCounter((REFERENCE,))
    assert counter_for("llamacpp", model) == HarmonyCounter((OBJECTS,))
    assert counter_for("sglang", model) == HarmonyCounter((OBJECTS, TEXTS))
    assert counter_for("ollama", model) == counter_for("elsewhere", model) == HarmonyCounter(ANY)


@pytest.mark.parametrize(
    ("model", "counter"),
    [
        ("Qwen/Qwen3-8B", ChatMLCounter()),
        ("qwen3:4b", ChatMLCounter()),
        ("Qwen2.5-7B-Instruct", ChatMLCounter(QWEN_25)),
        ("qwen3-coder-30b", PlainCounter(QWEN, 0.05)),
        ("Qwen2-7B", PlainCounter(QWEN, 0.05)),
        ("QwQ-32B", PlainCounter(QWEN, 0.05)),
        ("Qwen3.5-4B", PlainCounter()),
        ("gpt-4o-mini", PlainCounter(O200K, 0.05)),
        ("o3-mini", PlainCounter(O200K, 0.05)),
        ("gpt-3.5-turbo", PlainCounter()),
        ("mistral-large", PlainCounter()),
        ("", PlainCounter()),
    ],
)
def test_other_models(model, counter):
    assert counter_for("openai", model) == counter
    assert hash(counter_for("openai", model)) == hash(counter)


def test_the_backend_gpt_oss_serves_nothing_else():
    assert counter_for("gpt-oss", "default") == HarmonyCounter()


def test_every_backend_has_a_counter():
    for name in provider_names():
        assert counter_for(name, "gpt-oss-20b").kind == "exact"
        assert counter_for(name, "some-model").kind == ("exact" if name == "gpt-oss" else "proxy")


def test_installed_vocabularies_are_used(monkeypatch):
    counter = warm(counter_for("vllm", "meta-llama/Llama-3.3-70B-Instruct"))
    assert counter == counter_for("vllm", "llama-3.1-8b")
    assert (counter.kind, counter.margin) == ("proxy", 0.05)
    assert counter.text("hello world") == 2
    assert counter.text("2026") == 2
    monkeypatch.setattr("agentkit.counters._registry.find_spec", lambda _: None)
    assert counter_for("vllm", "llama-3.1-8b") == PlainCounter()


# --- models of which little is known


def test_a_plain_counter_frames_generously():
    counter = PlainCounter(QWEN, 0.05)
    call = ToolCall("1", "look", {"city": "Oslo"})
    said = [
        user("Hi there"),
        assistant(Reasoning("Hm, I look it up."), "One moment.", call),
        Message("tool", (ToolResult("1", "sunny"),)),
    ]
    known = ChatMLCounter()
    assert all(counter.message(message, live=True) >= known.message(message, live=True) for message in said[:1])
    assert counter.message(said[1], live=True) > counter.message(said[1])
    assert counter.message(Message("user", (*said[2].parts, Text("Hi")))) == 16 + counter.text("sunny") + counter.text(
        "Hi"
    )
    counted = count_prompt(counter, said)
    assert counted.kind == "proxy"
    assert counted.value * 0.05 <= counted.margin <= counted.value * 0.05 + 4
    assert counted.upper >= count_prompt(known, said).value


# --- files


def test_a_tiktoken_file(tmp_path):
    file = tmp_path / "qwen.tiktoken"
    file.write_bytes(as_tiktoken(read("qwen2")))
    counter = counter_from_file(file, template="qwen3")
    assert (counter.kind, counter.message(user("Hi"))) == ("exact", 6)
    assert counter.text("cafe\u0301 2026") == QWEN.count("cafe\u0301 2026")
    assert counter_from_file(str(file), template="qwen2.5").base > counter.base
    assert counter_from_file(file).kind == "proxy"
    assert counter_from_file(file, template="harmony").text("Hi") == 1


def test_a_file_of_an_unknown_model_needs_its_pattern(tmp_path):
    file = tmp_path / "own.tiktoken"
    file.write_bytes(as_tiktoken([bytes([byte]) for byte in range(256)]))
    with pytest.raises(InvalidInput, match="256 tokens of no known model"):
        counter_from_file(file)
    assert counter_from_file(file, pattern=r"\w+|\W").text("é 1") == 4


def test_a_tekken_file(tmp_path):
    vocabulary = [{"rank": byte, "token_bytes": b64encode(bytes([byte])).decode()} for byte in range(256)]
    vocabulary += [{"rank": 256, "token_bytes": b64encode(b"ab").decode()}, {"rank": 257, "token_bytes": "eA=="}]
    config = {"pattern": r"\w+|\W", "default_vocab_size": 300, "default_num_special_tokens": 43}
    file = tmp_path / "tekken.json"
    file.write_text(json.dumps({"config": config, "vocab": vocabulary}), encoding="utf-8")
    assert counter_from_file(file).text("abab c") == 4


def tokenizer_json():
    added = [{"id": 3, "content": "<|end|>", "special": True, "single_word": False}]
    added = [{**token, "lstrip": False, "rstrip": False, "normalized": False} for token in added]
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "<": 4, "|": 5, "e": 6, "n": 7, "d": 8, ">": 9}}
    return {"version": "1.0", "added_tokens": added, "model": {**model, "merges": ["a b"]}}


def test_a_tokenizer_json(tmp_path):
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(tokenizer_json()), encoding="utf-8")
    counter = counter_from_file(file)
    assert counter.text("abab") == 2
    assert counter.text("<|end|>") == 7


def test_a_tokenizer_json_needs_its_package(tmp_path, monkeypatch):
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(tokenizer_json()), encoding="utf-8")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(NotConfigured, match=r"agentkit-conversation\[tokenizers\]"):
        counter_from_file(file)


@pytest.mark.parametrize(
    "content", ["", "{", "{}", '{"config": {}}', "a b c\nd", "!!!! 1", '{"model": {"type": "?"}}', "[]"]
)
def test_what_is_no_vocabulary_is_refused(tmp_path, content):
    file = tmp_path / "file"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInput, match="file"):
        counter_from_file(file)


def test_an_unknown_template_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match=r"one of harmony, qwen3, qwen2\.5"):
        counter_from_file(tmp_path / "file", template="llama")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="no vocabulary that can be read"):
        counter_from_file(tmp_path / "nothing")


# --- servers that count


def asked(backend, model="gpt-oss-20b", **extra):
    provider = get_provider(backend, base_url="http://localhost:9/v1", api_key="k")
    chat = provider.encode(ChatRequest(model=model, messages=[user("Zürich?")], **extra))
    return chat, counting.count_request(backend, chat)


def test_llamacpp_is_asked_with_the_chat_itself():
    chat, request = asked("llamacpp")
    assert request.url == "http://localhost:9/v1/chat/completions/input_tokens"
    sent, wanted = json.loads(request.body), json.loads(chat.body)
    assert "stream" not in sent
    assert sent["messages"] == wanted["messages"]
    assert dict(request.headers)["authorization"] == "Bearer k"
    assert counting.counted(b'{"object": "response.input_tokens", "input_tokens": 71}') == 71


@pytest.mark.parametrize("backend", ["vllm", "sglang"])
def test_vllm_and_sglang_tokenize(backend):
    _, request = asked(backend)
    assert request.url == "http://localhost:9/tokenize"
    assert set(json.loads(request.body)) == {"model", "messages", "add_generation_prompt"}
    assert dict(request.headers)["accept"] == "application/json"
    assert counting.counted(b'{"count": 68, "max_model_len": 8192, "tokens": [1]}') == 68
    assert counting.served_window(b'{"count": 68, "max_model_len": 8192}') == 8192


def test_older_llamacpp_renders_first():
    chat, _ = asked("llamacpp")
    assert counting.template_request(chat).url == "http://localhost:9/apply-template"
    request = counting.tokenize_request(chat, b'{"prompt": "<|start|>Hi"}')
    assert request.url == "http://localhost:9/tokenize"
    assert json.loads(request.body) == {"content": "<|start|>Hi", "add_special": True, "parse_special": True}
    assert counting.counted(b'{"tokens": [1, 2, 3]}') == 3
    assert counting.tokenize_request(chat, b'{"error": "no"}') is None


def test_other_backends_do_not_count():
    assert asked("ollama")[1] is None


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"count": "many"}', b"[" * 100_000])
def test_an_answer_without_a_count_says_nothing(body):
    assert counting.counted(body) is None
    assert counting.served_window(body) is None


def rounds(backend, *answers):
    """What comes of the calls where they are answered so: the addresses, and the number."""
    chat, _ = asked(backend)
    flow = counting.count_of(backend, chat)
    urls, answer = [], None
    try:
        for status, body in (*answers, (500, b"")):
            urls.append(flow.send(answer).request.url.partition(":9")[2])
            answer = Answered(ResponseHead(status, {}), body, 0.0)
    except StopIteration as end:
        return urls, end.value
    raise AssertionError(urls)


INPUT, RENDER, TOKENIZE = "/v1/chat/completions/input_tokens", "/apply-template", "/tokenize"
MISSING = (404, b'{"error": "no"}')


@pytest.mark.parametrize(
    ("backend", "answers", "urls", "number"),
    [
        ("ollama", [], [], None),
        ("vllm", [(200, b'{"count": 7}')], [TOKENIZE], 7),
        ("vllm", [MISSING], [TOKENIZE], None),
        ("llamacpp", [(200, b'{"input_tokens": 7}')], [INPUT], 7),
        ("llamacpp", [(503, b"{}")], [INPUT], None),
        ("llamacpp", [MISSING, (200, b'{"prompt": "Hi"}'), (200, b'{"tokens": [1, 2]}')], [INPUT, RENDER, TOKENIZE], 2),
        ("llamacpp", [MISSING, (200, b'{"prompt": "Hi"}'), MISSING], [INPUT, RENDER, TOKENIZE], None),
        ("llamacpp", [MISSING, (200, b"{}")], [INPUT, RENDER], None),
    ],
)
def test_the_calls_that_a_count_takes(backend, answers, urls, number):
    assert rounds(backend, *answers) == (urls, number)


# --- the package


def test_the_wheel_holds_the_vocabularies_and_their_licences(tmp_path):
    pytest.importorskip("hatchling")
    import zipfile

    root = Path(__file__).parents[2]
    command = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    subprocess.run(command, check=True, cwd=root, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = zipfile.ZipFile(wheel)
    names = set(packed.namelist())
    metadata = packed.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert "\nLicense-Expression: MIT AND Apache-2.0\n" in metadata
    for name in ("LICENSE", "agentkit/counters/data/NOTICE.md", "agentkit/counters/data/LICENSE-APACHE"):
        assert f"\nLicense-File: {name}\n" in metadata
        assert any(held.endswith(f"/licenses/{name}") for held in names)
    for name in ("o200k.xz", "qwen2.xz", "NOTICE.md", "LICENSE-APACHE"):
        assert f"agentkit/counters/data/{name}" in names
    assert wheel.stat().st_size < 2_500_000

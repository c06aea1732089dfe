"""The strictest servers refuse what they should: a validator that takes everything proves nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from history_maker import case_of
from history_requests import NAMES, shrunk, story, wrong
from history_rules import RULES, Refused, check, check_raw
from test_histories import SHARING, TURNS, takers

Q = {"role": "user", "content": "q"}
A = {"role": "assistant", "content": "a"}
S = {"role": "system", "content": "s"}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLS = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "r"}


def called(**changes: Any) -> list[dict[str, Any]]:
    return [Q, {**CALLS, "tool_calls": [{**CALL, **changes}]}, {**RESULT, "tool_call_id": changes.get("id", "a")}]


def with_arguments(text: str) -> list[dict[str, Any]]:
    return called(function={"name": "f", "arguments": text})


WRONG: dict[str, tuple[list[dict[str, Any]], str]] = {
    "nothing": ([], "the messages are"),
    "unknown role": ([{"role": "robot", "content": "x"}], "role 'robot'"),
    "no message": (["q"], "role None"),  # type: ignore[list-item]
    "unknown key": ([{**Q, "meta": {}}], "meta"),
    "null": ([{"role": "user", "content": None}], "null"),
    "empty question": ([{"role": "user", "content": " "}], "an empty message of the user"),
    "empty instructions": ([{"role": "system", "content": ""}, Q], "an empty message of the system"),
    "empty reply": ([Q, {"role": "assistant", "content": "\n"}, Q], "an empty message of the assistant"),
    "no parts": ([{"role": "user", "content": []}], "without parts"),
    "empty part": ([{"role": "user", "content": [{"type": "text", "text": ""}]}], "an empty part"),
    "unknown part": ([{"role": "user", "content": [{"type": "hologram"}]}], "hologram"),
    "no text": ([{"role": "assistant", "content": 1}, Q], "the content"),
    "no thought": ([Q, {**A, "reasoning": ""}, Q], "the thinking"),
    "no calls": ([Q, {**CALLS, "tool_calls": []}, Q], "the calls"),
    "no result": ([Q, CALLS, Q], "no results"),
    "no result at the end": ([Q, CALLS], "no results"),
    "orphan result": ([Q, RESULT], "which nobody called"),
    "two results": ([Q, CALLS, RESULT, RESULT], "which nobody called"),
    "late result": ([Q, CALLS, RESULT, Q, RESULT], "which nobody called"),
    "id twice": ([Q, CALLS, RESULT, CALLS, RESULT], "twice"),
    "odd id": (called(id="a b"), "the id"),
    "long id": (called(id="a" * 41), "the id"),
    "odd name": (called(function={"name": "f.g", "arguments": "{}"}), "the name"),
    "more in a call": (called(index=0), "the call"),
    "arguments are no text": (called(function={"name": "f", "arguments": {}}), "the call"),
    "arguments are cut": (with_arguments('{"a": 1'), "the arguments"),
    "arguments are no object": (with_arguments("[]"), "the arguments"),
    "NaN": (with_arguments('{"a": NaN}'), "NaN"),
    "infinite": (with_arguments('{"a": [1e999]}'), "beyond all bounds"),
    "half a character": (with_arguments('{"a": "\\ud83d"}'), "half of a character"),
    "too deep": (with_arguments('{"a": ' * 120 + "1" + "}" * 120), "too many levels"),
    "reply at the end": ([Q, A], "nothing to answer"),
}


def body(messages: list[dict[str, Any]], **fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": messages, **fields}).encode()


@pytest.mark.parametrize("messages", [[Q], [S, Q, A, Q], [Q, CALLS, RESULT], [Q, CALLS, RESULT, A, Q], called(id="b")])
def test_what_is_right_is_taken(messages: list[dict[str, Any]]) -> None:
    assert check("openai", body(messages)) == messages


@pytest.mark.parametrize(("messages", "why"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused(messages: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(Refused, match=why):
        check("openai", body(messages))


@pytest.mark.parametrize(
    ("name", "sent", "why"),
    [
        ("openai", b'{"model": "m", "model": "m", "messages": []}', "a name twice"),
        ("openai", b'{"model": "\xff"}', "no JSON"),
        ("openai", b"[]", "no object"),
        ("openai", b'{"model": NaN}', "NaN is no JSON"),
        ("openai", body([{"role": "user", "content": "\ud83d"}]), "half of a character"),
        ("openai", body([Q], meta=1), "unknown fields"),
        ("openai", body([Q], stream_options={}), "without stream"),
        ("openai", body([Q], tools=[]), "the tools"),
        ("openai", body([Q], tools=[{"type": "function"}]), "the tool "),
        (
            "openai",
            body([Q], tools=[{"type": "function", "function": {"name": "f g", "parameters": {"type": "object"}}}]),
            "a tool with the name",
        ),
        ("vllm", body([Q], continue_final_message=True), "continue_final_message"),
        ("parallax", body([Q]), "max_tokens"),
        ("pixigpt", json.dumps({"messages": [Q]}).encode(), "not of the system"),
        ("vllm, gpt-oss", body([Q, S, Q]), "of the system in place 1"),
        ("gpt-oss", body([Q, {**CALLS, "tool_calls": [CALL, {**CALL, "id": "b"}]}, RESULT]), "first call"),
        ("gpt-oss", body([Q, {**CALLS, "content": "x", "reasoning": "r"}, RESULT]), "a text and a thought"),
        ("gpt-oss", body([Q, {**A, "content": "<|channel|>final<|message|>"}, Q]), "own tokens"),
        ("gravixlayer", body([Q, {**A, "reasoning": "r"}, Q]), "reasoning"),
        (
            "ollama",
            body([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://h"}}]}]),
            "by address",
        ),
    ],
)
def test_what_is_wrong_elsewhere_is_refused(name: str, sent: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why):
        check(name, sent)


@pytest.mark.parametrize(
    ("name", "messages", "why"),
    [
        ("openai", [Q, A], "no reply begins"),
        ("sim", [Q], "no reply begins"),
        ("llamacpp", [Q, A, A], "two messages"),
        ("sim", [Q, CALLS, RESULT, CALLS], "a call cannot be gone on with"),
        ("vllm", [Q, A], "continue_final_message"),
    ],
)
def test_a_reply_that_has_begun_is_refused(name: str, messages: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(Refused, match=why):
        check(name, body(messages), begun=True)


@pytest.mark.parametrize(
    ("name", "fields", "why"),
    [
        ("gradient", {"messages": [Q, Q]}, "twice in a row"),
        ("gradient", {"messages": [Q, A]}, "not of the user"),
        ("gradient", {"messages": [{**Q, "content": " "}]}, "an empty message"),
        ("gradient", {"messages": [RESULT]}, "a message with"),
        ("gradient", {"messages": [S, Q]}, "role 'system'"),
        ("gradient, role of the system", {"messages": [{**S, "content": ""}, Q]}, "empty instructions"),
        ("gradient", {"messages": [Q], "stream": True}, "the fields"),
        ("pixigpt-threads", {"messages": []}, "not of the user"),
    ],
)
def test_other_forms_are_refused(name: str, fields: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        check(name, json.dumps({"model": "m", "clusterMode": "c", "enableThinking": True, **fields}).encode())


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        ("Hello", "begins with"),
        ("<|start|>user<|message|><|end|><|start|>assistant<|message|>x", "the message"),
        ("<|start|>user<|message|>q<|start|>assistant<|message|>x", "the message"),
        ("<|start|>user<|message|>q<|call|>r<|end|><|start|>assistant<|message|>x", "control words"),
        ("<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\nx<|im_end|>", "the open end"),
        ("<|im_start|>user\nq", "the open end"),
    ],
)
def test_texts_are_refused(prompt: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        check_raw(json.dumps({"prompt": prompt}).encode())


def test_each_backend_has_rules_and_meets_its_share() -> None:
    met = [name for number in range(10_000) for name in takers(number)]
    assert set(met) == set(NAMES) >= set(RULES)
    for name in TURNS:
        shared = sum(met.count(setting) for setting in SHARING.get(name, (name,)))
        assert shared >= 1000, "a tenth of all"


def test_a_history_is_the_same_each_time() -> None:
    assert case_of(7) == case_of(7)
    assert len({case_of(number).way for number in range(40)}) == 3


def test_what_is_found_is_shown_at_its_smallest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes no calls at all: of a long history, the call that it refuses is left."""
    number = next(number for number in range(200) if len(case_of(number).records) > 12 and _calls(number))
    monkeypatch.setattr("history_requests.check", _no_calls)
    case = case_of(number)
    assert wrong(case, ("openai",), number=1) == "openai: a call"
    small = shrunk(case, ("openai",), 1)
    assert wrong(small, ("openai",), number=1) == "openai: a call"
    assert len(small.records) < len(case.records)
    assert "ToolCall" in story(small)


def _calls(number: int) -> bool:
    return wrong(case_of(number), ("openai",), number=1) is None and "ToolCall(" in story(case_of(number))


def _no_calls(name: str, sent: bytes, *, begun: bool) -> list[Any]:
    wires: list[dict[str, Any]] = json.loads(sent)["messages"]
    if any("tool_calls" in wire for wire in wires):
        raise Refused("a call")
    return wires

"""What comes from Gradient Chat."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_contract import (
    check_any_cut,
    check_early_end,
    check_interleaved,
    check_shape,
    decode,
    summary,
)

from agentkit.errors import (
    AuthError,
    BadRequest,
    JobFailed,
    ProtocolError,
    ProviderError,
    RateLimited,
    ServerError,
)
from agentkit.events import Notice
from agentkit.provider import Chunk, Details, Fault, Finish, ResponseHead
from agentkit.providers.gradient import Gradient, available_models
from agentkit.usage import FinishReason

CASES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "gradient" / "cases.json").read_text("utf-8")
)
PROVIDER = Gradient()
HEAD = ResponseHead(200, {"content-type": "application/x-ndjson", "x-request-id": "r1"})
DONE = {"type": "jobInfo", "data": {"status": "completed"}}


def lines(*events: Any) -> bytes:
    return "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events).encode()


def reply(**data: Any) -> dict[str, Any]:
    return {"type": "reply", "data": data}


def job(status: Any, **more: Any) -> dict[str, Any]:
    return {"type": "jobInfo", "data": {"status": status, **more}}


def read(body: bytes) -> list[Chunk]:
    return check_any_cut(PROVIDER, HEAD, body)


def words(chunks: Sequence[Chunk]) -> dict[str, Any]:
    found = summary(chunks)
    model = next((chunk.values.get("model") for chunk in chunks if isinstance(chunk, Details)), None)
    return {"text": found["text"], "reasoning": found["reasoning"], "finish": found["finish"], "model": model}


def notices(chunks: Sequence[Chunk]) -> list[str]:
    return [chunk.message for chunk in chunks if isinstance(chunk, Notice)]


def fault(body: bytes) -> ProviderError:
    last = read(body)[-1]
    assert isinstance(last, Fault)
    return last.error


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n\n", "\n \n"])
def test_recorded_answer(name: str, newline: str) -> None:
    body = "".join(json.dumps(event, ensure_ascii=False) + newline for event in CASES[name]["stream"]).encode()
    chunks = read(body)
    assert words(chunks) == CASES[name]["expect"]
    assert not notices(chunks)
    assert summary(chunks)["usage"] is None


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("prefix", ["data: ", "data:"])
def test_an_answer_framed_as_events(name: str, prefix: str) -> None:
    events = "".join(f"event: message\nid: 1\n{prefix}{json.dumps(event)}\n\n" for event in CASES[name]["stream"])
    chunks = read(f"\ufeff: hello\nretry: 5\n{events}data: [DONE]\n\n".encode())
    assert words(chunks) == CASES[name]["expect"]
    assert not notices(chunks)


@pytest.mark.parametrize("kind", ["text/plain", "text/event-stream", "application/json", None])
def test_the_content_type_decides_nothing_and_bytes_are_utf_8(kind: str | None) -> None:
    head = ResponseHead(200, {"content-type": kind} if kind else {})
    for case in CASES.values():
        assert words(decode(PROVIDER, head, [lines(*case["stream"])])) == case["expect"]


@pytest.mark.parametrize("name", CASES)
def test_an_answer_that_ends_early_is_never_a_success(name: str) -> None:
    body = lines(*CASES[name]["stream"])
    check_early_end(PROVIDER, HEAD, body, len(body) - 1)


def test_decoders_share_nothing() -> None:
    bodies = [lines(*case["stream"]) for case in CASES.values()]
    for one, other in zip(bodies, bodies[1:] + bodies[:1], strict=True):
        check_interleaved(PROVIDER, HEAD, one, other)


def test_text_after_completed_still_counts() -> None:
    chunks = read(lines(reply(content="a"), DONE, reply(content="b"), job("processing")))
    assert summary(chunks)["text"] == "ab"
    assert chunks[-1] == Finish(FinishReason.STOP, "completed")


def test_the_word_of_the_backend_is_kept() -> None:
    assert read(lines(reply(content="a"), {"type": "finish"}))[-1] == Finish(FinishReason.STOP, "finish")
    assert read(lines(reply(content="a"), DONE, {"type": "finish"}))[-1] == Finish(FinishReason.STOP, "completed")
    assert read(lines(reply(content="a"), {"type": "finish"}, DONE))[-1] == Finish(FinishReason.STOP, "completed")


def test_a_job_that_does_not_complete_has_failed_and_what_came_counts() -> None:
    chunks = read(lines(job("processing"), reply(content="Hel", reasoningContent="t")))
    assert words(chunks) == {"text": "Hel", "reasoning": "t", "finish": None, "model": None}
    last = chunks[-1]
    assert isinstance(last, Fault)
    assert isinstance(last.error, JobFailed)
    assert (last.error.status, last.error.code, last.error.request_id) == (200, "processing", "r1")
    assert "did not complete, its last status is 'processing'" in str(last.error)


@pytest.mark.parametrize("status", ["failed", "error", "CANCELLED", "line\nbreak", "x" * 150])
def test_a_failed_status_is_named(status: str) -> None:
    error = fault(lines(job("processing"), job(status, message="no GPU is free")))
    assert isinstance(error, JobFailed)
    assert error.code == " ".join(status[:100].split())
    assert "no GPU is free" in error.body
    assert "no GPU is free" in str(error)


@pytest.mark.parametrize("event", [job(None), job(5), {"type": "jobInfo"}, reply(content="x"), {"type": "blockUpdate"}])
def test_a_job_without_a_status_has_failed_too(event: Any) -> None:
    error = fault(lines(event))
    assert isinstance(error, JobFailed)
    assert error.code is None
    assert "it gave no status" in str(error)


def test_an_empty_answer_is_an_error() -> None:
    for body in (b"", b"\n\n", b": ping\n\n", b"[]\n", b"data: [DONE]\n"):
        error = fault(body)
        assert type(error) is ProtocolError
        assert "the answer is empty" in str(error)


@pytest.mark.parametrize(
    "body", [b"<html><title>Bad gateway</title></html>", b"not json\n", b'{"type":"weather"}\n', b'{"a":[[[[1\n']
)
def test_an_answer_of_something_else_is_shown(body: bytes) -> None:
    error = fault(body)
    assert type(error) is ProtocolError
    assert "the answer holds no event of a job" in str(error)
    assert error.body == body.decode().strip()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"message":"the service sleeps"}', ServerError),
        ('{"error":{"message":"the service sleeps","type":"rate_limit_error"}}', RateLimited),
        ('{"code":400,"message":"the service sleeps"}', BadRequest),
    ],
)
def test_an_error_in_place_of_an_answer(body: str, kind: type[ProviderError]) -> None:
    error = fault(body.encode())
    assert type(error) is kind
    assert "the service sleeps" in str(error)
    assert error.status is None


def test_malformed_lines_are_passed_over_and_counted() -> None:
    bad = b'{"type":"reply","data":{"con\nNaN\n{"type":"reply","data":{"content":NaN}}\n'
    chunks = read(bad + lines(reply(content=5), reply(content={"a": 1}), reply(content="x"), DONE))
    assert words(chunks)["text"] == "x"
    assert notices(chunks) == ["lines of the answer that hold no event were passed over: 5"]
    assert isinstance(chunks[-1], Finish)


def test_malformed_lines_are_counted_where_the_job_failed_too() -> None:
    chunks = read(b"{\n" + lines(reply(content="x")))
    assert notices(chunks) == ["lines of the answer that hold no event were passed over: 1"]
    assert isinstance(chunks[-1], Fault)


def test_thinking_without_a_text_is_no_stop() -> None:
    chunks = read(lines(reply(reasoningContent="The answer is 4."), DONE))
    assert words(chunks)["reasoning"] == "The answer is 4."
    assert chunks[-1] == Finish(FinishReason.UNKNOWN, "completed")
    assert notices(chunks) == ["the job completed without a text; what the model thought may hold the answer"]


def test_completed_with_nothing_is_no_stop() -> None:
    assert read(lines(job("processing"), DONE))[-1] == Finish(FinishReason.UNKNOWN, "completed")


LEAK = ["<|channel|>", "analysis", "<|message|>", "We add.", "<|end|>", "<|start|>", "assistant"]


def test_control_tokens_word_by_word_are_no_text() -> None:
    answer = [*LEAK, "<|channel|>", "final", "<|message|>", "4", " is it.", "<|return|>"]
    chunks = read(lines(*(reply(content=word) for word in answer), DONE))
    assert (summary(chunks)["text"], summary(chunks)["reasoning"]) == ("4 is it.", "We add.")
    assert chunks[-1] == Finish(FinishReason.STOP, "completed")


def test_control_tokens_in_one_event_are_no_text() -> None:
    answer = "".join([*LEAK, "<|channel|>final<|message|>4"])
    chunks = read(lines(reply(content=answer), DONE))
    assert (summary(chunks)["text"], summary(chunks)["reasoning"]) == ("4", "We add.")


def test_only_thinking_in_the_text_is_no_stop() -> None:
    chunks = read(lines(reply(content="".join(LEAK)), DONE))
    assert summary(chunks)["reasoning"] == "We add."
    assert chunks[-1] == Finish(FinishReason.UNKNOWN, "completed")


def test_a_text_about_the_tokens_stays_as_it_is() -> None:
    chunks = read(lines(reply(content="The token <|channel|> opens a channel, analysis or final."), DONE))
    assert summary(chunks)["text"] == "The token <|channel|> opens a channel, analysis or final."


def test_a_call_that_leaked_is_a_call() -> None:
    leak = '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a":1}<|call|>'
    chunks = read(lines(reply(content=leak), DONE))
    assert summary(chunks)["calls"] == [["call_0", "f", '{"a":1}']]
    assert chunks[-1] == Finish(FinishReason.TOOL_CALLS, "completed")


def test_bytes_that_are_no_utf_8_are_replaced_and_told_once() -> None:
    body = lines(reply(content="a?b")).replace(b"?", b"\xff")
    chunks = read(body + body + lines(DONE))
    assert summary(chunks)["text"] == "a\ufffdba\ufffdb"
    assert notices(chunks) == ["the answer held bytes that are no UTF-8; U+FFFD stands for them"]


def test_halves_of_a_character_are_joined() -> None:
    body = b'{"type":"reply","data":{"content":"a\\ud83d"}}\n{"type":"reply","data":{"content":"\\ude00b"}}\n'
    chunks = read(body + lines(DONE))
    assert summary(chunks)["text"] == "a\U0001f600b"
    alone = read(b'{"type":"reply","data":{"content":"\\ud83d"}}\n' + lines(DONE))
    assert summary(alone)["text"] == "\ufffd"
    assert alone[-1] == Finish(FinishReason.STOP, "completed")


def test_a_line_without_end_is_an_error_that_keeps_what_came() -> None:
    body = lines(reply(content="x")) + b'{"type":"reply","data":{"content":"' + b"y" * 4000
    chunks = check_any_cut(PROVIDER, HEAD, body[:2000], 1024)
    assert summary(chunks)["text"] == "x"
    last = chunks[-1]
    assert isinstance(last, Fault)
    assert "longer than 1024 bytes" in str(last.error)
    assert not decode(PROVIDER, HEAD, [body, lines(DONE)], 1024)[2:]


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, '{"message":"unknown model"}', BadRequest, "unknown model"),
        (401, '{"message":"log in"}', AuthError, "log in"),
        (429, '{"code":1,"message":"slow down"}', RateLimited, "slow down"),
        (500, "", ServerError, "no reason given"),
        (502, "<html><head><title>502 Bad Gateway</title></head></html>", ServerError, "502 Bad Gateway"),
        (503, '{"message":null}', ServerError, '{"message":null}'),
    ],
)
def test_refusals_keep_status_and_body(status: int, body: str, kind: type[ProviderError], said: str) -> None:
    error = PROVIDER.decode_error(ResponseHead(status, {"retry-after": "3"}), body.encode())
    assert type(error) is kind
    assert (error.status, error.body, error.retry_after) == (status, body, 3.0)
    assert said in str(error)
    assert str(error).startswith("gradient ")


def test_the_list_of_models() -> None:
    body = '{"code":0,"data":{"availableModels":["GPT OSS 120B","Qwen3 235B",5,"","é"]}}'
    assert available_models(body.encode()) == ("GPT OSS 120B", "Qwen3 235B", "é")
    assert available_models(b'{"data":{"availableModels":[]}}') == ()


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b'{"data":null}', b'{"data":{"availableModels":{}}}', b"<html>\n</html>"]
)
def test_no_list_of_models_is_an_error(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="holds no list of models") as caught:
        available_models(body)
    assert "\n" not in str(caught.value)


SCRAPS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"\n",
            b"\r\n",
            b"data: ",
            b'{"type":"reply","data":',
            b'{"content":"x"}}',
            b'{"reasoningContent":["x"]}}',
            b'{"type":"jobInfo","data":{"status":"completed"}}',
            b'{"type":"jobInfo","data":{"status":"failed","message":["m"]}}',
            b'{"type":"clusterInfo","data":{"model":"\\ud83d"}}',
            b'{"content":"\\ud83d"}}',
            b'{"message":"m"}',
            b"[" * 300,
        ]
    ),
)


@given(st.lists(SCRAPS, max_size=12), st.data())
@settings(max_examples=400, deadline=None)
def test_garbage_never_raises(scraps: list[bytes], data: st.DataObject) -> None:
    body = b"".join(scraps)
    place = data.draw(st.integers(0, len(body)))
    whole = decode(PROVIDER, HEAD, [body], 1024)
    assert list(map(repr, decode(PROVIDER, HEAD, [body[:place], body[place:]], 1024))) == list(map(repr, whole))
    check_shape(whole)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["reply", "jobInfo", "clusterInfo", "blockUpdate", "finish", "error"]) | JSON_VALUES},
    optional={
        "data": JSON_VALUES
        | st.dictionaries(
            st.sampled_from(["content", "reasoningContent", "status", "model", "message", "type", "text"]),
            JSON_VALUES,
        ),
        "message": JSON_VALUES,
        "error": JSON_VALUES,
    },
)


@given(st.lists(EVENTS, max_size=5), st.integers(100, 700), st.binary())
@settings(max_examples=400, deadline=None)
def test_any_json_never_raises(events: list[Any], status: int, body: bytes) -> None:
    check_shape(decode(PROVIDER, HEAD, [lines_of_any(events)]))
    error = PROVIDER.decode_error(ResponseHead(status, {}), body)
    assert "\n" not in str(error)


def lines_of_any(events: list[Any]) -> bytes:
    return "".join(json.dumps(event) + "\n" for event in events).encode()

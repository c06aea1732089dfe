"""GravixLayer: its addresses, and the refusals that are its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentkit import errors
from agentkit.messages import Reasoning, ToolCall, assistant, user
from agentkit.provider import ChatRequest, ResponseHead
from agentkit.providers import get_provider

URL = "/v1/inference/chat/completions"
DATE = "Fri, 20 Nov 2026 10:00:00 GMT"
NOON = 1795176000
"""Two hours later."""


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        (None, "https://api.gravixlayer.com"),
        ("https://api.gravixlayer.com", "https://api.gravixlayer.com"),
        ("https://api.gravixlayer.com/", "https://api.gravixlayer.com"),
        ("https://api.gravixlayer.com/v1", "https://api.gravixlayer.com"),
        ("https://api.gravixlayer.com/v1/inference", "https://api.gravixlayer.com"),
        ("https://api.gravixlayer.com/v1/inference/", "https://api.gravixlayer.com"),
        ("https://api.gravixlayer.com/v1/files", "https://api.gravixlayer.com"),
        ("https://api.gravixlayer.ai", "https://api.gravixlayer.ai"),
        ("https://app.gravixlayer.ai/", "https://app.gravixlayer.ai"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9"),
    ],
)
def test_every_form_of_the_address(given: str | None, origin: str) -> None:
    provider = get_provider("gravixlayer", base_url=given)
    assert provider.encode(ChatRequest(model="m", messages=[user("hi")])).url == origin + URL


def test_another_path_is_taken_as_it_is() -> None:
    assert get_provider("gravixlayer", base_url="http://gate/llm").base_url == "http://gate/llm"
    with pytest.raises(errors.InvalidInput, match=r"'api\.gravixlayer\.com'"):
        get_provider("gravixlayer", base_url="api.gravixlayer.com")


def test_a_request_is_never_sent_twice_by_itself_and_holds_no_thinking() -> None:
    loop = [user("q"), assistant(Reasoning("r"), ToolCall("c", "f"))]
    request = get_provider("gravixlayer").encode(ChatRequest(model="m", messages=loop))
    assert not request.repeatable
    assert b'"r"' not in request.body


def refused(status: int, body: Any, **headers: str) -> errors.ProviderError:
    head = ResponseHead(status, {name.replace("_", "-"): text for name, text in headers.items()})
    return get_provider("gravixlayer").decode_error(head, json.dumps(body).encode())


def test_a_quota_that_is_used_up_is_named() -> None:
    error = refused(429, {"exceeded": ["vcpu", "memory"]}, retry_after="2")
    assert isinstance(error, errors.QuotaExceeded)
    assert "used up: vcpu, memory" in str(error)
    assert isinstance(refused(429, {"exceeded": []}), errors.RateLimited)


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"retry_after": 3}, {}, 3.0),
        ({"retry_after": 3}, {"retry_after": "0"}, 0.0),
        ({"retry_after": 3}, {"x_ratelimit_reset": str(NOON), "date": DATE}, 3.0),
        ({}, {"x_ratelimit_reset": str(NOON), "date": DATE}, 7200.0),
        ({}, {"x_ratelimit_reset": "1000000001", "date": DATE}, 0.0),
        ({}, {"x_ratelimit_reset": "30", "date": DATE}, None),
        ({}, {"x_ratelimit_reset": str(NOON)}, None),
        ({}, {"date": DATE}, None),
    ],
)
def test_how_long_a_passing_refusal_lasts(body: Any, headers: dict[str, str], seconds: float | None) -> None:
    assert refused(429, body, **headers).retry_after == seconds


def test_only_a_refusal_for_too_much_waits_for_the_reset() -> None:
    assert refused(503, {}, x_ratelimit_reset=str(NOON), date=DATE).retry_after is None


def test_the_id_of_a_request_may_stand_in_the_body() -> None:
    body = {"error": {"message": "m"}, "meta": {"request_id": "req_1"}}
    assert refused(400, body).request_id == "req_1"
    assert refused(400, body, x_request_id="header").request_id == "header"
    assert refused(400, {"meta": "x"}).request_id is None

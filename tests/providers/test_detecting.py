"""What a server that is asked for its model may answer."""

from __future__ import annotations

import json

import pytest

from agentkit.errors import NotConfigured, ProtocolError
from agentkit.provider import Answered, Call, Detecting, Found, ResponseHead
from agentkit.providers import get_provider
from agentkit.providers.detecting import undetected
from agentkit.providers.openai_chat import OpenAIChat


def detected(provider: Detecting, listed: object, model: str = "") -> Found:
    """The list of models is the only page that there is."""
    rounds = provider.detect(model)
    wanted = next(rounds)
    while True:
        assert isinstance(wanted, Call)
        known = wanted.request.url.endswith("/v1/models")
        body = json.dumps(listed if known else {}).encode()
        head = ResponseHead(200 if known else 404, {"content-type": "application/json"})
        try:
            wanted = rounds.send(Answered(head, body, 0.0))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def listing(*names: str) -> object:
    return {"object": "list", "data": [{"id": name, "object": "model", "owned_by": "vllm"} for name in names]}


@pytest.fixture
def anywhere() -> Detecting:
    found = get_provider("gpt-oss", base_url="http://127.0.0.1:1/v1")
    assert isinstance(found, Detecting)
    return found


def test_the_only_model_is_taken(anywhere: Detecting) -> None:
    assert detected(anywhere, listing("some-model")).model == "some-model"
    assert detected(anywhere, listing("a", "gpt-oss-20b", "b")).model == "gpt-oss-20b"
    assert detected(anywhere, listing("a", "b"), "b").model == "b"


def test_a_model_must_be_named_where_there_is_none_or_several(anywhere: Detecting) -> None:
    with pytest.raises(NotConfigured, match="lists no model: load one there"):
        detected(anywhere, listing())
    with pytest.raises(NotConfigured, match=r"several models \(a, b, c, d, e, \.\.\.\): name one as 'gpt-oss/a'"):
        detected(anywhere, listing(*"abcdefg"))


def test_what_has_no_list_is_no_such_server(anywhere: Detecting) -> None:
    with pytest.raises(ProtocolError, match="no server of an OpenAI-like dialect"):
        detected(anywhere, {"hello": "world"})
    assert detected(anywhere, {"hello": "world"}, "named").model == "named"


def test_a_server_with_a_dialect_keeps_it() -> None:
    vllm = get_provider("vllm", base_url="http://127.0.0.1:1/v1")
    assert isinstance(vllm, OpenAIChat)
    found = detected(undetected(vllm), listing("m"))
    assert isinstance(found.provider, OpenAIChat)
    assert (found.provider.name, found.provider.dialect) == ("vllm", vllm.dialect)

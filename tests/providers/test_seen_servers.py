"""What real servers answered to `tests/servers`, as it came: replayed through the backends."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from provider_contract import DATA, EVENT_STREAM, JSON, check_shape, decode, expected, stream_of, summary, whole_of

from agentkit import errors
from agentkit.provider import Finish, ResponseHead
from agentkit.providers import get_provider

SEEN: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((DATA / "seen").glob("*.json"))
}
EXCHANGES = [(name, place) for name, seen in SEEN.items() for place in range(len(seen["exchanges"]))]
REFUSALS = [(name, place) for name, seen in SEEN.items() for place in range(len(seen["errors"]))]


def test_every_server_is_in_the_table_of_what_was_seen() -> None:
    page = (DATA.parents[2] / "docs" / "backends" / "compatibility.md").read_text("utf-8")
    names = {re.split(", | over ", seen["server"])[0] for seen in SEEN.values()}
    assert len(names) >= 5
    assert [name for name in names if name not in page] == []


@pytest.mark.parametrize(("name", "place"), EXCHANGES)
def test_an_exchange(name: str, place: int) -> None:
    seen, exchange = SEEN[name], SEEN[name]["exchanges"][place]
    provider = get_provider(seen["backend"])
    body = stream_of(exchange)
    whole = decode(provider, EVENT_STREAM, [body])
    bytewise = decode(provider, EVENT_STREAM, [body[at : at + 1] for at in range(len(body))])
    check_shape(whole)
    assert isinstance(whole[-1], Finish)
    assert whole == bytewise
    counted = expected(exchange) if b'"usage"' in body else {**expected(exchange), "usage": None}
    assert summary(whole) == counted
    assert summary(decode(provider, JSON, [whole_of(exchange)])) == expected(exchange)


@pytest.mark.parametrize(("name", "place"), REFUSALS)
@pytest.mark.parametrize("backend", [None, "openai"])
def test_a_refusal(name: str, place: int, backend: str | None) -> None:
    refusal = SEEN[name]["errors"][place]
    provider = get_provider(backend or SEEN[name]["backend"])
    error = provider.decode_error(ResponseHead(refusal["status"], {}), refusal["body"].encode())
    assert type(error) is getattr(errors, refusal["class"])
    if isinstance(error, errors.ContextOverflow):
        assert (error.limit, error.used) == (refusal.get("limit"), refusal.get("used"))

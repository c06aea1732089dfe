"""The tables of docs/providers.md, docs/fallback.md and docs/backends.md name what there is."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest
from fences import ROOT, text_of

from agentkit import Fallback, provider
from agentkit.provider import Capabilities
from agentkit.providers.openai_chat import Dialect

FORMS = {
    name
    for name, value in vars(provider).items()
    if getattr(value, "_is_runtime_protocol", False) and value.__module__ == provider.__name__
}
"""Protocols that a provider may have besides its own."""


def first_cells(page: str) -> set[str]:
    """What the tables of a page explain: the names in the first cells of their rows."""
    rows = re.findall(r"^\| ([^|]*) \|", text_of(ROOT / "docs" / page), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize(
    ("page", "kind"), [("backends.md", Capabilities), ("fallback.md", Fallback), ("providers.md", Dialect)]
)
def test_every_field_is_explained(page: str, kind: type[Any]) -> None:
    assert {field.name for field in attrs.fields(kind)} <= first_cells(page)


def test_every_protocol_of_a_provider_is_explained() -> None:
    assert {"Exchanging", "Detecting", "Adapting"} <= FORMS <= first_cells("providers.md")

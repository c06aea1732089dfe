"""The page of the backends says what the code says."""

from __future__ import annotations

from fences import ROOT

from agentkit.providers import capability_table, provider_names


def test_the_table_of_the_page_is_the_one_of_the_code() -> None:
    page = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    assert capability_table().strip() in page


def test_every_backend_is_on_the_page() -> None:
    page = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    assert [name for name in provider_names() if f"`{name}`" not in page] == []

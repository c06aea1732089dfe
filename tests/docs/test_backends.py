"""The pages of the backends say what the code says; run as a program, this file writes the tables anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fences import ROOT, python_fences, text_of

from agentkit.providers import capability_table, provider_names

PAGE = ROOT / "docs" / "backends.md"
FOLDER = ROOT / "docs" / "backends"
HEADINGS = ("Set-up", "What it can do", "What it does, and what you see", "An example")
_TABLE = re.compile(r"^\| backend \| stream .*?(?=^(?!\|)|\Z)|^ROWS\n", re.MULTILINE | re.DOTALL)


def page_of(name: str) -> Path:
    return FOLDER / f"{name}.md"


def rows(name: str) -> str:
    """The part of the table that is about one backend."""
    head, rule, *lines = capability_table().strip().splitlines()
    return "\n".join([head, rule, *(line for line in lines if re.match(rf"\| {re.escape(name)}(, gpt-oss)? \|", line))])


def test_the_table_of_the_page_is_the_one_of_the_code() -> None:
    assert capability_table().strip() in text_of(PAGE)


@pytest.mark.parametrize("name", provider_names())
def test_every_backend_has_a_page_of_the_same_form(name: str) -> None:
    page = text_of(page_of(name))
    assert tuple(re.findall(r"^## (.*)$", page, re.MULTILINE)) == HEADINGS
    assert f"{rows(name)}\n\n" in page
    assert f"`{name}" in page.partition("## What it can do")[0]
    assert f"(backends/{name}.md)" in text_of(PAGE)


@pytest.mark.parametrize("name", provider_names())
def test_its_example_is_run_and_its_output_is_checked(name: str) -> None:
    examples = [fence for fence in python_fences(page_of(name)) if not fence.mode]
    assert examples
    assert all("#> " in fence.text for fence in examples)


def write() -> None:
    """Put the tables of the code into the pages."""
    for page, table in (
        (PAGE, capability_table().strip()),
        *((page_of(name), rows(name)) for name in provider_names()),
    ):
        text = page.read_text(encoding="utf-8")
        page.write_text(_TABLE.sub(lambda _, table=table: f"{table}\n", text), encoding="utf-8")  # type: ignore[misc]


if __name__ == "__main__":
    write()

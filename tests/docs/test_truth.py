"""What the pages must mention, may not import, and may not lead to."""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

import pytest
from fences import EXAMPLES, PAGES, ROOT, Fence, fences, prose, python_fences, text_of

import agentkit
from agentkit import errors
from agentkit.cli import _parser
from agentkit.cli.commands import COMMANDS
from agentkit.sim import script
from agentkit.sim.plan import Plan

DOCS = ROOT / "docs"
_LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
_ORDER = re.compile(r"^ {4}(\S.*?)(?: {2,}.*)?$", re.MULTILINE)


def said_in(page: str) -> str:
    return text_of(DOCS / page)


# --- what must be mentioned


@pytest.mark.parametrize("name", agentkit.__all__)
def test_every_public_name_is_on_some_page(name: str) -> None:
    word = re.compile(rf"(?<![\w]){re.escape(name)}(?![\w])")
    assert any(word.search(text_of(page)) for page in PAGES)


def public_errors() -> dict[str, type[Exception]]:
    """Those of the module, and those that stand elsewhere."""
    named = {**vars(errors), **{name: getattr(agentkit, name) for name in agentkit.__all__}}
    return {
        name: value
        for name, value in named.items()
        if isinstance(value, type) and issubclass(value, errors.AgentKitError)
    }


def test_every_error_is_in_the_table_of_errors() -> None:
    kinds = public_errors()
    rows = [line for line in said_in("errors.md").splitlines() if line.startswith("|")]
    assert [name for name in kinds if not any(f"`{name}`" in row.split("|")[1] for row in rows)] == []


def test_the_tree_of_errors_is_that_of_the_module() -> None:
    tree = (errors.__doc__ or "").split("\n\n")[1]
    drawn = [re.findall(r"^[ |`-]*(\w+)", line)[0] for line in tree.splitlines()]
    block = next(fence for fence in fences(DOCS / "errors.md") if fence.text.startswith("AgentKitError"))
    assert [re.findall(r"^[ |`-]*(\w+)", line)[0] for line in block.text.splitlines()] == drawn


def test_the_tree_of_errors_is_true() -> None:
    above: list[str] = []
    drawn: dict[str, str] = {}
    for line in (errors.__doc__ or "").split("\n\n")[1].splitlines():
        depth, name = line.index(line.strip(" |`-")[0]) // 4 - 1, re.findall(r"^[ |`-]*(\w+)", line)[0]
        above[depth:] = [name]
        drawn[name] = above[depth - 1] if depth else ""
    kinds = public_errors()
    assert drawn.keys() == kinds.keys()
    assert drawn == {name: kind.__mro__[1].__name__ if name != "AgentKitError" else "" for name, kind in kinds.items()}


def test_every_order_of_the_simulator_is_explained() -> None:
    page = said_in("simulator.md")
    said = script.__doc__ or ""
    orders = _ORDER.findall(said)
    variants = re.findall(r'"([^"]+)"', said[: said.index("\n\nFaults")])
    assert len(orders) >= 10
    assert [order for order in (*orders, *variants) if order not in page] == []


def test_every_order_in_the_table_is_one() -> None:
    section = said_in("simulator.md").partition("\n## In process")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    orders = [order for row in rows for order in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(orders) >= 20
    assert [order for order in orders if script.parse(order) == Plan()] == []


def parsers() -> dict[str, argparse.ArgumentParser]:
    return {name: make() for name, make in _parser._COMMANDS.items()}


def test_every_command_and_option_is_explained() -> None:
    page = said_in("command.md")
    missing = [f"agentkit {name}" for name in parsers() if f"agentkit {name}".strip() not in page]
    for parser in parsers().values():
        missing += [word for action in parser._actions for word in action.option_strings if f"`{word}" not in page]
    assert missing == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_chat_is_explained(name: str) -> None:
    assert f"`/{name}" in said_in("command.md")


# --- what may not be imported


def imports(tree: ast.AST) -> list[str]:
    found: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                found += [alias.name for alias in node.names]
            case ast.ImportFrom():
                found += [f"{node.module}.{alias.name}" for alias in node.names]
            case _:
                pass
    return found


def is_private(name: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_examples_import_public_names_only(example: Path) -> None:
    assert [name for name in imports(ast.parse(text_of(example))) if is_private(name)] == []


@pytest.mark.parametrize("fence", [fence for page in PAGES for fence in python_fences(page)], ids=lambda it: it.where)
def test_pages_import_public_names_only(fence: Fence) -> None:
    assert [name for name in imports(ast.parse(fence.text)) if is_private(name)] == []


# --- where links lead


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        if anchor:
            assert anchor in anchors(file), link


def test_the_map_leads_to_every_page() -> None:
    listed = set(_LINK.findall(prose(DOCS / "index.md")))
    assert {path.name for path in DOCS.glob("*.md")} - {"index.md"} <= listed


def test_every_page_in_a_folder_can_be_reached_from_the_map() -> None:
    found, following = set[Path](), [DOCS / "index.md"]
    while following:
        page = following.pop()
        if page in found or page.suffix != ".md":
            continue
        found.add(page)
        links = (link.partition("#")[0] for link in _LINK.findall(prose(page)) if "://" not in link)
        following += [(page.parent / link).resolve() for link in links if link]
    assert {path.resolve() for path in DOCS.rglob("*.md")} - found == set()

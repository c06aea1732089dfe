"""Every example runs as it says, without a network, and some page leads to it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from fences import EXAMPLES, PAGES, text_of

LONGEST = 60
SHORTEST = 15


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_runs(example: Path, folder: Path) -> None:
    is_test = example.name.startswith("test_")
    runner = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"] if is_test else ["-W", "error"]
    done = subprocess.run(
        [sys.executable, *runner, str(example)],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()
    assert not done.stderr


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_says_what_it_shows_and_how_to_run_it(example: Path) -> None:
    said = ast.get_docstring(ast.parse(text_of(example))) or ""
    assert f"examples/{example.name}" in said
    assert SHORTEST <= len(text_of(example).splitlines()) <= LONGEST


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_a_page_leads_to_the_example(example: Path) -> None:
    assert any(f"examples/{example.name}" in text_of(page) for page in PAGES)

"""Every block of Python in README.md and docs/ is run, and prints what the page says.

One page is one program: its blocks share their names. A block is

    ```python           run; where it has lines `#> ...`, they are all that it prints
    ```python no-run    compiled only
    ```python pytest    a test file, run with pytest
"""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fences import OWN, PAGES, ROOT, Fence, python_fences

MODES = ("", "no-run", "pytest")
_SAYS = re.compile(r"^\s*#>(?: (.*))?$", re.MULTILINE)


def test_all_pages_are_there() -> None:
    there = {page.stem for page in PAGES}
    assert set(OWN) <= there


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page: Path, folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for fence in python_fences(page):
        assert fence.mode in MODES, f"{fence.where}: nothing is known of {fence.info!r}"
        code = compile("\n" * (fence.line - 1) + fence.text, page.name, "exec", dont_inherit=True)
        if fence.mode == "pytest":
            run_tests(fence, folder)
        elif not fence.mode:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(code, names)
            compare(fence, printed.getvalue())


def compare(fence: Fence, printed: str) -> None:
    said = [found[1] or "" for found in _SAYS.finditer(fence.text)]
    if said:
        assert printed.splitlines() == said, fence.where


def run_tests(fence: Fence, folder: Path) -> None:
    file = folder / "test_of_the_page.py"
    file.write_text(fence.text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(file)],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"{fence.where}\n{done.stdout}{done.stderr}"
    assert " passed" in done.stdout


def test_the_root_is_the_checkout() -> None:
    assert (ROOT / "agentkit" / "__init__.py").exists()

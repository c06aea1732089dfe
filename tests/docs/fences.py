"""The pages of the documentation, and the blocks of code in them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = tuple(path for path in (README, *sorted((ROOT / "docs").rglob("*.md"))) if path.exists())
EXAMPLES = tuple(sorted((ROOT / "examples").glob("*.py")))
OWN = ("command", "conversations", "errors", "index", "simulator", "stores", "transport")
"""Pages that must be there."""

_OPENING = re.compile(r"(?P<indent> *)(?P<mark>```+)(?P<info>.*)")


@frozen
class Fence:
    """One block: what stands behind its first backticks, its lines, and the number of the first of them."""

    page: Path
    info: str
    text: str
    line: int

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]

    @property
    def mode(self) -> str:
        """What is said behind the language, such as no-run."""
        return self.info.partition(" ")[2].strip()

    @property
    def where(self) -> str:
        return f"{self.page.name}:{self.line}"


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@cache
def fences(page: Path) -> tuple[Fence, ...]:
    """All blocks of a page, in their order."""
    found: list[Fence] = []
    lines = text_of(page).splitlines()
    place = 0
    while place < len(lines):
        opening = _OPENING.fullmatch(lines[place])
        place += 1
        if opening is None:
            continue
        begin, indent = place, len(opening["indent"])
        while lines[place].strip() != opening["mark"]:
            place += 1
        text = "".join(f"{line[indent:]}\n" for line in lines[begin:place])
        found.append(Fence(page, opening["info"].strip(), text, begin + 1))
        place += 1
    return tuple(found)


def python_fences(page: Path) -> tuple[Fence, ...]:
    return tuple(fence for fence in fences(page) if fence.language == "python")


def prose(page: Path) -> str:
    """The page without its blocks."""
    return re.sub(r"^ *(```+).*?^ *\1 *$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)

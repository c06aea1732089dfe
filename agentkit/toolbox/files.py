"""Files below one folder, read and never written. There is no way out: by links, by `..`, by other forms of paths."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

from attrs import field, frozen

from agentkit.errors import InvalidInput
from agentkit.tools import AnyTool, tool

_MOST_BYTES = 1 << 20
_MOST_NAMES = 1000
_FORBIDDEN = frozenset('\\:*?"<>|\0')
"""What has a meaning of its own in a path of Windows: drives, streams, other separators."""
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{name}{number}" for name in ("COM", "LPT") for number in range(10))]
)
_BY_STEPS = os.open in os.supports_dir_fd
"""The system can open a file from a folder that is open already."""


def _folder(value: str | Path) -> Path:
    made = Path(value).resolve()
    if not made.is_dir():
        raise InvalidInput(f"there is no folder {str(value)!r}")
    return made


@frozen
class Files:
    """The files below a folder."""

    root: Path = field(converter=_folder)
    most_bytes: int = field(default=_MOST_BYTES, kw_only=True)
    """A larger file is not read."""

    def tools(self) -> list[AnyTool]:
        """The tools `list_files` and `read_file`."""
        again = tool(rerun="rerun")
        return [again(self.list_files), again(self.read_file)]

    def list_files(self, folder: Annotated[str, "such as notes/2031; the top where it is left out"] = "") -> str:
        """List the files and folders in a folder; the names of folders end with a slash."""
        place = self._inside(folder)
        if not place.is_dir():
            raise InvalidInput(f"there is no folder {folder!r}")
        names = sorted(self._names(place))
        more = f"\n... and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        return "\n".join(names[:_MOST_NAMES]) + more or "(empty)"

    def read_file(self, path: Annotated[str, "such as notes/2031/june.txt"]) -> str:
        """Read a text file."""
        place = self._inside(path)
        try:
            data = self._read(place, path)
        except OSError:
            raise InvalidInput(f"there is no file {path!r} that can be read") from None
        if b"\0" in data:
            raise InvalidInput(f"{path!r} is no text file")
        return data.decode("utf-8-sig", errors="replace")

    def _names(self, place: Path) -> Iterator[str]:
        with os.scandir(place) as entries:
            for entry in entries:
                if not entry.is_symlink() or self._is_inside(_true_place(Path(entry.path))):
                    yield f"{entry.name}/" if entry.is_dir() else entry.name

    def _read(self, place: Path, path: str) -> bytes:
        """What is opened is looked at, not what had the name a moment before."""
        with os.fdopen(_opened(self.root, place.relative_to(self.root).parts), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise InvalidInput(f"{path!r} is no file")
            if found.st_size > self.most_bytes:
                raise InvalidInput(f"{path!r} has {found.st_size:,} bytes, and at most {self.most_bytes:,} are read")
            return file.read(self.most_bytes)

    def _inside(self, path: str) -> Path:
        """The true place of a path; refuses all that is not below the folder."""
        parts = PurePosixPath(path).parts
        if path.startswith("/") or any(_is_refused(part) for part in parts):
            raise InvalidInput(
                f"{path!r} is no path from here: names with / between them, no .. among them, and none that has a "
                r"meaning of its own on Windows, such as those with \ : * ? or AUX"
            )
        place = _true_place(self.root.joinpath(*parts))
        if place is None:
            raise InvalidInput(f"there is no {path!r}")
        if not self._is_inside(place):
            raise InvalidInput(f"{path!r} leads out of the folder")
        return place

    def _is_inside(self, place: Path | None) -> bool:
        return place is not None and (place == self.root or self.root in place.parents)


def _true_place(path: Path) -> Path | None:
    """Where a path leads, links included; None where there is nothing, or a circle of links."""
    try:
        return path.resolve(strict=True)  # or a circle is no error in later versions of Python
    except (OSError, RuntimeError, ValueError):
        return None


def _opened(root: Path, parts: Sequence[str]) -> int:
    """A true path has no links in it: one that is there by now was put there to mislead."""
    if not _BY_STEPS:
        return os.open(root.joinpath(*parts), os.O_RDONLY)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    handle = os.open(root, os.O_RDONLY)
    for part in parts:
        folder = handle
        try:
            handle = os.open(part, flags, dir_fd=folder)
        finally:
            os.close(folder)
    return handle


def _is_refused(part: str) -> bool:
    name = part.rstrip(" .").partition(".")[0].upper()
    return part == ".." or bool(_FORBIDDEN & set(part)) or name in _DEVICES or part != part.rstrip(" .")

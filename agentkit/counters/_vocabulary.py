"""How many tokens a text is, by a vocabulary that is loaded at the first count, and never an exception.

Long texts go in pieces, because the regular expression of a vocabulary gives up at a run of a million characters.
They are cut where every vocabulary here cuts anyway: before a space that follows a word. Where there is no such place
the cut may change the count, and each such cut adds `SLACK`.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator

from agentkit.counters._estimate import MARGIN, estimated
from agentkit.tokens import CountKind

Encode = Callable[[str], int]
"""The number of tokens of a text; may fail as it likes."""

LONG = 100_000
"""Characters that are encoded at once."""
SLACK = 8
"""What a cut within a run of characters may hide; the most seen is 6."""
_SMALL = 32


class Vocabulary:
    """A vocabulary by name. Equal to itself only, and shared by all threads; its table is loaded once."""

    __slots__ = ("_encode", "_load", "_lock", "failure", "name")

    def __init__(self, name: str, load: Callable[[], Encode]) -> None:
        self.name = name
        self.failure: str | None = None
        self._load = load
        self._encode: Encode | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Vocabulary {self.name}>"

    def count(self, text: str) -> int:
        """The number of tokens; control tokens in the text count as what they look like."""
        if not text:
            return 0
        encode = self._encode or self.warm()
        if len(text) <= LONG:
            return _surely(encode, text)
        return sum(_surely(encode, piece) + slack for piece, slack in pieces(text))

    def kind_of(self, kind: CountKind) -> CountKind:
        """The kind of a count that should be of this one; weaker where the table could not be loaded."""
        return kind if self.failure is None else "estimate"

    def margin_of(self, margin: float) -> float:
        """The margin of such a count."""
        return margin if self.failure is None else max(margin, MARGIN)

    def warm(self) -> Encode:
        """Load the table now. Where that fails the estimate takes its place, with a warning that says why."""
        with self._lock:
            if self._encode is None:
                self._encode = self._loaded()
            return self._encode

    def _loaded(self) -> Encode:
        try:
            return self._load()
        except BaseException as error:
            if not _harmless(error):
                raise
            self.failure = f"{type(error).__name__}: {error}"
        warnings.warn(f"tokens are estimated: {self.name} cannot be loaded ({self.failure})", RuntimeWarning, 2)
        return estimated


def pieces(text: str, size: int = LONG) -> Iterator[tuple[str, int]]:
    """The text in pieces, each with what is to be added to its count for the cut before it."""
    start, slack = 0, 0
    while len(text) - start > size:
        place = _last_safe(text, start, start + size)
        yield text[start : place or start + size], slack
        start, slack = (place, 0) if place else (start + size, SLACK)
    yield text[start:], slack


def _last_safe(text: str, start: int, stop: int) -> int | None:
    place = text.rfind(" ", start + 1, stop)
    while place > start and text[place - 1].isspace():
        place = text.rfind(" ", start + 1, place)
    return place if place > start else None


def _surely(encode: Encode, text: str) -> int:
    """What `encode` says; where it fails, what it says of the halves, down to the bytes: no token is less than one."""
    try:
        return encode(text)
    except BaseException as error:
        if not _harmless(error):
            raise
    if len(text) <= _SMALL:
        return len(text.encode("utf-8", "surrogatepass"))
    half = len(text) // 2
    return _surely(encode, text[:half]) + _surely(encode, text[half:])


def _harmless(error: BaseException) -> bool:
    """A panic of the Rust below is no `Exception`."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"

"""The account of what one request held, what was left out of it and why; as a value, as text and as a bar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from attrs import frozen

from agentkit.tokens import CountKind, TokenCount

Reason = Literal["window", "max_history", "max_pairs", "policy", "summary"]
"""Why something was left out: which limit, the user's function, or that a summary stands for it."""


@frozen
class Excluded:
    """Messages that did not go along: those of the history from `start` up to, but not including, `stop`."""

    start: int
    stop: int
    reason: Reason
    tokens: int


@frozen
class Shortened:
    """A message that went along with a piece cut out of its middle."""

    index: int
    before: int
    """Tokens."""
    after: int


PortionName = Literal["template", "system", "tools", "summary", "user", "assistant", "tool"]
PORTIONS: tuple[PortionName, ...] = get_args(PortionName)


@frozen
class Portion:
    """What one kind of content comes to in a request."""

    name: PortionName
    tokens: int
    kind: CountKind


@frozen(kw_only=True)
class Manifest:
    """What one request held, and why: made before it is sent, completed by the backend's own count."""

    model: str
    window: int | None
    """None where nobody knows it."""
    reserve: int
    tokens: TokenCount
    """The whole prompt."""
    portions: tuple[Portion, ...]
    history: int
    """How many messages the conversation had."""
    sent: int
    """How many messages went out, the instructions included."""
    excluded: tuple[Excluded, ...] = ()
    shortened: tuple[Shortened, ...] = ()
    shared: int = 0
    """How many messages at its beginning are those of the request before."""
    shared_tokens: int = 0
    reported: int | None = None
    """The prompt by the backend's count."""

    @property
    def included(self) -> tuple[range, ...]:
        """The messages of the history that went along, by their places."""
        edges = [0, *(edge for gap in self.excluded for edge in (gap.start, gap.stop)), self.history]
        return tuple(range(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop)

    @property
    def free(self) -> int | None:
        """Tokens of the window that nothing claims."""
        return None if self.window is None else max(0, self.window - self.reserve - self.tokens.value)

    @property
    def shared_share(self) -> float:
        """Which share of the prompt the backend may have at hand from the request before."""
        return self.shared_tokens / self.tokens.value if self.tokens.value else 0.0

    @property
    def error(self) -> float | None:
        """By which share of the reported count the prediction was off."""
        return None if not self.reported else (self.tokens.value - self.reported) / self.reported

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def bar(manifest: Manifest, width: int = 64, *, ascii_only: bool = False) -> str:
    """The window as a bar of `width` characters: what the prompt holds, what is free, what is kept for the reply.

    Where the window is not known, the bar is the prompt. Without `ascii_only` it is drawn in blocks.
    """
    letters = _ASCII if ascii_only else _BLOCKS
    whole = max(manifest.window or 0, manifest.tokens.value + manifest.reserve, 1)
    pieces = [(letters[portion.name], portion.tokens) for portion in manifest.portions]
    room = 0 if manifest.window is None else whole - manifest.tokens.value - manifest.reserve
    pieces += [(letters["free"], room), (letters["reserve"], manifest.reserve)]
    drawn: list[str] = []
    done = 0
    for letter, tokens in pieces:
        done += max(0, tokens)
        drawn.append(letter * (round(width * min(done, whole) / whole) - sum(map(len, drawn))))
    return "".join(drawn)


def legend(manifest: Manifest, *, ascii_only: bool = False) -> str:
    """What the characters of the bar stand for."""
    letters = _ASCII if ascii_only else _BLOCKS
    names = [portion.name for portion in manifest.portions if portion.tokens]
    return "  ".join(f"{letters[name]} {name}" for name in (*names, "free", "reserve"))


_NAMES = (*PORTIONS, "free", "reserve")
_ASCII: dict[str, str] = dict(zip(_NAMES, "mstSuar.#", strict=True))
_BLOCKS: dict[str, str] = dict(zip(_NAMES, "▪█▓◆▒░▬·□", strict=True))
_REASONS: dict[Reason, str] = {
    "window": "to fit the window",
    "max_history": "because of max_history",
    "max_pairs": "because of max_pairs",
    "policy": "by the policy's choice",
    "summary": "a summary stands for them",
}


def _lines(manifest: Manifest) -> Iterator[str]:
    tokens, kept = manifest.tokens, f"{manifest.reserve:,} kept for the reply"
    most = f", at most {tokens.upper:,}" if tokens.margin else ""
    if manifest.window is None:
        yield f"{manifest.model}: {tokens.value:,} tokens ({tokens.kind}{most}); the window is not known; {kept}"
    else:
        free = f"{manifest.free:,} free"
        yield f"{manifest.model}: {tokens.value:,} of {manifest.window:,} tokens ({tokens.kind}{most}), {kept}, {free}"
    for portion in manifest.portions:
        if portion.tokens:
            yield f"  {portion.name:<9} {portion.tokens:>8,}  {portion.kind}"
    for gap in manifest.excluded:
        yield f"left out: {_span(gap)}, {gap.tokens:,} tokens, {_REASONS[gap.reason]}"
    for cut in manifest.shortened:
        yield f"shortened: message {cut.index}, from {cut.before:,} to {cut.after:,} tokens"
    if manifest.shared:
        share = f"{manifest.shared_share:.0%} of the tokens"
        yield f"as in the request before: the first {manifest.shared} of {manifest.sent} messages, {share}"
    if manifest.error is not None:
        yield f"the backend counted {manifest.reported:,} tokens: the prediction was off by {manifest.error:+.2%}"


def _span(gap: Excluded) -> str:
    last = gap.stop - 1
    return f"message {last}" if gap.start == last else f"messages {gap.start} to {last}"

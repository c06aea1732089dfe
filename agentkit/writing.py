"""Writing a long text: what those who watch are told, and what comes of it. Values only."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from agentkit.usage import Outcome, Usage

_MINUTE, _HOUR = 60, 3600


@frozen(kw_only=True)
class WriteProgress:
    """How far a long text is. As text it is one line, so that `on_progress=print` can be read."""

    chapter: int
    """The one being written, from 1; 0 while the outline is asked for."""
    chapters: int
    """0 while that is not known."""
    title: str
    words: int
    """Of the text so far."""
    target: int
    """Words that were asked for."""
    words_per_second: float | None = None
    """In this run; None before the first words."""
    seconds_left: float | None = None
    """About so many, at this pace."""

    def __str__(self) -> str:
        said = [f"chapter {self.chapter}/{self.chapters}" if self.chapters else "outline"]
        said.append(f"{self.words:,} of {self.target:,} words")
        if self.words_per_second is not None:
            said.append(f"{self.words_per_second:.0f} words/s")
        if self.seconds_left is not None:
            said.append(f"about {_duration(self.seconds_left)} left")
        return ", ".join(said)


@frozen(kw_only=True)
class Written:
    """What a long text came to. As text it is the text."""

    text: str
    words: int
    target: int
    """Words that were asked for."""
    titles: tuple[str, ...]
    path: Path | None
    """The file that holds it."""
    outcome: Outcome
    """Complete: every chapter came to its own end, and nine tenths of the words are there."""
    reason: str | None
    """Why it is not complete, where it is not."""
    usage: Usage
    """Of all its turns."""
    conversation: str
    """The name of the conversation that holds it."""

    def __str__(self) -> str:
        return self.text


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"

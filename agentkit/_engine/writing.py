"""A long text as turns of a conversation: what is asked for next, and what the turns have come to so far.

All of it is read from the journal. So the same steps lead on from any point, also in another process, and a turn that
is there is never asked for again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from attrs import field, frozen

from agentkit._engine.beginning import UNFINISHED
from agentkit._engine.journal import Journal, TurnState
from agentkit._engine.writing_outline import MOST, cleaned, titles_in
from agentkit._engine.writing_text import body, chapter_prompt, joined, more_prompt, outline_prompt, page
from agentkit.messages import Message, user
from agentkit.usage import Outcome, Usage

_CHAPTER_WORDS = 1500
"""A model writes about so many in one go."""
_MOST_TURNS = 5
"""For one chapter."""
_LEAST = 30
"""Words that are not worth a turn of their own."""
_SHORT, _LAST_SHORT = 0.8, 0.96
"""Shares of its words below which more is asked for: of a chapter that others follow, and of the whole text."""
_ENOUGH = 0.9
_OVERLONG = 2


@frozen
class Wanted:
    """What a caller asks for, as it was given."""

    task: object
    words: object
    outline: object
    into: object
    append: bool


@frozen(kw_only=True)
class Order:
    """What is to be written; kept with the first turn of it."""

    work: str
    """Begins the ids of its turns."""
    task: str
    words: int
    outline: tuple[str, ...] | bool | None = None
    """The titles; or whether to ask for them; None asks where there is more than one chapter."""
    into: str | None = None
    begins: int = 0
    """Bytes that the file had before."""
    lead: str = ""
    """What stands between those and the text."""

    @property
    def asks(self) -> bool:
        """An outline is asked for."""
        return self.outline is True or (self.outline is None and self.count > 1)

    @property
    def count(self) -> int:
        """Chapters, where nobody says how many."""
        return min(max(round(self.words / _CHAPTER_WORDS), 1), MOST)

    @property
    def headed(self) -> bool:
        return self.asks or isinstance(self.outline, tuple)

    def same_as(self, other: Order) -> bool:
        """Both ask for the same."""
        return (self.task, self.words, self.outline, self.into) == (other.task, other.words, other.outline, other.into)

    def marked(self, message: Message) -> Message:
        """A message that carries the order."""
        outline = list(self.outline) if isinstance(self.outline, tuple) else self.outline
        said = {
            "work": self.work,
            "task": self.task,
            "words": self.words,
            "outline": outline,
            "into": self.into,
            "begins": self.begins,
            "lead": self.lead,
        }
        return message.with_meta("agentkit", writing=said)


def order_in(journal: Journal) -> Order | None:
    """The last text that was begun in a conversation."""
    for turn in reversed(journal.turns.values()):
        said = turn.asked.meta.get("agentkit", {}).get("writing")
        if isinstance(said, Mapping):
            return _order(cast("Mapping[str, Any]", said))
    return None


def _order(said: Mapping[str, Any]) -> Order:
    outline: object = said["outline"]
    return Order(
        work=said["work"],
        task=said["task"],
        words=said["words"],
        outline=tuple(cast("list[str]", outline)) if isinstance(outline, list) else cast("bool | None", outline),
        into=said["into"],
        begins=said["begins"],
        lead=said["lead"],
    )


@frozen
class Ask:
    """A turn to be run."""

    turn_id: str
    message: Message
    chapter: int
    """0 for the outline."""
    title: str = ""


@frozen
class Chapter:
    """One chapter, as far as it is there."""

    number: int
    title: str
    budget: int
    """Words it was to have."""
    turns: tuple[TurnState, ...] = ()
    headed: bool = True

    @property
    def text(self) -> str:
        return joined([self._body(turn) for turn in self.turns])

    def _body(self, turn: TurnState) -> str:
        over = turn.outcome in (Outcome.COMPLETE, Outcome.FILTERED)
        return body(turn.last_reply().text, self.title, headed=self.headed, over=over)

    def bodies(self, *, but: str) -> tuple[str, ...]:
        """What its turns gave, one of them left out."""
        return tuple(self._body(turn) for turn in self.turns if turn.turn_id != but)

    @property
    def cut(self) -> bool:
        """Its last turn did not come to its own end."""
        return bool(self.turns) and self.turns[-1].outcome is not Outcome.COMPLETE


@frozen
class Running:
    """The text while a turn of it runs; what it holds does not change meanwhile."""

    ask: Ask
    before: tuple[tuple[str, str], ...]
    bodies: tuple[str, ...]
    headed: bool

    @property
    def words(self) -> int:
        """Without those of the turn itself."""
        return sum(len(text.split()) for _, text in self.before) + sum(len(text.split()) for text in self.bodies)

    def text(self, raw: str) -> str:
        """All of it, with what has come of the turn."""
        if not self.ask.chapter:
            return ""
        live = body(raw, self.ask.title, headed=self.headed, over=False)
        return page([*self.before, (self.ask.title, joined([*self.bodies, live]))], headed=self.headed)


@frozen
class Work:
    """A long text, as far as the journal has it."""

    order: Order
    journal: Journal
    stuck: frozenset[str] = frozenset()
    """Turns that did not get any further in this run."""
    titles: tuple[str, ...] = field(init=False)
    named: bool = field(init=False)
    """The titles say something; else they are numbers."""
    chapters: tuple[Chapter, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        titles = self._titles()
        numbers = tuple(f"Part {number}" for number in range(1, self.order.count + 1))
        object.__setattr__(self, "titles", titles or numbers)
        object.__setattr__(self, "named", bool(titles))
        object.__setattr__(self, "chapters", tuple(self._chapters()))

    @property
    def _outline_id(self) -> str:
        return f"{self.order.work}:outline"

    def _titles(self) -> tuple[str, ...]:
        order = self.order
        if isinstance(order.outline, tuple):
            return order.outline
        asked = self.journal.turns.get(self._outline_id)
        return titles_in(asked.last_reply().text) if asked is not None else ()

    def _chapters(self) -> Iterator[Chapter]:
        written = 0
        for number, title in enumerate(self.titles, 1):
            turns = tuple(self._turns(number))
            left = len(self.titles) - number + 1
            fair = -(-self.order.words // len(self.titles))
            budget = max((self.order.words - written) // left, min(fair, _LEAST), 1)
            chapter = Chapter(number, title, budget, turns, self.order.headed)
            yield chapter
            written += len(chapter.text.split())

    def _turns(self, number: int) -> Iterator[TurnState]:
        for place in range(_MOST_TURNS):
            turn = self.journal.turns.get(self._turn_id(number, place))
            if turn is None:
                return
            yield turn

    def _turn_id(self, number: int, place: int) -> str:
        return f"{self.order.work}:{number}.{place}"

    @property
    def words(self) -> int:
        return sum(len(chapter.text.split()) for chapter in self.chapters)

    @property
    def text(self) -> str:
        """All of it; with a line end once nothing more is to be asked for."""
        said = page([(chapter.title, chapter.text) for chapter in self.chapters], headed=self.order.headed)
        return f"{said}\n" if said and self.next() is None else said

    def running(self, ask: Ask) -> Running:
        """The text while a turn of it runs."""
        before = tuple((chapter.title, chapter.text) for chapter in self.chapters[: max(ask.chapter - 1, 0)])
        bodies = self.chapters[ask.chapter - 1].bodies(but=ask.turn_id) if ask.chapter else ()
        return Running(ask, before, bodies, self.order.headed)

    @property
    def usage(self) -> Usage:
        """Of all turns of it."""
        outline = self.journal.turns.get(self._outline_id)
        turns = [turn for chapter in self.chapters for turn in chapter.turns]
        return sum((turn.usage for turn in ([outline] if outline else []) + turns), Usage())

    @property
    def shortcoming(self) -> str | None:
        """Why it does not count as complete."""
        for chapter in self.chapters:
            if chapter.cut:
                why = chapter.turns[-1].reason or "it did not come to its own end"
                return f"chapter {chapter.number} is cut: {why}"
        if self.words < _ENOUGH * self.order.words:
            return f"the model came to {self.words:,} of {self.order.words:,} words"
        return None

    def next(self) -> Ask | None:
        """The turn to be run now; None where there is nothing more to do."""
        if self.order.asks:
            turn = self.journal.turns.get(self._outline_id)
            if turn is None:
                prompt = outline_prompt(self.order.task, self.order.words, self.order.count)
                return Ask(self._outline_id, self.order.marked(user(prompt)), 0)
            if self._goes_on(turn) and turn.outcome is not Outcome.TRUNCATED:
                return Ask(turn.turn_id, turn.asked, 0)
        return next((ask for chapter in self.chapters if (ask := self._of(chapter)) is not None), None)

    def _of(self, chapter: Chapter) -> Ask | None:
        """What is missing of a chapter."""
        if not chapter.turns:
            return self._ask(chapter, self._first(chapter))
        last = chapter.turns[-1]
        have = len(chapter.text.split())
        if self._goes_on(last) and have < _OVERLONG * chapter.budget:
            return Ask(last.turn_id, last.asked, chapter.number, chapter.title)
        missing = self._missing(chapter, have)
        least = max(min(_LEAST, self.order.words // 20), 1)
        if missing < least or len(chapter.turns) == _MOST_TURNS or self._has_no_more(chapter):
            return None
        return self._ask(chapter, self._more(chapter, missing))

    def _ask(self, chapter: Chapter, prompt: str) -> Ask:
        message = user(prompt)
        if chapter.number == 1 and not chapter.turns and not self.order.asks:
            message = self.order.marked(message)
        return Ask(self._turn_id(chapter.number, len(chapter.turns)), message, chapter.number, chapter.title)

    def _first(self, chapter: Chapter) -> str:
        before = self.chapters[chapter.number - 2].text if chapter.number > 1 else ""
        order = self.order
        return chapter_prompt(order.task, self.titles, chapter.number, chapter.budget, before, named=self.named)

    def _more(self, chapter: Chapter, missing: int) -> str:
        return more_prompt(
            self.order.task,
            self.titles,
            chapter.number,
            missing,
            chapter.text,
            named=self.named,
            cut=chapter.cut,
        )

    def _missing(self, chapter: Chapter, have: int) -> int:
        """Words that a chapter lacks; 0 where those after it can make up for them."""
        if chapter.number < len(self.chapters):
            return chapter.budget - have if have < _SHORT * chapter.budget else 0
        total = self.words
        return self.order.words - total if total < _LAST_SHORT * self.order.words else 0

    def _has_no_more(self, chapter: Chapter) -> bool:
        """The last request for more brought next to nothing."""
        return len(chapter.turns) > 1 and len(chapter.turns[-1].last_reply().text.split()) < _LEAST // 2

    def _goes_on(self, turn: TurnState) -> bool:
        """The turn can be taken up again where it stands."""
        return turn.outcome in UNFINISHED and self.journal.is_last(turn) and turn.turn_id not in self.stuck


def given_outline(outline: str | tuple[str, ...]) -> tuple[str, ...]:
    """The titles that a user gave, as a list or as a text."""
    return titles_in(outline, plain=True) if isinstance(outline, str) else cleaned(outline)

"""What is said to the model to have a long text written, and how its text gets from replies to the page.

The page only ever grows: what it shows of a reply that is still coming begins the page of the whole reply.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_TAIL = 1200
"""Characters of what comes before a chapter that go along with the request for it."""
_SHALLOW = re.compile(r"#{1,2}\s")
_NUMBERING = re.compile(r"(?:[#*_\s:.)-]|\d{1,3}\b|(?:chapter|part|section)\b)+", re.IGNORECASE)
_ENDS = frozenset(".!?…:;\"'”’»)]}|`*_>")  # noqa: RUF001 - quotation marks that models write


def outline_prompt(task: str, words: int, count: int) -> str:
    """Ask for an outline. No number of words is named as an order, since none of the text is wanted yet."""
    return (
        f"A text is to be written in chapters, one after the other, {words:,} in words all told. "
        f"Its subject and what is wanted:\n\n{task.strip()}\n\n"
        f"Give only its outline now: about {count} chapters, unless another number is asked for above; one line each, "
        'as "1. Title", with titles that say what the chapter is about. Nothing before the list, nothing after it.'
    )


def chapter_prompt(task: str, titles: Sequence[str], number: int, words: int, before: str, *, named: bool) -> str:
    """Ask for a chapter."""
    if len(titles) == 1:
        return f"Write about {words:,} words, and nothing but the text itself, without a title:\n\n{task.strip()}"
    what = f'chapter {number} of {len(titles)}, "{titles[number - 1]}"' if named else f"part {number} of {len(titles)}"
    said = [f"Write about {words:,} words: {what}, of a longer text. What the whole text is to be:\n\n{task.strip()}"]
    if named:
        lines = (f"{place}. {title}" for place, title in enumerate(titles, 1))
        said.append("Its outline:\n" + "\n".join(lines))
    if before:
        said.append(f'What comes right before ends so:\n"""\n{tail(before)}\n"""')
    said.append(_manner(named=named, last=number == len(titles)))
    return "\n\n".join(said)


def more_prompt(
    task: str, titles: Sequence[str], number: int, words: int, before: str, *, named: bool, cut: bool
) -> str:
    """Ask for more of a chapter that is too short."""
    what = f'chapter {number}, "{titles[number - 1]}"' if named else "the text"
    start = "right after its last word" if cut else "with a new paragraph"
    return (
        f"Write about {words:,} words more of {what}; it is too short yet. What the whole text is to be:\n\n"
        f'{task.strip()}\n\nIt ends so for now:\n"""\n{tail(before)}\n"""\n\n'
        f"Begin {start}, repeat nothing that is there, and add what was not told yet. "
        "Nothing but the text itself: no title, no heading, no remark."
    )


def _manner(*, named: bool, last: bool) -> str:
    of_this = "this chapter" if named else "this part"
    said = [f"Nothing but the text of {of_this}: no title, no preamble, no remark about its length."]
    if named:
        said.append("Its heading is there already; headings within it begin with ###.")
    said.append("Here the whole text ends." if last else "More follows after it, so do not wind the whole text up.")
    return " ".join(said)


def tail(text: str) -> str:
    """The end of a text, from the beginning of a paragraph or a sentence."""
    if len(text) <= _TAIL:
        return text
    end = text[-_TAIL:]
    for mark in ("\n\n", ". ", "\n", " "):
        place = end.find(mark)
        if 0 <= place < _TAIL // 2:
            return end[place + len(mark) :]
    return end


def body(raw: str, title: str, *, headed: bool, over: bool) -> str:
    """What of a reply goes onto the page: not the heading it may begin with, since that is there.

    While the reply is not `over`, a first line that may become such a heading is held back.
    """
    text = raw.lstrip()
    first, newline, rest = text.partition("\n")
    if _is_heading(first, title, headed=headed):
        return rest.strip() if newline or over else ""
    if not newline and not over and _may_be_heading(first, title):
        return ""
    return text.rstrip()


def _is_heading(line: str, title: str, *, headed: bool) -> bool:
    return (headed and _SHALLOW.match(line) is not None) or _bare(line) == _bare(title)


def _may_be_heading(line: str, title: str) -> bool:
    bare = _bare(line)
    return (
        line.strip("#") == ""
        or _bare(title).startswith(bare)
        or any(word.startswith(bare) for word in ("chapter", "part", "section"))
    )


def _bare(line: str) -> str:
    """A line without numbering and markup."""
    found = _NUMBERING.match(line)
    return line[found.end() if found else 0 :].strip("*_#: .").casefold()


def joined(pieces: Sequence[str]) -> str:
    """The pieces of a chapter. One that was cut within a sentence goes on with the next piece."""
    text = ""
    for piece in pieces:
        if piece:
            text += (("\n\n" if text[-1] in _ENDS else " ") if text else "") + piece
    return text


def page(chapters: Sequence[tuple[str, str]], *, headed: bool) -> str:
    """The whole text: chapters by title and body; those without a body are not there yet."""
    return "\n\n".join(f"## {title}\n\n{text}" if headed else text for title, text in chapters if text)

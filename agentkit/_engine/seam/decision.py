"""Where a continuation goes on, decided from its beginning. A beginning is judged only at lengths that are fixed, so
that the same is decided however the text arrives.
"""

from __future__ import annotations

import re
from functools import cached_property

from attrs import frozen

from agentkit._engine.seam.openings import Opening, readings
from agentkit._engine.seam.overlap import TAIL, Setting, find, lookahead, overlaps, weight
from agentkit._engine.seam.restart import CERTAIN, begins, is_periodic, likeness
from agentkit._engine.seam.shape import Shape
from agentkit._engine.seam.skeleton import WRAPPERS, Skeleton, after_match, skeleton
from agentkit._engine.seam.spacing import is_one_word, missing_space

OTHER_WORDS = "the reply began anew, in other words"
_SLACK = 6
_LEAST = 8
"""Signs of a quotation that is found although it was changed."""
_ANEW = 24
_ARRAY = re.compile(r"\s*\[\s*(?=\{)")


@frozen(kw_only=True)
class Decision:
    """What to do with a beginning."""

    drop: int = 0
    """Characters of it that are not shown."""
    how: str
    overlap: int = 0
    insert: str = ""
    walk: int | None = None
    """Where in the text the continuation began anew, to be skipped for as long as it repeats the text."""
    unfence: bool = False
    """The fence that was dropped will be closed, and that is to be dropped as well."""
    failure: str | None = None


class Cut:
    """The place where a text was cut, as far as the decision needs it."""

    def __init__(self, text: str, shape: Shape, quote: str) -> None:
        self.text = text
        self.shape = shape
        self.quote = quote
        self.in_fence = shape.in_fence
        self.in_json = shape.json is not None
        self.tail = text[-TAIL:]
        self.setting = Setting(
            self.tail, len(text) <= TAIL, in_code=self.in_fence, in_json=self.in_json, is_asked=bool(quote)
        )

    @cached_property
    def bones(self) -> Skeleton:
        return skeleton(self.tail)

    @cached_property
    def quoted_bones(self) -> str:
        return skeleton(self.quote).text

    @cached_property
    def restarts(self) -> tuple[int, ...]:
        """Where a continuation may begin anew: at the beginning, and at that of the open block."""
        fence = self.shape.fence
        behind = self.shape.length - fence.start if fence is not None and self.in_fence else 0
        return (0, len(self.text) - behind) if 0 < behind < len(self.text) else (0,)


def decide(cut: Cut, held: str, *, final: bool) -> Decision | None:
    """None: more has to be seen."""
    found = readings(cut.shape, held, known=cut.tail if weight(cut.quote) >= _ANEW else None)
    for opening in found.openings:
        if cut.quote and held.startswith(cut.quote, opening.at):
            return _found(cut, opening, len(cut.quote), len(cut.quote), "echo")
    for place, opening in enumerate(found.openings):
        verdict = _join(cut, held, opening, final=final)
        if isinstance(verdict, Decision):
            return verdict
        if verdict is _WAIT:
            return None
        if verdict is _KEEP:
            return _plain(cut, held, found.openings[: place + 1], final=final)
    if not found.complete and not final:
        return None
    return _plain(cut, held, found.openings, final=final)


class _Verdict:
    """Anything but a decision."""


_WAIT = _Verdict()
"""The text so far goes along with a repetition, whose end is not reached."""
_KEEP = _Verdict()
"""The text repeats itself here, so nothing of the continuation is a repetition of the model's."""


def _join(cut: Cut, held: str, opening: Opening, *, final: bool) -> Decision | _Verdict | None:
    """The repetition that follows an opening, if there is one."""
    rest = held[opening.at :]
    if not rest:
        return None if final else _WAIT
    verdict = _quote(cut, opening, rest, final=final)
    if verdict is not None or not opening.is_usual:
        return verdict
    return (
        _overlap(cut, opening, rest, final=final)
        or _anew(cut, opening, rest, final=final)
        or _changed(cut, opening, rest, final=final)
    )


def _quote(cut: Cut, opening: Opening, rest: str, *, final: bool) -> Decision | _Verdict | None:
    """What the model was asked to repeat, written otherwise."""
    if not cut.quote:
        return None
    if cut.quote.startswith(rest) and not final:
        return _WAIT
    size = len(cut.quoted_bones)
    if size < _LEAST:
        return None
    said = skeleton(rest[: 2 * len(cut.quote) + _LEAST])
    if not said.text.startswith(cut.quoted_bones):
        return _WAIT if cut.quoted_bones.startswith(said.text) and not final else None
    return _loosely(cut, opening, rest, said.ends[size - 1], final=final)


def _overlap(cut: Cut, opening: Opening, rest: str, *, final: bool) -> Decision | _Verdict | None:
    if not final and rest in cut.tail:
        return _WAIT
    size = next(iter(overlaps(cut.tail, rest)), 0)
    if not final and size and len(rest) < size + lookahead(rest, size):
        return _WAIT
    found = find(cut.setting, rest)
    if found.whose == "text":
        return _KEEP
    if found.whose == "chance" and not (found.size and _cannot_follow(cut, rest)):
        return None
    return _found(cut, opening, found.size, found.size, "overlap")


def _cannot_follow(cut: Cut, rest: str) -> bool:
    """The end of a text in JSON, and then no sign that can stand there."""
    trail = cut.shape.json
    return trail is not None and trail.in_text and rest[0] == '"' and rest[1:2].isalnum()


def _anew(cut: Cut, opening: Opening, rest: str, *, final: bool) -> Decision | _Verdict | None:
    if is_periodic(cut.text):
        return None
    for start in cut.restarts:
        same = begins(cut.text, start, rest)
        if same is None:
            continue
        if same >= CERTAIN:
            return Decision(drop=opening.at, how="restart", walk=start, unfence=_is_foreign(cut, opening))
        if not final:
            return _WAIT
        if same >= _ANEW:
            return Decision(drop=opening.at, how="restart", walk=start)
    return None


def _changed(cut: Cut, opening: Opening, rest: str, *, final: bool) -> Decision | _Verdict | None:
    """A repetition with other space, quotation marks or emphasis."""
    said = skeleton(rest)
    if not final and said.text in cut.bones.text:
        return _WAIT
    found = find(Setting(cut.bones.text, cut.setting.is_all), said.text)
    if found.whose != "model" or weight(said.text[: found.size]) < 2 * _LEAST:
        return None
    return _loosely(cut, opening, rest, said.ends[found.size - 1], final=final)


def _loosely(cut: Cut, opening: Opening, rest: str, end: int, *, final: bool) -> Decision | _Verdict:
    """Where a repetition that is written otherwise ends: after what was not compared, and after its own marks."""
    quoted = cut.tail[cut.bones.ends[-1] :]
    if not final and len(rest) < end + len(quoted) + _SLACK:
        return _WAIT
    closing = WRAPPERS.get(rest[0], "") if cut.quote[:1] != rest[0] else ""
    if closing and rest.startswith(closing, end) and not quoted.startswith(closing):
        end += len(closing)
        closing = ""
    flat = "\n" not in rest[:end] and "\n" in cut.tail[-end:]
    end += after_match(rest[end:], quoted, is_flat=flat)
    if closing and rest.startswith(closing, end):
        end += len(closing)
    return _found(cut, opening, end, end, "echo, written otherwise")


def _found(cut: Cut, opening: Opening, end: int, size: int, how: str) -> Decision:
    return Decision(drop=opening.at + end, how=_words(opening, how), overlap=size, unfence=_is_foreign(cut, opening))


def _words(opening: Opening, how: str) -> str:
    parts = [
        "remark dropped" if opening.remark else "",
        "fence closed too early dropped" if opening.closes and opening.fence is not None else "",
        "fence opened again dropped" if opening.fence is not None else "",
        "table header dropped" if opening.header else "",
        how,
    ]
    return ", ".join(part for part in parts if part)


def _is_foreign(cut: Cut, opening: Opening) -> bool:
    """The dropped fence is none of the text's own, so its end is not either."""
    return opening.fence is not None and not cut.in_fence


def _plain(cut: Cut, held: str, openings: tuple[Opening, ...], *, final: bool) -> Decision | None:
    """Nothing is repeated."""
    opening = next((each for each in reversed(openings) if _may_drop(cut, held, each)), Opening(0))
    begun = held[opening.at :]
    alike = likeness(cut.text, begun.lstrip(), final=final)
    if alike is None:
        return None
    if alike:
        return Decision(how="restart", failure=OTHER_WORDS)
    wrapped = _ARRAY.match(begun) if _is_between_objects(cut) else None
    if wrapped is not None:
        comma = "" if cut.tail.rstrip().endswith(",") else ","
        return Decision(
            drop=opening.at + wrapped.end(),
            insert=comma,
            how=_words(opening, "array opened again dropped"),
            unfence=_is_foreign(cut, opening),
        )
    in_code = cut.in_fence or cut.in_json
    space = missing_space(cut.tail, begun, in_code=in_code)
    how = "space added" if space else "joined as it is"
    return Decision(drop=opening.at, insert=space, how=_words(opening, how), unfence=_is_foreign(cut, opening))


def _may_drop(cut: Cut, held: str, opening: Opening) -> bool:
    """What the opening leaves out cannot belong where the text was cut, so that no repetition has to prove it."""
    if not opening.is_usual:
        return False
    if opening.header:
        return True
    fence = cut.shape.fence
    if opening.fence is not None:
        if cut.in_json:
            return True
        if not cut.in_fence or fence is None or not opening.fence:
            return False
        again = opening.fence == fence.info
        return again and (not opening.closes or not opening.remark or opening.goes_on)
    if not opening.remark or opening.closes:
        return False
    says = opening.goes_on and opening.remark.rstrip()[-1:] in {":", "\uff1a", ".", "\u2026", "!"}
    return says and (cut.in_json or cut.in_fence or _is_in_row(cut) or _interrupts(cut, held, opening))


def _interrupts(cut: Cut, held: str, opening: Opening) -> bool:
    """On a line of its own where no author interrupts himself so."""
    if not held.startswith(opening.remark) or "\n" not in held[: opening.at]:
        return False
    return _is_reply(cut, opening) or _is_within_word(cut, opening, held[opening.at :])


def _is_reply(cut: Cut, opening: Opening) -> bool:
    """Within a sentence, and said to somebody."""
    ends = cut.tail.rstrip(" ")[-1:]
    in_sentence = ends.isalnum() or ends in {",", ";"}
    return in_sentence and opening.answers


def _is_within_word(cut: Cut, opening: Opening, begun: str) -> bool:
    """After a part of a word, which goes on behind the remark; the remark itself cannot be the rest of it."""
    first = opening.remark[0]
    if not (cut.tail[-1:].islower() and begun[:1].islower() and first.isalpha() and not first.islower()):
        return False
    return is_one_word(cut.tail, begun)


def _is_in_row(cut: Cut) -> bool:
    line = cut.shape.line
    return cut.shape.table is not None and line.startswith("|") and not line.rstrip().endswith("|")


def _is_between_objects(cut: Cut) -> bool:
    trail = cut.shape.json
    if trail is None or trail.in_text or trail.depth != 1:
        return False
    return cut.tail.rstrip()[-1:] in {",", "}"} and "}" in cut.tail.rstrip()[-2:].replace(" ", "")

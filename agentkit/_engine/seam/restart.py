"""A continuation that begins anew: word for word, which is skipped, or in other words, which is a failure."""

from __future__ import annotations

from agentkit._engine.seam.letters import TERM, is_unspaced
from agentkit._engine.seam.overlap import period
from agentkit._engine.seam.shape import JsonTrail

CERTAIN = 64
"""Characters in which a beginning equals that of the text, so that it is one."""
_EXACT = 16
"""Until so many are compared, space counts."""
_WHOLE = 8
_JUDGED = 160
_ALIKE = 0.6
_VERY_ALIKE = 0.7
_LONG = 4
_HEAD = 4000


class Walk:
    """Goes along a text for as long as a continuation repeats it; how space is written does not matter."""

    __slots__ = ("_exact", "_start", "_text", "at")

    def __init__(self, text: str, start: int, *, exact: int = _EXACT) -> None:
        self._text = text
        self._exact = exact
        self._start = self.at = start

    @property
    def is_through(self) -> bool:
        return self.at == len(self._text)

    @property
    def walked(self) -> int:
        return self.at - self._start

    def take(self, piece: str) -> int | None:
        """Where in the piece the text is through or left; None where the piece goes along with it."""
        if len(piece) <= len(self._text) - self.at and self._text.startswith(piece, self.at):
            self.at += len(piece)
            return None
        for place, character in enumerate(piece):
            if self.is_through or not self._goes(character):
                return place
        return None

    def _goes(self, character: str) -> bool:
        if self._text[self.at] == character:
            self.at += 1
            return True
        if self.walked < self._exact:
            return False
        if character.isspace():
            return True
        ahead = self.at
        while ahead < len(self._text) and self._text[ahead].isspace():
            ahead += 1
        if ahead == self.at or (ahead < len(self._text) and self._text[ahead] != character):
            return False
        self.at = min(ahead + 1, len(self._text))
        return ahead < len(self._text)

    def is_refrain(self, *, strict: bool) -> bool:
        """What was gone along is said in the text more than once, or is lines of their own after a whole line.

        `strict`: whole lines and nothing more, since it is likelier that the model began anew.
        """
        walked = self._text[self._start : self.at]
        if self._text.endswith("\n") and (walked.endswith("\n") if strict else "\n" in walked):
            return True
        return self._text.find(walked, self._start + 1) >= 0


def begins(text: str, start: int, rest: str) -> int | None:
    """Signs in which a continuation equals what begins at `start`, up to `CERTAIN`; None where it differs in them.

    A text that is shorter counts as much where all of it is there.
    """
    said = "".join(rest[: 4 * CERTAIN].split())[:CERTAIN]
    there = "".join(text[start : start + 4 * CERTAIN].split())
    if there.startswith(said):
        return len(said)
    return CERTAIN if len(there) >= _WHOLE and said.startswith(there) else None


def is_periodic(text: str) -> bool:
    """The text is one thing said again and again, so that going on looks like repeating it."""
    head = text[:_HEAD]
    return period(head) * 2 <= len(head)


def likeness(text: str, begun: str, *, final: bool) -> bool | None:
    """The continuation tells the beginning of the text in other words; None where more has to be seen."""
    if _terms(text[:_JUDGED])[:2] != _terms(begun)[:2] or begun[:1] != text.lstrip()[:1]:
        return False
    if len(text) < _JUDGED or text.find(text[:_EXACT], 1) > 0:
        return False
    if len(begun) < _JUDGED:
        return False if final else None
    head = set(_terms(text[: 2 * _JUDGED]))
    said = [term for term in _terms(begun[:_JUDGED]) if len(term) >= _LONG or is_unspaced(term[0])]
    share = sum(term in head for term in said) / max(1, len(said))
    in_sentence = text[-1].isalnum() or text.rstrip()[-1:] in {",", ";"}
    return share >= (_ALIKE if in_sentence and begun[:1].isupper() else _VERY_ALIKE)


def begins_json(trail: JsonTrail, text: str, begun: str, *, final: bool) -> bool | None:
    """A document begins where, by the rules of JSON, none can; None where more has to be seen."""
    signs = "".join(begun[:_JUDGED].split())
    if signs[:1] not in {"{", "["}:
        return None if not signs and not final else False
    if not trail.in_text:
        end = text.rstrip()[-1:]
        in_object = end == "," and trail.depth == 1 and text.lstrip()[:1] == "{"
        return end not in {"[", ":", ","} or in_object
    opened = signs.lstrip("{[")
    if not opened[1:] and not final and opened in {"", '"'}:
        return None
    return opened[:1] == '"' and opened[1:2].isalnum()


def _terms(text: str) -> list[str]:
    """Words, or pairs of characters where there are no spaces between words."""
    found: list[str] = []
    for word in TERM.findall(text.lower()):
        if is_unspaced(word[0]):
            found += [word[place : place + 2] for place in range(max(1, len(word) - 1))]
        else:
            found.append(word)
    return found

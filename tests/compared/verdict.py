"""What is right and what is wrong with one joined reply. Pure."""

from __future__ import annotations

import json
import re

from attrs import frozen

from agentkit.sim.habits import is_json

_SHORTEST = 8
"""Characters that count as said twice."""
_BLOCK = re.compile(r"```json\n(.*?)\n```", re.DOTALL)

KINDS = (
    "right",
    "glued",
    "doubled",
    "left in",
    "lost",
    "cut, and said so",
    "cut, called whole",
    "wrong, and said so",
    "wrong",
)


@frozen(kw_only=True)
class Case:
    whole: str
    at: int
    habit: str


def verdict(case: Case, text: str, *, told: bool) -> str:
    """One of `KINDS`.

    glued: whitespace at the seam is missing. doubled: words before the cut come twice. left in: a remark, a fence or
    the header of a table that belongs to the way of going on stays in the text. lost: something is missing.
    """
    whole, head = case.whole, case.whole[: case.at]
    if _is_right(case, text):
        return "right"
    if text.rstrip() == head.rstrip():
        return "cut, and said so" if told else "cut, called whole"
    wrong = "wrong, and said so" if told else "wrong"
    if "".join(text.split()) == "".join(whole.split()):
        return "glued" if len(text) < len(whole) else wrong
    if not text.startswith(head):
        return wrong
    return _of_added(head, text[case.at :], whole[case.at :]) or wrong


def _of_added(head: str, added: str, rest: str) -> str | None:
    if rest.rstrip().endswith(added.strip()):
        return "lost"
    if not added.rstrip().endswith(rest.strip()):
        return None
    extra = added.rstrip().removesuffix(rest.strip())
    twice = head.strip()[-_SHORTEST:]
    return "doubled" if extra.strip() and (twice in extra or extra.strip() in head) else "left in"


def _is_right(case: Case, text: str) -> bool:
    if text == case.whole:
        return True
    if case.habit == "fenced":
        return text.rstrip() == case.whole.rstrip()
    value = _value(text) if case.habit in ("json_restart", "trimmed") else None
    return value is not None and value == _value(case.whole)


def _value(text: str) -> object:
    """The JSON document that a reply is, or holds in its only block."""
    found = _BLOCK.search(text)
    inner = found[1] if found is not None else text
    return json.loads(inner) if is_json(inner) else None

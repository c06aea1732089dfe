"""Where the last group alone does not fit: its results are shortened, its older calls left out, its texts shortened."""

from __future__ import annotations

from agentkit._engine.plan.fit import Marks, Scales, cuts_to, least
from agentkit._engine.plan.selection import Selection, Span

_LEAST = 64
"""No message is cut to fewer tokens."""
_ROUNDS = 3


def squeeze(scales: Scales, selection: Selection) -> Selection:
    """The selection made to fit, as far as that is possible without losing the question or the last unit."""
    room = Marks(tokens=scales.room)
    target = scales.target(["window"])
    results = [place for place in _rows(scales, selection) if scales.outline[place].message.role == "tool"]
    selection = _level(scales, selection, results, target)
    if not room.exceeded(scales.load(selection)):
        return selection
    units = _older_units(scales, selection)
    whole = selection
    selection = least(scales, target, len(units), lambda count: whole.without(units[:count], "window"))
    if not room.exceeded(scales.load(selection)):
        return selection
    return _level(scales, selection, _rows(scales, selection), room)


def _rows(scales: Scales, selection: Selection) -> list[int]:
    """The rows of the last group that go along and may be shortened."""
    outline = scales.outline
    first = outline.last_group()
    spans = selection.spans(len(outline))
    places = (place for start, stop in spans for place in range(max(start, first), stop))
    return [place for place in places if outline[place].message.role != "system"]


def _older_units(scales: Scales, selection: Selection) -> list[Span]:
    """What lies between the question and the last unit, unit by unit; pinned ones stay."""
    outline = scales.outline
    rows = _rows(scales, selection)
    units: dict[int, list[int]] = {}
    for place in rows:
        units.setdefault(outline[place].unit, []).append(place)
    between = list(units.values())[1:-1]
    return [(unit[0], unit[-1] + 1) for unit in between if not any(outline[place].pinned for place in unit)]


def _level(scales: Scales, selection: Selection, places: list[int], target: Marks) -> Selection:
    """The largest of the rows cut to one size, so that the target is kept where that is possible."""
    outline = scales.outline
    for _ in range(_ROUNDS):
        excess = (scales.load(selection).tokens or 0) - (target.tokens or 0)
        if excess <= 0 or not places:
            break
        costs = {
            place: selection.cuts[place].cost.tokens
            if place in selection.cuts
            else outline.sum(place, place + 1).tokens
            for place in places
        }
        most = _water_level(list(costs.values()), excess)
        selection = cuts_to(scales, selection, [place for place in places if costs[place] > most], most)
    return selection


def _water_level(costs: list[int], excess: int) -> int:
    """The size to which the largest are cut so that all together lose `excess`."""
    low, high = _LEAST, max(costs)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(max(0, cost - middle) for cost in costs) >= excess:
            low = middle
        else:
            high = middle - 1
    return low

"""What the simulator says: the whole reply to a thread, and what is left of it after a prefix. Pure."""

from __future__ import annotations

import json

from attrs import evolve, frozen

from agentkit.sim import schema
from agentkit.sim.chatter import chat, lead
from agentkit.sim.habits import HABITS, Whim
from agentkit.sim.in_words import written
from agentkit.sim.plan import THOUGHT, CallOrder, Count, Plan, Say, Write
from agentkit.sim.shaped import answered, rest_of
from agentkit.sim.talk import Ask, Call, Reply, Said
from agentkit.sim.text import MAX_WORDS, digest, prose
from agentkit.sim.thread import Thread

_ANCHORS = (800, 240, 80)
"""Characters at the end of a prefix that find its place in the reply, where its beginning was shortened."""
_SHORTEST_ANCHOR = 40
_MORE = 60
"""Words that follow a reply that was complete already."""
_MOST_QUOTED = 4000
_MOST_CALLS = 64


@frozen
class Composer:
    """Makes the reply to one request."""

    seed: int
    ask: Ask
    thread: Thread
    plan: Plan

    def whole(self) -> Reply:
        """The reply as if nothing of it had been said."""
        thought = prose(self._thinking(), self.seed, "thought", self.thread.fingerprint)
        calls = self._calls()
        if calls:
            in_words = self.ask.in_words
            return Reply(reasoning=thought, text=written(calls) if in_words else "", calls=() if in_words else calls)
        return Reply(reasoning=thought, text=_before(self._text(), self.ask.stop))

    def left(self) -> Reply:
        """The reply without the part that has been said."""
        whole, prefix = self.whole(), self.thread.prefix
        if prefix is None:
            return whole
        if self.thread.request is not None:
            return self._asked(whole, prefix)
        if not prefix.text:
            return evolve(whole, reasoning=_tail(whole.reasoning, prefix.reasoning) or "")
        told, cut = self._joined(whole, prefix.text)
        return Reply(text=self._onward(told, cut), calls=whole.calls)

    def _thinking(self) -> int:
        """Words of reasoning. A model that leaks shows what was to be turned off."""
        if self.ask.thinks is False and "leak" not in self.plan.quirks:
            return 0
        return self.plan.think or (THOUGHT if self.ask.thinks else 0)

    def _asked(self, whole: Reply, prefix: Said) -> Reply:
        """The user, not the protocol, asks to go on: there is always something more to say."""
        told, cut = self._joined(whole, prefix.text)
        if cut == len(told) and not whole.calls:
            told += _before(" " + prose(_MORE, self.seed, "more", prefix.text), self.ask.stop)
        return Reply(text=self._onward(told, cut, self.thread.echo), calls=whole.calls)

    def _onward(self, told: str, cut: int, quote: str = "") -> str:
        """What is said after the cut: what there is to repeat and the rest, or what a habit makes of them."""
        habit = HABITS.get(self.plan.habit)
        if habit is None or not 0 < cut < len(told):
            return quote + told[cut:]
        seed = int(digest(self.seed, self.thread.fingerprint, cut)[:8], 16)
        tries = (habit(told, cut, Whim(seed, asked)) for asked in dict.fromkeys((quote, "")))
        return next((said for said in tries if said is not None), quote + told[cut:])

    def _joined(self, whole: Reply, said: str) -> tuple[str, int]:
        """The reply that this beginning belongs to, and where in it that ends."""
        for find in (_tail, _spaced, _anchored):
            rest = find(whole.text, said)
            if rest is not None:
                return whole.text, len(whole.text) - len(rest)
        if whole.calls:
            return whole.text, len(whole.text)
        end = rest_of(said)
        if end is not None:
            return said + end, len(said)
        words = max(len(whole.text.split()) - len(said.split()), 12)
        return said + _before(_joint(said, prose(words, self.seed, "further", said)), self.ask.stop), len(said)

    def _calls(self) -> tuple[Call, ...]:
        if self.ask.choice == "none":
            return ()
        orders = self._orders()
        wanted = [(order, self._tool(order.name)) for order in orders for _ in range(order.times)]
        most = _MOST_CALLS if self.ask.parallel else 1
        named = [(order, name) for order, name in wanted if name is not None][:most]
        return tuple(self._call(order, name, place) for place, (order, name) in enumerate(named))

    def _orders(self) -> tuple[CallOrder, ...]:
        choice = self.ask.choice
        if choice.startswith("="):
            return (CallOrder(name=choice[1:], every=True),)
        told = any(said.role == "tool" for said in self.thread.since)
        orders = tuple(order for order in self.plan.calls if order.every or not told)
        if choice == "required" and not any(self._tool(order.name) for order in orders):
            return (CallOrder(name=self._answer(), every=True),)
        return orders

    def _answer(self) -> str | None:
        """The tool that takes an answer, where one is offered: it is called when there is nothing else to do."""
        return next((tool.name for tool in reversed(self.ask.tools) if tool.name.startswith("answer")), None)

    def _tool(self, name: str | None) -> str | None:
        """The offered tool that a name means: itself, in another case, or a part of it, as weather of get_weather."""
        names = [tool.name for tool in self.ask.tools]
        if name is None or name in names:
            return name or next(iter(names), None)
        low = name.lower()
        same = [found for found in names if found.lower() == low]
        return next(iter(same or [found for found in names if low in found.lower()]), None)

    def _call(self, order: CallOrder, name: str, place: int) -> Call:
        tool = next(tool for tool in self.ask.tools if tool.name == name)
        key = (self.seed, name, place, self.thread.fingerprint)
        given = order.arguments or json.dumps(schema.arguments(tool.schema, *key), ensure_ascii=False)
        return Call(f"call_{digest(*key)[:24]}", name, given)

    def _text(self) -> str:
        if isinstance(self.plan.speech, Say):
            return self.plan.speech.text
        if self.ask.shape is not None:
            return self._document(self.ask.shape)
        heard = self._results() or self._missing()
        body = self._ordered()
        return f"{heard} {body}".strip() if heard or body else chat(self.seed, self.thread)

    def _document(self, shape: schema.Schema) -> str:
        made = schema.example(shape, self.seed, self.thread.fingerprint)
        return answered(json.dumps(made, ensure_ascii=False), self.plan.shaping)

    def _ordered(self) -> str:
        reach = _reach(self.plan)
        match self.plan.speech:
            case Count(to=to):
                return ", ".join(str(number) for number in range(1, min(to, MAX_WORDS) + 1))
            case Write(words=words):
                return prose(words, self.seed, self.thread.order)
            case _:
                return prose(reach, self.seed, self.thread.order)

    def _results(self) -> str:
        """What the tools said."""
        names = {call.id: call.name for said in self.thread.since for call in said.calls}
        results = [said for said in self.thread.since if said.role == "tool"]
        return "\n".join(
            f"{lead(self.seed, place)} {names.get(said.call_id, 'The tool')} answered: {said.text[:_MOST_QUOTED]}"
            for place, said in enumerate(results)
        )

    def _missing(self) -> str:
        """That a tool is not offered."""
        names = [order.name or "any" for order in self.plan.calls if self._tool(order.name) is None]
        return f"No tool named {names[0]!r} is offered here." if names else ""


def _reach(plan: Plan) -> int:
    """Words that a reply needs so that its limits and faults are met."""
    places = [fault.after + 20 for fault in plan.faults if fault.after is not None]
    return max([*places, 2 * plan.limit if plan.limit else 0], default=0)


def _before(text: str, stops: tuple[str, ...]) -> str:
    places = [place for place in (text.find(stop) for stop in stops if stop) if place >= 0]
    return text[: min(places)] if places else text


def _tail(whole: str, said: str) -> str | None:
    return whole[len(said) :] if whole.startswith(said) else None


def _spaced(whole: str, said: str) -> str | None:
    """What follows a prefix that has other white space, as a JSON document may."""
    signs = "".join(said.split())
    if not signs or not "".join(whole.split()).startswith(signs):
        return None
    left, place = len(signs), 0
    while left:
        left -= not whole[place].isspace()
        place += 1
    return whole[place:].lstrip() if said[-1].isspace() else whole[place:]


def _anchored(whole: str, said: str) -> str | None:
    """What follows the last words of a prefix whose beginning or middle is missing."""
    for size in _ANCHORS:
        anchor = said[-size:]
        place = whole.rfind(anchor) if len(anchor) >= _SHORTEST_ANCHOR else -1
        if place >= 0:
            return whole[place + len(anchor) :]
    return None


def _joint(said: str, more: str) -> str:
    """`more`, put so that it may follow `said`."""
    if not said or said[-1].isspace():
        return more
    if said.rstrip()[-1] in ".!?:":
        return " " + more
    return ", and " + more[:1].lower() + more[1:]

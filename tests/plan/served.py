"""A simulated backend with a tokenizer, a template and instructions of its own, none of which the client knows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from attrs import frozen

from agentkit._engine.history import History
from agentkit._engine.plan.planner import Plan, plan
from agentkit._engine.plan.state import PlanState, answered
from agentkit._engine.plan.terms import Terms
from agentkit.counters._packed import QWEN
from agentkit.messages import Message, Reasoning, Text, ToolCall, ToolResult, assistant, user
from agentkit.tokens import CountKind, TokenCounter, ToolShape
from agentkit.usage import Usage

VOCABULARY = [f"w{number}" * (1 + number % 4) for number in range(400)]


@frozen
class Client:
    """A counter that knows the length of a word, and not what the backend makes of it."""

    kind: CountKind = "proxy"
    margin: float = 0.2
    base: int = 3

    def text(self, text: str, /) -> int:
        return sum((len(word) + 5) // 4 for word in text.split())

    def message(self, message: Message, /, *, live: bool = False) -> int:
        return 5 + sum(self._part(part) for part in message.parts)

    def tools(self, tools: Sequence[ToolShape], /, *, system: bool = False) -> int:
        return 0

    def _part(self, part: Any) -> int:
        match part:
            case Text():
                return self.text(part.text)
            case ToolCall():
                return 3 + self.text(part.name + part.arguments_json)
            case ToolResult():
                return self.text(part.content)
            case _:
                return 0


class Backend:
    """What is true: words cost what they cost, each message is framed, and there are hidden instructions."""

    def __init__(self, seed: int, client: TokenCounter) -> None:
        chance = random.Random(seed)
        self.hidden = chance.randint(40, 300)
        self.frame = {role: chance.randint(4, 9) for role in ("system", "user", "assistant", "tool")}
        off = (0,) if client.kind == "exact" else (-1, 0, 0, 0, 0, 1)
        self.cost = {word: max(1, client.text(word) + chance.choice(off)) for word in VOCABULARY}

    def text(self, text: str) -> int:
        return sum(self.cost.get(word, (len(word) + 5) // 4) for word in text.split())

    def message(self, message: Message) -> int:
        total = self.frame[message.role]
        for part in message.parts:
            match part:
                case Text():
                    total += self.text(part.text)
                case ToolCall():
                    total += 3 + self.text(part.name + part.arguments_json)
                case ToolResult():
                    total += self.text(part.content)
                case _:
                    pass
        return total

    def prompt(self, messages: Sequence[Message]) -> int:
        return self.hidden + sum(self.message(message) for message in messages)


def words(chance: random.Random, low: int, high: int) -> str:
    return " ".join(chance.choices(VOCABULARY, k=chance.randint(low, high)))


class Qwen(Backend):
    """A backend with a real vocabulary, that of Qwen."""

    def text(self, text: str) -> int:
        return QWEN.count(text)


def prose(chance: random.Random, low: int, high: int) -> str:
    """So many words of our own pages, code and tables included."""
    words_of_it = _pages()
    start, size = chance.randrange(len(words_of_it)), chance.randint(low, high)
    return "so " + " ".join(words_of_it[start : start + size])


@cache
def _pages() -> list[str]:
    pages = sorted((Path(__file__).parents[2] / "docs").glob("*.md"))
    return " ".join(page.read_text(encoding="utf-8") for page in pages).split(" ")


class Talk:
    """A conversation with such a backend, and what came out of its turns."""

    def __init__(self, terms: Terms, backend: Backend, seed: int, *, tools: float = 0.0, thinks: bool = False) -> None:
        self.terms, self.backend = terms, backend
        self.chance = random.Random(seed)
        self.tools, self.thinks = tools, thinks
        self.question, self.answer, self.say = (5, 60), (20, 160), words
        self.history, self.state = History(), None
        self.plans: list[Plan] = []
        self.true: list[int] = []

    state: PlanState | None

    def turn(self) -> None:
        self.history = self.history.add(user(self.say(self.chance, *self.question)))
        for number in range(4):
            if number == 3 or self.chance.random() >= self.tools:
                break
            call = ToolCall(f"call-{len(self.history)}", "look", {"for": self.chance.choice(VOCABULARY)})
            self._ask(Message("assistant", (call,)))
            result = ToolResult(call.id, self.say(self.chance, 5, 200))
            self.history = self.history.add(Message("tool", (result,)))
        self._ask(assistant(self.say(self.chance, *self.answer)))

    def _ask(self, reply: Message) -> None:
        made = plan(self.terms, self.history, self.state)
        prompt = self.backend.prompt(made.messages)
        self.plans.append(made)
        self.true.append(prompt)
        thought = self.chance.randint(10, 200) if self.thinks else 0
        if thought:
            reply = Message(reply.role, (Reasoning("..."), *reply.parts))
        output = self.backend.message(reply) - self.backend.frame["assistant"] + 1 + thought
        usage = Usage(input_tokens=prompt, output_tokens=output, reasoning_tokens=thought)
        self.state = answered(made.state, usage, reply)
        self.history = self.history.add(reply)

    def errors(self, after: int) -> list[float]:
        """By which share of the truth each prediction was off."""
        pairs = list(zip(self.plans, self.true, strict=True))[after:]
        return [abs(made.manifest.tokens.value - true) / true for made, true in pairs]

    def violations(self, after: int = 0) -> int:
        pairs = list(zip(self.plans, self.true, strict=True))[after:]
        return sum(true > made.manifest.tokens.upper for made, true in pairs)

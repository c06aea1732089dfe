"""Random histories: the records of a conversation as the engine writes them, as crashes leave them, as users bend them.

A number names one history for good. Each has at its end what the user does next: ask, go on with a cut reply, or wait
for the tools of the turn under way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any, Literal

from attrs import frozen

from agentkit._engine.beginning import Rewind, Task, begin
from agentkit._engine.journal import Journal, TurnState
from agentkit._engine.line import Line
from agentkit.codec import from_openai
from agentkit.effects import Append
from agentkit.errors import InvalidInput
from agentkit.messages import Media, Message, Part, Reasoning, Text, ToolCall, ToolResult
from agentkit.providers import get_provider
from agentkit.store import (
    Configured,
    Decided,
    Discarded,
    Failure,
    Imported,
    PartialReply,
    Record,
    Replied,
    Rewound,
    Summarized,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    UnknownRecord,
)
from agentkit.usage import FinishReason, Outcome

MARK = "PROVIDER-ONLY"
"""In everything that belongs to one backend: no request holds it."""
QUESTION = "what the user asks last"

Way = Literal["ask", "go on", "loop"]


@frozen
class Case:
    """A history, and what is asked of a backend at its end."""

    records: tuple[Record, ...]
    last: tuple[Record, ...]
    """Those that lead to the request."""
    way: Way


_HARMONY = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>"
_WORDS = (
    "the rain in Spain", "两个字", "a\u2028b\x00c", "\ud83d and a half", "😀", '{"a": 1}', "two\n\nlines\n", "x" * 300,
    f"{_HARMONY}told", "told <|channel|> so", "<think>no</think> yes", "  spaces  ", "[called the tool f with {}]",
)  # fmt: skip
_BLANK = ("", " ", "\n", "\u2028")
_NAMES = ("rain", "rain", "rain", "wind", "get weather", "files.read", "f" * 70, "", "é", "rain<|channel|>commentary")
_ARGUMENTS = (
    '{"a": 1}', '{"a": 1}', '{"city": "Paris"}', "{}", "", " ", '{"city": "Par', '{"a": [1, ', "[1]", "null", '"a"',
    '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": "\\ud83d"}', '{"a": "\ud83d"}', '{"a": "\\ud83d\\ude00"}',
    "none", '{"a": 1}}', '{"a": 1, "a": 2}', ' {"a": 1}\n', '{"é\u2028": "\x7f"}', "```json\n{}\n```",
)  # fmt: skip
_USUAL = ('{"a": 1}',)
_HEAVY = ('{"n": 1' + "0" * 5000 + "}", '{"a": ' * 150 + "1" + "}" * 150, "[" * 2000)
_VALUES: tuple[dict[str, Any], ...] = (
    {"a": 1}, {}, {"a": float("nan")}, {"a": [float("inf")]}, {"a": "\ud83d"}, {"é": {"b": [None, True]}},
)  # fmt: skip
_RESULTS = ("dry", "wet", "", " ", "12 degrees\n", "\ud83d", "r" * 200, '{"ok": true}', _HARMONY)
_SYSTEMS = ("Be brief.", "Be brief.", "You are kind.\n\nAnd short.", "\ud83d", "", None)
_LINES = (Line(provider=get_provider("sim"), model="model"),)
_FAILED = Failure("ServerError", "down", {})
_PICTURE = Media("image/png", data=b"\x89PNG")
_FINISHES = (FinishReason.STOP, FinishReason.LENGTH, FinishReason.UNKNOWN)
_BACKENDS = ("openai", "vllm", "pixigpt", "gradient", "ollama")

# How servers name their calls: well, from the start in each reply, not at all, too long, with odd characters, alike
_IDS: tuple[Callable[[int, int], str], ...] = (
    lambda turn, place: f"call_{turn}_{place}",
    lambda turn, place: f"call_{turn}_{place}",
    lambda turn, place: f"call_{place}",
    lambda turn, place: f"functions.f:{place}",
    lambda turn, place: "",
    lambda turn, place: "call",
    lambda turn, place: f"call-{place + 2}",
    lambda turn, place: f"chatcmpl-tool-{turn:016x}{place:016x}",
    lambda turn, place: "a" * (41 + place),
    lambda turn, place: "a" * 32 + f"-{place + 2}",
    lambda turn, place: f"a b/{place}é",
    lambda turn, place: f"{place:09d}",
)


@cache
def _call(call_id: str, name: str, arguments: str) -> ToolCall:
    return ToolCall.parse(call_id, name, arguments, meta={"openai": {"signature": MARK}})


class _Maker:
    """Writes one history, and follows what it comes to, as the engine does."""

    def __init__(self, number: int) -> None:
        self.random = Random(number).random
        self.records: list[Record] = []
        self.journal = Journal()
        self.turns = 0
        self.turn_id = ""

    def pick(self, values: Sequence[Any]) -> Any:
        return values[int(self.random() * len(values))]

    def write(self, *records: Record) -> None:
        for record in records:
            self.records.append(record)
            self.journal.apply(record)

    def begin(self, task: Task) -> TurnState | None:
        """What the engine writes as a turn begins; None where it refuses to."""
        flow = begin(task, self.journal)
        version: int | None = None
        try:
            while True:
                step = flow.send(version)
                assert isinstance(step, Append)
                self.records += step.records
                version = len(self.records)
        except StopIteration as end:
            state: TurnState = end.value
            return state if state.outcome is None else None
        except InvalidInput:
            return None

    def new(self, ask: Message | None = None, rewind: Rewind | None = None) -> bool:
        """A turn begins, with a question or with one that was there before."""
        self.turns += 1
        system = self.pick(_SYSTEMS) if self.random() < 0.1 else None
        turn_id = f"turn-{self.turns}"
        state = self.begin(Task(turn_id=turn_id, conversation="c", lines=_LINES, ask=ask, rewind=rewind, system=system))
        self.turn_id = self.turn_id if state is None else state.turn_id
        return state is not None

    # --- values

    def words(self) -> str:
        chance = self.random()
        if chance < 0.02:
            return "<|channel|>comme"
        return f"said {int(self.random() * 1000)} {self.pick(_WORDS)}" if chance < 0.7 else "plain words"

    def asked(self) -> Message:
        chance = self.random()
        if chance < 0.9:
            return Message("user", (Text(self.words()),))
        if chance < 0.92:
            return Message("user", (Text(self.pick(_BLANK)), _PICTURE))
        return Message("user", (Text(self.words()), Text(self.pick(_BLANK)), Text("and more")))

    def calls(self, most: int = 3) -> tuple[ToolCall, ...]:
        naming = self.pick(_IDS)
        chance = self.random()
        written = _USUAL if chance < 0.5 else _HEAVY if chance > 0.98 else _ARGUMENTS
        return tuple(
            _call(naming(self.turns, place), self.pick(_NAMES), self.pick(written))
            for place in range(1 + int(self.random() * most))
        )

    def said(self, calls: tuple[ToolCall, ...] = ()) -> Message:
        parts: list[Part] = []
        chance = self.random()
        if chance < 0.3:
            parts.append(Reasoning("hm, " + self.pick(_WORDS), meta={"vllm": {"signature": MARK}}))
        if chance < 0.1 or chance > 0.4 or not calls:
            parts.append(Text(self.pick(_BLANK) if chance > 0.97 else self.words()))
        meta = {self.pick(_BACKENDS): {"id": MARK, "finish_reason": "stop"}} if self.random() < 0.3 else {}
        return Message("assistant", (*parts, *calls), meta)

    def result(self, call_id: str) -> ToolResult:
        return ToolResult(call_id, f"result {int(self.random() * 1000)} {self.pick(_RESULTS)}", self.random() < 0.2)

    # --- what happens

    def turn(self) -> None:
        """A question and what came of it."""
        self.new(self.asked())
        self.go(self.pick((0, 0, 0, 1, 1, 2)))

    def go(self, rounds: int) -> None:
        """So many rounds of tools, and the end of the turn, or whatever came before that."""
        for _ in range(rounds):
            if self.random() < 0.1:
                self.write(Discarded(self.turn_id, self.said(), "no JSON"))
            if self.random() < 0.2:
                self.write(PartialReply(self.turn_id, self.words(), "hm"))
            if not self.round():
                return
            if self.journal.turns[self.turn_id].open_calls():
                self.write(TurnEnded(self.turn_id, self.pick((Outcome.AWAITING_APPROVAL, Outcome.FAILED))))
                return
        self.reply()

    def round(self) -> bool:
        """A reply with calls and their results; whether the turn goes on."""
        calls = self.calls()
        self.write(Replied(self.turn_id, self.said(calls)))
        chance = self.random()
        if chance < 0.04:
            return False  # killed before the first of them
        if chance < 0.14:
            return self.approval(calls)
        return self.run(calls)

    def run(self, calls: Sequence[ToolCall]) -> bool:
        """The tools, all at once: begun in order, over in any; one of them may take the process along."""
        self.write(*[ToolStarted(self.turn_id, call.id) for call in calls])
        order = list(calls)
        if self.random() < 0.4:
            order.sort(key=lambda call: self.random())
        mishap = self.random() < 0.3
        for call in order:
            if mishap and self.misfortune(call):
                return self.random() < 0.5 and self.resume()
            self.write(ToolFinished(self.turn_id, self.result(call.id)))
        return True

    def misfortune(self, call: ToolCall) -> bool:
        """Something went wrong with this call; whether all else ends with it."""
        chance = self.random()
        if chance < 0.2:
            self.write(ToolFinished(self.turn_id, self.result(call.id)))  # and once more: two results
        elif chance < 0.3:
            self.write(ToolFinished(self.turn_id, self.result("nobody")))
        elif chance < 0.45:
            return True
        elif chance < 0.55:
            self.write(TurnEnded(self.turn_id, Outcome.INTERRUPTED))
            return True
        return False

    def approval(self, calls: Sequence[ToolCall]) -> bool:
        """Some calls wait for the user, who decides, or says something else."""
        for call in calls[: int(self.random() * len(calls))]:
            self.write(ToolFinished(self.turn_id, self.result(call.id)))
        self.write(TurnEnded(self.turn_id, Outcome.AWAITING_APPROVAL))
        if self.random() < 0.5:
            return False
        answer = self.result(calls[0].id) if self.random() < 0.3 else None
        self.write(Decided(self.turn_id, calls[-1].id, {"a": 2}, answer))
        if self.random() < 0.8 and self.resume():
            self.run(calls[-1:])
        return not self.journal.turns[self.turn_id].open_calls()

    def reply(self) -> None:
        chance = self.random()
        if chance < 0.25:
            self.write(PartialReply(self.turn_id, self.words(), "thinking" if chance < 0.1 else ""))
        chance = self.random()
        if chance < 0.55:
            self.write(
                Replied(self.turn_id, self.said()), TurnEnded(self.turn_id, Outcome.COMPLETE, self.pick(_FINISHES))
            )
        elif chance < 0.7:
            self.write(Replied(self.turn_id, self.said()), TurnEnded(self.turn_id, Outcome.TRUNCATED))
        elif chance < 0.8:
            self.write(TurnEnded(self.turn_id, Outcome.INTERRUPTED))
        elif chance < 0.85:
            self.write(TurnEnded(self.turn_id, Outcome.FAILED, failure=_FAILED))
        elif chance < 0.9:
            self.write(Replied(self.turn_id, self.said(self.calls(2))), TurnEnded(self.turn_id, Outcome.TRUNCATED))
        elif chance < 0.92:
            self.write(Replied(self.turn_id, Message("assistant", ())), TurnEnded(self.turn_id, Outcome.FILTERED))
        # else the process was killed

    def resume(self) -> bool:
        """Go on with the last turn, where there is something to go on with."""
        return self.new()

    def rewind(self) -> None:
        """History goes back: to a question that is asked anew, or another; or to any place, as in other programs."""
        length = len(self.journal.history)
        if self.random() < 0.5:
            place = int(self.random() * (length + 1))
            blank = place < length and not self.journal.history[place].text.strip()
            ask = self.asked() if blank or self.random() < 0.5 else None
            if self.new(ask, Rewind(index=place)):
                self.go(self.pick((0, 0, 1)))
            return
        if self.journal.running is not None:
            self.write(TurnEnded(self.journal.running.turn_id, Outcome.INTERRUPTED))
        self.write(Rewound(int(self.random() * (length + 2))))
        if self.random() < 0.7:
            self.turn()

    def fork(self) -> None:
        """Another conversation that begins as this one did, up to any record."""
        kept = self.records[: int(self.random() * (len(self.records) + 1))]
        self.records, self.journal = [], Journal()
        self.write(*kept)

    def foreign(self) -> None:
        """What another program has kept, in whatever state."""
        if self.random() < 0.5:
            self.write(Imported(from_openai([self.chat_dict() for _ in range(1 + int(self.random() * 4))])))
        else:
            self.write(Imported(tuple(self.any_message() for _ in range(1 + int(self.random() * 4)))))

    def chat_dict(self) -> dict[str, Any]:
        chance = self.random()
        text = self.pick(_BLANK) if chance * 10 % 1 < 0.1 else self.words()
        if chance < 0.3:
            return {"role": "user", "content": text}
        if chance < 0.4:
            return {"role": self.pick(("system", "developer")), "content": text}
        if chance < 0.45:
            return {"role": "user", "content": [{"type": "text", "text": text}, {"type": "text", "text": ""}]}
        if chance < 0.6:
            return {"role": "assistant", "content": text, "name": "bot", "reasoning_content": "hm"}
        naming = self.pick(_IDS)
        if chance < 0.8:
            calls = [
                {"id": naming(0, place), "type": "function", "function": {"name": self.pick(_NAMES), "arguments": made}}
                for place, made in enumerate((self.pick(_ARGUMENTS), self.pick(_VALUES), None)[: int(chance * 100) % 4])
            ]
            return {"role": "assistant", "content": None, "tool_calls": calls}
        return {"role": "tool", "tool_call_id": naming(0, 0), "content": text}

    def any_message(self) -> Message:
        chance = self.random()
        naming = self.pick(_IDS)
        result = self.result(naming(self.turns, int(chance * 100) % 3))
        if chance < 0.25:
            return self.asked()
        if chance < 0.4:
            return self.said(self.calls())
        if chance < 0.5:
            return self.said()
        if chance < 0.65:
            return Message("tool", (result,))
        if chance < 0.7:
            return Message("tool", (result, result, self.result(naming(0, 1))))
        if chance < 0.75:
            return Message("user", (result, Text(self.words())))
        if chance < 0.8:
            return Message("user", (Text(self.pick(_BLANK)),))
        if chance < 0.85:
            return Message("system", (Text(self.words()),))
        if chance < 0.9:
            return Message(self.pick(("assistant", "user", "tool", "system")), ())
        if chance < 0.95:
            made = ToolCall(naming(0, 0), "rain", self.pick(_VALUES), raw=self.pick((None, "no json", "[]")))
            return Message("assistant", (made, Reasoning("hm"), Text(self.words()), made))
        return Message("assistant", (Reasoning("only a thought"),))

    def aside(self) -> None:
        chance = self.random()
        if chance < 0.4:
            self.write(Summarized(int(self.random() * (len(self.journal.history) + 1)), "What came before."))
        elif chance < 0.6:
            self.write(Configured(self.pick(_SYSTEMS) or None))
        elif chance < 0.8:
            self.write(UnknownRecord({"type": "hologram"}))
        elif self.resume():
            self.reply()

    def case(self) -> Case:
        if self.random() < 0.3:
            self.foreign()
        if self.random() < 0.6:
            self.write(Configured(self.pick(_SYSTEMS) or None))
        for _ in range(self.pick((0, 1, 1, 1, 2, 2, 3))):
            chance = self.random()
            if chance < 0.62:
                self.turn()
            elif chance < 0.72:
                if self.resume():
                    self.go(self.pick((0, 0, 1)))
            elif chance < 0.84:
                self.rewind()
            elif chance < 0.9:
                self.fork()
            else:
                self.aside()
        return self.ended()

    def ended(self) -> Case:
        before = len(self.records)
        chance = self.random()
        way: Way = "ask"
        if chance < 0.3 and self.resume():
            way = "go on"
        else:
            self.new(Message("user", (Text(QUESTION),)))
            if chance > 0.7:
                way = "loop"
                calls = self.calls()
                self.write(Replied(self.turn_id, self.said(calls)))
                for call in calls[int(self.random() * 2) :]:
                    self.write(ToolStarted(self.turn_id, call.id), ToolFinished(self.turn_id, self.result(call.id)))
        return Case(tuple(self.records[:before]), tuple(self.records[before:]), way)


def case_of(number: int) -> Case:
    """The history of this number."""
    return _Maker(number).case()

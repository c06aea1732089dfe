"""The wire of Gradient Chat: a job as lines of JSON, and the list of models.

There is no finish reason. A reply that is cut completes like any other; one whose job fails ends with that status, and
one that never completes with none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define

from agentkit.sim.gradient_request import CLUSTERS, read_job
from agentkit.sim.stage import Performance
from agentkit.sim.talk import Break, Drop, End, Failure, Pause, Reason, Refused, Speak, Step
from agentkit.sim.wire import Item, SimRequest, SimResponse, Stage, encoded, json_response

ROOT = "/api"
_BLOCKS = 32
"""Tokens from one view of the cluster to the next."""
_TURN = ("<|end|>", "<|start|>", "assistant")
_NOISE = (b"\n", b'{"type":"peerUpdate","data":{}}\n', b"[1,2]\n", b'{"type":"reply","data":null}\n', b"\r\n")


def answer(request: SimRequest, stage: Stage) -> SimResponse | None:
    """Answer a request to one of the paths of this wire; None for any other."""
    match request.method, request.path.removeprefix(ROOT):
        case "GET", "/model_info":
            return json_response(200, {"data": {"availableModels": list(CLUSTERS)}})
        case "POST", "/generate":
            return _generate(request, stage)
        case _:
            return None


def _generate(request: SimRequest, stage: Stage) -> SimResponse:
    try:
        stage.admit()
        job = read_job(request, stage.window)
        performance = stage.perform(job.ask)
    except Refused as refused:
        return _refusal(refused.failure, refused.delay)
    return SimResponse(200, {"content-type": "application/x-ndjson"}, _lines(job.model, performance))


def _refusal(failure: Failure, delay: float) -> SimResponse:
    before = (Pause(delay),) if delay else ()
    return json_response(failure.status, {"message": failure.message}, failure=failure, before=before)


def _lines(model: str, performance: Performance) -> Iterator[Item]:
    writer = _Lines(model, performance.quirks)
    for step in performance.steps():
        yield from writer.play(step)


def _line(kind: str, data: Any) -> bytes:
    return encoded({"type": kind, "data": data}) + b"\n"


@define
class _Lines:
    """Writes the lines of one job."""

    model: str
    quirks: Mapping[str, str]
    begun: bool = False
    spoke: bool = False
    tokens: int = 0
    channel: str = ""
    """Of a reply that leaks: the one that is open."""

    def play(self, step: Step) -> Iterator[Item]:
        if isinstance(step, Pause | Drop):
            yield step
            return
        if not self.begun:
            self.begun = True
            yield from self._preamble()
        match step:
            case Reason(text) | Speak(text):
                yield from self._token(text, thought=isinstance(step, Reason))
            case Break(failure):
                yield _line("jobInfo", {"status": "failed", "message": failure.message})
            case End():
                yield from self._end()
            case _:
                raise AssertionError(step)

    def _preamble(self) -> Iterator[bytes]:
        yield _line("jobInfo", {"status": "processing"})
        yield _line("clusterInfo", {"model": self.model})
        if "noise" in self.quirks:
            yield from _NOISE

    def _token(self, text: str, *, thought: bool) -> Iterator[bytes]:
        if self.tokens % _BLOCKS == 0:
            yield _line("blockUpdate", [{"blockId": self.tokens // _BLOCKS}])
        self.tokens += 1
        if "leak" in self.quirks:
            yield from self._header("analysis" if thought else "final")
            yield self._reply("content", text)
        else:
            yield self._reply("reasoningContent" if thought or "aloud" in self.quirks else "content", text)

    def _header(self, channel: str) -> Iterator[bytes]:
        """The control words in front of another channel, each an event of its own."""
        if channel == self.channel:
            return
        for word in (*(_TURN if self.channel else ()), "<|channel|>", channel, "<|message|>"):
            yield self._reply("content", word)
        self.channel = channel

    def _reply(self, name: str, text: str) -> bytes:
        role = {} if self.spoke else {"role": "assistant"}
        self.spoke = True
        return _line("reply", {**role, name: text})

    def _end(self) -> Iterator[bytes]:
        if self.channel:
            yield self._reply("content", "<|return|>")
        if "open" not in self.quirks:
            yield _line("jobInfo", {"status": "completed"})

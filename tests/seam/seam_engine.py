"""A reply of very many attempts through the whole engine, and what it costs; `python -m tests.seam.seam_engine`."""

from __future__ import annotations

import json
import random
import sys
import time

from agentkit import ContextPolicy, Continuation, Conversation
from agentkit._runtime.transport import StopSignal
from agentkit.options import Timeouts
from agentkit.provider import Capabilities, ChatRequest, Decoder, HTTPRequest, ResponseHead
from agentkit.providers.openai_chat import Dialect, OpenAIChat
from agentkit.testing import ScriptedProvider
from agentkit.testing._scripted import ScriptedAnswer, ScriptedTransport

SIZE = 1000
"""Characters of an attempt; they come in chunks of four."""
WINDOW = 8192
_WORDS = (
    "keeper lamp tide harbour gull pilot stone river evening morning chart bell fog lantern quiet slow grey of in on"
)
_ASKED = b"nothing else.\\n\\n"
_HEAD = ResponseHead(200, {"content-type": "text/event-stream"})


class Writer(ScriptedProvider):
    """Cuts a text of its own after each thousand characters, and echoes what it is asked to."""

    def __init__(self, attempts: int, *, prefix: bool) -> None:
        super().__init__([], prefix=prefix)
        roll = random.Random(attempts)
        words = _WORDS.split()
        made = [roll.choice(words) + roll.choice(("", "", str(roll.randrange(999)))) for _ in range(300 * attempts)]
        self.text = "\n\n".join(" ".join(made).split(" bell ")).ljust(SIZE * attempts, "x")[: SIZE * attempts]
        self.sent = 0
        self._wire = OpenAIChat(
            base_url="http://127.0.0.1:1",
            dialect=Dialect(capabilities=Capabilities(prefix=prefix, repeats_prefix=False)),
        )
        self._at = 0

    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        return self._wire.encode(request)

    def decoder(self, head: ResponseHead, /, *, max_line: int) -> Decoder:  # type: ignore[override] # of another wire
        return self._wire.decoder(head, max_line=max_line)

    def transport(self) -> WriterTransport:
        return WriterTransport(self)

    def answer(self, body: bytes) -> list[bytes | float]:
        self.sent += len(body)
        said = self.text[self._at : self._at + SIZE]
        self._at += SIZE
        end = b"stop" if self._at >= len(self.text) else b"length"
        _, asked, quote = body[-6000:].rpartition(_ASKED)
        if asked:
            said = json.loads(b'"%b"' % quote.rpartition(b'"}')[0]) + said
        events = [
            b'data: {"choices":[{"index":0,"delta":{"content":%b}}]}\n\n' % json.dumps(said[at : at + 4]).encode()
            for at in range(0, len(said), 4)
        ]
        usage = b'"usage":{"prompt_tokens":100,"completion_tokens":250}'
        events.append(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"%b"}],%b}\n\n' % (end, usage))
        stream = b"".join(events)
        return [stream[at : at + 4096] for at in range(0, len(stream), 4096)]


class WriterTransport(ScriptedTransport):
    def __init__(self, writer: Writer) -> None:
        super().__init__(writer)
        self._writer = writer

    def open(self, request: HTTPRequest, timeouts: Timeouts, signal: StopSignal, /) -> ScriptedAnswer:
        made = ScriptedAnswer(self._writer.answer(request.body), signal)
        made.head = _HEAD
        return made


def cost(attempts: int, *, prefix: bool, window: int | None) -> tuple[float, int]:
    """CPU seconds, and bytes sent.

    Raises:
        RuntimeError: the reply is not the text.
    """
    writer = Writer(attempts, prefix=prefix)
    settings = Continuation(max_attempts=attempts)
    with Conversation(writer, continuation=settings, context=ContextPolicy(window=window)) as chat:
        began = time.process_time()
        reply = chat.send("Write it.")
        seconds = time.process_time() - began
    if reply.text != writer.text or reply.reason is not None:
        raise RuntimeError(f"the reply is another text: {reply.reason}")
    return seconds, writer.sent


def main() -> None:
    for name, prefix, window in (
        ("native", True, None),
        ("echo", False, None),
        (f"native, then echo, in a window of {WINDOW:,}", True, WINDOW),
    ):
        for attempts in (250, 500, 1000):
            seconds, sent = cost(attempts, prefix=prefix, window=window)
            sys.stdout.write(f"{name}: {attempts} attempts, {seconds:.1f} s of CPU, {sent / 1e6:.0f} MB sent\n")


if __name__ == "__main__":
    main()

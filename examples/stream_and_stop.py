"""Watch a reply come, stop it in the middle, and finish it later. What was shown is kept.

    python examples/stream_and_stop.py

AGENTKIT_MODEL names the model; without it, the simulator answers.
"""

from __future__ import annotations

import os

from agentkit import Conversation, TextDelta

ENOUGH = 80

with Conversation(os.environ.get("AGENTKIT_MODEL", "sim")) as chat:
    shown = 0
    with chat.stream("Write 60 words about the sea.") as turn:
        for event in turn:
            if isinstance(event, TextDelta):
                print(event.text, end="", flush=True)
                shown += len(event.text)
                if shown >= ENOUGH:
                    turn.stop()
    partial = turn.reply
    print(f"\n--- {partial.outcome.value}: {len(partial.text.split())} words are kept\n")

    reply = chat.resume()
    print(reply.text)
    print(f"--- {reply.outcome.value}: {len(reply.text.split())} words, {reply.usage.requests} requests")
    print(f"--- the history holds {len(chat.messages)} messages: a question and one reply")

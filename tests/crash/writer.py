"""A process to be killed: one streamed turn after the other on a stored conversation, each delta told on stdout.

    python writer.py STORE NAME PROMPT [TURN_ID]

Lines on stdout: "delta N" with the characters shown so far in this turn, "done TURN_ID TEXT" once a turn is finished.
"""

from __future__ import annotations

import json
import sys
from uuid import uuid4

from agentkit import Conversation, TextDelta
from agentkit.sim import Simulator


def main(store: str, name: str, prompt: str, turn_id: str | None = None) -> None:
    simulator = Simulator(seed=5, pace=0.004)
    with Conversation(simulator, store=store, name=name) as chat:
        print("ready", flush=True)
        for number in range(1000):
            identity = turn_id or uuid4().hex
            with chat.stream(f"{prompt} no. {number}" if turn_id is None else prompt, turn_id=identity) as turn:
                shown = 0
                for event in turn:
                    if isinstance(event, TextDelta):
                        shown += len(event.text)
                        print(f"delta {shown}", flush=True)
            print("done", json.dumps([identity, turn.reply.text]), flush=True)
            if turn_id is not None:
                return


if __name__ == "__main__":
    main(*sys.argv[1:])

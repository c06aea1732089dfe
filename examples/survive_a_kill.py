"""Kill a process in the middle of a reply, reopen its conversation in another one, and finish the reply.

    python examples/survive_a_kill.py

AGENTKIT_MODEL names the model; without it, the simulator answers, slowly enough to be killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from agentkit import Conversation, TextDelta
from agentkit.sim import Simulator

ENOUGH = 300


def open_story(file: str) -> Conversation:
    model = os.environ.get("AGENTKIT_MODEL") or Simulator(pace=0.01)
    return Conversation(model, store=f"sqlite:///{file}", name="story")


def tell(file: str) -> None:
    """What the process does that will be killed."""
    with open_story(file) as chat, chat.stream("Write 150 words about a lighthouse.") as turn:
        for event in turn:
            if isinstance(event, TextDelta):
                print(event.text, end="", flush=True)


def watch_and_kill(file: str) -> int:
    """Words that were shown before the kill."""
    with subprocess.Popen([sys.executable, __file__, file], stdout=subprocess.PIPE) as teller:
        assert teller.stdout is not None
        shown = teller.stdout.read(ENOUGH)
        teller.kill()
    return len(shown.split())


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "chats.db")
        print(f"killed after {watch_and_kill(file)} words")
        with open_story(file) as chat:
            kept = chat.messages[-1]
            print(f"{len(kept.text.split())} of them are stored; interrupted: {kept.interrupted}")
            reply = chat.resume()
            print(f"{reply.outcome.value}: {len(reply.text.split())} words; the question was asked once:")
            print([message.role for message in chat.messages])


if __name__ == "__main__":
    tell(sys.argv[1]) if len(sys.argv) > 1 else main()

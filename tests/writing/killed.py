"""A process to be killed in the middle of writing a long text.

    python killed.py STORE FILE WORDS PACE LIMIT

Says "begun" before it writes, "done WORDS OUTCOME" at the end.
"""

from __future__ import annotations

import sys

from agentkit import Conversation, Options
from agentkit.sim import Simulator

TASK = "A field guide to tide pools: café, naïve, Ålesund"
OUTLINE = ("The splash zone", "The upper shore", "The middle shore", "The lower shore", "Below the tide")


def main(store: str, path: str, words: str, pace: str, limit: str) -> None:
    simulator = Simulator(seed=5, pace=float(pace))
    options = Options(max_tokens=int(limit))
    with Conversation(simulator, store=store, name="guide", options=options) as chat:
        print("begun", flush=True)
        written = chat.write(TASK, words=int(words), outline=OUTLINE, into=path)
        print("done", written.words, written.outcome, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

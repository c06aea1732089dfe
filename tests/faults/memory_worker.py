"""Meets one fault in a process of its own, over all runtimes and modes, and prints how much memory each run took.

Called with three ports: of the server to meet streamed, of the one to meet plain, and of one that is well. Prints one
line of JSON for each run.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "runtime"), str(HERE.parents[1])]

from fault_run import MODES  # noqa: E402 - the paths come first
from scenarios import RUNTIMES, Opener, play  # noqa: E402

from agentkit import AgentKitError, RetryPolicy, TextDelta, Timeouts  # noqa: E402
from agentkit.provider import Capabilities  # noqa: E402
from agentkit.providers.openai_chat import Dialect, OpenAIChat  # noqa: E402

PATIENT = Timeouts(connect=5, first_byte=10, idle=10, total=30)


def main() -> None:
    streamed, plain, healthy = map(int, sys.argv[1:])
    for runtime in RUNTIMES:
        run(runtime, healthy, "streamed")  # loads what is loaded late
    start = resident()
    for mode, port in zip(MODES, (streamed, plain), strict=True):
        for runtime in RUNTIMES:
            gc.collect()
            forget_peak()
            outcome = run(runtime, port, mode)
            took = (peak() - start) >> 20
            print(json.dumps({"runtime": runtime, "mode": mode, "outcome": outcome, "mebibytes": took}), flush=True)


def run(runtime: str, port: int, mode: str) -> str:
    outcomes: list[str] = []

    async def scenario(open_chat: Opener) -> None:
        outcomes.append(await meet(open_chat, port, mode))

    play(runtime, scenario)
    return outcomes[0]


async def meet(open_chat: Opener, port: int, mode: str) -> str:
    """What came of it: the name of the error, or how long the text is; and whether all that was delivered was kept."""
    dialect = Dialect(capabilities=Capabilities(stream=mode == "streamed"))
    provider = OpenAIChat(base_url=f"http://127.0.0.1:{port}/v1", dialect=dialect)
    async with open_chat(provider, timeout=PATIENT, retry=RetryPolicy(max_attempts=1)) as chat:
        delivered, name = 0, ""
        try:
            async with chat.stream("What does the fox do?") as turn:
                async for event in turn:
                    delivered += len(event.text) if isinstance(event, TextDelta) else 0
        except AgentKitError as error:
            name = type(error).__name__
        assert len(turn.reply.text) == delivered
        return name or f"{delivered} characters"


def resident() -> int:
    return _status("VmRSS") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def peak() -> int:
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def forget_peak() -> None:
    """Where the system has that; elsewhere the peak is that of the whole process, which is no less strict."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5", encoding="ascii")


def _status(name: str) -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    for line in status.read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    return 0


if __name__ == "__main__":
    main()

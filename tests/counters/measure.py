"""What counting costs on this machine: `python tests/counters/measure.py` prints the numbers of docs/tokens.md."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from conversations import Tool

from agentkit.codec import from_openai
from agentkit.counters import ChatMLCounter, HarmonyCounter
from agentkit.counters._chatml import QWEN_3, QWEN_25
from agentkit.counters._estimate import estimated
from agentkit.counters._harmony import OBJECTS, TEXTS
from agentkit.counters._packed import O200K, PROXY, QWEN
from agentkit.messages import user
from agentkit.tokens import TokenCounter, cost, count_prompt

DATA = Path(__file__).parent / "data"
FIRST = """
import time
began = time.process_time()
from agentkit.counters import counter_for
counter_for("vllm", {model!r}).text("Rain in Oslo tomorrow?")
print(time.process_time() - began)
"""
RUNS = ("a", " ", "\n", "=", "\xa0", "é", "中", "😀", "\ud800", "x ", "  \n")


def first_count(model: str) -> float:
    """Seconds of processor for import, loading and counting, the best of five processes."""
    command = (sys.executable, "-c", FIRST.format(model=model))
    return min(float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(5))


def speed(count: Callable[[str], int]) -> float:
    """Milliseconds for 100,000 tokens of Python."""
    text = Path(argparse.__file__).read_text(encoding="utf-8")
    began, tokens = time.process_time(), sum(count(text) for _ in range(8))
    return (time.process_time() - began) * 1e8 / tokens


def worst(count: Callable[[str], int]) -> tuple[float, str]:
    """The slowest million characters."""
    found = []
    for run in RUNS:
        text = run * (1_000_000 // len(run))
        began = time.process_time()
        count(text)
        found.append((time.process_time() - began, repr(run)))
    return max(found)


def excess(name: str, key: str, counter: TokenCounter) -> str:
    """By how much the counts are above those of the template."""
    cases = json.loads((DATA / f"{name}_template.json").read_text(encoding="utf-8"))
    true = counted = 0
    for case in cases:
        tools = [Tool(**tool["function"]) for tool in case["tools"]]
        true += case[key]
        counted += count_prompt(counter, from_openai(case["messages"]), tools=tools).value
    return f"{counted / true - 1:.1%} of {true:,} tokens"


def main() -> None:
    for model in ("gpt-oss-20b", "qwen3-8b"):
        print(f"first count, {model}: {first_count(model):.2f} s")
    for count in (O200K.count, QWEN.count, PROXY.count, estimated):
        name = getattr(getattr(count, "__self__", None), "name", "estimate")
        count("warm")
        print(f"{name}: {speed(count):.0f} ms for 100,000 tokens; slowest million {worst(count)}")
    messages = [user(f"Rain in Oslo tomorrow? Say it in words, number {place}.") for place in range(5000)]
    for which in ("first", "again"):
        began = time.process_time()
        sum(cost(HarmonyCounter(), message) for message in messages)
        print(f"a message, {which}: {(time.process_time() - began) * 200:.1f} microseconds")
    print("above gpt-oss with objects:", excess("harmony", "objects", HarmonyCounter((OBJECTS,))))
    print("above gpt-oss with texts:", excess("harmony", "texts", HarmonyCounter((TEXTS,))))
    print("above Qwen 3:", excess("qwen3", "texts", ChatMLCounter(QWEN_3)))
    print("above Qwen 2.5:", excess("qwen25", "texts", ChatMLCounter(QWEN_25)))


if __name__ == "__main__":
    main()

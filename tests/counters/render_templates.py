"""Make tests/counters/data/*_template.json: conversations, and how many tokens they are by the model's own template.

    python tests/counters/render_templates.py FOLDER

FOLDER holds the templates, as `models/templates` of llama.cpp does. Needs jinja2, and none of agentkit's renderers.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import conversations
import tiktoken
from conversations import Talk, Tool
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agentkit.codec import to_openai
from agentkit.counters._packed import PATTERNS, ranked, read

DATA = Path(__file__).parent / "data"
HARMONY = {"return": 200_002, "constrain": 200_003, "channel": 200_005, "start": 200_006, "end": 200_007}
HARMONY |= {"message": 200_008, "call": 200_012}
CHATML = {"<|endoftext|>": 151_643, "<|im_start|>": 151_644, "<|im_end|>": 151_645}
QWEN_25 = {**CHATML, "<tool_call>": 151_657, "</tool_call>": 151_658}
QWEN_3 = {**QWEN_25, "<tool_response>": 151_665, "</tool_response>": 151_666, "<think>": 151_667, "</think>": 151_668}

Chat = list[dict[str, Any]]


def template(file: Path) -> Any:
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    made.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    made.globals["strftime_now"] = lambda _: "2026-01-01"
    return made.from_string(file.read_text(encoding="utf-8"))


def encoding(name: str, pattern: str, special: Mapping[str, int]) -> tiktoken.Encoding:
    ranks = ranked(read(name))
    return tiktoken.Encoding(name, pat_str=PATTERNS[pattern], mergeable_ranks=ranks, special_tokens=dict(special))


def chats(seed: int, number: int, *, parallel: bool) -> Iterator[tuple[Chat, list[Tool]]]:
    talk = Talk(seed)
    for _ in range(number):
        tools = talk.tools(3)
        said = talk.conversation(tools, parallel=parallel)
        while said and said[-1].role == "assistant":
            said.pop()
        yield to_openai(said), tools


def as_sent(chat: Chat, *, objects: bool, thinking: str) -> Chat:
    """As a client sends it and a server hands it to the template: thinking in the turn under way only."""
    last = max((place for place, message in enumerate(chat) if message["role"] == "user"), default=-1)
    made: Chat = json.loads(json.dumps(chat))
    for place, message in enumerate(made):
        thought = message.pop("reasoning_content", None)
        if thought and place > last:
            message[thinking] = thought
        if not isinstance(message["content"], str):
            message["content"] = "".join(part["text"] for part in message["content"] or ())
        for call in message.get("tool_calls", ()):
            if objects:
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return made


def write(name: str, file: Path, tokens: tiktoken.Encoding, cases: Iterator[tuple[Chat, list[Tool]]], key: str) -> None:
    made, rendered = [], template(file)
    for chat, listed in cases:
        tools = [{"type": "function", "function": {**vars_of(tool)}} for tool in listed]
        case: dict[str, Any] = {"messages": chat, "tools": tools}
        for way in ("objects", "texts"):
            sent = as_sent(chat, objects=way == "objects", thinking=key)
            text = rendered.render(messages=sent, tools=tools or None, add_generation_prompt=True)
            if name != "harmony":
                text = unicodedata.normalize("NFC", text)
            case[way] = len(tokens.encode(text, allowed_special="all"))
        made.append(case)
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
    (DATA / f"{name}_template.json").write_text(text, encoding="utf-8")


def vars_of(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "parameters": tool.parameters}


def main(folder: Path) -> None:
    # a template does not tell control tokens in a text from its own
    conversations.WORDS = tuple(word for word in conversations.WORDS if "<" not in word)
    harmony = encoding("o200k", "o200k", {f"<|{name}|>": rank for name, rank in HARMONY.items()})
    file = folder / "openai-gpt-oss-120b.jinja"
    write("harmony", file, harmony, chats(5, 30, parallel=False), "thinking")
    for name, file, special in (
        ("qwen3", folder / "Qwen-Qwen3-0.6B.jinja", QWEN_3),
        ("qwen25", folder / "Qwen-Qwen2.5-7B-Instruct.jinja", QWEN_25),
    ):
        write(name, file, encoding("qwen2", "qwen2", special), chats(6, 24, parallel=True), "reasoning_content")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

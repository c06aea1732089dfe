"""Which counter a model on a backend has. A table; the names are those of `agentkit.providers`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec

from agentkit.counters._chatml import QWEN_25, ChatMLCounter
from agentkit.counters._files import TEXT_EXACT
from agentkit.counters._harmony import OBJECTS, REFERENCE, TEXTS, HarmonyCounter, Rendering
from agentkit.counters._packed import O200K, QWEN
from agentkit.counters._plain import PlainCounter
from agentkit.counters._vocabulary import Encode, Vocabulary
from agentkit.tokens import TokenCounter

_WAYS: Mapping[str, tuple[Rendering, ...]] = {
    "vllm": (REFERENCE,),
    "llamacpp": (OBJECTS,),
    "mlx": (OBJECTS, TEXTS),
    "sglang": (OBJECTS, TEXTS),
    "transformers": (OBJECTS, TEXTS),
}
"""How servers render for gpt-oss models, where that is known."""

_FAMILIES: tuple[tuple[re.Pattern[str], Callable[[], TokenCounter]], ...] = (
    (re.compile(r"qwen[-_ ]?3(?![.\d]|.*(?:coder|next|vl|omni))"), ChatMLCounter),
    (re.compile(r"qwen[-_ ]?2\.5(?!.*(?:coder|vl|omni))"), lambda: ChatMLCounter(QWEN_25)),
    (re.compile(r"qwen[-_ ]?(?:2(?!\d)|3(?![.\d]))|qwq"), lambda: PlainCounter(QWEN, TEXT_EXACT)),
    (re.compile(r"gpt-?(?:4o|4\.1|4\.5|5)|chatgpt|\bo[134](?:-|$)"), lambda: PlainCounter(O200K, TEXT_EXACT)),
)
_INSTALLED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"deepseek[-_ ]?(?:v3|r1(?!.*distill)|chat|reasoner)"), "deepseek_v3"),
    (re.compile(r"llama[-_ ]?3"), "llama3"),
    (re.compile(r"glm[-_ ]?4"), "glm4"),
    (re.compile(r"kimi[-_ ]?k2"), "kimi_k2"),
    (re.compile(r"gemma[-_ ]?3"), "gemma3"),
    (re.compile(r"phi[-_ ]?4(?!.*mini)"), "phi4"),
)
"""Vocabularies that the extra `vocabularies` brings, by the names it has for them."""


def counter_for(backend: str, model: str) -> TokenCounter:
    """The best counter there is for this model on this backend. The same arguments give equal counters."""
    name = model.lower()
    if is_gpt_oss(name) or backend == "gpt-oss":
        ways = _WAYS.get(backend)
        return HarmonyCounter(ways) if ways else HarmonyCounter()
    for family, make in _FAMILIES:
        if family.search(name):
            return make()
    return _installed(name) or PlainCounter()


def is_gpt_oss(model: str) -> bool:
    """Whatever a server makes of the name: `openai/gpt-oss-20b`, `gpt-oss:20b`, `GPT OSS 120B`."""
    return re.search(r"gpt[-_ ]?oss", model.lower()) is not None


def warm(counter: TokenCounter) -> TokenCounter:
    """The same counter with its tables loaded: some tenths of a second, and 50 MB."""
    counter.text("warm")
    return counter


def _installed(name: str) -> TokenCounter | None:
    for family, vocabulary in _INSTALLED:
        if family.search(name) and find_spec("splintr") is not None:
            return PlainCounter(_splintr(vocabulary), TEXT_EXACT)
    return None


@cache
def _splintr(name: str) -> Vocabulary:
    return Vocabulary(f"splintr's {name}", lambda: _splintr_encode(name))


def _splintr_encode(name: str) -> Encode:
    from splintr import Tokenizer

    encode = Tokenizer.from_pretrained(name).encode
    return lambda text: len(encode(text))

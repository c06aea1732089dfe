"""A counter from the user's own vocabulary: a `.tiktoken` file, Mistral's Tekken, or a `tokenizer.json`."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any, Literal, TypeAlias, assert_never, get_args

from agentkit.counters._chatml import QWEN_3, QWEN_25, ChatMLCounter
from agentkit.counters._harmony import HarmonyCounter
from agentkit.counters._packed import PATTERNS, composed, encoder
from agentkit.counters._plain import PlainCounter
from agentkit.counters._vocabulary import Encode, Vocabulary
from agentkit.errors import InvalidInput, NotConfigured
from agentkit.tokens import TokenCounter

Template: TypeAlias = Literal["harmony", "qwen3", "qwen2.5"]

TEXT_EXACT = 0.05
"""The margin where the vocabulary is the model's own and the template is not known."""
_BY_SIZE = {199_998: "o200k", 151_643: "qwen2", 100_256: "cl100k", 128_000: "cl100k"}


def counter_from_file(
    path: str | Path, *, template: Template | None = None, pattern: str | None = None
) -> TokenCounter:
    """A counter that uses this vocabulary, and what is known of the model's template.

    Args:
        path: `*.tiktoken`, a `tokenizer.model` of the same format, `tekken.json`, or `tokenizer.json`, which needs the
            extra `tokenizers`.
        template: how the model's messages are framed; without it the frames are guessed, and the margin says so.
        pattern: how a text is split before it is encoded, for a `.tiktoken` file of a model that is not known here.

    Raises:
        InvalidInput: the file is no vocabulary.
        NotConfigured: reading it needs a package that is not there.
    """
    if template not in (None, *get_args(Template)):
        raise InvalidInput(f"unknown template {template!r}; one of {', '.join(get_args(Template))}")
    file = Path(path)
    vocabulary = Vocabulary(file.name, _constant(_read(file, pattern)))
    vocabulary.warm()
    match template:
        case "harmony":
            return HarmonyCounter(vocabulary=vocabulary)
        case "qwen3" | "qwen2.5":
            return ChatMLCounter(QWEN_3 if template == "qwen3" else QWEN_25, vocabulary)
        case None:
            return PlainCounter(vocabulary, TEXT_EXACT)
        case _:
            assert_never(template)


def _constant(encode: Encode) -> Any:
    return lambda: encode


def _read(file: Path, pattern: str | None) -> Encode:
    try:
        data = file.read_bytes()
        if not data.lstrip().startswith(b"{"):
            return _tiktoken(file, data, pattern)
        found = json.loads(data)
        return _tekken(file.name, found) if "config" in found else _tokenizer_json(data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{str(file)!r} is no vocabulary that can be read: {error!r}") from error


def _tiktoken(file: Path, data: bytes, pattern: str | None) -> Encode:
    pairs = (line.split() for line in data.splitlines() if line)
    ranks = {b64decode(token, validate=True): int(rank) for token, rank in pairs}
    known = _BY_SIZE.get(len(ranks))
    if pattern is None and known is None:
        raise InvalidInput(
            f"{str(file)!r} holds {len(ranks)} tokens of no known model; give the pattern= that splits its texts"
        )
    encode = encoder(file.name, ranks, pattern or PATTERNS[known or ""])
    return composed(encode) if known == "qwen2" else encode


def _tekken(name: str, found: dict[str, Any]) -> Encode:
    config = found["config"]
    size = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {b64decode(item["token_bytes"]): item["rank"] for item in found["vocab"] if item["rank"] < size}
    return encoder(name, ranks, config["pattern"])


def _tokenizer_json(data: bytes) -> Encode:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        needed = 'pip install "agentkit-conversation[tokenizers]"'
        raise NotConfigured(f"a tokenizer.json is read by the package tokenizers: {needed}") from error
    try:
        tokenizer = Tokenizer.from_buffer(data)
    except Exception as error:
        raise ValueError(str(error)) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True  # they count as what they look like
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)

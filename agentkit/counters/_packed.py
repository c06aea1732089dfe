"""Vocabularies that come with agentkit: packed, unpacked, and made into encoders without any file but their own.

A packed file holds how many tokens there are (four bytes), one byte with the length of each, and the tokens in the
order of their ranks, compressed by xz. `tiktoken.get_encoding` is never called: it fetches, and waits for the network
without end while it holds a lock.
"""

from __future__ import annotations

import pkgutil
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

from agentkit.counters._vocabulary import Encode, Vocabulary

_LETTERS = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"


def _o200k(digits: str) -> str:
    upper, lower = _LETTERS
    words = f"{upper}*{lower}+{_ENDING}?", f"{upper}+{lower}*{_ENDING}?"
    return "|".join(
        [*(rf"[^\r\n\p{{L}}\p{{N}}]?{word}" for word in words), digits, r" ?[^\s\p{L}\p{N}]+[\r\n/]*", _SPACES]
    )


PATTERNS = {
    "o200k": _o200k(r"\p{N}{1,3}"),
    "o200k, digit by digit": _o200k(r"\p{N}"),
    "cl100k": rf"{_ENDING}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_SPACES}",
    "qwen2": rf"{_ENDING}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_SPACES}",
}


def pack(tokens: Sequence[bytes]) -> bytes:
    """The tokens, in the order of their ranks, as a packed file."""
    import lzma

    raw = len(tokens).to_bytes(4, "big") + bytes(map(len, tokens)) + b"".join(tokens)
    return lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)


def unpack(packed: bytes) -> list[bytes]:
    """The tokens of a packed file, in the order of their ranks."""
    import lzma  # some builds of Python lack it

    raw = lzma.decompress(packed)
    first = 4 + int.from_bytes(raw[:4], "big")
    return [raw[start:stop] for start, stop in pairwise(accumulate(raw[4:first], initial=first))]


def ranked(tokens: Sequence[bytes]) -> dict[bytes, int]:
    """The rank of each token."""
    return {token: rank for rank, token in enumerate(tokens)}


def as_tiktoken(tokens: Sequence[bytes]) -> bytes:
    """The tokens as the text file in which they are published: its hash is known."""
    return b"".join(b"%b %d\n" % (b64encode(token), rank) for rank, token in enumerate(tokens))


def read(name: str) -> list[bytes]:
    """The tokens of a vocabulary that comes with agentkit."""
    packed = pkgutil.get_data("agentkit.counters", f"data/{name}.xz")
    if packed is None:
        raise FileNotFoundError(f"the vocabulary {name} is missing")
    return unpack(packed)


def encoder(name: str, ranks: dict[bytes, int], pattern: str) -> Encode:
    """An encoder for these ranks. It has no special tokens: they count as what they look like."""
    import tiktoken

    made = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    vars(made)["_mergeable_ranks"] = {}  # 25 MB that only pickling reads
    encode = made.encode_ordinary
    return lambda text: len(encode(text))


def composed(encode: Encode) -> Encode:
    """For a vocabulary whose texts are in the normal form C."""
    return lambda text: encode(text if text.isascii() else unicodedata.normalize("NFC", text))


def dearer(encode: Encode) -> Encode:
    """For a vocabulary that may know fewer scripts: a quarter more of the bytes beyond one a character."""
    return lambda text: encode(text) + (len(text.encode("utf-8", "surrogatepass")) - len(text)) // 4


def _loader(file: str, pattern: str) -> Callable[[], Encode]:
    return lambda: encoder(pattern, ranked(read(file)), PATTERNS[pattern])


O200K = Vocabulary("o200k", _loader("o200k", "o200k"))
"""Of gpt-oss and the models of OpenAI since GPT-4o."""
QWEN = Vocabulary("qwen2", lambda: composed(_loader("qwen2", "qwen2")()))
"""Of Qwen 2, 2.5 and 3."""
PROXY = Vocabulary("o200k, digit by digit", lambda: dearer(_loader("o200k", "o200k, digit by digit")()))
"""For a model of which nothing is known."""

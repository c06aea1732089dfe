"""How many tokens a text may be, without a vocabulary: from the kinds of its characters. The last resort.

Each character costs what its kind cost on average in texts of many sorts. Runs of one character and long unbroken codes
are cheaper or dearer than their characters say, so they are taken out first. No weight is more than the bytes of its
character, which is the most that a vocabulary of bytes can need; so the estimate cannot run away.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from functools import lru_cache

MARGIN = 0.35
"""The share by which a text may be more; the page on tokens says how often it is more than that."""

_BEGIN = re.findall(
    r"\w+",
    """
a0 symbol c0 latin 250 phonetic 300 accent 370 greek 400 cyrillic 530 armenian 590 hebrew 600 arabic 700 rare 750 arabic
780 rare 900 devanagari 980 bengali a00 gurmukhi a80 gujarati b00 rare b80 tamil c00 telugu c80 kannada d00 malayalam
d80 sinhala e00 thai e80 lao f00 rare 1000 burmese 10a0 georgian 1100 rare 1200 ethiopic 13a0 rare 1780 khmer 1800 rare
1e00 vietnamese 1f00 rare 2000 dash 2070 sign 2800 rare 3000 punctuation 3040 hiragana 30a0 katakana 3100 rare 3400 han
a000 rare ac00 hangul d7b0 rare f900 han fb00 rare fe00 joiner fe10 wide 10000 rarest 1f000 emoji 1fb00 rarest
""",
)
_STARTS = [int(start, 16) for start in _BEGIN[::2]]
_NAMES = _BEGIN[1::2]
_ASCII = (
    ("\"'`", "quote"),
    ("()[]{}<>", "bracket"),
    (".,:;-_/=", "point"),
    (" ", "space"),
    ("\n", "newline"),
    ("\t", "tab"),
)

# fitted to counts of o200k; kinds that were too rare for that have the mean of their characters one by one
_WEIGHTS = {
    "accent": 1.3, "arabic": 0.299, "armenian": 0.352, "bengali": 0.41, "bracket": 0.542, "burmese": 0.6,
    "control": 1.0, "cyrillic": 0.346, "dash": 1.608, "devanagari": 0.341, "digit": 0.65, "emoji": 1.8,
    "ethiopic": 2.165, "georgian": 0.342, "greek": 0.343, "gujarati": 0.42, "gurmukhi": 0.657, "han": 0.783,
    "hangul": 0.549, "hebrew": 0.373, "hiragana": 0.484, "joiner": 0.5, "kannada": 0.401, "katakana": 0.696,
    "khmer": 0.625, "lao": 1.9, "latin": 1.386, "lower": 0.196, "malayalam": 0.346, "mark": 0.648,
    "newline": 0.3, "phonetic": 1.5, "point": 0.494, "punctuation": 0.839, "quote": 0.558, "rare": 2.6,
    "rarest": 3.2, "sign": 1.0, "sinhala": 0.65, "space": 0.351, "symbol": 1.431, "tab": 1.0, "tamil": 0.359,
    "telugu": 0.429, "thai": 0.38, "upper": 0.277, "vietnamese": 0.179, "wide": 1.0,
}  # fmt: skip
_RUN, _CODE = 0.929, 0.582
_RUNS = re.compile(r"([^\w\n])\1{5,}")
_CODES = re.compile(r"[A-Za-z0-9+/=_-]{24,}")


def estimated(text: str) -> int:
    """The number of tokens, more or less; at least one where there is a text."""
    if not text:
        return 0
    text, runs = _RUNS.subn(r"\1", text)
    codes = [found for found in _CODES.findall(text) if _is_code(found)]
    chars = Counter(text)
    chars.subtract(Counter("".join(codes)))
    tokens = runs * _RUN + sum(map(len, codes)) * _CODE
    return max(1, round(tokens + sum(number * _weight(char) for char, number in chars.items())))


def _is_code(word: str) -> bool:
    """Base64, hex, a key: no long identifier has as many digits."""
    return sum(map(word.count, "0123456789")) * 12 > len(word)


@lru_cache(maxsize=4096)
def _weight(char: str) -> float:
    return _WEIGHTS[_ascii_kind(char) if char.isascii() else _NAMES[max(0, bisect_right(_STARTS, ord(char)) - 1)]]


def _ascii_kind(char: str) -> str:
    for chars, kind in _ASCII:
        if char in chars:
            return kind
    if char.isalnum():
        return "digit" if char.isdigit() else "lower" if char.islower() else "upper"
    return "mark" if char.isprintable() else "control"

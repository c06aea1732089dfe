"""Words in any script: signs that stand for vowels or accents belong to them, which `\\w` does not know."""

from __future__ import annotations

import re
import unicodedata

_MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963"
    "\u0981-\u0983\u09bc-\u09cd\u0a01-\u0a03\u0a3c-\u0a4d\u0b82-\u0bcd\u0c00-\u0c03\u0c3e-\u0c56\u0e31-\u0e3a"
    "\u0e47-\u0e4e\u200c\u200d"
)
WORD = re.compile(rf"(?:[^\W\d_]|[{_MARKS}])+")
LAST_WORD = re.compile(rf"(?:[^\W\d_]|[{_MARKS}])+\Z")
TERM = re.compile(rf"(?:\w|[{_MARKS}])+")
NO_SPACES = "\u2e80"
"""From here on are scripts that put no space between words; Hangul, which does, is told apart."""


def is_letter(character: str) -> bool:
    """Part of a word."""
    return character.isalpha() or is_mark(character)


def is_mark(character: str) -> bool:
    """Part of the character before it."""
    return unicodedata.category(character)[0] == "M" or character in "\u200c\u200d"


def is_unspaced(character: str) -> bool:
    """Of a script without space between words."""
    return character >= NO_SPACES and not "\uac00" <= character <= "\ud7a3"

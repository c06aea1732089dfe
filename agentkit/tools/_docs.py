"""What docstrings say: the first paragraph, and with the extra `tools` what is written of each parameter."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

PARSER = "docstring_parser"


def summary(text: str | None) -> str:
    """The first paragraph, as one line."""
    paragraph = inspect.cleandoc(text or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def parameters(text: str | None) -> Mapping[str, str]:
    """What is written of each parameter, in the style of Google, NumPy or reST; nothing without the extra."""
    try:
        parser: Any = importlib.import_module(PARSER)
    except ImportError:
        return {}
    found = parser.parse(text or "").params
    return {each.arg_name: " ".join(each.description.split()) for each in found if each.description}

"""Secrets out of what is written down: by the name that they stand under, and by their value wherever else it comes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote, unquote

HIDDEN = "***"

_NAME = re.compile(
    r"authori[sz]|auth(?!or)|cookie|secret|passw|credential|(?:^|[-_])(?:api[-_]?)?key$|token$", re.IGNORECASE
)
_SCHEMES = frozenset({"bearer", "basic", "digest", "token"})
_USER = re.compile(r"(?<=://)[^/?#@]*@")
_QUERY = re.compile(r"([?&])([^=&#]+)=([^&#]*)")
_SHORTEST = 8
"""Characters of a key: what is shorter stands for none, such as `EMPTY`, and is hidden under its name only."""


def is_secret(name: str) -> bool:
    """What stands under this name of a header, a field or a parameter is no business of a reader."""
    return _NAME.search(name) is not None


class Redactor:
    """Blacks out the secrets of one request, in it and in its answer."""

    def __init__(self, headers: Iterable[tuple[str, str]], url: str, *more: str | None) -> None:
        found = {word for name, value in headers if is_secret(name) for word in _words(value)}
        found |= {*_of_url(url), *filter(None, more)}
        found = {word for word in found if len(word) >= _SHORTEST}
        forms = {form for word in found for form in (word, json.dumps(word)[1:-1], quote(word, safe=""))}
        self._secrets = sorted(forms, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def url(self, url: str) -> str:
        """The address without password and keys."""
        return self.text(_QUERY.sub(_hidden_parameter, _USER.sub(f"{HIDDEN}@", url)))

    def value(self, value: object) -> Any:
        """A JSON value without the secrets."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return self.mapping(cast("dict[str, object]", value))
            case list():
                return [self.value(each) for each in cast("list[object]", value)]
            case _:
                return value

    def mapping(self, values: Mapping[str, object]) -> dict[str, Any]:
        """Headers or fields without the secrets."""
        return {
            self.text(name): HIDDEN if isinstance(value, str) and is_secret(name) else self.value(value)
            for name, value in values.items()
        }


def _words(value: str) -> Iterator[str]:
    """The value, and the parts of it that come alone elsewhere: behind `Bearer`, and in a cookie."""
    yield value.strip()
    for word in value.replace(";", " ").split():
        if word.lower() not in _SCHEMES:
            yield word
            yield word.partition("=")[2]


def _of_url(url: str) -> Iterator[str]:
    for user in _USER.findall(url):
        yield unquote(user[:-1].partition(":")[2])
    for _, name, value in _QUERY.findall(url):
        if is_secret(name):
            yield unquote(value)


def _hidden_parameter(found: re.Match[str]) -> str:
    mark, name, value = found.groups()
    return f"{mark}{name}={HIDDEN if is_secret(name) else value}"

"""Error answers, in all the shapes that chat servers give them, as typed errors. Pure functions of the answer."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from attrs import evolve, field, frozen

from agentkit.errors import (
    AuthError,
    BadRequest,
    ContextOverflow,
    JobFailed,
    ProtocolError,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    ServerError,
)
from agentkit.provider import ResponseHead
from agentkit.providers._json import as_dict, as_list, encodable, loads

BODY_CHARS = 2000
"""How much of an answer an error keeps."""
WORD_CHARS = 300
"""How much of the backend's own words a message quotes."""
_LONG = 8
"""Characters of a secret that is no part of a common word."""

_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size_error|maximum context length"
    r"|exceeds (the |model's )?(available |maximum )?context"
    r"|longer than the (model's context length|context length|maximum model length)|prompt is longer than the context"
    r"|max_(completion_)?tokens.{0,80}(too large|greater than max_model_len)|Trying to keep the first \d+ tokens"
    r"|tokens to keep from the initial prompt|Context size has been exceeded|Requested token count exceeds"
    r"|context length is only \d|exceeded max context length|Reached context length of \d|prompt (is )?too long"
    r"|maximum prompt length is \d|Input is too long for|exceeds the maximum number of tokens"
    r"|reduce the length of the (messages|input|prompt|completion)|`inputs` (tokens \+|must have less than)"
    r"|tokens in the prompt cannot exceed \d|exceed the configured limit of \d+ tokens"
    r"|too large for .{1,80}\. Max size: \d+ tokens",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"(?:maximum context length (?:is|of) |maximum context length \(|model's context length \("
    r"|available context size \(|context length (?:of|is) only |greater than max_model_len=|maximum model length of "
    r"|Reached context length of |maximum prompt length is |too large for model with |tokens > "
    r"|number of tokens allowed \(|max_new_tokens` must be <= |prompt cannot exceed |configured limit of |Max size: )"
    r"(\d{1,15})",
    re.IGNORECASE,
)
# no counts of the prompt: "at least" of a server that stops counting, "characters", and the output that was asked for
_USED = re.compile(
    r"(?:your request has |your prompt contains |messages resulted in |requested a total of "
    r"|you requested |input length \(|the input \(|request \(|Trying to keep the first |You passed |prompt \(length "
    r"|Prompt contains |prompt is too long: |token count \(|request contains |Given: "
    r"|cannot exceed \d{1,15} - received )(\d{1,15})(?!\d| characters| output)",
    re.IGNORECASE,
)
_PROMPT_OF_TOTAL = re.compile(
    r"requested .{0,60}?(?:\(|: )(\d{1,15}) (?:in the messages|in the prompt|of text input|tokens from the input)",
    re.IGNORECASE,
)
"""Where a server counts prompt and reply together, and says how much of it the prompt is."""
_QUOTA = re.compile(r"insufficient_quota|quota|billing", re.IGNORECASE)
_FOR_NOW = re.compile(r"rate.?limit|per (second|minute|hour)", re.IGNORECASE)
_HTML = re.compile(r"\s*<(!doctype|html|head|body|h1|center)\b", re.IGNORECASE)
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")

_FOREVER = 1e12
_EPOCH = 1e9
"""A larger number of seconds is a time, a smaller one a wait."""

_STATUS_OF = (
    ("quota", 429),
    ("rate_limit", 429),
    ("authentication", 401),
    ("unauthorized", 401),
    ("api_key", 401),
    ("permission", 403),
    ("not_found", 404),
    ("notfound", 404),
    ("invalid_request", 400),
    ("bad_request", 400),
    ("badrequest", 400),
)
"""What the words of an error inside a stream would have been as a status; anything else is the backend's failure."""

_WHAT: Mapping[type[ProviderError], str] = {
    AuthError: "refuses the API key, or the key lacks a permission",
    RateLimited: "has had too many requests for now",
    QuotaExceeded: "says that a quota of the account is used up",
    ContextOverflow: "says that the request does not fit the context window",
    BadRequest: "refuses the request",
    ServerError: "failed",
    ProtocolError: "answered with a redirect, which is not followed",
}


@frozen(kw_only=True)
class Facts:
    """What the body of an error says."""

    words: str = ""
    code: str | None = None
    type: str | None = None
    retry_after: float | None = None
    limit: int | None = None
    used: int | None = None
    used_up: tuple[str, ...] = ()
    """Which quotas of the account are used up, by their names."""
    request_id: str | None = None

    @property
    def marks(self) -> str:
        """Code and type, which are made for programs."""
        return f"{self.code or ''} {self.type or ''}".lower()

    @classmethod
    def of(cls, value: object) -> Facts:
        """Read the JSON of an error, whichever of the known shapes it has."""
        items = as_list(value)
        outer = as_dict(items[0] if items else value)
        inner = as_dict(outer.get("error")) or outer
        used_up = tuple(map(str, as_list(inner.get("exceeded")) or as_list(outer.get("exceeded"))))
        named = (inner.get("message"), inner.get("detail"), outer.get("error"), outer.get("message"), inner.get("msg"))
        words = _words(_titled(outer), *named, used_up and f"used up: {', '.join(used_up)}", value)
        return cls(
            words=words,
            code=_name(inner.get("code"), outer.get("code")),
            type=_name(inner.get("type"), outer.get("type")),
            retry_after=_seconds(inner.get("retry_after")) or _seconds(outer.get("retry_after")),
            limit=_count(inner.get("n_ctx")) or _found(_LIMIT, words),
            used=_count(inner.get("n_prompt_tokens")) or _found(_PROMPT_OF_TOTAL, words) or _found(_USED, words),
            used_up=used_up,
            request_id=_name(as_dict(outer.get("meta")).get("request_id")),
        )


@frozen(kw_only=True)
class ErrorReader:
    """Makes the errors of one backend: names it, and blacks out its secrets."""

    source: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def response(self, head: ResponseHead, body: bytes) -> ProviderError:
        """The error that a whole answer is."""
        text = self._hide(body.decode("utf-8-sig", "replace"))
        facts = _facts(text)
        return self._error(head, evolve(facts, words=facts.words or plain(text)), text, status=head.status)

    def inside(self, head: ResponseHead, value: object, text: str) -> ProviderError:
        """The error that a frame of a stream is; `text` is the frame as it came."""
        return self._error(head, Facts.of(value), self._hide(encodable(text)), status=None)

    def unanswered(self, head: ResponseHead, text: str) -> ProviderError:
        """The error that a JSON document without choices is: the backend's words where it has some."""
        facts = _facts(text)
        if facts.words:
            return self._error(head, facts, self._hide(text), status=None)
        return self.protocol(head, "the answer holds no choices", text)

    def protocol(self, head: ResponseHead, what: str, text: str = "") -> ProtocolError:
        """The answer breaks the format; `text` is the part of it that shows how."""
        text = self._hide(encodable(text))
        kind = self._hide(head.headers.get("content-type") or "no content type")
        quoted = f": {plain(text)}" if text.strip() else ""
        return ProtocolError(
            _line(f"{self.source}: {what} (HTTP {head.status}, {kind}){quoted}"),
            status=head.status,
            body=text[:BODY_CHARS],
            request_id=self._request_id(head),
            retry_after=retry_after(head.headers),
        )

    def job_failed(self, head: ResponseHead, what: str, text: str = "", *, code: str | None = None) -> JobFailed:
        """The backend took the work and did not finish it; `text` is what it says of that."""
        made = self.protocol(head, what, text)
        return JobFailed(
            str(made),
            status=made.status,
            code=self._hidden(code) or None,
            body=made.body,
            request_id=made.request_id,
            retry_after=made.retry_after,
        )

    def _error(self, head: ResponseHead, facts: Facts, text: str, *, status: int | None) -> ProviderError:
        kind = _kind(status if status is not None and status >= 300 else _implied(facts), facts)  # noqa: PLR2004
        said = self._hide(facts.words) or plain(text) or "no reason given"
        where = "inside its answer" if status is None else f"HTTP {status}"
        waits = (
            retry_after(head.headers),
            facts.retry_after,
            _until_reset(head.headers) if kind is RateLimited else None,
        )
        error = kind(
            _line(f"{self.source} {_WHAT[kind]} ({where}): {said}"),
            status=status,
            code=self._hidden(facts.code),
            type=self._hidden(facts.type),
            body=text[:BODY_CHARS],
            request_id=self._request_id(head) or self._hidden(facts.request_id),
            retry_after=next((seconds for seconds in waits if seconds is not None), None),
        )
        if isinstance(error, ContextOverflow):
            error.limit, error.used = facts.limit, facts.used
        return error

    def _request_id(self, head: ResponseHead) -> str | None:
        names = ("x-request-id", "x-correlation-id", "request-id")
        return self._hidden(next((found for name in names if (found := head.headers.get(name))), None))

    def _hidden(self, text: str | None) -> str | None:
        return None if text is None else one_line(self._hide(text))

    def _hide(self, text: str) -> str:
        """What the backend sent, without the secrets; a short one is hidden only where it is a word of its own."""
        for secret in self.secrets:
            if len(secret) >= _LONG:
                text = text.replace(secret, "***")
            else:
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
        return text


def _line(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= WORD_CHARS + 200 else line[: WORD_CHARS + 200] + "..."


def _facts(text: str) -> Facts:
    try:
        return Facts.of(loads(text))
    except (ValueError, RecursionError):
        return Facts()


def one_line(text: str) -> str:
    """The text without line breaks and control characters: it goes into a message, a log, a terminal."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(text.split())


def plain(text: str) -> str:
    """What a person would read in a body: the title of a page of HTML, or its text; else the body itself."""
    text = text[: 8 * BODY_CHARS]
    if _HTML.match(text):
        title = _TITLE.search(text)
        text = html.unescape(title[1] if title and title[1].strip() else _TAG.sub(" ", text))
    return text.strip()[:BODY_CHARS]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer asks to wait. A date is read against the answer's own date: clocks differ."""
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after")
    seconds = _seconds(asked)
    if seconds is not None or asked is None:
        return seconds
    until, now = _date(asked), _date(headers.get("date", ""))
    return max(0.0, (until - now).total_seconds()) if until and now else None


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """The seconds until a limit counts anew, where the answer tells that time and its own."""
    reset, now = _seconds(headers.get("x-ratelimit-reset")), _date(headers.get("date", ""))
    return max(0.0, reset - now.timestamp()) if reset and reset > _EPOCH and now else None


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _kind(status: int, facts: Facts) -> type[ProviderError]:
    match status:
        case 401 | 403:
            return AuthError
        case 400 if facts.type == "no_db_connection":  # LiteLLM looks for a key that it does not know in a database
            return AuthError
        case 402:
            return QuotaExceeded
        case 429:
            return QuotaExceeded if _used_up(facts) else RateLimited
        case _ if _OVERFLOW.search(f"{facts.marks} {facts.words}"):
            return ContextOverflow
        case _ if 300 <= status < 400:  # noqa: PLR2004
            return ProtocolError
        case _ if 400 <= status < 500 and status != 408:  # noqa: PLR2004 - 408: the server gave up waiting
            return BadRequest
        case _:
            return ServerError


def _used_up(facts: Facts) -> bool:
    """The marks decide; words only where they do not also speak of a rate, whose help pages mention billing too."""
    if facts.used_up or _QUOTA.search(facts.marks):
        return True
    return bool(_QUOTA.search(facts.words)) and not _FOR_NOW.search(f"{facts.marks} {facts.words}")


def _implied(facts: Facts) -> int:
    code = facts.code or ""
    if re.fullmatch("[45][0-9][0-9]", code):
        return int(code)
    return next((status for word, status in _STATUS_OF if word in facts.marks.replace(" ", "_")), 500)


def _words(*candidates: object) -> str:
    return next((said for candidate in candidates if (said := _said(candidate))), "")


def _titled(wire: Mapping[str, Any]) -> str:
    """The words of `error` and `message` side by side, where each says something of its own."""
    title, text = _said(wire.get("error")), _said(wire.get("message"))
    if not (title and text) or title in text:
        return ""
    return title if text in title else f"{title}: {text}"


def _said(value: object) -> str:
    """A text, or the list of findings of a validator."""
    if isinstance(value, str):
        return encodable(value).strip()
    return "; ".join(filter(None, map(_finding, as_list(value))))


def _finding(value: object) -> str:
    if isinstance(value, str):
        return encodable(value).strip()
    finding = as_dict(value)
    place = ".".join(str(step) for step in as_list(finding.get("loc")) if isinstance(step, str | int))
    said = _words(finding.get("msg"), finding.get("message"))
    return f"{place}: {said}" if place else said


def _name(*candidates: Any) -> str | None:
    for value in candidates:
        if isinstance(value, str) and value:
            return encodable(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def _seconds(value: object) -> float | None:
    match value:
        case str() if _NUMBER.fullmatch(value.strip()):
            return float(value)
        case int() | float() if not isinstance(value, bool) and 0 <= value < _FOREVER:
            return float(value)
        case _:
            return None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _found(pattern: re.Pattern[str], words: str) -> int | None:
    match = pattern.search(words)
    return int(match[1]) if match else None

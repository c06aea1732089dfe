"""What every provider must do, as tests for pytest: each function is one rule, and is held for each of its cases."""
# ruff: noqa: S101, PLR2004 - for tests, although installed

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import evolve, field, frozen

from agentkit.errors import AgentKitError, InvalidInput, NotConfigured, ProviderError, Unsupported
from agentkit.messages import Message, assistant, user
from agentkit.options import Options
from agentkit.provider import Capabilities, ChatRequest, Fault, Finish, HTTPRequest, Provider, ResponseHead
from agentkit.testing._provider_checks import check_any_cut, check_interleaved, check_shape, decode, summary
from agentkit.testing._provider_tools import TOOL_RULES
from agentkit.testing._provider_values import GARBAGE, HISTORIES, KEY, KINDS, MODELS, OPTIONS, REFUSALS, STATUSES
from agentkit.usage import FinishReason, Usage

Factory: TypeAlias = Callable[[str | None, str | None], Provider]
"""From a base URL and a key, either of which may be None; what an entry point names."""

ADDRESS = "http://127.0.0.1:9/some/where"


@frozen(kw_only=True)
class RecordedAnswer:
    """The body of a good answer, and what it says."""

    body: bytes = field(repr=False)
    text: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, str, str], ...] = ()
    """Id, name and arguments as they come."""
    finish: FinishReason = FinishReason.STOP
    usage: Usage | None = None
    content_type: str = "application/json"

    @property
    def head(self) -> ResponseHead:
        return ResponseHead(200, {"content-type": self.content_type})

    @property
    def says(self) -> dict[str, Any]:
        """In the form of `summary`."""
        return {
            "text": self.text,
            "reasoning": self.reasoning,
            "calls": [list(call) for call in self.calls],
            "finish": str(self.finish),
            "usage": self.usage,
        }


@frozen(kw_only=True)
class Subject:
    """A provider to be tested."""

    make: Factory
    model: str
    answers: Mapping[str, RecordedAnswer]

    @property
    def provider(self) -> Provider:
        return self.make(ADDRESS, KEY)

    def request(self, messages: Iterable[Message] = (user("Which ferry?"),), **more: Any) -> ChatRequest:
        stream = self.provider.capabilities(self.model).stream
        return evolve(ChatRequest(model=self.model, messages=tuple(messages), stream=stream), **more)


Rule: TypeAlias = Callable[[Subject, Any], None]


def provider_contract(make: Factory, *, answers: Sequence[RecordedAnswer], model: str = "model") -> type:
    """A class of tests: `TestMine = provider_contract(mine, answers=[RecordedAnswer(body=b"...", text="Hello")])`.

    `make` is what the entry point names; `answers` are bodies as the backend sends them, at least one.
    """
    if not answers:
        raise InvalidInput("the contract needs an answer of the backend: without one, reading is not tested")
    subject = Subject(make=make, model=model, answers={f"answer {n}": each for n, each in enumerate(answers, 1)})
    tests = {
        _name(rule, case): _test(rule, subject, value)
        for rule, cases in _rules(subject).items()
        for case, value in cases.items()
    }
    return type("ProviderContract", (), tests)


def _name(rule: Rule, case: str) -> str:
    words = f"{rule.__name__} {case}".strip()
    return "test_" + re.sub(r"\W+", "_", words)


def _test(rule: Rule, subject: Subject, value: Any) -> Callable[[object], None]:
    def test(self: object) -> None:
        rule(subject, value)

    test.__doc__ = rule.__doc__
    return test


def _rules(subject: Subject) -> Mapping[Rule, Mapping[str, Any]]:
    once = {"": None}
    return {
        its_name_is_one_word: once,
        its_address_is_the_given_one: once,
        it_has_an_address_of_its_own_or_says_that_it_needs_one: once,
        its_key_is_not_shown: once,
        it_says_what_a_model_can_do: {f"case {n}": model for n, model in enumerate(MODELS)},
        the_question_and_the_model_are_sent: once,
        a_history_is_sent_or_refused: HISTORIES,
        an_option_is_sent_or_a_notice_says_that_it_is_not: OPTIONS,
        an_answer_can_be_asked_for_whole_and_as_a_stream: once,
        a_beginning_is_sent_where_that_is_claimed: once,
        a_request_is_repeatable_where_that_is_claimed: once,
        **TOOL_RULES,
        an_answer_is_read: subject.answers,
        an_answer_is_read_however_it_is_cut: subject.answers,
        an_answer_that_ends_early_is_never_taken_for_whole: subject.answers,
        an_answer_is_read_whatever_it_says_to_be: subject.answers,
        answers_are_read_side_by_side: subject.answers,
        garbage_is_a_fault: GARBAGE,
        a_refusal_is_an_error_by_its_status: {str(status): status for status in STATUSES},
        a_refusal_may_say_anything: REFUSALS,
        a_refusal_tells_when_to_come_again: once,
    }


# --- what it is


def its_name_is_one_word(subject: Subject, _: None) -> None:
    """The name stands before the slash of `backend/model`."""
    name = subject.provider.name
    assert name
    assert not re.search(r"[\s/]", name)


def its_address_is_the_given_one(subject: Subject, _: None) -> None:
    """A path may be added, and a slash at the end makes no difference."""
    assert subject.provider.base_url.startswith("http://127.0.0.1:9/")
    assert subject.make(f"{ADDRESS}/", KEY).base_url == subject.provider.base_url


def it_has_an_address_of_its_own_or_says_that_it_needs_one(subject: Subject, _: None) -> None:
    """Without an address and a key it can be made, or refuses with what to do."""
    try:
        provider = subject.make(None, None)
    except (NotConfigured, InvalidInput):
        return
    assert "://" in provider.base_url


def its_key_is_not_shown(subject: Subject, _: None) -> None:
    """Neither by the provider nor by its requests."""
    assert KEY not in repr(subject.provider)
    assert KEY not in repr(subject.provider.encode(subject.request()))


def it_says_what_a_model_can_do(subject: Subject, model: str) -> None:
    """For any name, and each time the same."""
    can = subject.provider.capabilities(model)
    assert isinstance(can, Capabilities)
    assert can == subject.provider.capabilities(model)


# --- requests


def the_question_and_the_model_are_sent(subject: Subject, _: None) -> None:
    """Where the text is plain, it can be seen in the body."""
    wire = subject.provider.encode(subject.request())
    _check_wire(wire)
    assert b"Which ferry?" in wire.body


def a_history_is_sent_or_refused(subject: Subject, messages: tuple[Message, ...]) -> None:
    """What cannot be carried is `Unsupported` or `InvalidInput`; a request is made the same way each time."""
    request = subject.request(messages)
    try:
        wire = subject.provider.encode(request)
    except (Unsupported, InvalidInput):
        return
    _check_wire(wire)
    assert subject.provider.encode(request) == wire
    assert request.messages == messages


def an_option_is_sent_or_a_notice_says_that_it_is_not(subject: Subject, options: Options) -> None:
    """Nothing that the caller asked for goes missing without a word."""
    wire = subject.provider.encode(subject.request(options=options))
    _check_wire(wire)
    assert wire.body != subject.provider.encode(subject.request()).body or wire.notices


def an_answer_can_be_asked_for_whole_and_as_a_stream(subject: Subject, _: None) -> None:
    """Also of a backend that gives only one of the two."""
    for stream in (True, False):
        _check_wire(subject.provider.encode(subject.request(stream=stream)))


def a_beginning_is_sent_where_that_is_claimed(subject: Subject, _: None) -> None:
    """`prefix` among the capabilities is a promise; elsewhere the request may be refused."""
    request = subject.request([user("Which ferry?"), assistant("The one")], prefix=True)
    try:
        _check_wire(subject.provider.encode(request))
    except (Unsupported, InvalidInput):
        assert not subject.provider.capabilities(subject.model).prefix


def a_request_is_repeatable_where_that_is_claimed(subject: Subject, _: None) -> None:
    """The request says the same as the capabilities."""
    claimed = subject.provider.capabilities(subject.model).repeatable
    assert subject.provider.encode(subject.request()).repeatable is claimed


def _check_wire(wire: HTTPRequest) -> None:
    assert wire.method == wire.method.upper()
    assert wire.url.startswith("http://127.0.0.1:9/")
    assert KEY not in wire.url
    assert KEY.encode() not in wire.body, "a key belongs into a header"
    for name, value in wire.headers:
        assert re.fullmatch(r"[a-z0-9-]+", name), "names of headers are in lower case"
        assert value.isascii()
        assert value.isprintable()
    assert all(notice.message for notice in wire.notices)


# --- answers


def an_answer_is_read(subject: Subject, answer: RecordedAnswer) -> None:
    """As the record says."""
    chunks = decode(subject.provider, answer.head, [answer.body])
    check_shape(chunks)
    assert summary(chunks) == answer.says


def an_answer_is_read_however_it_is_cut(subject: Subject, answer: RecordedAnswer) -> None:
    """A network cuts where it likes, also in the middle of a character."""
    check_any_cut(subject.provider, answer.head, answer.body)


def an_answer_that_ends_early_is_never_taken_for_whole(subject: Subject, answer: RecordedAnswer) -> None:
    """What came before is kept, and the end is a `Fault` unless all of it was there."""
    for place in range(len(answer.body)):
        chunks = decode(subject.provider, answer.head, [answer.body[:place]])
        check_shape(chunks)
        got = summary(chunks)
        assert answer.text.startswith(got["text"])
        assert answer.reasoning.startswith(got["reasoning"])
        if isinstance(chunks[-1], Finish):
            assert {**got, "usage": answer.usage} == answer.says, answer.body[:place]


def an_answer_is_read_whatever_it_says_to_be(subject: Subject, answer: RecordedAnswer) -> None:
    """Proxies change the content type."""
    for kind in KINDS:
        chunks = decode(subject.provider, ResponseHead(200, {"content-type": kind}), [answer.body])
        assert summary(chunks) == answer.says, kind


def answers_are_read_side_by_side(subject: Subject, answer: RecordedAnswer) -> None:
    """Decoders of one provider share nothing."""
    for other in subject.answers.values():
        check_interleaved(subject.provider, answer.head, answer.body, other.body)


def garbage_is_a_fault(subject: Subject, body: bytes) -> None:
    """A decoder never raises; what is no answer is no success, and no line grows for ever."""
    for kind in KINDS:
        chunks = decode(subject.provider, ResponseHead(200, {"content-type": kind}), [body], 1024)
        check_shape(chunks)
        assert isinstance(chunks[-1], Fault), kind
        half = len(body) // 2
        again = decode(subject.provider, ResponseHead(200, {"content-type": kind}), [body[:half], body[half:]], 1024)
        assert [type(chunk) for chunk in again] == [type(chunk) for chunk in chunks]


# --- refusals


def a_refusal_is_an_error_by_its_status(subject: Subject, status: int) -> None:
    """So that it is known what to do: try again, change the key, shorten the request."""
    error = _refused(subject, status, b'{"error": {"message": "no such ferry"}}')
    assert isinstance(error, STATUSES[status])
    assert "ferry" in str(error)


def a_refusal_may_say_anything(subject: Subject, body: bytes) -> None:
    """The error has one line, a bounded body, and no key that was sent."""
    sends_key = any(KEY in value for _, value in subject.provider.encode(subject.request()).headers)
    for status in (400, 500):
        error = _refused(subject, status, body)
        shown = f"{error}{error!r}{error.body}"
        shown.encode()
        assert not (sends_key and KEY in shown)


def a_refusal_tells_when_to_come_again(subject: Subject, _: None) -> None:
    """Seconds of `Retry-After` are in the error."""
    assert _refused(subject, 429, b"{}", {"retry-after": "7"}).retry_after == 7


def _refused(subject: Subject, status: int, body: bytes, more: Mapping[str, str] = {}) -> ProviderError:
    head = ResponseHead(status, {"content-type": "application/json", "x-request-id": "r1", **more})
    error = subject.provider.decode_error(head, body)
    assert isinstance(error, AgentKitError)
    assert error.status == status
    assert error.request_id == "r1"
    assert 0 < len(str(error)) <= 1000
    assert "\n" not in str(error)
    assert len(error.body) <= 2000
    return error

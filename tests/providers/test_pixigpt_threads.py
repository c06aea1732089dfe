"""PixiGPT's threads, stepped by hand: what is asked for in which order, and what becomes of each answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from attrs import evolve, frozen

from agentkit.errors import AuthError, BadRequest, InvalidInput, JobFailed, ProtocolError, ProviderError, Unsupported
from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.messages import Media, Message, Reasoning, Text, ToolCall, ToolResult, assistant, system, user
from agentkit.options import Options
from agentkit.provider import Answered, Call, ChatRequest, Details, Finish, ReplyShape, ResponseHead, Wait
from agentkit.providers import get_provider
from agentkit.providers.pixigpt_threads import PixiThreads
from agentkit.usage import FinishReason

OK = ResponseHead(200, {"content-type": "application/json"})
PIXI = PixiThreads(base_url="http://127.0.0.1:1/v1", api_key="sk-1")
DONE = {"id": "run_1", "status": "completed", "model": "pixi"}
SAID = {"id": "msg_2", "role": "assistant", "content": [{"type": "text", "text": {"value": " Hello "}}]}
THREAD, POSTED, QUEUED = {"id": "th_1"}, {"id": "msg_1"}, {"id": "run_1", "status": "queued"}
FIRST: list[Any] = [THREAD, POSTED, QUEUED, {**DONE, "message": SAID}]


@frozen(kw_only=True)
class Shape:
    name: str = "tides"
    description: str = ""
    parameters: Mapping[str, Any] = {"type": "object"}
    strict: bool = False


class Service:
    """Answers calls from a list; an exception is thrown where the answer would be."""

    def __init__(self, answers: Iterable[Any]) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, str, Any]] = []
        self.pauses: list[float] = []
        self.chunks: list[Any] = []
        self.now = 0.0

    def play(self, request: ChatRequest, provider: PixiThreads = PIXI) -> list[Any]:
        rounds = provider.exchange(request)
        step: Callable[[], Any] = lambda: next(rounds)  # noqa: E731
        while True:
            try:
                wanted = step()
            except StopIteration:
                return self.chunks
            step = lambda: rounds.send(None)  # noqa: E731
            match wanted:
                case Call():
                    step = self._answer(wanted, rounds)
                case Wait(seconds):
                    self.pauses.append(seconds)
                    self.now += seconds
                case _:
                    self.chunks.append(wanted)

    def _answer(self, call: Call, rounds: Any) -> Callable[[], Any]:
        wire = call.request
        path = wire.url.removeprefix("http://127.0.0.1:1/v1")
        self.sent.append((wire.method, path, json.loads(wire.body) if wire.body else None))
        assert dict(wire.headers)["authorization"] == "Bearer sk-1"
        assert wire.repeatable == (wire.method == "GET")
        found = self.answers.pop(0)
        if isinstance(found, BaseException):
            return lambda: rounds.throw(found)
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        return lambda: rounds.send(Answered(OK, body, self.now))


def asking(*messages: Message, **options: Any) -> ChatRequest:
    given = messages or (user("hi"),)
    return ChatRequest(model="as_1", messages=given, options=Options(**options), stream=False)


def replied(text: str = "Hello", **meta: str) -> Message:
    return Message("assistant", (Text(text),), {"pixigpt-threads": meta})


KNOWN = replied(thread_id="th_1", message_id="msg_2")


def test_a_conversation_begins_in_a_new_thread() -> None:
    service = Service(FIRST)
    chunks = service.play(asking(temperature=0.5, max_tokens=90))
    assert service.sent == [
        ("POST", "/threads", {}),
        ("POST", "/threads/th_1/messages", {"role": "user", "content": "hi"}),
        (
            "POST",
            "/threads/th_1/runs",
            {"assistant_id": "as_1", "enable_thinking": True, "temperature": 0.5, "max_tokens": 90},
        ),
        ("GET", "/threads/th_1/runs/run_1", None),
    ]
    assert chunks == [
        Notice("the backend raises max_tokens 90 to 3000 while thinking is on"),
        TextDelta("Hello"),
        Details({"thread_id": "th_1", "message_id": "msg_2", "run_id": "run_1", "model": "pixi"}),
        Finish(FinishReason.STOP, "completed"),
    ]


def test_it_goes_on_in_its_thread_where_nothing_was_said_since() -> None:
    service = Service([{"data": [{"id": "msg_2"}]}, POSTED, QUEUED, {**DONE, "message": SAID}])
    service.play(asking(user("a"), KNOWN, user("b")))
    assert [sent[:2] for sent in service.sent[:2]] == [
        ("GET", "/threads/th_1/messages?limit=1"),
        ("POST", "/threads/th_1/messages"),
    ]
    assert service.sent[1][2] == {"role": "user", "content": "b"}


@pytest.mark.parametrize(
    "latest",
    [
        {"data": [{"id": "msg_9"}]},
        {"data": []},
        {},
        BadRequest("gone", status=404),
        BadRequest("no such thread", status=400),
    ],
)
def test_otherwise_a_new_thread_is_given_the_history(latest: Any) -> None:
    call, result = ToolCall("c1", "look", {"x": 1}), ToolResult("c1", "seen")
    history = (user("a"), Message("assistant", (call,)), Message("tool", (result,)), KNOWN, user("b"))
    service = Service([latest, THREAD, {"data": []}, QUEUED, {**DONE, "message": SAID}])
    service.play(asking(*history))
    assert [sent[1] for sent in service.sent] == [
        "/threads/th_1/messages?limit=1",
        "/threads",
        "/threads/th_1/messages/bulk",
        "/threads/th_1/runs",
        "/threads/th_1/runs/run_1",
    ]
    posted = service.sent[2][2]["messages"]
    assert [message["role"] for message in posted] == ["user", "assistant", "user", "assistant", "user"]
    assert posted[1]["content"] == '[called the tool look with {"x":1}]'
    assert posted[2]["content"] == "[the tool look answered: seen]"


def test_a_thread_that_cannot_be_looked_at_is_an_error() -> None:
    with pytest.raises(AuthError):
        Service([AuthError("no", status=401)]).play(asking(user("a"), KNOWN, user("b")))


def test_a_history_from_elsewhere_has_no_thread() -> None:
    service = Service([THREAD, {"data": []}, QUEUED, {**DONE, "message": SAID}])
    service.play(asking(user("a"), replied(thread_id="th_1"), user("b")))
    assert service.sent[0][:2] == ("POST", "/threads")


def test_what_holds_no_text_is_not_posted() -> None:
    service = Service([THREAD, QUEUED, {**DONE, "message": SAID}])
    service.play(asking(Message("user", (Reasoning("hm"),))))
    assert [sent[1] for sent in service.sent[:2]] == ["/threads", "/threads/th_1/runs"]


def test_an_older_server_has_the_reply_in_the_thread() -> None:
    listed = {"data": [SAID, {"id": "msg_1", "role": "user"}]}
    service = Service([THREAD, POSTED, QUEUED, DONE, listed])
    assert service.play(asking())[0] == TextDelta("Hello")
    assert service.sent[-1][1] == "/threads/th_1/messages?limit=20"
    with pytest.raises(ProtocolError, match="no reply"):
        Service([THREAD, POSTED, QUEUED, DONE, {"data": [{"role": "user"}]}]).play(asking())


def test_only_one_of_two_forks_goes_on_in_the_thread() -> None:
    """Both find it untouched, where they ask at the same time."""
    provider = PixiThreads(base_url="http://127.0.0.1:1/v1", api_key="sk-1")
    untouched = {"data": [{"id": "msg_2"}]}
    first = Service([untouched, POSTED, QUEUED, {**DONE, "message": SAID}])
    second = Service([untouched, {"id": "th_2"}, POSTED, QUEUED, {**DONE, "message": SAID}])
    for service in (first, second):
        service.play(asking(user("a"), KNOWN, user("b")), provider)
    assert [path for _, path, _ in first.sent[1:3]] == ["/threads/th_1/messages", "/threads/th_1/runs"]
    assert [path for _, path, _ in second.sent[2:4]] == ["/threads/th_2/messages/bulk", "/threads/th_2/runs"]


def test_places_that_were_taken_are_forgotten_in_time() -> None:
    provider = PixiThreads(base_url="http://127.0.0.1:1/v1", api_key="sk-1")
    for number in range(1001):
        known = replied(thread_id="th_1", message_id=f"msg_{number}")
        untouched = {"data": [{"id": f"msg_{number}"}]}
        service = Service([untouched, POSTED, QUEUED, {**DONE, "message": SAID}])
        service.play(asking(user("a"), known, user("b")), provider)
    assert len(provider._taken) == 1


def test_a_run_is_waited_for_with_growing_pauses() -> None:
    states = [{"id": "run_1", "status": word} for word in ("queued", "in_progress", "requires_action", None)]
    service = Service([THREAD, POSTED, QUEUED, *states, *([QUEUED] * 10), {**DONE, "message": SAID}])
    service.play(asking())
    assert service.pauses[:3] == [0.25, 0.375, 0.5625]
    assert max(service.pauses) == 5.0


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_run_that_fails_is_an_error(status: str) -> None:
    with pytest.raises(JobFailed, match=status) as caught:
        Service([THREAD, POSTED, QUEUED, {"id": "run_1", "status": status}]).play(asking())
    assert caught.value.code == status


@pytest.mark.parametrize("name", ["error", "last_error"])
def test_why_a_run_failed_is_told_without_the_key(name: str) -> None:
    provider = PixiThreads(base_url="http://127.0.0.1:1/v1", api_key="sk-1")
    failed = {"id": "run_1", "status": "failed", name: {"message": "not allowed for sk-1"}}
    with pytest.raises(JobFailed, match=r"^pixigpt-threads: the run .* failed .*: not allowed for \*\*\*$") as caught:
        Service([THREAD, POSTED, QUEUED, failed]).play(asking(), provider)
    assert "sk-1" not in f"{caught.value} {vars(caught.value)}"


def test_an_id_stays_one_step_of_the_path() -> None:
    """Ids come from the service, and from histories that were stored or imported."""
    odd = replied(thread_id="../a?b", message_id="msg_2")
    service = Service(
        [{"data": [{"id": "msg_2"}]}, POSTED, {"id": "x/y", "status": "queued"}, {**DONE, "message": SAID}]
    )
    service.play(asking(user("a"), odd, user("b")))
    assert [path for _, path, _ in service.sent] == [
        "/threads/..%2Fa%3Fb/messages?limit=1",
        "/threads/..%2Fa%3Fb/messages",
        "/threads/..%2Fa%3Fb/runs",
        "/threads/..%2Fa%3Fb/runs/x%2Fy",
    ]


def test_a_run_that_is_never_over_is_an_error() -> None:
    patient = PixiThreads(base_url="http://127.0.0.1:1/v1", api_key="sk-1", deadline=3.0)
    with pytest.raises(JobFailed, match="'expired' after 3 seconds") as caught:
        Service([THREAD, POSTED, QUEUED, *([{"id": "r", "status": "expired"}] * 20)]).play(asking(), patient)
    assert caught.value.code == "deadline"


def test_sources_media_and_code_are_kept_beside_the_text() -> None:
    own = {"sources": [{"id": "s1", "url": "u"}], "media": [{"id": "m1"}], "code": [{"id": "c1"}]}
    said = {**SAID, **own, "reasoning_content": "why"}
    chunks = Service([THREAD, POSTED, QUEUED, {**DONE, "message": said}]).play(asking())
    assert chunks[0] == ReasoningDelta("why")
    assert {name: chunks[2].values[name] for name in own} == own


@pytest.mark.parametrize(
    ("content", "thought", "text"),
    [
        ("<think>hm</think> plain", "hm", "plain"),
        ([{"text": {"value": "a"}}, {"text": {"value": "b"}}, {"text": None}, 3], "", "ab"),
        (None, "", ""),
    ],
)
def test_contents_of_every_shape(content: Any, thought: str, text: str) -> None:
    said = {**SAID, "content": content}
    chunks = Service([THREAD, POSTED, QUEUED, {**DONE, "message": said}]).play(asking())
    assert "".join(chunk.text for chunk in chunks if isinstance(chunk, ReasoningDelta)) == thought
    assert "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta)) == text


@pytest.mark.parametrize(
    ("answers", "match"),
    [
        (
            [b"<html><title>Log in"],
            r"^pixigpt-threads: the answer to /threads is no JSON object \(HTTP 200, .*\): Log in$",
        ),
        ([b"[]"], "no JSON object"),
        ([{}], "thread that was made has no id"),
        ([THREAD, POSTED, {"id": 3}], "run that was made has no id"),
        ([THREAD, POSTED, QUEUED, b"\xff"], "no JSON object"),
    ],
)
def test_answers_of_the_wrong_shape_are_errors(answers: list[Any], match: str) -> None:
    with pytest.raises(ProtocolError, match=match):
        Service(answers).play(asking())


def test_instructions_belong_to_the_assistant() -> None:
    with pytest.raises(InvalidInput, match="'as_1' has its own instructions"):
        Service([]).play(asking(system("Be brief."), user("hi")))
    omitting = PixiThreads(base_url="http://127.0.0.1:1/v1", api_key="sk-1", on_system="omit")
    service = Service(FIRST)
    chunks = service.play(asking(system("Be brief."), user("hi")), omitting)
    assert chunks[0] == Notice("instructions were left out: the assistant 'as_1' has its own")
    assert service.sent[1][2] == {"role": "user", "content": "hi"}


def sending(*messages: Message, answers: list[Any] = FIRST) -> tuple[Any, Any]:
    """What is posted, and the details of the reply."""
    provider = PixiThreads(base_url="http://127.0.0.1:1/v1", api_key="sk-1", on_system="send")
    service = Service(answers)
    chunks = service.play(asking(*messages), provider)
    assert not [chunk for chunk in chunks if isinstance(chunk, Notice)]
    return service.sent[1][2], next(chunk.values for chunk in chunks if isinstance(chunk, Details))


def test_instructions_can_be_sent_before_the_words_of_the_user() -> None:
    posted, details = sending(system("Be brief."), user("hi"), system(" And kind. "))
    assert posted == {"role": "user", "content": "Be brief.\n\nAnd kind.\n\nhi"}
    assert sending(Message("system", (Text(" "),)), user("hi"))[0] == {"role": "user", "content": "hi"}
    assert "instructions" not in sending(user("hi"))[1]
    on: list[Any] = [{"data": [{"id": "msg_2"}]}, POSTED, QUEUED, {**DONE, "message": SAID}]
    for text, content in (("Be brief.\n\nAnd kind.", "b"), ("Be rude.", "Be rude.\n\nb")):
        known = replied(thread_id="th_1", message_id="msg_2", instructions=details["instructions"])
        provider = PixiThreads(base_url="http://127.0.0.1:1/v1", api_key="sk-1", on_system="send")
        service = Service(on)
        service.play(asking(system(text), user("a"), known, user("b")), provider)
        assert service.sent[1][2] == {"role": "user", "content": content}


def test_tools_and_shapes_are_not_sent() -> None:
    request = evolve(asking(), tools=(Shape(),), shape=ReplyShape(name="answer", schema={}))
    notices = [chunk.message for chunk in Service(FIRST).play(request) if isinstance(chunk, Notice)]
    assert notices == [
        "the backend has no tools; 1 of them were left out",
        "the backend binds no reply to a JSON schema; 'answer' was left out",
    ]


def test_settings_that_it_lacks_are_left_out_with_a_notice() -> None:
    chunks = Service(FIRST).play(asking(top_p=0.5, stop=("x",), reasoning_effort="none", extra={"custom": 1}))
    notices = [chunk.message for chunk in chunks if isinstance(chunk, Notice)]
    assert notices[:2] == [
        "the backend has no setting top_p; it was left out",
        "the backend has no setting stop; it was left out",
    ]
    service = Service(FIRST)
    service.play(asking(reasoning_effort="none", extra={"custom": 1}))
    assert service.sent[2][2] == {"assistant_id": "as_1", "enable_thinking": False, "custom": 1}


@pytest.mark.parametrize(
    "request_",
    [
        ChatRequest(model="as_1", messages=(user("a"), assistant("b")), prefix=True),
        asking(Message("user", (Media("image/png", url="http://x/y.png"),))),
    ],
)
def test_what_it_cannot_carry_is_refused(request_: ChatRequest) -> None:
    with pytest.raises(Unsupported):
        Service([THREAD]).play(request_)


@pytest.mark.parametrize("deadline", [0, -1, True, "3", float("nan"), float("inf")])
def test_the_deadline_is_checked(deadline: Any) -> None:
    with pytest.raises(InvalidInput, match="deadline"):
        PixiThreads(deadline=deadline)


def test_it_is_a_backend_by_name() -> None:
    provider = get_provider("pixigpt-threads", api_key="k")
    assert (provider.name, provider.base_url) == ("pixigpt-threads", "https://pixigpt.com/v1")
    assert not provider.capabilities("as_1").stream
    with pytest.raises(Unsupported):
        provider.encode(asking())
    body = b'{"error": {"message": "no", "type": "authentication_error"}}'
    refused: ProviderError = provider.decode_error(ResponseHead(400, {}), body)
    assert isinstance(refused, AuthError)
    assert provider.decoder(OK, max_line=1024).close()

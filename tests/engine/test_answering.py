"""Which backend answers and how it is asked, stepped by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from attrs import evolve, frozen
from stepping import PROVIDER, SSE, Journal, Stage, delta, finish, task

from agentkit._engine.accumulate import is_cut
from agentkit._engine.line import Learnt, Line
from agentkit._engine.rounds import detected
from agentkit._engine.turn import turn
from agentkit.context import ContextPolicy
from agentkit.continuation import Continuation
from agentkit.effects import Open, Reserve, Settle, Sleep, Stopped
from agentkit.errors import (
    AgentKitError,
    BadRequest,
    ConnectError,
    ConnectionLost,
    JobFailed,
    LimitExceeded,
    NotConfigured,
    ProtocolError,
    ProviderError,
    RateLimited,
)
from agentkit.errors import TimeoutError as LimitReached
from agentkit.events import Notice, ReasoningDelta, Retrying, TextDelta
from agentkit.messages import ToolCall
from agentkit.options import Fallback, Limits, Options, RetryPolicy, Timeouts
from agentkit.provider import (
    Capabilities,
    ChatRequest,
    Details,
    Fault,
    Finish,
    Found,
    HTTPRequest,
    ResponseHead,
    Rounds,
    UsageReport,
    Wait,
    ask,
)
from agentkit.providers import get_provider
from agentkit.providers.openai_chat import SIM, OpenAIChat
from agentkit.store import Summarized, TurnStarted
from agentkit.usage import FinishReason, Outcome, Usage

JSON = ResponseHead(200, {"content-type": "application/json"})
ONCE = RetryPolicy(max_attempts=1)
GET = HTTPRequest(method="GET", url="http://127.0.0.1:1/job", repeatable=True)
POST = HTTPRequest(method="POST", url="http://127.0.0.1:1/job", body=b"12345678")


def refusal(status: int, body: bytes = b"{}") -> list[object]:
    return [ResponseHead(status, {"content-type": "application/json"}), body, b""]


@frozen
class Several:
    """A backend whose reply takes the requests that a function makes."""

    rounds: Any
    name: str = "several"
    base_url: str = "http://127.0.0.1:1"

    def capabilities(self, model: str, /) -> Capabilities:
        return Capabilities(stream=False)

    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        raise AssertionError("it has no single request")

    def decoder(self, head: ResponseHead, /, *, max_line: int) -> Any:
        raise AssertionError("it has no single answer")

    def decode_error(self, head: ResponseHead, body: bytes, /) -> ProviderError:
        return BadRequest(f"refused with {head.status}", status=head.status)

    def exchange(self, request: ChatRequest, /) -> Rounds[None]:
        return self.rounds(request)  # type: ignore[no-any-return]


def several(rounds: Any, **changes: Any) -> Any:
    return task(line={"provider": Several(rounds), **changes})


def polling(request: ChatRequest) -> Rounds[None]:
    made = yield from ask(POST)
    yield Wait(0.25)
    seen = yield from ask(GET)
    yield ReasoningDelta("hm ")
    yield TextDelta(f"{made.body.decode()} {seen.body.decode()} {seen.now:g}")
    yield UsageReport(Usage(3, 4))
    yield Details({"job": "j1"})
    yield Notice("done")
    yield Finish(FinishReason.STOP, "completed")


def test_a_reply_of_several_requests() -> None:
    stage, journal = Stage([JSON, b"ma", b"de", b"", JSON, (b"seen", 2.0), b""]), Journal()
    reply = stage.run(turn(several(polling), journal))
    assert stage.events[:-1] == [
        ReasoningDelta("hm "),
        TextDelta("made seen 2"),
        Notice("done"),
    ]
    assert (reply.text, reply.reasoning, reply.outcome) == ("made seen 2", "hm ", Outcome.COMPLETE)
    assert reply.usage == Usage(3, 4, requests=2)
    assert reply.message.meta == {"several": {"job": "j1", "finish_reason": "completed"}}
    assert [effect.seconds for effect in stage.effects if isinstance(effect, Sleep)] == [0.25]
    assert stage.kinds.count("Close") == 2


def test_each_request_has_its_place_in_the_rate_limit() -> None:
    stage = Stage([JSON, b"a", b"", JSON, b"b", b""])
    stage.run(turn(several(polling, rate_limited=True), Journal()))
    assert [effect.tokens for effect in stage.effects if isinstance(effect, Reserve)] == [2, 0]
    assert not any(isinstance(effect, Settle) for effect in stage.effects)


def test_a_refusal_is_thrown_where_the_request_was_made() -> None:
    def mending(request: ChatRequest) -> Rounds[None]:
        try:
            yield from ask(POST)
        except BadRequest as error:
            yield TextDelta(str(error))
        seen = yield from ask(GET, refusals=True)
        yield TextDelta(f", then {seen.head.status}")
        yield Finish(FinishReason.STOP)

    reply = Stage([*refusal(404), *refusal(503)]).run(turn(several(mending), Journal()))
    assert reply.text == "refused with 404, then 503"


def test_what_may_be_sent_again_is() -> None:
    stage = Stage([JSON, b"a", b"", ConnectionLost("gone"), JSON, b"b", b""])
    assert stage.run(turn(several(polling), Journal())).text == "a b 0"
    assert [type(event) for event in stage.events if isinstance(event, Retrying)] == [Retrying]
    with pytest.raises(ConnectionLost):
        Stage([ConnectionLost("gone")]).run(turn(several(polling), Journal()))


@pytest.mark.parametrize(
    ("ending", "error"),
    [([], ProtocolError), ([Fault(JobFailed("no", code="failed"))], JobFailed)],
)
def test_a_reply_that_does_not_come_to_an_end_is_an_error(ending: list[Any], error: type[AgentKitError]) -> None:
    def breaking(request: ChatRequest) -> Rounds[None]:
        yield TextDelta("half")
        yield from ending

    with pytest.raises(error) as caught:
        Stage([]).run(turn(several(breaking), Journal()))
    assert caught.value.reply is not None
    assert (caught.value.reply.text, caught.value.reply.outcome) == ("half", Outcome.INTERRUPTED)


def test_the_total_limit_holds_for_all_requests_together() -> None:
    closed: list[str] = []

    def waiting(request: ChatRequest) -> Rounds[None]:
        try:
            while True:
                yield from ask(GET)
                yield Wait(1)
        finally:
            closed.append("closed")

    stage = Stage([JSON, b"a", (b"", 0.0), JSON, b"a", (b"", 4.0), JSON, b"a", (b"", 6.0)])
    with pytest.raises(LimitReached, match="after 5 seconds") as caught:
        stage.run(turn(several(waiting, timeouts=Timeouts(total=5)), Journal()))
    assert (caught.value.phase, closed) == ("total", ["closed"])


def test_an_answer_of_several_requests_is_bounded() -> None:
    limits = Limits(max_reply_bytes=1024)
    with pytest.raises(LimitExceeded, match="max_reply_bytes=1024"):
        Stage([JSON, b"x" * 2000]).run(turn(several(polling, limits=limits), Journal()))


def test_a_stop_between_the_requests_keeps_what_came() -> None:
    def slow(request: ChatRequest) -> Rounds[None]:
        yield TextDelta("first ")
        yield from ask(GET)
        yield TextDelta("second")
        yield Finish(FinishReason.STOP)

    stage = Stage([Stopped()])
    reply = stage.run(turn(several(slow), Journal()))
    assert (reply.text, reply.outcome) == ("first ", Outcome.INTERRUPTED)


# --- servers that are asked what they are


@frozen(kw_only=True)
class Asking(OpenAIChat):
    known: Any = None

    def detect(self, model: str, /) -> Rounds[Found]:
        answered = yield from ask(GET)
        if not answered.body:
            raise NotConfigured("no model")
        return Found(provider=self.known, model=model or answered.body.decode(), window=4096)


ASKING = Asking(base_url="http://127.0.0.1:1/v1", known=PROVIDER)


def test_a_server_is_asked_once() -> None:
    asked = task(line={"provider": ASKING, "model": ""})
    stage, journal = Stage([JSON, b"served", b"", SSE, delta("Hi") + finish()]), Journal()
    reply = stage.run(turn(asked, journal))
    assert (reply.text, reply.usage.requests) == ("Hi", 1)
    assert [segment.backend for segment in reply.segments] == ["openai/served"]
    assert (asked.line.learnt.model, asked.line.learnt.window) == ("served", 4096)
    assert isinstance(stage.records[0], TurnStarted)
    stage.network = [SSE, delta("Again") + finish()]
    assert stage.run(turn(evolve(asked, turn_id="t2"), journal)).text == "Again"


def test_a_server_that_cannot_tell_is_asked_again_at_the_next_turn() -> None:
    asked = task(line={"provider": ASKING, "model": ""})
    journal = Journal()
    with pytest.raises(NotConfigured) as caught:
        Stage([JSON, b""]).run(turn(asked, journal))
    assert caught.value.reply is not None
    assert caught.value.reply.outcome is Outcome.FAILED
    assert asked.line.learnt.provider is None


class Meanwhile(Stage):
    """Something happens elsewhere while the flow sleeps for the first time."""

    def __init__(self, network: Iterable[Any], happening: Callable[[], object]) -> None:
        super().__init__(network)
        self.happening = [happening]

    def answer(self, effect: Any) -> Any:
        if isinstance(effect, Sleep) and self.happening:
            self.happening.pop()()
        return super().answer(effect)


@pytest.mark.parametrize("fails", [False, True])
def test_of_several_at_once_one_asks_and_the_others_wait_for_it(fails: bool) -> None:
    line = task(line={"provider": ASKING, "model": "", "retry": ONCE}).line
    other = detected(line, ASKING, "t1")
    assert isinstance(next(other), Open)

    def over() -> None:
        if fails:
            other.throw(ConnectionLost("gone"))
        else:
            for data in (JSON, b"served", b""):
                other.send((data, 0.0))
        with pytest.raises(ConnectionLost if fails else StopIteration):
            other.send(None)  # it has closed

    answers = [JSON, b"served", b""] if fails else []
    stage = Meanwhile([*answers, SSE, delta("Hi") + finish()], over)
    reply = stage.run(turn(task(lines=(line,)), Journal()))
    assert (reply.text, reply.segments[0].backend) == ("Hi", "openai/served")
    assert stage.kinds.count("Open") == 1 + fails
    assert not line.learnt.asking


def test_a_server_that_no_longer_has_its_model_is_asked_anew_at_the_next_turn() -> None:
    asked, journal = task(line={"provider": ASKING, "model": ""}), Journal()
    known = [JSON, b"old", b"", *refusal(404)]
    stage = Stage(known)
    with pytest.raises(BadRequest):
        stage.run(turn(asked, journal))
    stage = Stage([JSON, b"new", b"", SSE, delta("Hi") + finish()], stage.records)
    reply = stage.run(turn(evolve(asked, turn_id="t2"), journal))
    assert [segment.backend for segment in reply.segments] == ["openai/new"]
    stage = Stage([ConnectError("refused")], stage.records)
    with pytest.raises(ConnectError):
        stage.run(turn(evolve(asked, turn_id="t3", lines=(evolve(asked.line, retry=ONCE),)), journal))
    assert asked.line.learnt.provider is None


# --- settings that a server refuses


def test_a_setting_that_is_refused_is_left_out_from_then_on() -> None:
    asked = task(options=Options(seed=7, temperature=0.5))
    refused = [*refusal(400, b'{"error": {"message": "Unsupported parameter: seed", "code": "unsupported_parameter"}}')]
    stage, journal = Stage([*refused, SSE, delta("Hi") + finish()]), Journal()
    reply = stage.run(turn(asked, journal))
    assert (reply.text, reply.usage.requests) == ("Hi", 2)
    assert [event for event in stage.events if isinstance(event, Notice)] == [
        Notice("http://127.0.0.1:1/v1 refused a setting: seed is left out"),
        Notice("the backend has no setting seed; 7 was left out"),
    ]
    sent = [effect.request.body for effect in stage.effects if isinstance(effect, Open)]
    assert [b"seed" in body for body in sent] == [True, False]
    assert all(b"temperature" in body for body in sent)
    stage = Stage([SSE, delta("Hi") + finish()], stage.records)
    stage.run(turn(evolve(asked, turn_id="t2"), journal))
    assert stage.kinds.count("Open") == 1


def test_another_refusal_is_an_error() -> None:
    with pytest.raises(BadRequest):
        Stage(refusal(400, b'{"error": {"message": "no such thing"}}')).run(turn(task(), Journal()))


def test_a_backend_that_has_tried_for_long_is_not_asked_again_after_a_refusal() -> None:
    parallax = get_provider("parallax", base_url="http://127.0.0.1:1")
    stage = Stage(refusal(429))
    with pytest.raises(RateLimited):
        stage.run(turn(task(line={"provider": parallax}), Journal()))
    assert stage.kinds.count("Open") == 1
    stage = Stage([ConnectError("refused"), SSE, delta("Hi") + finish()])
    assert stage.run(turn(task(line={"provider": parallax}), Journal())).text == "Hi"


# --- several backends


def lines(*changes: dict[str, Any]) -> tuple[Line, ...]:
    return tuple(
        Line(
            **{"provider": PROVIDER, "model": f"m{place}", "at": place, "retry": RetryPolicy(max_attempts=1), **change}
        )
        for place, change in enumerate(changes)
    )


def test_backends_are_tried_in_their_order() -> None:
    stage = Stage([*refusal(500), *refusal(503), SSE, delta("Hi") + finish()])
    reply = stage.run(turn(task(lines=lines({}, {}, {})), Journal()))
    assert reply.text == "Hi"
    assert [effect.at for effect in stage.effects if isinstance(effect, Open)] == [0, 1, 2]
    assert [segment.backend for segment in reply.segments] == ["openai/m0", "openai/m1", "openai/m2"]


def test_one_that_rests_is_tried_last() -> None:
    way = lines({}, {})
    asked = task(lines=way, fallback=Fallback(threshold=1, cool_down=10))
    stage = Stage([*refusal(500), SSE, delta("Hi") + finish()])
    stage.now = 100.0
    stage.run(turn(asked, Journal()))
    assert way[0].learnt.rests_until == 110.0
    for now, first in ((109.0, 1), (111.0, 0)):
        stage = Stage([SSE, delta("Hi") + finish()])
        stage.now = now
        stage.run(turn(asked, Journal()))
        assert [effect.at for effect in stage.effects if isinstance(effect, Open)] == [first]
    assert way[0].learnt.failures == 0


@pytest.mark.parametrize("after_output", ["continue", "stop"])
def test_a_call_that_was_cut_is_forgotten_by_the_next_backend(after_output: Any) -> None:
    """Nobody has seen it."""
    call = delta("", tool_calls=[{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{"}}])
    stage = Stage([SSE, call, ConnectionLost("gone"), SSE, delta("Hi") + finish()])
    asked = task(lines=lines({}, {}), fallback=Fallback(after_output=after_output))
    reply = stage.run(turn(asked, Journal()))
    assert (reply.text, reply.message.tool_calls) == ("Hi", ())


def test_thinking_that_broke_off_is_begun_anew_elsewhere_where_the_settings_say_so() -> None:
    broken = [SSE, delta("", reasoning="hm "), ConnectionLost("gone")]
    stage = Stage([*broken, SSE, delta("", reasoning="ah") + delta("Hi") + finish()])
    reply = stage.run(turn(task(lines=lines({}, {})), Journal()))
    assert (reply.text, reply.reasoning, reply.outcome) == ("Hi", "hm \n\nah", Outcome.COMPLETE)
    with pytest.raises(ConnectionLost) as caught:
        Stage(broken).run(turn(task(lines=lines({}, {}), fallback=Fallback(after_output="stop")), Journal()))
    assert caught.value.reply is not None
    assert caught.value.reply.reasoning == "hm "


def test_one_that_answers_rests_no_longer() -> None:
    way = lines({}, {})
    asked = task(lines=way, fallback=Fallback(threshold=1, cool_down=10))
    way[0].learnt.rests_until = 110.0
    stage = Stage([*refusal(500), SSE, delta("Hi") + finish()])
    stage.now = 100.0
    stage.run(turn(asked, Journal()))
    assert [effect.at for effect in stage.effects if isinstance(effect, Open)] == [1, 0]
    assert (way[0].learnt.rests_until, way[1].learnt.rests_until) == (0.0, 110.0)


def test_the_next_backend_goes_on_in_its_own_way() -> None:
    plain = OpenAIChat(base_url="http://127.0.0.1:1/v1")
    said = "The keeper climbs the stair and "
    stage = Stage([SSE, delta(said), ConnectionLost("gone"), SSE, delta(f"{said}lights the lamp.") + finish()])
    reply = stage.run(turn(task(lines=lines({}, {"provider": plain})), Journal()))
    assert reply.text == f"{said}lights the lamp."
    assert [segment.strategy for segment in reply.segments] == ["first", "echo"]


def test_a_connection_that_never_holds_is_an_error_in_the_end() -> None:
    settings = Continuation(on_disconnect="continue", max_attempts=2)
    once = {"retry": RetryPolicy(max_attempts=1)}
    broken = [[SSE, delta(f"This is part {number} of it. "), ConnectionLost("gone")] for number in range(4)]
    stage = Stage([step for each in broken for step in each])
    with pytest.raises(ConnectionLost) as caught:
        stage.run(turn(task(line=once, continuation=settings), Journal()))
    assert caught.value.reply is not None
    assert caught.value.reply.text == "This is part 0 of it. This is part 1 of it. This is part 2 of it. "
    assert caught.value.reply.outcome is Outcome.INTERRUPTED
    assert stage.kinds.count("Open") == 3


def test_the_clock_is_asked_only_where_time_is_limited() -> None:
    cut = [SSE, delta("Some words and ") + finish("length")]
    stage = Stage([*cut, *cut])
    stage.now = 50.0
    reply = stage.run(turn(task(continuation=Continuation(max_seconds=0)), Journal()))
    assert reply.reason == "the backend's limit of tokens; max_seconds=0 is reached"
    assert stage.kinds.count("Now") == 1


def test_a_failure_that_is_not_declared_does_not_count_against_a_backend() -> None:
    way = lines({}, {})
    with pytest.raises(BadRequest):
        Stage(refusal(400)).run(turn(task(lines=way, fallback=Fallback(threshold=1)), Journal()))
    assert (way[0].learnt.failures, way[0].learnt.rests_until) == (0, 0.0)


@pytest.mark.parametrize(
    ("raw", "cut"),
    [
        ('{"city": "Par', True),
        ('{"city": ', True),
        ('{"city": "Paris"', True),
        ('{"a": [1, 2', True),
        ("{city}", False),
        ('{"a": 1} and more', False),
        ("[1, 2]", False),
        ('{"a": NaN}', False),
        ("[" * 100_000, False),
    ],
)
def test_which_calls_are_cut(raw: str, cut: bool) -> None:
    assert is_cut(ToolCall.parse("c1", "f", raw)) is cut


def test_whole_calls_are_not_cut() -> None:
    assert not is_cut(ToolCall("c1", "f", {"a": 1}))
    assert not is_cut(ToolCall.parse("c1", "f", '{"a": 1}'))


def test_room_for_an_answer_is_made_within_what_the_backend_has() -> None:
    provider = evolve(PROVIDER, dialect=evolve(SIM, capabilities=evolve(SIM.capabilities, max_output=600)))
    thought = [SSE, delta("", reasoning="hm") + finish("length")]
    options = Options(max_tokens=500, reasoning_effort="none")
    stage = Stage([*thought, SSE, delta("Yes") + finish()])
    assert stage.run(turn(task(line={"provider": provider}, options=options), Journal())).text == "Yes"
    sent = [json.loads(effect.request.body) for effect in stage.effects if isinstance(effect, Open)]
    assert [(body["max_tokens"], body["reasoning_effort"]) for body in sent] == [(500, "none"), (600, "none")]


def test_room_for_an_answer_is_made_within_the_window() -> None:
    stage = Stage([SSE, delta("", reasoning="hm") + finish("length"), SSE, delta("Yes") + finish()])
    asked = task(line={"learnt": Learnt(window=3200)}, options=Options(max_tokens=900))
    assert stage.run(turn(asked, Journal())).text == "Yes"
    sent = [json.loads(effect.request.body)["max_tokens"] for effect in stage.effects if isinstance(effect, Open)]
    assert sent[0] == 900
    assert 2000 < sent[1] < 2500


def test_what_was_held_back_at_a_seam_is_kept_where_the_connection_breaks() -> None:
    stage = Stage([SSE, delta("Once upon a"), ConnectionLost("gone"), SSE, delta(" time th"), ConnectionLost("gone")])
    plain = OpenAIChat(base_url="http://127.0.0.1:1/v1")
    settings = Continuation(on_disconnect="continue", max_attempts=1)
    line = {"retry": RetryPolicy(max_attempts=1), "provider": plain}
    with pytest.raises(ConnectionLost) as caught:
        stage.run(turn(task(line=line, continuation=settings), Journal()))
    assert caught.value.reply is not None
    assert caught.value.reply.text == "Once upon a time th"
    assert "".join(event.text for event in stage.events if isinstance(event, TextDelta)) == "Once upon a time th"


@pytest.mark.parametrize(
    ("said", "outcome"), [("It stops in the middle of a wor", Outcome.TRUNCATED), ("It was whole.", Outcome.COMPLETE)]
)
def test_a_backend_that_falls_silent_after_a_cut_is_believed_where_the_text_looks_whole(
    said: str, outcome: Outcome
) -> None:
    stage = Stage([SSE, delta(said) + finish("length"), SSE, finish()])
    reply = stage.run(turn(task(), Journal()))
    assert (reply.text, reply.outcome) == (said, outcome)
    assert reply.reason == (
        None if outcome is Outcome.COMPLETE else "the backend has no more to say; the attempt added nothing"
    )


@pytest.mark.parametrize(
    ("failure", "known"),
    [
        (refusal(404), False),
        ([ConnectError("away")], False),
        (refusal(401), True),
    ],
)
def test_what_was_learnt_of_a_server_ends_where_it_is_gone(failure: list[object], known: bool) -> None:
    asked = task(line={"provider": ASKING, "model": "", "retry": RetryPolicy(max_attempts=1)})
    journal = Journal()
    Stage([JSON, b"served", b"", SSE, delta("Hi") + finish()]).run(turn(asked, journal))
    with pytest.raises(AgentKitError):
        Stage(failure, Stage(()).records).run(turn(evolve(asked, turn_id="t2"), Journal()))
    assert (asked.line.learnt.provider is not None, asked.line.learnt.window is not None) == (known, known)


def test_a_server_with_one_dialect_forgets_its_window_where_it_is_gone() -> None:
    asked = task(line={"learnt": Learnt(window=5120, asked=2), "retry": RetryPolicy(max_attempts=1)})
    with pytest.raises(ConnectError):
        Stage([ConnectError("away")]).run(turn(asked, Journal()))
    assert (asked.line.learnt.window, asked.line.learnt.asked) == (None, 0)


# --- summaries


def summarizing(**changes: Any) -> Any:
    return task(context=ContextPolicy(policy="summarize", max_pairs=1, keep=0.5), **changes)


def test_a_summary_that_fails_is_done_without() -> None:
    once = {"retry": RetryPolicy(max_attempts=1)}
    stage, journal = Stage([]), Journal()
    for number in range(3):
        broken = [ConnectionLost("gone")] if number == 2 else []
        stage.network = [*broken, SSE, delta(f"answer {number}") + finish()]
        stage.run(turn(summarizing(ask=f"question {number}", turn_id=f"t{number}", line=once), journal))
    assert [event for event in stage.events if isinstance(event, TextDelta)][-1] == TextDelta("answer 2")
    assert not any(isinstance(record, Summarized) for record in stage.records)


def test_a_summary_can_take_several_requests() -> None:
    def answering(request: ChatRequest) -> Rounds[None]:
        seen = yield from ask(GET)
        yield TextDelta(seen.body.decode())
        yield Finish(FinishReason.STOP)

    def told(**changes: Any) -> Any:
        return summarizing(line={"provider": Several(answering)}, **changes)

    stage, journal = Stage([]), Journal()
    for number in range(4):
        stage.network = [step for _ in range(2) for step in (JSON, b"said", b"")]
        stage.run(turn(told(ask=f"question {number}", turn_id=f"t{number}"), journal))
    assert any(isinstance(record, Summarized) and record.text == "said" for record in stage.records)

"""The turn, stepped by hand: which effects it asks for, in which order, and what it makes of each answer."""

from __future__ import annotations

import json

import pytest
from attrs import evolve
from stepping import PROVIDER, SSE, Journal, Rewind, Stage, delta, event, finish, task

from agentkit._engine.turn import turn
from agentkit._engine.undo import undo
from agentkit.continuation import Continuation
from agentkit.effects import Append, Brake, Open, Settle, Sleep, Stopped
from agentkit.errors import (
    AgentKitError,
    AuthError,
    ConnectError,
    ConnectionLost,
    ConversationBusy,
    InvalidInput,
    LimitExceeded,
    ProtocolError,
    ServerError,
    StoreError,
)
from agentkit.errors import TimeoutError as LimitReached
from agentkit.events import Notice, ReasoningDelta, Retrying, TextDelta, TurnFinished
from agentkit.messages import Message, Reasoning, Text, ToolCall, ToolResult, assistant, user
from agentkit.options import Limits, Options, RetryPolicy, Timeouts
from agentkit.provider import ResponseHead
from agentkit.providers.openai_chat import SIM, OpenAIChat
from agentkit.store import (
    Configured,
    Imported,
    PartialReply,
    Replied,
    Rewound,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnResumed,
    TurnStarted,
    UnknownRecord,
)
from agentkit.usage import FinishReason, Outcome, Usage

WHOLE = [SSE, delta("Hel"), delta("lo") + finish()]
OFF = Continuation(max_attempts=0)


def failing(status: int, body: bytes = b"{}", **headers: str) -> list[object]:
    return [ResponseHead(status, {"content-type": "application/json", **headers}), body, b""]


def test_the_question_is_stored_before_the_request_and_the_reply_before_the_turn_ends() -> None:
    stage, journal = Stage(WHOLE), Journal()
    reply = stage.run(turn(task(), journal))
    assert stage.kinds == ["Acquire", "Append", "Keep", "Open", "Read", "Read", "Close", "Append", "Release"]
    assert [type(record) for record in stage.records] == [TurnStarted, Replied, TurnEnded]
    assert stage.events == [TextDelta("Hel"), TextDelta("lo"), TurnFinished(reply)]
    assert (reply.text, str(reply), reply.outcome) == ("Hello", "Hello", Outcome.COMPLETE)
    assert journal.messages == (user("hello"), reply.message)
    assert [effect.durable for effect in stage.effects if isinstance(effect, Append)] == [False, True]


def test_the_usage_of_the_backend_is_kept_and_a_missing_one_is_estimated() -> None:
    usage = event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}})
    done = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    stage, journal = Stage([SSE, delta("Hello there") + done + usage + b"data: [DONE]\n\n", *WHOLE]), Journal()
    first = stage.run(turn(task(), journal))
    second = stage.run(turn(task(turn_id="t2"), journal))
    assert first.usage == Usage(7, 2, requests=1)
    assert second.usage == Usage(19, 1, requests=1, estimated=True)
    assert journal.usage == first.usage + second.usage


@pytest.mark.parametrize(
    ("reason", "outcome", "finished"),
    [
        ("stop", Outcome.COMPLETE, FinishReason.STOP),
        ("length", Outcome.TRUNCATED, FinishReason.LENGTH),
        ("content_filter", Outcome.FILTERED, FinishReason.FILTERED),
        ("mystery", Outcome.COMPLETE, FinishReason.UNKNOWN),
    ],
)
def test_the_outcome_follows_the_finish_reason(reason: str, outcome: Outcome, finished: FinishReason) -> None:
    reply = Stage([SSE, delta("x") + finish(reason)]).run(turn(task(continuation=OFF), Journal()))
    assert (reply.outcome, reply.finish_reason) == (outcome, finished)
    assert reply.message.meta["openai"]["finish_reason"] == reason


def test_a_backend_that_gives_up_is_an_error_with_the_partial() -> None:
    stage, journal = Stage([SSE, delta("half") + finish("abort")]), Journal()
    with pytest.raises(ServerError, match="'abort'") as caught:
        stage.run(turn(task(), journal))
    assert caught.value.reply is not None
    assert (caught.value.reply.text, caught.value.reply.outcome) == ("half", Outcome.INTERRUPTED)


@pytest.mark.parametrize("cause", [Stopped(), KeyboardInterrupt(), SystemExit(), RuntimeError("a bug")])
def test_whatever_ends_a_turn_early_what_was_shown_is_committed(cause: BaseException) -> None:
    stage, journal = Stage([SSE, delta("Hel") + delta("lo") + finish()]), Journal()
    flow = turn(task(), journal)
    if isinstance(cause, Stopped):
        reply = stage.run(flow, stop_after=1, throw=cause)
        assert reply.outcome is Outcome.INTERRUPTED
        assert stage.events[-1] == TurnFinished(reply)
    else:
        with pytest.raises(type(cause)):
            stage.run(flow, stop_after=1, throw=cause)
    assert stage.kinds[-3:] == ["Close", "Append", "Release"]
    assert journal.messages[-1].text == "Hel"
    assert journal.messages[-1].interrupted
    assert journal.running is None


def test_a_stop_at_the_last_event_changes_nothing() -> None:
    stage, journal = Stage(WHOLE), Journal()
    reply = stage.run(turn(task(), journal), stop_after=3, throw=Stopped())
    assert (reply.text, reply.outcome) == ("Hello", Outcome.COMPLETE)


def test_a_stop_while_waiting_for_the_right_to_write_leaves_no_trace() -> None:
    stage = Stage(busy=1)
    flow = turn(task(), Journal())
    for _ in range(2):
        step = next(flow) if not stage.effects else flow.send(stage.answer(stage.effects[-1]))
        stage.effects.append(step)  # type: ignore[arg-type]
    assert isinstance(stage.effects[-1], Sleep)
    assert type(flow.throw(Stopped())).__name__ == "Release"
    finished = flow.send(None)
    assert isinstance(finished, TurnFinished)
    assert (finished.reply.outcome, finished.reply.messages) == (Outcome.INTERRUPTED, ())
    assert stage.records == []


def test_a_broken_connection_keeps_the_partial_and_the_next_turn_works() -> None:
    stage, journal = Stage([SSE, delta("ten words"), ConnectionLost("gone"), *WHOLE]), Journal()
    with pytest.raises(ConnectionLost) as caught:
        stage.run(turn(task(), journal))
    assert caught.value.reply is not None
    assert (caught.value.reply.text, caught.value.reply.outcome) == ("ten words", Outcome.INTERRUPTED)
    assert caught.value.reply.error is caught.value
    assert isinstance(stage.events[-1], TurnFinished)
    stage.run(turn(task("again", turn_id="t2"), journal))
    assert [message.text for message in journal.messages] == ["hello", "ten words", "again", "Hello"]


def test_a_stream_that_ends_early_is_never_a_success() -> None:
    with pytest.raises(ProtocolError) as caught:
        Stage([SSE, delta("half"), b""]).run(turn(task(), Journal()))
    assert caught.value.reply is not None
    assert caught.value.reply.text == "half"


def test_nothing_received_at_all_is_a_failure_and_the_question_stays() -> None:
    journal = Journal()
    stage = Stage(failing(401, b'{"error": {"message": "bad key"}}'))
    with pytest.raises(AuthError, match="bad key") as caught:
        stage.run(turn(task(), journal))
    assert caught.value.reply is not None
    assert (caught.value.reply.outcome, caught.value.reply.message.parts) == (Outcome.FAILED, ())
    assert journal.messages == (user("hello"),)
    ended = stage.records[-1]
    assert isinstance(ended, TurnEnded)
    assert ended.failure is not None
    assert (ended.failure.kind, ended.failure.facts["status"]) == ("AuthError", 401)


def test_what_never_reached_the_backend_or_was_refused_for_now_is_sent_again() -> None:
    stage = Stage([ConnectError("refused"), *failing(429, **{"retry-after": "3"}), *failing(503), *WHOLE])
    reply = stage.run(turn(task(), Journal()))
    retries = [event for event in stage.events if isinstance(event, Retrying)]
    sleeps = [effect.seconds for effect in stage.effects if isinstance(effect, Sleep)]
    assert [retry.attempt for retry in retries] == [1, 2, 3]
    assert sleeps == [retry.delay for retry in retries]
    assert sleeps[1] == 3.0
    assert [effect.seconds for effect in stage.effects if isinstance(effect, Brake)] == [3.0]
    assert (reply.text, reply.usage.requests) == ("Hello", 4)


def test_the_last_real_error_is_raised_with_what_the_backend_said() -> None:
    answers = [*failing(503, b'{"error": {"message": "busy", "code": "overloaded", "type": "server"}}')] * 3
    with pytest.raises(ServerError, match="busy") as caught:
        Stage(answers).run(turn(task(line={"retry": RetryPolicy(max_attempts=3)}), Journal()))
    assert (caught.value.status, caught.value.code, caught.value.type) == (503, "overloaded", "server")
    assert "overloaded" in caught.value.body


@pytest.mark.parametrize(
    "trouble",
    [
        [ConnectionLost("after the request went out")],
        [LimitReached("no answer", phase="first_byte")],
        failing(400),
        failing(500),
        failing(429, **{"retry-after": "86400"}),
    ],
)
def test_what_may_have_been_executed_or_cannot_get_better_is_not_repeated(trouble: list[object]) -> None:
    stage = Stage(trouble)
    with pytest.raises(AgentKitError):
        stage.run(turn(task(), Journal()))
    assert stage.kinds.count("Open") == 1


def test_after_output_was_shown_nothing_is_repeated() -> None:
    error = event({"error": {"message": "overloaded", "code": 503}})
    stage = Stage([SSE, delta("half") + error])
    with pytest.raises(AgentKitError) as caught:
        stage.run(turn(task(), Journal()))
    assert stage.kinds.count("Open") == 1
    assert caught.value.reply is not None
    assert caught.value.reply.text == "half"


def test_a_long_refusal_is_read_in_part_and_a_broken_one_as_far_as_it_came() -> None:
    endless = [ResponseHead(400, {"content-type": "text/plain"}), *[b"x" * 40_000] * 2]
    with pytest.raises(AgentKitError) as caught:
        Stage(endless).run(turn(task(), Journal()))
    assert isinstance(caught.value, AgentKitError)
    broken = [ResponseHead(400, {"content-type": "text/plain"}), b"because", ConnectionLost("gone")]
    with pytest.raises(AgentKitError, match="because"):
        Stage(broken).run(turn(task(), Journal()))


def test_comments_for_ever_end_at_the_idle_limit_and_content_resets_it() -> None:
    limits = Timeouts(idle=10, first_byte=20)
    beats = [(b": ping\n\n", float(now)) for now in range(9, 40, 9)]
    stage = Stage(
        [(SSE, 0.0), (delta("a"), 18.0), (delta("b"), 27.0), *[(b": x\n\n", 30.0 + i) for i in range(0, 12, 3)]]
    )
    with pytest.raises(LimitReached, match="10 seconds") as caught:
        stage.run(turn(task(line={"timeouts": limits}), Journal()))
    assert caught.value.phase == "idle"
    assert caught.value.reply is not None
    assert caught.value.reply.text == "ab"
    with pytest.raises(LimitReached, match="20 seconds"):
        Stage([(SSE, 0.0), *beats]).run(turn(task(line={"timeouts": limits}), Journal()))
    patient = Stage([(SSE, 0.0), *beats, (delta("late") + finish(), 99.0)])
    without = Timeouts(idle=None, first_byte=None)
    assert patient.run(turn(task(line={"timeouts": without}), Journal())).text == "late"


def test_a_whole_reply_that_comes_slowly_is_content() -> None:
    body = b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}'
    head = ResponseHead(200, {"content-type": "application/json"})
    pieces = [(bytes([byte]), 1.0 + place) for place, byte in enumerate(body)]
    stage = Stage([(head, 0.0), *pieces, (b"", 90.0)])
    assert stage.run(turn(task(line={"timeouts": Timeouts(idle=2)}), Journal())).text == "Hi"


@pytest.mark.parametrize("limits", [Limits(max_reply_chars=5), Limits(max_reply_bytes=1024)])
def test_an_answer_without_end_meets_a_limit(limits: Limits) -> None:
    stage = Stage([SSE, *[delta("word " * 50)] * 100])
    with pytest.raises(LimitExceeded, match="max_reply") as caught:
        stage.run(turn(task(line={"limits": limits}), Journal()))
    assert caught.value.reply is not None
    assert caught.value.reply.text.startswith("word ")


def test_a_reply_whose_end_is_lost_behind_its_finish_is_whole() -> None:
    done = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    for echoes in (False, True):
        dead = [TurnStarted("t1", user("hello")), PartialReply("t1", "Hello ")] if echoes else []
        stage = Stage([SSE, delta("Hello there") + done, ConnectionLost("reset behind the finish")], dead)
        reply = stage.run(turn(task(), Journal()))
        assert (reply.text, reply.outcome) == ("Hello there", Outcome.COMPLETE)


def test_a_rate_limit_is_asked_before_each_request() -> None:
    stage = Stage(WHOLE)
    stage.run(turn(task(line={"rate_limited": True}, options=Options(max_tokens=100)), Journal()))
    assert stage.kinds.index("Reserve") < stage.kinds.index("Open")
    usage = event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}})
    done = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    known = Stage([SSE, delta("x") + done + usage + b"data: [DONE]\n\n"])
    known.run(turn(task(line={"rate_limited": True}), Journal()))
    assert [effect.actual for effect in known.effects if isinstance(effect, Settle)] == [9]

    class Full(Stage):
        def answer(self, effect: object) -> object:
            return super().answer(effect) if type(effect).__name__ != "Reserve" else 2.5  # type: ignore[arg-type]

    full = Full(WHOLE)
    full.run(turn(task(line={"rate_limited": True}), Journal()))
    assert Sleep(2.5) in full.effects


def test_reasoning_is_kept_apart_and_in_front() -> None:
    stage = Stage([SSE, delta("", reasoning_content="hm "), delta("Yes") + finish()])
    reply = stage.run(turn(task(), Journal()))
    assert stage.events[:2] == [ReasoningDelta("hm "), TextDelta("Yes")]
    assert reply.message.parts == (Reasoning("hm "), Text("Yes"))
    assert (reply.reasoning, reply.tool_results) == ("hm ", ())


def test_tool_calls_are_part_of_the_message_and_cut_ones_are_not() -> None:
    call = {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "rain", "arguments": '{"city": "Oslo"}'}}]}
    cut = {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "rain", "arguments": '{"city": "Os'}}]}
    reply = Stage([SSE, delta("", **call) + finish("tool_calls")]).run(turn(task(), Journal()))
    assert reply.message.tool_calls == (ToolCall("a", "rain", {"city": "Oslo"}, raw='{"city": "Oslo"}'),)
    cut_reply = Stage([SSE, delta("", **cut) + finish("length")]).run(turn(task(continuation=OFF), Journal()))
    assert (cut_reply.message.tool_calls, cut_reply.outcome) == ((), Outcome.TRUNCATED)


def test_notices_of_the_request_and_of_the_answer_reach_the_caller() -> None:
    stage = Stage([SSE, b"data: \xff\n\n" + delta("x") + finish()])
    with pytest.raises(AgentKitError):
        stage.run(turn(task(), Journal()))
    stage = Stage([SSE, event({"choices": [], "usage": {"prompt_tokens": -1}}) + delta("x") + finish()])
    stage.run(turn(task(), Journal()))
    assert any(isinstance(event, Notice) for event in stage.events)


# --- the right to write


def test_a_busy_conversation_is_waited_for() -> None:
    stage = Stage(WHOLE, busy=3)
    stage.run(turn(task(), Journal()))
    assert stage.kinds[:7] == ["Acquire", "Sleep", "Acquire", "Sleep", "Acquire", "Sleep", "Acquire"]
    waits = [effect.seconds for effect in stage.effects if isinstance(effect, Sleep)]
    assert waits == sorted(waits)


def test_a_busy_conversation_may_be_refused_before_anything_is_sent() -> None:
    for changes in ({"on_busy": "reject"}, {"line": {"limits": Limits(max_wait=0.0)}}):
        stage = Stage(WHOLE, busy=3)
        with pytest.raises(ConversationBusy, match="'c'") as caught:
            stage.run(turn(task(**changes), Journal()))
        assert "Open" not in stage.kinds
        assert stage.kinds[-1] == "Release"
        assert caught.value.reply is not None
        assert caught.value.reply.outcome is Outcome.FAILED


def test_a_busy_conversation_may_be_interrupted() -> None:
    stage = Stage(WHOLE, busy=2)
    stage.run(turn(task(on_busy="interrupt"), Journal()))
    assert stage.kinds.count("Interrupt") == 2


def test_a_busy_conversation_may_be_forked_from_before_the_running_turn() -> None:
    before = [TurnStarted("t0", user("one")), Replied("t0", assistant("1")), TurnEnded("t0", Outcome.COMPLETE)]
    stage = Stage(WHOLE, [*before, TurnStarted("t1x", user("running"))], busy=1)
    mine = Journal()
    reply = stage.run(turn(task(on_busy="fork"), mine))
    assert reply.conversation == "c-fork"
    assert stage.records[:3] == before
    assert [type(record) for record in stage.records[3:]] == [TurnStarted, Replied, TurnEnded]
    assert mine.version == 0
    with pytest.raises(ConversationBusy):
        Stage(WHOLE, before, busy=2).run(turn(task(on_busy="fork"), Journal()))


def test_what_others_wrote_meanwhile_is_known_before_the_turn_begins() -> None:
    others = [TurnStarted("t0", user("one")), Replied("t0", assistant("1")), TurnEnded("t0", Outcome.COMPLETE)]
    stage, journal = Stage(WHOLE, others), Journal()
    stage.run(turn(task(), journal))
    sent = next(effect for effect in stage.effects if isinstance(effect, Open)).request.body
    assert b'"one"' in sent
    assert b'"hello"' in sent
    assert journal.version == 6
    journal.replay(stage.entries())
    assert len(journal.messages) == 4


# --- beginnings


def test_instructions_and_given_messages_open_a_conversation_once() -> None:
    given = (user("before"), assistant("then"))
    stage, journal = Stage([*WHOLE, *WHOLE, *WHOLE]), Journal()
    stage.run(turn(task(system="Be brief.", imports=given), journal))
    stage.run(turn(task(turn_id="t2", system="Be brief.", imports=given), journal))
    stage.run(turn(task(turn_id="t3", system="Be long."), journal))
    kinds = [type(record) for record in stage.records]
    assert kinds[:3] == [Imported, Configured, TurnStarted]
    assert (kinds.count(Imported), kinds.count(Configured)) == (1, 2)
    assert journal.system == "Be long."
    body = next(effect for effect in stage.effects if isinstance(effect, Open)).request.body
    assert body.index(b"Be brief.") < body.index(b"before") < body.index(b"hello")
    with pytest.raises(InvalidInput, match="another history"):
        stage.run(turn(task(turn_id="t4", imports=(user("else"),)), journal))


def test_a_turn_left_open_by_a_dead_process_is_closed_as_interrupted() -> None:
    dead = [TurnStarted("t0", user("one")), PartialReply("t0", "so f", "hm"), PartialReply("t0", "ar")]
    journal = Journal()
    journal.replay(Stage((), dead).entries())
    assert [message.text for message in journal.messages] == ["one", "so far"]
    assert journal.messages[-1].interrupted
    assert journal.messages[-1].reasoning == "hm"
    stage = Stage(WHOLE, dead)
    stage.run(turn(task(), journal))
    assert stage.records[3] == TurnEnded("t0", Outcome.INTERRUPTED)
    assert [message.text for message in journal.messages] == ["one", "so far", "hello", "Hello"]


def test_the_same_turn_id_never_runs_twice() -> None:
    stage, journal = Stage(WHOLE), Journal()
    first = stage.run(turn(task(), journal))
    stage.events.clear()
    again = stage.run(turn(task(), journal))
    assert again == first
    assert stage.events == [TextDelta("Hello"), TurnFinished(again)]
    assert stage.kinds.count("Open") == 1
    with pytest.raises(InvalidInput, match="another question"):
        stage.run(turn(task("other words"), journal))
    stopped = stage.run(turn(task(), journal), stop_after=len(stage.events) + 1, throw=Stopped())
    assert stopped == first


def test_an_empty_reply_is_told_again_as_it_was() -> None:
    stage, journal = Stage([SSE, finish()]), Journal()
    first = stage.run(turn(task(), journal))
    stage.events.clear()
    assert stage.run(turn(task(), journal)) == first
    assert stage.events == [TurnFinished(first)]
    assert (first.text, first.outcome) == ("", Outcome.COMPLETE)


def test_the_same_turn_id_finishes_what_was_interrupted() -> None:
    dead = [TurnStarted("t1", user("hello")), PartialReply("t1", "Hel")]
    stage = Stage([SSE, delta("lo") + finish()], dead)
    reply = stage.run(turn(task(), Journal()))
    assert (reply.text, reply.outcome) == ("Hello", Outcome.COMPLETE)


def test_an_interrupted_turn_that_is_not_the_last_one_keeps_its_reply() -> None:
    old = [
        TurnStarted("t1", user("hello")),
        Replied("t1", assistant("Hel").with_meta("agentkit", interrupted=True)),
        TurnEnded("t1", Outcome.INTERRUPTED),
        Imported((user("later"),)),
    ]
    stage = Stage((), old)
    reply = stage.run(turn(task(), Journal()))
    assert (reply.text, reply.outcome) == ("Hel", Outcome.INTERRUPTED)


# --- resume, retry, edit, undo


def test_resume_goes_on_where_the_reply_stopped() -> None:
    stage, journal = Stage([SSE, delta("Hel"), ConnectionLost("gone"), SSE, delta("lo") + finish()]), Journal()
    with pytest.raises(ConnectionLost):
        stage.run(turn(task(), journal))
    stage.events.clear()
    reply = stage.run(turn(task(None, turn_id="other"), journal))
    assert (reply.text, reply.turn_id, reply.outcome) == ("Hello", "t1", Outcome.COMPLETE)
    assert stage.events == [TextDelta("Hel"), TextDelta("lo"), TurnFinished(reply)]
    assert [(part.start, part.end, part.strategy) for part in reply.segments] == [(0, 3, "first"), (3, 5, "native")]
    assert [message.text for message in journal.messages] == ["hello", "Hello"]
    assert TurnResumed("t1") in stage.records
    body = [effect for effect in stage.effects if isinstance(effect, Open)][-1].request.body
    assert body.index(b'"Hel"') > body.index(b'"hello"')


def test_resume_strips_what_the_backend_repeats() -> None:
    dead = [TurnStarted("t1", user("hello")), PartialReply("t1", "The quick brown ", "I th")]
    for answer in (
        delta("The quick brown fox") + finish(),
        delta("The qu") + delta("ick brown") + delta(" fox") + finish(),
        delta("", reasoning="I th") + delta("The quick brown ") + delta("fox") + finish(),
    ):
        reply = Stage([SSE, answer], dead).run(turn(task(None), Journal()))
        assert reply.text == "The quick brown fox"


def test_thinking_goes_on_without_what_is_repeated() -> None:
    dialect = evolve(SIM, capabilities=evolve(SIM.capabilities, repeats_prefix=True))
    line = {"provider": OpenAIChat(base_url="http://127.0.0.1:1/v1", dialect=dialect)}
    dead = [TurnStarted("t1", user("hello")), PartialReply("t1", "The quick brown ", "I th")]
    answer = delta("", reasoning="I th" + "ink") + delta("The quick brown fox") + finish()
    reply = Stage([SSE, answer], dead).run(turn(task(None, line=line), Journal()))
    assert (reply.text, reply.reasoning) == ("The quick brown fox", "I think")


def test_resume_begins_anew_where_there_is_no_text_to_go_on_from() -> None:
    thinking = [TurnStarted("t1", user("hello")), PartialReply("t1", "", "only thoughts")]
    reply = Stage(WHOLE, thinking).run(turn(task(None), Journal()))
    assert (reply.text, reply.reasoning, reply.segments[-1].strategy) == ("Hello", "", "restart")
    failed = [TurnStarted("t1", user("hello")), TurnEnded("t1", Outcome.FAILED)]
    assert Stage(WHOLE, failed).run(turn(task(None), Journal())).text == "Hello"


PLAIN = OpenAIChat(base_url="http://127.0.0.1:1/v1")
"""A backend that cannot go on from where a reply stopped."""


def test_what_a_backend_cannot_go_on_from_is_asked_for_in_words() -> None:
    dead = [TurnStarted("t1", user("hello")), PartialReply("t1", "The keeper climbs the stair and ")]
    quote = "The keeper climbs the stair and "
    stage, journal = Stage([SSE, delta(quote + "lights") + delta(" the lamp.") + finish()], dead), Journal()
    reply = stage.run(turn(task(None, line={"provider": PLAIN}), journal))
    assert (reply.text, reply.segments[-1].strategy) == ("The keeper climbs the stair and lights the lamp.", "echo")
    sent = json.loads(next(effect.request.body for effect in stage.effects if isinstance(effect, Open)))
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
    assert sent["messages"][2]["content"].endswith(f"\n\n{quote}")
    assert [message.text for message in journal.messages] == ["hello", reply.text]


def test_a_process_killed_while_a_reply_is_begun_anew_leaves_the_longer_one() -> None:
    before = [TurnStarted("t1", user("hello")), PartialReply("t1", "one two"), TurnEnded("t1", Outcome.INTERRUPTED)]
    again = TurnResumed("t1", anew=True)
    for more, kept in (("four", "one two"), ("four five six", "four five six")):
        journal = Journal()
        journal.replay(Stage((), [*before, again, PartialReply("t1", more)]).entries())
        assert [message.text for message in journal.messages] == ["hello", kept]
        journal.apply(TurnEnded("t1", Outcome.INTERRUPTED))
        assert [message.text for message in journal.messages] == ["hello", kept]


def test_a_resumed_reply_is_asked_for_again_while_nothing_new_was_shown() -> None:
    dead = [TurnStarted("t1", user("hello")), PartialReply("t1", "Hello ")]
    half = [SSE, delta("Hel"), ConnectError("odd, but before anything was shown")]
    stage = Stage([*failing(429), *half, SSE, delta("Hello there") + finish()], dead)
    assert stage.run(turn(task(None), Journal())).text == "Hello there"
    assert stage.kinds.count("Open") == 3


def test_empty_instructions_remove_the_stored_ones() -> None:
    stage, journal = Stage([*WHOLE, *WHOLE, *WHOLE]), Journal()
    stage.run(turn(task(system="Be brief."), journal))
    stage.run(turn(task(turn_id="t2", system=""), journal))
    stage.run(turn(task(turn_id="t3", system=""), journal))
    assert journal.system is None
    assert stage.records.count(Configured(None)) == 1


def test_resume_of_a_finished_turn_is_its_reply_and_of_nothing_an_error() -> None:
    stage, journal = Stage(WHOLE), Journal()
    first = stage.run(turn(task(), journal))
    assert stage.run(turn(task(None, turn_id="other"), journal)) == first
    with pytest.raises(InvalidInput, match="no turn to resume"):
        Stage().run(turn(task(None), Journal()))


def test_a_reply_cut_by_its_limit_can_be_resumed() -> None:
    stage, journal = Stage([SSE, delta("Hel") + finish("length"), SSE, delta("lo") + finish()]), Journal()
    stage.run(turn(task(), journal))
    assert stage.run(turn(task(None, turn_id="x"), journal)).text == "Hello"
    assert [message.text for message in journal.messages] == ["hello", "Hello"]


def test_a_failed_resume_keeps_what_there_was() -> None:
    dead = [TurnStarted("t1", user("hello")), PartialReply("t1", "Hel")]
    stage, journal = Stage([SSE, delta("l"), ConnectionLost("again")], dead), Journal()
    with pytest.raises(ConnectionLost) as caught:
        stage.run(turn(task(None), journal))
    assert caught.value.reply is not None
    assert caught.value.reply.text == "Hell"
    assert journal.messages[-1].text == "Hell"
    refused = Stage([*failing(400)], dead)
    other = Journal()
    with pytest.raises(AgentKitError) as caught:
        refused.run(turn(task(None), other))
    assert caught.value.reply is not None
    assert caught.value.reply.text == "Hel"


def test_retry_and_edit_leave_the_old_branch_in_the_journal() -> None:
    stage, journal = Stage([*WHOLE, SSE, delta("Other") + finish(), SSE, delta("Third") + finish()]), Journal()
    stage.run(turn(task(), journal))
    stage.run(turn(task(None, turn_id="t2", rewind=Rewind()), journal))
    assert [message.text for message in journal.messages] == ["hello", "Other"]
    stage.run(turn(task("new words", turn_id="t3", rewind=Rewind(index=0)), journal))
    assert [message.text for message in journal.messages] == ["new words", "Third"]
    assert [type(record) for record in stage.records].count(Rewound) == 2
    assert len(stage.records) == 11


@pytest.mark.parametrize(("index", "match"), [(1, "of the assistant"), (7, "no message 7"), (-3, "no message -3")])
def test_only_a_message_of_the_user_can_be_edited(index: int, match: str) -> None:
    stage, journal = Stage(WHOLE), Journal()
    stage.run(turn(task(), journal))
    with pytest.raises(InvalidInput, match=match):
        stage.run(turn(task("x", turn_id="t2", rewind=Rewind(index=index)), journal))


def test_undo_takes_back_the_last_exchange() -> None:
    stage, journal = Stage([*WHOLE, *WHOLE]), Journal()
    stage.run(turn(task(), journal))
    stage.run(turn(task("two", turn_id="t2"), journal))
    dropped = stage.run(undo(task(None), journal)).messages
    assert [message.text for message in dropped] == ["two", "Hello"]
    assert [message.text for message in journal.messages] == ["hello", "Hello"]
    assert journal.last_turn is journal.turns["t1"]
    fresh = Journal()
    stage = Stage()
    with pytest.raises(InvalidInput, match="no message of the user"):
        stage.run(undo(task(None, system="s"), fresh))
    assert fresh.system == "s"


# --- stores that fail


def test_a_store_that_fails_at_the_start_means_no_request() -> None:
    stage = Stage(WHOLE)

    def refuse(append: Append) -> None:
        raise StoreError("disk full")

    stage.on_append = refuse
    with pytest.raises(StoreError) as caught:
        stage.run(turn(task(), Journal()))
    assert "Open" not in stage.kinds
    assert stage.kinds[-1] == "Release"
    assert caught.value.reply is not None


def test_a_store_that_fails_at_the_end_is_the_error_and_the_reply_is_on_it() -> None:
    stage, journal = Stage(WHOLE), Journal()

    def refuse(append: Append) -> None:
        if append.durable:
            raise StoreError("disk full")

    stage.on_append = refuse
    with pytest.raises(StoreError) as caught:
        stage.run(turn(task(), journal))
    assert caught.value.reply is not None
    assert caught.value.reply.text == "Hello"
    assert caught.value.reply.messages == (user("hello"), caught.value.reply.message)


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), Stopped()])
def test_an_interruption_of_the_commit_itself_repeats_it(cause: BaseException) -> None:
    stage, journal, hits = Stage(WHOLE), Journal(), [cause]

    def interrupt(append: Append) -> None:
        if append.durable and hits:
            raise hits.pop()

    stage.on_append = interrupt
    flow = turn(task(), journal)
    if isinstance(cause, Stopped):
        assert stage.run(flow).text == "Hello"
    else:
        with pytest.raises(KeyboardInterrupt):
            stage.run(flow)
    assert [type(record) for record in stage.records] == [TurnStarted, Replied, TurnEnded]
    assert stage.kinds[-1] == "Release"


def test_a_journal_that_was_torn_is_read_anew_and_not_written_again() -> None:
    stage, journal = Stage([*WHOLE, *WHOLE]), Journal()

    class Torn(Journal):
        def advance(self, version: int) -> None:
            if self.history[-1].role == "assistant":
                raise KeyboardInterrupt
            super().advance(version)

    torn = Torn()
    with pytest.raises(KeyboardInterrupt):
        stage.run(turn(task(), torn))
    assert [type(record) for record in stage.records] == [TurnStarted, Replied, TurnEnded]
    journal.torn, journal.version = True, 99
    stage.run(turn(task("again", turn_id="t2"), journal))
    assert [message.text for message in journal.messages] == ["hello", "Hello", "again", "Hello"]


@pytest.mark.parametrize("policy", ["reject", "fork"])
def test_a_turn_that_is_sent_twice_waits_for_itself(policy: str) -> None:
    running = [TurnStarted("t1", user("hello"))]
    stage = Stage([SSE, delta("Hello") + finish()], running, busy=2)
    reply = stage.run(turn(task(named=True, on_busy=policy), Journal()))
    assert (reply.text, reply.conversation) == ("Hello", "c")
    assert "Divert" not in stage.kinds
    silent = Stage(WHOLE, busy=1)
    assert silent.run(turn(task(named=True, on_busy=policy), Journal())).text == "Hello"
    assert silent.kinds.count("Look") == 1


# --- the projection


def test_records_of_unknown_turns_and_kinds_are_passed_over() -> None:
    journal = Journal()
    strangers = [
        PartialReply("nobody", "x"),
        UnknownRecord({"type": "hologram"}),
        TurnStarted("t", user("q")),
        ToolStarted("t", "a"),
        ToolFinished("t", ToolResult("a", "rain")),
        TurnEnded("t", Outcome.COMPLETE),
    ]
    journal.replay(Stage((), strangers).entries())
    assert [message.role for message in journal.messages] == ["user"]
    assert journal.turns["t"].last_reply() == Message("assistant", ())


def test_a_message_that_called_tools_is_not_taken_apart_by_resume() -> None:
    called = Message("assistant", (ToolCall("a", "rain"),))
    records = [
        TurnStarted("t1", user("q")),
        Replied("t1", called),
        TurnEnded("t1", Outcome.FAILED),
        TurnResumed("t1"),
    ]
    journal = Journal()
    journal.replay(Stage((), records).entries())
    assert journal.messages == (user("q"), called)
    assert journal.running is journal.turns["t1"]
    assert PROVIDER.name == "openai"

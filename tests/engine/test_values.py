"""The pure parts of the engine: history, repair, backoff, the builder and the seam, by example and by property."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit._engine.accumulate import Builder
from agentkit._engine.backoff import delay_before_retry
from agentkit._engine.history import UNANSWERED, History, repair
from agentkit._engine.seam import Joint, Native
from agentkit.errors import (
    AgentKitError,
    ConnectError,
    ConnectionLost,
    InvalidInput,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    ServerError,
    StoreError,
)
from agentkit.errors import TimeoutError as LimitReached
from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.messages import (
    Media,
    Message,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    message,
    system,
    user,
    well_formed,
)
from agentkit.options import Limits, Options, RetryPolicy, Timeouts
from agentkit.provider import CallDelta, Chunk, Details, Finish
from agentkit.store import PartialReply
from agentkit.usage import FinishReason, Usage

CALL = Message("assistant", (ToolCall("a", "rain", {"city": "Oslo"}), ToolCall("b", "wind")))


def answers(*ids: str) -> Message:
    return Message("tool", tuple(ToolResult(call_id, "ok") for call_id in ids))


def lost(call_id: str) -> Message:
    return Message("tool", (ToolResult(call_id, UNANSWERED, is_error=True),))


@pytest.mark.parametrize(
    ("history", "sent"),
    [
        ([user("q"), CALL, answers("a", "b"), assistant("x")], [user("q"), CALL, answers("a", "b"), assistant("x")]),
        ([CALL, answers("a"), answers("b")], [CALL, answers("a"), answers("b")]),
        ([CALL, answers("a"), assistant("x")], [CALL, answers("a"), lost("b"), assistant("x")]),
        ([CALL, user("next")], [CALL, lost("a"), lost("b"), user("next")]),
        ([CALL], [CALL, lost("a"), lost("b")]),
        ([answers("z"), user("q")], [user("q")]),
        ([CALL, answers("a", "z", "b"), user("q")], [CALL, answers("a", "b"), user("q")]),
        ([CALL, answers("a", "a", "b")], [CALL, answers("a", "b")]),
        ([CALL, user("q"), answers("a")], [CALL, lost("a"), lost("b"), user("q")]),
    ],
    ids=["whole", "apart", "H1", "H2", "last", "H3", "stranger", "twice", "late"],
)
def test_a_history_is_repaired_before_it_is_sent(history: list[Message], sent: list[Message]) -> None:
    assert repair(history) == sent


ids = st.sampled_from("abcd")
calls = st.builds(
    lambda names: Message("assistant", tuple(ToolCall(name, "f") for name in names)), st.sets(ids, min_size=1)
)
results = st.builds(lambda names: answers(*names), st.lists(ids, min_size=1, max_size=3))
histories = st.lists(st.one_of(calls, results, st.just(user("q")), st.just(assistant("x"))), max_size=12)


@given(histories)
def test_repair_makes_any_history_valid_and_leaves_a_valid_one_alone(history: list[Message]) -> None:
    repaired = repair(history)
    assert repair(repaired) == repaired
    waiting: list[str] = []
    for each in repaired:
        if each.role == "tool":
            for part in each.parts:
                assert isinstance(part, ToolResult)
                waiting.remove(part.call_id)
        else:
            assert not waiting
            waiting = [call.id for call in each.tool_calls]
    assert not waiting
    said = [[each.text for each in messages if each.role != "tool"] for messages in (repaired, history)]
    assert said[0] == said[1]
    used = [call.id for each in repaired for call in each.tool_calls]
    assert len(used) == len(set(used)), "no id stands for two calls"


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), max_size=12))
def test_a_history_is_a_value(steps: list[tuple[int, int]]) -> None:
    lines: list[tuple[History, list[Message]]] = [(History(), [])]
    for number, (keep, add) in enumerate(steps):
        history, expected = lines[keep % len(lines)]
        more = [user(f"{number}.{place}") for place in range(add)]
        cut = min(keep, len(expected))
        lines.append((history.first(keep).add(*more), expected[:cut] + more))
    for history, expected in lines:
        assert list(history) == expected
        assert len(history) == len(expected)
        assert history.since(1) == tuple(expected[1:])
        if expected:
            assert history[-1] == expected[-1]
            assert history[0] == expected[0]
        with pytest.raises(IndexError):
            _ = history[len(expected)]


def test_adding_to_the_newest_value_of_a_line_shares_its_memory() -> None:
    first = History().add(user("a"))
    second = first.add(user("b"))
    other = first.add(user("c"))
    assert [each.text for each in second] == ["a", "b"]
    assert [each.text for each in other] == ["a", "c"]


# --- backoff


def wait(error: AgentKitError, attempt: int = 1, **changes: object) -> float | None:
    settings = {"shown": False, "repeatable": False, "turn_id": "t", **changes}
    return delay_before_retry(RetryPolicy(), attempt, error, **settings)  # type: ignore[arg-type]


def test_delays_double_are_spread_and_capped() -> None:
    policy = RetryPolicy(max_attempts=20)
    spans = [
        [
            delay_before_retry(policy, attempt, ConnectError("x"), shown=False, repeatable=False, turn_id=str(turn))
            for turn in range(200)
        ]
        for attempt in (1, 2, 10)
    ]
    for delays, whole in zip(spans, (0.5, 1.0, 8.0), strict=True):
        assert all(delay is not None and whole / 2 <= delay <= whole for delay in delays)
        assert len(set(delays)) > 150


@pytest.mark.parametrize(
    ("error", "repeatable", "again"),
    [
        (ConnectError("refused"), False, True),
        (LimitReached("slow", phase="connect"), False, True),
        (LimitReached("slow", phase="first_byte"), False, False),
        (LimitReached("slow", phase="first_byte"), True, True),
        (LimitReached("slow", phase="total"), True, False),
        (ConnectionLost("cut"), False, False),
        (ConnectionLost("cut"), True, True),
        (QuotaExceeded("used up", status=429), True, False),
        (RateLimited("slow down", status=429), False, True),
        (ServerError("down", status=502), False, True),
        (ServerError("broken", status=500), False, False),
        (StoreError("no"), True, False),
    ],
)
def test_only_what_is_safe_is_sent_again(error: AgentKitError, repeatable: bool, again: bool) -> None:
    assert (wait(error, repeatable=repeatable) is not None) is again
    assert wait(error, repeatable=repeatable, shown=True) is None
    assert wait(error, attempt=4, repeatable=repeatable) is None


def test_the_backend_decides_how_long_up_to_a_cap() -> None:
    def asked(seconds: float) -> float | None:
        return wait(RateLimited("x", status=429, retry_after=seconds))

    assert asked(30) == 30
    assert asked(120) == 120
    assert asked(121) is None
    assert (asked(0) or 0) >= 0.25


# --- the builder and the seam


def test_pieces_of_calls_belong_together_by_their_index() -> None:
    builder = Builder("t")
    builder.begin("openai", "openai/m", "first")
    for chunk in (
        CallDelta(1, "b", "wind"),
        CallDelta(0, "a", "ra", '{"ci'),
        CallDelta(0, "", "in", 'ty": "Oslo"}'),
        Details({"id": "r1"}),
        Notice("n"),
        Finish(FinishReason.TOOL_CALLS, "tool_calls"),
    ):
        builder.add(chunk)
    made = builder.message()
    assert made.tool_calls == (ToolCall("a", "rain", {"city": "Oslo"}, raw='{"city": "Oslo"}'), ToolCall("b", "wind"))
    assert made.meta == {"openai": {"id": "r1", "finish_reason": "tool_calls"}}
    assert builder.has_output
    assert builder.message(interrupted=True).tool_calls == ()


def test_a_draft_gives_each_piece_once() -> None:
    builder = Builder("t", text="before ", reasoning="hm")
    assert builder.take() is None
    builder.add(TextDelta("a"))
    builder.add(ReasoningDelta("b"))
    builder.add(TextDelta("c"))
    assert builder.take() == PartialReply("t", "ac", "b")
    assert builder.take() is None
    assert builder.message().text == "before ac"
    so_far = builder.so_far()
    assert so_far is not None
    assert (so_far.text, so_far.interrupted) == ("before ac", True)
    assert Builder("t").so_far() is None


texts = st.text(alphabet="ab ", max_size=12)


def shown(prefix: str, pieces: list[str]) -> str:
    echo = Joint(prefix, Native(repeats_prefix=True))
    chunks: list[Chunk] = [chunk for piece in pieces for chunk in echo.pass_on(TextDelta(piece))]
    chunks += echo.pass_on(Finish(FinishReason.STOP))
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta))


@given(texts, texts, st.lists(st.integers(1, 5), max_size=8))
def test_a_repeated_prefix_is_dropped_however_it_is_cut(prefix: str, rest: str, cuts: list[int]) -> None:
    def pieces(text: str) -> list[str]:
        made = []
        for size in cuts:
            made.append(text[:size])
            text = text[size:]
        return [*made, text]

    assert shown(prefix, pieces(prefix + rest)) == rest
    if not (rest + "#").startswith(prefix or "#"):
        assert shown(prefix, pieces(rest)) == rest


# --- values


def test_a_message_is_made_of_text_and_parts_and_never_of_nothing() -> None:
    assert user("a", Media("image/png", data=b"x")).parts == (Text("a"), Media("image/png", data=b"x"))
    assert message("user", user("kept")) == user("kept")
    assert system("s").role == "system"
    assert "<1 bytes>" in repr(Media("image/png", data=b"x"))
    for nothing in ("", "  \n", (), [Reasoning("")]):
        with pytest.raises(InvalidInput, match="empty"):
            message("user", nothing)  # type: ignore[arg-type]
    for wrong in (5, None, [5], b"bytes", [b"bytes"], {"role": "user", "content": "x"}):
        with pytest.raises(InvalidInput, match=r"text|parts|mapping"):
            message("user", wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="'robot'"):
        message("user", Message("robot", (Text("x"),)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        Text(5),  # type: ignore[arg-type]
        Reasoning(None),  # type: ignore[arg-type]
        ToolCall(5, "f"),  # type: ignore[arg-type]
        ToolCall("a", b"f"),  # type: ignore[arg-type]
        ToolResult("a", {"x": 1}),  # type: ignore[arg-type]
        ToolResult(5, "x"),  # type: ignore[arg-type]
        Media(5, data=b"x"),  # type: ignore[arg-type]
    ],
)
def test_parts_of_the_caller_hold_texts(wrong: Part) -> None:
    for given_ in (wrong, [wrong], ["x", wrong], Message("user", (wrong,))):
        with pytest.raises(InvalidInput, match=rf"{type(wrong).__name__}\.\w+ must be a text"):
            message("user", given_)


@pytest.mark.parametrize(
    "wrong",
    [
        Message("robot", (Text("x"),)),  # type: ignore[arg-type]
        Message(5, (Text("x"),)),  # type: ignore[arg-type]
        Message(["user"], (Text("x"),)),  # type: ignore[arg-type]
        Message("user", "x"),  # type: ignore[arg-type]
        Message("user", ("x",)),  # type: ignore[arg-type]
        Message("user", (5,)),  # type: ignore[arg-type]
        Message("user", [Text("x")]),  # type: ignore[arg-type]
    ],
)
def test_a_message_that_was_made_wrong_is_refused(wrong: Message) -> None:
    for check in (well_formed, lambda made: message("user", made)):
        with pytest.raises(InvalidInput):
            check(wrong)


def test_a_message_without_parts_is_well_formed() -> None:
    for made in (Message("assistant", ()), assistant("x"), CALL):
        assert well_formed(made) is made


@given(st.text(max_size=30))
def test_argument_text_is_read_or_marked_as_broken(text: str) -> None:
    call = ToolCall.parse("a", "f", text)
    assert isinstance(json.loads(call.arguments_json), dict)
    assert call.broken or not text.strip() or json.loads(text) == call.arguments


def test_arguments_keep_the_wording_of_the_model() -> None:
    text = '{ "city" : "Oslo" }'
    assert ToolCall.parse("a", "f", text).arguments_json == text
    assert ToolCall("a", "f", {"ö": 1}).arguments_json == '{"ö":1}'
    assert ToolCall.parse("a", "f", "[1]").broken
    assert ToolCall.parse("a", "f", '{"x": NaN}').broken
    assert ToolCall.parse("a", "f", "[" * 100_000).broken


def test_usage_adds_up() -> None:
    total = Usage(1, 2, 3, 4, 5) + Usage(10, 20, 30, 40, 50, estimated=True)
    assert total == Usage(11, 22, 33, 44, 55, estimated=True)
    assert total.total_tokens == 33


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": float("nan")},
        {"temperature": 9},
        {"temperature": True},
        {"top_p": -0.1},
        {"max_tokens": 0},
        {"max_tokens": 1.5},
        {"max_tokens": True},
        {"stop": "END"},
        {"stop": ("",)},
        {"seed": -1},
        {"presence_penalty": float("inf")},
        {"reasoning_effort": " "},
        {"parallel_tool_calls": "yes"},
        {"extra": 5},
        {"extra": None},
        {"max_tokens": -(10**5000)},
        {"temperature": 10**5000},
        {"reasoning_effort": 10**5000},
    ],
)
def test_nonsense_options_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        Options(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (Limits, {"max_line_bytes": None}),
        (Limits, {"max_reply_bytes": None}),
        (Limits, {"max_reply_chars": None}),
        (Limits, {"max_wait": -1}),
        (RetryPolicy, {"max_attempts": None}),
        (RetryPolicy, {"base_delay": None}),
        (RetryPolicy, {"base_delay": float("inf")}),
        (RetryPolicy, {"max_delay": float("inf")}),
        (RetryPolicy, {"max_retry_after": float("inf")}),
        (RetryPolicy, {"max_retry_after": None}),
        (RetryPolicy, {"statuses": 5}),
        (RetryPolicy, {"statuses": {"429"}}),
        (RetryPolicy, {"statuses": None}),
    ],
)
def test_nonsense_bounds_are_refused_by_name(kind: type, wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        kind(**wrong)


def test_options_of_a_turn_lie_over_those_of_the_conversation() -> None:
    base = Options(temperature=0.5, max_tokens=10, stop=("x",), extra={"a": 1, "b": 1})
    assert Options(max_tokens=20, extra={"b": 2}).over(base) == Options(
        temperature=0.5, max_tokens=20, stop=("x",), extra={"a": 1, "b": 2}
    )


def test_a_number_of_seconds_limits_every_wait() -> None:
    assert Timeouts.of(None) == Timeouts()
    assert Timeouts.of(Timeouts(idle=1)) == Timeouts(idle=1)
    assert Timeouts.of(3) == Timeouts(connect=3, first_byte=3, idle=3)
    assert Timeouts.of(90) == Timeouts(connect=10, first_byte=90, idle=90)
    with pytest.raises(InvalidInput):
        Timeouts.of(-1)
    with pytest.raises(InvalidInput):
        Limits(max_line_bytes=0)


def test_errors_carry_what_the_wire_said() -> None:
    error = ProviderError("x", status=500, code="c", type="t", body="b", request_id="r", retry_after=1.5)
    assert (error.status, error.code, error.type, error.body, error.request_id, error.retry_after) == (
        500,
        "c",
        "t",
        "b",
        "r",
        1.5,
    )
    assert error.reply is None
    assert isinstance(LimitReached("x", phase="idle"), TimeoutError)


def parts_of(made: Message) -> tuple[Part, ...]:
    return made.parts


def test_meta_is_added_beside_what_is_there() -> None:
    made = assistant("x").with_meta("a", one=1).with_meta("a", two=2).with_meta("b", three=3)
    assert made.meta == {"a": {"one": 1, "two": 2}, "b": {"three": 3}}
    assert parts_of(made) == (Text("x"),)
    assert made.memo("k", len_of) == made.memo("k", len_of) == 1


def len_of(made: Message) -> int:
    return len(made.text)

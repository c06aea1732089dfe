"""The orders in plain words, alone and together."""

from __future__ import annotations

import json

import pytest
from sim_client import ask, assistant, stream, tool_schema, user

from agentkit.errors import InvalidInput
from agentkit.sim import Simulator
from agentkit.sim.plan import CallOrder, Count, Fault, Plan, Say, Write
from agentkit.sim.script import commands, parse
from agentkit.sim.talk import Ask, Said

PARSED = [
    ("", Plan()),
    ("How do tides work?", Plan()),
    ("write 800 words", Plan(speech=Write(800))),
    ("Tell me a 1,200-word story", Plan(speech=Write(1200))),
    ("COUNT TO 30 please", Plan(speech=Count(30))),
    ("say done", Plan(speech=Say("done"))),
    ("Please say: fail with 429 twice", Plan(speech=Say("fail with 429 twice"))),
    ("repeat after me: a  b\n c", Plan(speech=Say("a  b\n c"))),
    ('say "one two" and drop after 1 word', Plan(speech=Say("one two"), faults=(Fault(kind="drop", after=1),))),
    ('say "unclosed', Plan(speech=Say('"unclosed'))),
    ("What did you say?", Plan()),
    ("say ", Plan()),
    ("think first", Plan(think=24)),
    ("think first for 50 words", Plan(think=50)),
    ("think 7 tokens, then say hi", Plan(think=7, speech=Say("hi"))),
    ("stop at 64 tokens", Plan(limit=64)),
    ("stop at 0", Plan(limit=1)),
    ("cut@40", Plan(limit=40)),
    ("call weather", Plan(calls=(CallOrder(name="weather"),))),
    ("Call a tool!", Plan(calls=(CallOrder(name=None),))),
    ("call me later", Plan()),
    ("call the tool `get.weather` twice", Plan(calls=(CallOrder(name="get.weather", times=2),))),
    ("call weather every time", Plan(calls=(CallOrder(name="weather", every=True),))),
    ("call the tool", Plan(calls=(CallOrder(name=None),))),
    ('call ax with {"b": "say x"}', Plan(calls=(CallOrder(name="ax", arguments='{"b": "say x"}'),))),
    ("call ax with {b", Plan(calls=(CallOrder(name="ax"),))),
    ("call ax and then call by", Plan(calls=(CallOrder(name="ax"), CallOrder(name="by")))),
    ("fail with 429 twice", Plan(faults=(Fault(kind="fail", status=429, times=2),))),
    ("fail 503 x3", Plan(faults=(Fault(kind="fail", status=503, times=3),))),
    ("fail with 500 three times", Plan(faults=(Fault(kind="fail", status=500, times=3),))),
    ("fail with status 500 12 times", Plan(faults=(Fault(kind="fail", status=500, times=12),))),
    ("fail with 503 every time", Plan(faults=(Fault(kind="fail", status=503, times=None),))),
    ("fail with 200", Plan()),
    (
        "fail with 503 twice retry after 1.5",
        Plan(faults=(Fault(kind="fail", status=503, times=2, retry_after=1.5),)),
    ),
    ("fail with 500 after 40 words", Plan(faults=(Fault(kind="fail", status=500, after=40),))),
    ("drop after 40 words", Plan(faults=(Fault(kind="drop", after=40),))),
    ("drop every time after 40 words", Plan(faults=(Fault(kind="drop", after=40, times=None),))),
    ("drop after 40 words every time", Plan(faults=(Fault(kind="drop", after=40, times=None),))),
    ("drop the connection", Plan(faults=(Fault(kind="drop", after=0),))),
    ("drop@10", Plan(faults=(Fault(kind="drop", after=10),))),
    ("drop me a line", Plan()),
    ("stall after 10 words", Plan(faults=(Fault(kind="stall", after=10, seconds=30),))),
    ("stall 5 seconds after 10 words", Plan(faults=(Fault(kind="stall", after=10, seconds=5),))),
    ("stall@7 for 2s", Plan(faults=(Fault(kind="stall", after=7, seconds=2),))),
    ("wait 2 seconds", Plan(faults=(Fault(kind="wait", times=None, seconds=2),))),
    ("wait 0.5 s once", Plan(faults=(Fault(kind="wait", times=1, seconds=0.5),))),
    (
        "Think first, write 300 words, stop at 64 tokens and drop after 40 words",
        Plan(think=24, speech=Write(300), limit=64, faults=(Fault(kind="drop", after=40),)),
    ),
]


@pytest.mark.parametrize(("text", "plan"), PARSED, ids=[text[:40] or "-" for text, _ in PARSED])
def test_parse(text: str, plan: Plan) -> None:
    assert parse(text) == plan
    assert parse(text.upper()).limit == plan.limit


def test_orders_are_bounded() -> None:
    plan = parse("call tool_x " * 500 + "fail with 500 " * 500)
    assert len(plan.calls) == 32
    assert len(plan.faults) == 32


@pytest.mark.parametrize("filler", ["\n", " ", "say ", "call x ", '"', "a ", ". "])
def test_parsing_takes_no_time(filler: str) -> None:
    parse(filler * 20_000)


def test_commands() -> None:
    assert commands("fail 429 x2") == [Plan(faults=(Fault(kind="fail", status=429, times=None),))] * 2
    assert commands("say done") == [Plan(speech=Say("done"))]
    with pytest.raises(InvalidInput, match="'nonsense'"):
        commands("nonsense")
    with pytest.raises(InvalidInput, match="7"):
        commands(7)


@pytest.mark.parametrize("words", [1, 2, 3, 4, 5, 17, 29, 30, 150, 800, 3000])
def test_write_gives_exactly_so_many_words(words: int) -> None:
    heard = ask(Simulator(), f"write {words} words")
    assert len(heard.text.split()) == words
    assert heard.usage is not None
    assert heard.usage["completion_tokens"] == words
    assert heard.text == heard.text.strip()
    assert heard.text.endswith(".")
    assert heard.finish == "stop"


def test_same_seed_same_answer() -> None:
    first = [ask(Simulator(3), text).text for text in ("write 90 words", "hello", "Tell me about puffins")]
    again = [ask(Simulator(3), text).text for text in ("write 90 words", "hello", "Tell me about puffins")]
    other = [ask(Simulator(4), text).text for text in ("write 90 words", "hello", "Tell me about puffins")]
    assert first == again
    assert first != other
    assert ask(Simulator(3), "hello", stream=True).items == ask(Simulator(3), "hello", stream=True).items


def test_say_and_count() -> None:
    simulator = Simulator()
    assert ask(simulator, "say Fjord, 'ærlig' – 🦀!").text == "Fjord, 'ærlig' – 🦀!"
    assert ask(simulator, "Repeat after me:  two  spaces").text == "two  spaces"
    assert ask(simulator, "count to 5").text == "1, 2, 3, 4, 5"
    assert ask(simulator, "count to 0").text.startswith("This is the agentkit simulator")


def test_stream_has_one_delta_per_token() -> None:
    heard = stream(Simulator(), "write 30 words")
    assert len(heard.deltas) == 30
    assert "".join(heard.deltas) == ask(Simulator(), "write 30 words").text
    assert heard.done
    assert heard.finish == "stop"
    assert heard.usage is None


def test_think_first() -> None:
    whole, streamed = ask(Simulator(), "think first. say hi"), stream(Simulator(), "think first. say hi")
    assert whole.reasoning == streamed.reasoning
    assert len(whole.reasoning.split()) == 24
    assert whole.text == streamed.text == "hi"
    assert whole.usage is not None
    assert whole.usage["completion_tokens_details"] == {"reasoning_tokens": 24}
    assert len(ask(Simulator(), "think 100 words").reasoning.split()) == 100


@pytest.mark.parametrize("max_tokens", [None, 10, 500])
def test_stop_at_wins_over_a_larger_limit(max_tokens: int | None) -> None:
    fields = {} if max_tokens is None else {"max_tokens": max_tokens}
    heard = stream(Simulator(), "stop at 64 tokens", stream_options={"include_usage": True}, **fields)
    assert heard.finish == "length"
    assert heard.usage is not None
    assert heard.usage["completion_tokens"] == min(64, max_tokens or 64)


def test_a_limit_beyond_the_end_does_nothing() -> None:
    heard = ask(Simulator(), "say one two three and stop at 64 tokens", max_tokens=50)
    assert heard.finish == "stop"
    exact = ask(Simulator(), 'say "one two three" and stop at 3 tokens')
    assert (exact.text, exact.finish) == ("one two three", "stop")


def test_reasoning_can_be_cut() -> None:
    heard = ask(Simulator(), "think first, say hi, stop at 5 tokens", max_completion_tokens=4)
    assert heard.text == ""
    assert len(heard.reasoning.split()) == 4
    assert heard.finish == "length"


def test_fail_then_answer() -> None:
    simulator = Simulator()
    text = "fail with 429 twice retry after 1. say ok"
    assert [ask(simulator, text).status for _ in range(3)] == [429, 429, 200]
    assert ask(simulator, text).status == 429, "once answered, the same conversation begins anew"
    refused = ask(simulator, text)
    assert refused.headers["retry-after"] == "1"
    assert refused.error is not None
    assert refused.error["code"] == "rate_limit_exceeded"
    assert ask(simulator, text).text == "ok"
    assert simulator.clean()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 429, 500, 502, 503, 504])
def test_any_status(status: int) -> None:
    heard = stream(Simulator(), f"fail with {status}, wait 3 seconds")
    assert heard.status == status
    assert heard.pauses == [3.0]
    assert "retry-after" not in heard.headers


def test_fail_every_time() -> None:
    simulator = Simulator()
    assert {ask(simulator, "fail with 500 every time").status for _ in range(5)} == {500}


def test_fail_in_mid_stream() -> None:
    simulator = Simulator()
    heard = stream(simulator, "write 60 words and fail with 500 after 40 words")
    assert heard.status == 200
    assert len(heard.deltas) == 40
    assert heard.error is not None
    assert heard.error["type"] == "server_error"
    assert not heard.done
    assert heard.finish is None
    assert stream(simulator, "write 60 words and fail with 500 after 40 words").finish == "stop"
    assert ask(simulator, "write 60 words and fail with 500 after 40 words").status == 500


def test_drop_once_then_whole() -> None:
    simulator = Simulator()
    first = stream(simulator, "drop after 40 words")
    assert first.dropped
    assert len(first.deltas) == 40
    assert first.finish is None
    again = stream(simulator, "drop after 40 words")
    assert again.finish == "stop"
    assert again.text.startswith(first.text)


def test_drop_then_continue_without_another_drop() -> None:
    simulator = Simulator()
    first = stream(simulator, "drop after 40 words")
    rest = stream(simulator, [user("drop after 40 words"), assistant(first.text)])
    assert rest.finish == "stop"
    assert stream(simulator, "drop after 40 words").dropped, "a conversation that begins anew"
    assert first.text + rest.text == stream(simulator, "drop after 40 words").text


def test_drop_every_time() -> None:
    simulator = Simulator()
    text = "write 100 words, drop every time after 40 words"
    said = ""
    dropped = []
    for _ in range(3):
        history = [user(text), assistant(said)] if said else text
        heard = stream(simulator, history)
        said += heard.text
        dropped.append(heard.dropped)
    assert dropped == [True, True, False]
    assert (
        said == ask(Simulator(), "write 100 words, drop every time after 40 words".replace("drop", "Drop")).text or said
    )
    assert len(said.split()) == 100


def test_drop_of_a_whole_reply() -> None:
    simulator = Simulator()
    heard = ask(simulator, "drop after 5 words")
    assert heard.dropped
    assert int(heard.headers["content-length"]) > len(b"".join(i for i in heard.items if isinstance(i, bytes))) > 0
    assert not [item for item in ask(Simulator(), "drop the connection").items if isinstance(item, bytes)]
    assert not [item for item in stream(Simulator(), "drop the connection").items if isinstance(item, bytes)]


def test_a_drop_beyond_the_end_waits_for_a_longer_reply() -> None:
    simulator = Simulator()
    text = "call weather, write 60 words, drop after 40 words"
    tools = [tool_schema("weather")]
    first = stream(simulator, text, tools=tools)
    assert first.finish == "tool_calls"
    history = [user(text), first.message(), {"role": "tool", "tool_call_id": first.calls[0]["id"], "content": "fog"}]
    assert stream(simulator, history, tools=tools).dropped
    assert stream(simulator, history, tools=tools).finish == "stop"


def test_unknown_conversations_are_continued_without_faults() -> None:
    heard = stream(Simulator(), [user("write 90 words, drop after 10 words"), assistant("The")])
    assert heard.finish == "stop"


def test_stall_and_wait() -> None:
    simulator = Simulator()
    heard = stream(simulator, "stall 5 seconds after 10 words, wait 2 seconds")
    assert heard.pauses == [2.0, 5.0]
    assert heard.items[0] == heard.items[0].__class__(2.0)
    assert stream(simulator, "stall 5 seconds after 10 words, wait 2 seconds").pauses == [2.0]
    assert ask(Simulator(), "stall after 10 words").pauses == [30.0]


def test_pace() -> None:
    heard = stream(Simulator(pace=0.01), "say one two three")
    assert heard.pauses == [0.01] * 3
    assert ask(Simulator(pace=0.5), "say one two three").pauses == [1.5]


def test_later_fault_has_not_happened_after_an_earlier_end() -> None:
    simulator = Simulator()
    text = "write 60 words, drop after 10 words, drop after 20 words, stall 1 second after 30 words"
    lengths = [len(stream(simulator, text).deltas) for _ in range(3)]
    assert lengths == [10, 20, 60]


def test_script_overrides_the_words() -> None:
    simulator = Simulator()
    simulator.script(["say done", "cut@4", "drop@10", "fail 429 x2", "call weather"])
    assert simulator.waiting == 6
    tools = [tool_schema("weather")]
    assert ask(simulator, "write 90 words").text == "done"
    assert ask(simulator, "write 90 words").usage["completion_tokens"] == 4  # type: ignore[index]
    assert len(stream(simulator, "write 90 words").deltas) == 10
    assert [ask(simulator, "write 90 words").status for _ in range(2)] == [429, 429]
    assert ask(simulator, "write 90 words", tools=tools).calls[0]["function"]["name"] == "weather"
    assert len(ask(simulator, "write 90 words").text.split()) == 90
    assert simulator.waiting == 0


def test_scripted_words_can_be_continued() -> None:
    simulator = Simulator()
    simulator.script(["write 120 words, cut@50", "cut@30"])
    first = stream(simulator, "hello")
    second = stream(simulator, [user("hello"), assistant(first.text)])
    third = stream(simulator, [user("hello"), assistant(first.text + second.text)])
    assert [first.finish, second.finish, third.finish] == ["length", "length", "stop"]
    assert len((first.text + second.text + third.text).split()) == 120


def test_only_the_last_conversations_are_remembered() -> None:
    simulator = Simulator()
    assert [ask(simulator, "fail with 500. say ok").status for _ in range(2)] == [500, 200]
    assert ask(simulator, "fail with 500 twice").status == 500
    for number in range(4100):
        simulator.perform(Ask(messages=(Said(role="user", text=f"say {number}"),)))
    assert [ask(simulator, "fail with 500 twice").status for _ in range(3)] == [500, 500, 200]


def test_script_is_checked_and_bounded() -> None:
    simulator = Simulator()
    with pytest.raises(InvalidInput, match="'sing'"):
        simulator.script(["say hi", "sing"])
    assert simulator.waiting == 0
    with pytest.raises(InvalidInput, match="at most"):
        simulator.script(["fail 500 x1000"] * 11)


def test_small_talk() -> None:
    simulator = Simulator()
    first = ask(simulator, "Tell me about puffins")
    assert first.text.startswith("This is the agentkit simulator: there is no AI behind it.")
    later = ask(simulator, [user("Tell me about puffins"), first.message(), user("And razorbills?")])
    assert "simulator" not in later.text
    assert "razorbills" in later.text
    assert "write 300 words" in ask(simulator, "hello").text
    assert "no orders" in ask(simulator, "hm?").text
    assert ask(simulator, [{"role": "system", "content": "Be brief."}]).status == 200


def test_names_are_remembered() -> None:
    simulator = Simulator()
    first = ask(simulator, "Hi, my name is Ada")
    assert "Ada" in first.text
    history = [user("Hi, my name is Ada"), first.message(), user("What is my name?")]
    assert "Ada" in ask(simulator, history).text
    assert "not told me" in ask(simulator, "what's my name").text


def test_arguments_in_words() -> None:
    heard = ask(Simulator(), 'call weather with {"city": "Rome"} twice', tools=[tool_schema("get_weather")])
    assert [json.loads(call["function"]["arguments"]) for call in heard.calls] == [{"city": "Rome"}] * 2
    assert len({call["id"] for call in heard.calls}) == 2

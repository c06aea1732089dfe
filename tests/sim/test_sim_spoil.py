"""What goes wrong with bytes, by words in the message, by a script, and by what is queued for any request."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
from accent_client import OPENAI_LIKE, chat, path_of, send, stream
from sim_client import assistant, body, tool_schema, user

from agentkit import Conversation
from agentkit.errors import InvalidInput, ProtocolError
from agentkit.sim import Simulator
from agentkit.sim.profiles import PROFILES
from agentkit.sim.talk import Drop, Pause

REQUESTS: dict[str, tuple[str, Any]] = {
    **{
        name: (path_of(name), {"model": "sim", "messages": [user("say né one")], "stream": True})
        for name in OPENAI_LIKE
    },
    "whole": (path_of("openai"), {"model": "sim", "messages": [user("say né one")]}),
    "gradient": (
        "/gradient/api/generate",
        {
            "model": "GPT OSS 120B",
            "clusterMode": "nvidia",
            "enableThinking": False,
            "messages": [{"role": "user", "content": "say né one"}],
        },
    ),
    "pixigpt": (
        "/pixigpt/v1/chat/completions",
        {"messages": [{"role": "system", "content": "s"}, user("say né one")], "enable_thinking": False},
    ),
}


def ask(simulator: Simulator, name: str) -> Any:
    path, value = REQUESTS[name]
    response = simulator.handle("POST", path, {"authorization": "Bearer key"}, json.dumps(value).encode())
    items = list(response.body)
    return response, items, b"".join(item for item in items if isinstance(item, bytes))


def both(name: str, order: str) -> tuple[Any, list[Any], bytes, bytes]:
    """The spoiled answer, and the bytes of the one that is whole."""
    simulator = Simulator()
    simulator.script([order])
    response, items, data = ask(simulator, name)
    simulator.reset()
    whole = ask(simulator, name)[2]
    assert response.status == 200
    length = response.headers.get("content-length")
    assert length is None or Drop() in items or int(length) == len(data)
    return response, items, data, whole


def test_requests_of_every_wire_are_here() -> None:
    assert set(REQUESTS) == {*PROFILES, "whole"}


@pytest.mark.parametrize("name", REQUESTS)
def test_gzip(name: str) -> None:
    response, items, data, whole = both(name, "gzip the body")
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(data) == whole
    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(next(item for item in items if isinstance(item, bytes))), (
        "what is sent can be read at once"
    )


@pytest.mark.parametrize("name", REQUESTS)
def test_split(name: str) -> None:
    _, items, data, whole = both(name, "split the bytes")
    assert data == whole
    pieces = [item for item in items if isinstance(item, bytes)]
    assert max(map(len, pieces)) <= 5
    assert any(piece.endswith(b"\xc3") for piece in pieces)
    assert Pause(0.0) in items


@pytest.mark.parametrize("name", REQUESTS)
def test_broken_json(name: str) -> None:
    _, _, data, whole = both(name, "break the json")
    assert data != whole
    lines, intact = data.split(b"\n"), whole.split(b"\n")
    broken = [line for line, before in zip(lines, intact, strict=True) if line != before]
    assert len(broken) == 1
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken[0].removeprefix(b"data:"))


def test_broken_json_at_a_place() -> None:
    simulator = Simulator()
    simulator.script(["break the json after 1 words"])
    lines = ask(simulator, "openai")[2].split(b"\n\n")
    assert [line[-1:] for line in lines[:3]] == [b"}", lines[1][-1:], b"}"]
    assert lines[1][-1:] != b"}"


@pytest.mark.parametrize(
    ("order", "kind"), [("wrong content type", "text/html"), ("content type text/plain", "text/plain")]
)
@pytest.mark.parametrize("name", REQUESTS)
def test_content_type(name: str, order: str, kind: str) -> None:
    response, _, data, whole = both(name, order)
    assert response.headers["content-type"] == kind
    assert data == whole


@pytest.mark.parametrize("name", REQUESTS)
def test_giant_line(name: str) -> None:
    _, _, data, whole = both(name, "giant line of 100000 bytes")
    assert len(data) == len(whole) + len(b'"padding":"",') + 100_000
    assert max(map(len, data.split(b"\n"))) > 100_000
    assert json.loads(max(data.split(b"\n"), key=len).removeprefix(b"data:"))


def test_a_giant_line_without_a_size_has_sixteen_mebibytes() -> None:
    assert len(both("openai", "giant line")[2]) > 16 << 20


@pytest.mark.parametrize("name", ["transformers", "parallax-2025", "whole", "pixigpt"])
def test_missing_usage(name: str) -> None:
    _, _, data, whole = both(name, "without usage")
    assert b'"usage"' in whole
    assert b'"usage"' not in data


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("how", ["drop", "end"])
@pytest.mark.parametrize(
    ("where", "size"), [("after 40 bytes", 40), ("at 50 percent", 0.5), ("at 0%", 0), ("at 0.5 %", 0.005)]
)
def test_only_a_part(name: str, how: str, where: str, size: float) -> None:
    _, items, data, whole = both(name, f"{how} {where}")
    assert data == whole[: int(size if size >= 1 else len(whole) * size)]
    assert (items[-1:] == [Drop()]) is (how == "drop")


@pytest.mark.parametrize(
    ("order", "pauses"),
    [("end at 50 percent", 1), ("break the json", 2), ("gzip the body", 2), ("giant line of 9 bytes", 2)],
)
def test_pauses_stay_where_they_were(order: str, pauses: int) -> None:
    simulator = Simulator(pace=0.5)
    simulator.script([order])
    items = ask(simulator, "openai")[1]
    assert [item for item in items if isinstance(item, Pause)] == [Pause(0.5)] * pauses


def test_no_less_than_there_is() -> None:
    for where in ("after 99999 bytes", "at 100 percent", "at 400 percent"):
        for how in ("drop", "end"):
            _, items, data, whole = both("openai", f"{how} {where}")
            assert (data, Drop() in items) == (whole, False)


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_an_end_without_an_end(profile: str) -> None:
    heard = stream(profile, "end early. say a b c")
    assert (heard.said(), heard.finish, heard.done) == ("a b c", [], False)
    assert heard.items == [Drop(orderly=True)]
    heard = stream(profile, "end after 2 words. say a b c")
    assert (heard.said(), heard.finish) == ("a b", [])
    heard = stream(profile, "end@0. say a b c")
    assert (heard.data, heard.finish) == (b"", [])
    value = chat(profile, "end after 2 words. say a b c").value
    assert (value["choices"][0]["message"]["content"], value["choices"][0]["finish_reason"]) == ("a b", None)
    assert "usage" not in value


def test_the_end_of_a_reply_comes_once_and_is_made_up_for() -> None:
    simulator = Simulator()
    first = chat("openai", "end after 2 words. say a b c", simulator=simulator).value
    assert first["choices"][0]["message"]["content"] == "a b"
    again = chat("openai", "end after 2 words. say a b c", simulator=simulator).value
    assert again["choices"][0]["message"]["content"] == "a b c"


def test_duplicate_ids() -> None:
    tools = [tool_schema("x")]
    for asked in (chat, stream):
        heard = asked("openai", "call x 3 times, duplicate ids", tools=tools)
        assert heard.data.count(b'"id":"call_1"') == 3
    assert b'"id":"call_1"' not in chat("openai", "duplicate ids. say hi").data


def test_faults_of_the_bytes_happen_once_or_as_often_as_is_said() -> None:
    simulator = Simulator()
    words = "gzip the body twice. say hi"
    heads = [chat("openai", words, simulator=simulator).headers.get("content-encoding") for _ in range(3)]
    assert heads == ["gzip", "gzip", None]


def test_several_at_once() -> None:
    heard = stream("openai", "split the bytes, wrong content type, gzip the body, drop after 100 bytes. write 50 words")
    assert (heard.headers["content-type"], heard.headers["content-encoding"]) == ("text/html", "gzip")


def test_ordinary_words_are_no_orders() -> None:
    for text in (
        "how do I gzip a file",
        "the end of the day",
        "drop it",
        "split the difference",
        "a line",
        "end after all",
    ):
        heard = stream("openai", text)
        assert (heard.status, heard.done, heard.items) == (200, True, []), text


ANY = [("GET", PROFILES[name].base + "/models") for name in ("openai", "vllm-0.33", "ollama")]


@pytest.mark.parametrize(("method", "path"), [*ANY, ("POST", path_of("openai")), ("GET", "/nowhere")])
def test_what_is_queued_meets_the_next_request_whatever_it_is(method: str, path: str) -> None:
    simulator = Simulator()
    simulator.faults(["fail 503 retry after 3", "drop the connection", "wait 2 seconds", "gzip the body"])
    assert simulator.waiting == 4
    value = json.loads(body("say hi")) if method == "POST" else None
    refused, dropped, late, packed, well = (send(simulator, method, path, value) for _ in range(5))
    assert (refused.status, refused.headers["retry-after"]) == (503, "3")
    assert (dropped.data, dropped.items) == (b"", [Drop()])
    assert late.items == [Pause(2.0)]
    assert gzip.decompress(packed.data)
    assert well.headers.get("content-encoding") is None
    assert simulator.waiting == 0


@pytest.mark.parametrize("name", REQUESTS)
def test_an_error_that_is_queued_has_the_form_of_its_server(name: str) -> None:
    simulator = Simulator()
    simulator.faults(["fail 503, wait 1 seconds"])
    response, items, data = ask(simulator, name)
    assert (response.status, items[0]) == (503, Pause(1.0))
    simulator.reset()
    simulator.script(["fail 503"])
    assert ask(simulator, name)[2] == data


def test_what_is_queued_may_also_come_in_the_middle_of_a_reply() -> None:
    simulator = Simulator()
    simulator.faults(["drop after 2 words"])
    heard = chat("openai", "say a b c", simulator=simulator, stream=True)
    assert (heard.said(), heard.items) == ("a b", [Drop()])
    simulator.faults(["fail 500"])
    assert send(simulator, "GET", "/gradient/api/model_info").status == 500


def test_control() -> None:
    simulator = Simulator()
    state = send(simulator, "POST", "/control", {"faults": ["fail 500 x2"], "script": ["say x"], "models": ["m"]}).value
    assert (state["waiting"], state["models"]) == (3, ["m"])
    for wrong in (
        {"faults": "drop"},
        {"faults": ["say hi"]},
        {"faults": [5]},
        {"models": "m"},
        {"models": [5]},
        {"models": 5},
    ):
        answer = send(simulator, "POST", "/control", wrong)
        assert answer.status == 400, wrong
    with pytest.raises(InvalidInput, match="no fault in"):
        simulator.faults(["say hi"])
    with pytest.raises(InvalidInput, match="must be a list of names"):
        Simulator(models="mine")
    assert send(simulator, "POST", "/control", {"reset": True, "models": []}).value["models"] == []


def test_history_of_a_spoiled_reply_goes_on() -> None:
    simulator = Simulator()
    first = chat("openai", "end after 3 words. count to 6", simulator=simulator, stream=True).said()
    more = chat("openai", [user("end after 3 words. count to 6"), assistant(first)], simulator=simulator, stream=True)
    assert first + more.said() == "1, 2, 3, 4, 5, 6"


@pytest.mark.parametrize("order", ["gzip the body", "split the bytes", "gzip the body, split the bytes"])
def test_a_conversation_in_process_does_not_notice_how_the_bytes_came(order: str) -> None:
    simulator = Simulator()
    simulator.script([order + ", say é one two"])
    with Conversation(simulator) as conversation:
        assert conversation.send("go").text == "é one two"


def test_an_early_end_in_process_is_an_error_that_keeps_what_came() -> None:
    simulator = Simulator()
    simulator.script(["end after 2 words, say a b c", "end@0, say a"])
    with Conversation(simulator) as conversation:
        for said in ("a b", ""):
            with pytest.raises(ProtocolError) as caught:
                conversation.send("go")
            assert caught.value.reply is not None
            assert caught.value.reply.text == said

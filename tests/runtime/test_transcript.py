"""The log of what was sent and what came: complete, collision-free, without secrets, and never in the way of a turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
from scenarios import Opener, collect, play

from agentkit import (
    ConnectionLost,
    Conversation,
    InvalidInput,
    Options,
    RetryPolicy,
    ToolCall,
    assistant,
    user,
)
from agentkit._runtime import transcript
from agentkit._runtime.redact import Redactor
from agentkit._runtime.transcript import Exchange, Transcript, transcript_in
from agentkit.messages import Media, Message, Text, ToolResult
from agentkit.provider import ChatRequest, HTTPRequest, ResponseHead
from agentkit.providers import get_provider
from agentkit.providers.openai_chat import OpenAIChat
from agentkit.providers.pixigpt_threads import PixiThreads
from agentkit.sim import SimServer, Simulator

KEY = "sk-secret-0123456789"


def exchanges(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*/*.json"))]


def readable(folder: Path) -> str:
    return "".join(path.read_text("utf-8") for path in sorted(folder.glob("*/conversation.txt")))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "there is none yet" / "logs"


def test_each_request_and_its_answer_are_written_down(runtime: str, backend: dict[str, Any], logs: Path) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(name="trip", transcript=str(logs)) as chat:
            await chat.send("My name is Ada.")
            await chat.send("What is my name?")

    play(runtime, scenario, **backend)
    first, second = exchanges(logs)
    assert (second["conversation"], second["backend"].partition("/")[0]) == ("trip", "sim")
    assert second["request"]["method"] == "POST"
    assert second["request"]["url"].endswith("/chat/completions")
    assert [each["role"] for each in second["request"]["body"]["messages"]] == ["user", "assistant", "user"]
    assert second["answer"]["status"] == 200
    assert second["answer"]["lines"][-3:] == ["data: [DONE]", "", ""]
    assert "Ada" in "".join(second["answer"]["lines"])
    assert second["seconds"] >= 0
    assert first["time"] < second["time"]
    assert "error" not in second
    said = readable(logs)
    assert said.count("-" * 50) == 2
    assert "trip, sim/" in said
    assert "Question: What is my name?\nReply: Your name is Ada.\n" in said
    assert len(list(logs.iterdir())) == 1, "one folder for a run"


def test_what_breaks_off_is_written_down_as_far_as_it_came(runtime: str, backend: dict[str, Any], logs: Path) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(transcript=logs, retry=RetryPolicy(max_attempts=1)) as chat:
            with pytest.raises(ConnectionLost):
                await chat.send("write 50 words and drop after 20 words")

    play(runtime, scenario, **backend)
    (only,) = exchanges(logs)
    assert only["error"].startswith("ConnectionLost: ")
    assert any("content" in line for line in only["answer"]["lines"])
    assert "Reply: " in readable(logs)
    assert "Ended: ConnectionLost: " in readable(logs)


def test_what_nobody_answers_is_written_down(runtime: str, logs: Path) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(OpenAIChat(base_url="http://127.0.0.1:1/v1"), transcript=logs) as chat:
            with pytest.raises(Exception, match=r"127\.0\.0\.1:1"):
                await chat.send("hello")

    play(runtime, scenario, retry=RetryPolicy(max_attempts=1))
    (only,) = exchanges(logs)
    assert only["error"].startswith("ConnectError: ")
    assert "answer" not in only
    assert "Question: hello\nEnded: ConnectError: " in readable(logs)


def test_a_refusal_is_written_down(runtime: str, backend: dict[str, Any], logs: Path) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(transcript=logs, retry=RetryPolicy(max_attempts=1)) as chat:
            with pytest.raises(Exception, match=r"\w"):
                await chat.send("fail with 500")

    play(runtime, scenario, **backend)
    (only,) = exchanges(logs)
    assert only["answer"]["status"] == 500
    assert "error" in only["answer"]["body"]
    assert "Refused: 500 {" in readable(logs)


def test_a_turn_that_is_stopped_is_written_down(runtime: str, backend: dict[str, Any], logs: Path) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(transcript=logs) as chat, chat.stream("write 500 words") as turn:
            await collect(turn, stop_after=5)

    play(runtime, scenario, **backend)
    (only,) = exchanges(logs)
    assert only["answer"]["status"] == 200


def test_a_turn_that_is_dropped_is_written_down(runtime: str, backend: dict[str, Any], logs: Path) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(transcript=logs) as chat:
            turn = chat.stream("write 500 words")
            await turn.__anext__()
            del turn
            await chat.send("My name is Ada.")

    play(runtime, scenario, **backend)
    assert len(exchanges(logs)) == 2


def test_a_failing_disk_is_a_warning_and_no_more(runtime: str, backend: dict[str, Any], tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder", encoding="utf-8")

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(transcript=blocked / "logs") as chat:
            with pytest.warns(RuntimeWarning, match="no transcript in"):
                assert "Ada" in (await chat.send("My name is Ada.")).text
            await chat.send("What is my name?")  # a second warning would be an error
            assert len(chat.messages) == 4

    play(runtime, scenario, **backend)


def test_where_warnings_are_errors_no_turn_ends_for_the_log(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder", encoding="utf-8")
    with Conversation("sim", transcript=blocked) as chat, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "Ada" in chat.send("My name is Ada.").text


class Odd(OpenAIChat):
    """A backend whose decoder fails."""

    def decoder(self, head: ResponseHead, /, *, max_line: int) -> Any:
        raise LookupError("no decoder")


def test_whatever_goes_wrong_is_a_warning(logs: Path) -> None:
    request = HTTPRequest(method="POST", url="http://h", body=b'{"messages":[]}')
    odd: Any = Odd(base_url="http://h")
    exchange = Exchange(Transcript(logs), odd, "c", "odd", request)
    exchange.answered(ResponseHead(200, {}))
    with pytest.warns(RuntimeWarning, match="no decoder"):
        exchange.write()
    exchange.write()


# --- where to


def test_the_environment_and_the_file_name_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Path(os.environ["AGENTKIT_HOME"])
    home.mkdir()
    (home / "config.toml").write_text('transcript = "from the file"', encoding="utf-8")
    for named, folder in (("", "from the file"), ("from the environment", "from the environment")):
        monkeypatch.setenv("AGENTKIT_TRANSCRIPT", named)
        with Conversation("sim") as chat:
            chat.send("hello")
        assert len(exchanges(tmp_path / folder)) == 1
    with Conversation("sim", transcript="") as quiet, Conversation("sim", transcript=tmp_path / "given") as chat:
        quiet.send("hello")
        chat.send("hello")
        monkeypatch.chdir("/")
        chat.fork(name="other").send("and again")
    assert len(exchanges(tmp_path / "from the environment")) == 1
    assert [each["conversation"] for each in exchanges(tmp_path / "given")] == [chat.name, "other"]
    monkeypatch.setenv("AGENTKIT_TRANSCRIPT", "")
    monkeypatch.chdir(tmp_path)
    for model, written in ((Simulator(), 1), ([Simulator()], 1), (["sim", "sim"], 2)):
        with Conversation(model) as chat:  # for what is given ready-made, no file is read
            chat.send("hello")
        assert len(exchanges(tmp_path / "from the file")) == written


def test_what_is_no_folder_is_refused() -> None:
    with pytest.raises(InvalidInput, match="the name of a folder, not 3"):
        Conversation("sim", transcript=3)  # type: ignore[arg-type]


def test_many_threads_and_processes_write_side_by_side(logs: Path) -> None:
    program = (
        "import sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from agentkit import Conversation\n"
        "def talk(number):\n"
        "    with Conversation('sim', name=f'c{number}', transcript=sys.argv[1]) as chat:\n"
        "        chat.send('hello'); chat.send('again')\n"
        "with ThreadPoolExecutor(8) as pool: list(pool.map(talk, range(8)))\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", program, str(logs)]) for _ in range(3)]
    assert [run.wait(60) for run in runs] == [0, 0, 0]
    assert len(list(logs.iterdir())) == 3
    assert len(exchanges(logs)) == 3 * 8 * 2
    said = readable(logs).split(f"\n{'-' * 50}\n\n")
    assert len(said) == 3 * 8 * 2 + 1
    assert all(entry.count("Question: ") == entry.count("Reply: ") == 1 for entry in said[:-1]), "nothing is mixed"


def test_folders_of_the_same_moment_are_two(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = transcript._now()
    monkeypatch.setattr(transcript, "_now", lambda: at)
    for _ in range(3):
        Transcript(logs).write(at, {}, "x")
    assert len(list(logs.iterdir())) == 3


def test_two_threads_that_make_the_folder_at_once_share_one(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = transcript_in(logs)
    assert transcript_in(logs) is log
    both = threading.Barrier(2)
    make = transcript._new_folder

    def slowly(parent: Path, name: str) -> Path:
        made = make(parent, name)
        both.wait(30)
        return made

    monkeypatch.setattr(transcript, "_new_folder", slowly)
    threads = [threading.Thread(target=log.write, args=(transcript._now(), {}, "")) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(list(logs.iterdir())) == 1
    assert len(exchanges(logs)) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_a_folder_of_its_own(logs: Path) -> None:
    program = (
        "import os, sys, warnings\n"
        "from agentkit import Conversation\n"
        "with Conversation('sim', transcript=sys.argv[1]) as chat:\n"
        "    chat.send('hello')\n"
        "    child = os.fork()\n"
        "    chat.send('again')\n"
        "    if child: assert os.waitpid(child, 0)[1] == 0\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(logs)], check=False, timeout=60).returncode == 0
    assert sorted(len(list(run.glob("*.json"))) for run in logs.iterdir()) == [1, 2]


# --- what is in it


def logged(logs: Path, request: HTTPRequest, head: ResponseHead, body: bytes, provider: Any = None) -> dict[str, Any]:
    exchange = Exchange(Transcript(logs), provider or get_provider("openai", api_key=KEY), "c", "b", request)
    exchange.answered(head)
    exchange.add(body)
    exchange.write()
    (only,) = exchanges(logs)
    return only


def test_no_secret_is_written(logs: Path) -> None:
    headers = (
        ("authorization", f"Bearer {KEY}"),
        ("X-Api-Key", 'key/with+odd"marks'),
        ("cookie", "a=1; session=topsecretcookie"),
        ("x-tiny-key", "abc"),
    )
    url = "https://ada:pass%2Fword@host/v1?api_key=urlsecret0&page=2&token=urltoken00"
    said = {"api_key": "fieldsecret", "messages": [{"role": "user", "content": f"my key is {KEY}, abc abcd"}]}
    echo = {"error": {"message": f'bad key {KEY} key/with+odd"marks pass/word urlsecret0 urltoken00 topsecretcookie'}}
    request = HTTPRequest(method="POST", url=url, headers=headers, body=json.dumps(said).encode())
    head = ResponseHead(401, {"set-cookie": "s=answersecret", "x-echo": KEY, "x-ratelimit-remaining-tokens": "7"})
    only = logged(logs, request, head, json.dumps(echo).encode())
    everything = "".join(path.read_text("utf-8") for path in logs.glob("*/*"))
    for secret in (
        KEY,
        "odd",
        "pass/word",
        "pass%2F",
        "urlsecret",
        "urltoken",
        "topsecret",
        "answersecret",
        "fieldsecret",
    ):
        assert secret not in everything
    assert only["request"]["url"] == "https://***@host/v1?api_key=***&page=2&token=***"
    assert only["request"]["headers"]["authorization"] == only["request"]["headers"]["x-tiny-key"] == "***"
    assert only["request"]["body"]["messages"][0]["content"] == "my key is ***, abc abcd"
    assert only["answer"]["headers"]["x-ratelimit-remaining-tokens"] == "7"


def test_a_secret_in_another_spelling_is_hidden_too() -> None:
    hide = Redactor([("authorization", 'Bearer a"b/c\\d+e')], "http://h")
    assert hide.text('a"b/c\\d+e, a\\"b/c\\\\d+e, a%22b%2Fc%5Cd%2Be') == "***, ***, ***"
    assert hide.value({"author": "x", "max_tokens": 5, "keys": [None, True]}) == {
        "author": "x",
        "max_tokens": 5,
        "keys": [None, True],
    }
    assert Redactor([], "http://h").text("nothing to hide") == "nothing to hide"


def test_what_is_kept_of_an_answer_is_bounded(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "MOST_BYTES", 10)
    exchange = Exchange(Transcript(logs), get_provider("openai"), "c", "b", HTTPRequest(method="GET", url="http://h"))
    exchange.answered(ResponseHead(200, {}))
    for _ in range(1000):
        exchange.add(b"abcdefgh")
    exchange.write()
    (only,) = exchanges(logs)
    assert only["answer"] == {"status": 200, "headers": {}, "lines": ["abcdefghab"], "bytes": 8000}
    assert not readable(logs), "no part of a conversation"


def test_a_reply_is_read_by_its_own_backend(logs: Path) -> None:
    lines = [
        {"type": "reply", "data": {"reasoningContent": "hm"}},
        {"type": "reply", "data": {"content": "cut"}},
    ]
    body = "\n".join(map(json.dumps, lines)).encode()
    request = HTTPRequest(method="POST", url="http://h", body=b'{"messages":[{"role":"user","content":"hi"}]}')
    only = logged(logs, request, ResponseHead(200, {}), body, get_provider("gradient"))
    assert only["answer"]["lines"] == list(map(json.dumps, lines))
    said = readable(logs)
    assert "Question: hi\nReasoning: hm\nReply: cut\nEnded: " in said


def test_calls_results_and_images_are_named(logs: Path) -> None:
    call = {"index": 0, "id": "c", "function": {"name": "rain", "arguments": "{}"}}
    whole = {"choices": [{"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    messages = [
        Message("system", (Text("Be brief."),)),
        assistant(ToolCall("c", "rain")),
        Message("tool", (ToolResult("c", "wet"),)),
        Message("user", (Text("and this?"), Media("image/png", data=b"x"))),
    ]
    provider = get_provider("openai")
    request = provider.encode(ChatRequest(model="m", messages=messages))
    logged(logs, request, ResponseHead(200, {"content-type": "application/json"}), json.dumps(whole).encode(), provider)
    assert "Question: wet\nQuestion: and this? [image_url]\nCalled: rain\nEnded: tool_calls\n" in readable(logs)


def test_all_requests_of_a_reply_are_there(runtime: str, logs: Path) -> None:
    async def scenario(open_chat: Opener) -> None:
        with SimServer(Simulator()) as server:
            provider = PixiThreads(base_url=server.describe()["pixigpt"], api_key=KEY, model="as_1")
            async with open_chat(provider, transcript=logs, messages=[user("one"), assistant("two")]) as chat:
                assert (await chat.send("three")).text

    play(runtime, scenario)
    made = exchanges(logs)
    assert [each["request"]["url"].rpartition("/")[2] for each in made[:3]] == ["threads", "bulk", "runs"]
    assert made[-1]["answer"]["body"]["status"] == "completed"
    assert [each["content"] for each in made[1]["request"]["body"]["messages"]] == ["one", "two", "three"]
    assert made[1]["answer"]["status"] == 200
    assert not readable(logs)


@pytest.mark.parametrize("body", [b"", b"[1]", b'{"messages": 3}', b"\xff", b"[" * 100_000])
def test_what_is_no_conversation_is_written_all_the_same(logs: Path, body: bytes) -> None:
    request = HTTPRequest(method="POST", url="http://h", body=body)
    only = logged(logs, request, ResponseHead(200, {}), b"")
    assert only["answer"]["status"] == 200
    assert not readable(logs)


@pytest.mark.parametrize("content", [None, 3, ["x", {"type": "text", "text": "said"}]])
def test_any_question_is_read(logs: Path, content: object) -> None:
    messages = [{"role": "system", "content": "s"}, {"content": content}, 7]
    request = HTTPRequest(method="POST", url="http://h", body=json.dumps({"messages": messages}).encode())
    exchange = Exchange(Transcript(logs), get_provider("openai"), "c", "b", request)
    exchange.write()
    assert readable(logs).count("Question: ") == 2


def test_a_key_that_the_simulator_is_sent_is_not_in_the_log(runtime: str, logs: Path) -> None:
    async def scenario(open_chat: Opener) -> None:
        with SimServer(Simulator()) as server:
            provider = OpenAIChat(base_url=server.describe()["openai"], api_key=KEY)
            async with open_chat(provider, transcript=logs, options=Options(extra={"user": KEY})) as chat:
                await chat.send(f"say {KEY}")

    play(runtime, scenario)
    everything = "".join(path.read_text("utf-8") for path in logs.glob("*/*"))
    assert KEY not in everything
    assert "***" in everything

"""Tools of real servers that speak the Model Context Protocol: other processes, over pipes and over loopback."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from agentkit import errors
from agentkit.errors import ConnectError, ConnectionLost, InvalidInput, ToolError
from agentkit.messages import ToolCall, ToolResult
from agentkit.toolbox import MCP
from agentkit.tools import BoundCall, ToolContext, gather, prepare, raised, returned

SERVER = str(Path(__file__).parent / "tools_server.py")
SMALL = str(Path(__file__).parent / "small_server.py")
PATIENCE = 60.0


def workshop(*arguments: str, **settings: Any) -> MCP:
    return MCP.stdio(sys.executable, SERVER, *arguments, **settings)


def small(*arguments: str, **settings: Any) -> MCP:
    return MCP.stdio(sys.executable, SMALL, *arguments, **settings)


def script(text: str, **settings: Any) -> MCP:
    return MCP.stdio(sys.executable, "-c", text, **settings)


def until(done: Callable[[], bool]) -> bool:
    limit = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > limit:
            return False
        time.sleep(0.01)
    return True


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pid_of(source: MCP) -> int:
    return int(source.call("identity", {}).split()[0])


@pytest.fixture(scope="module")
def shared() -> Iterator[MCP]:
    """A server for all tests that leave it as it was."""
    with workshop() as source:
        yield source


# --- what the model sees


def test_the_tools_of_a_server(shared: MCP) -> None:
    tools = gather([shared])
    assert tools["add"].description == "Add two numbers."
    assert tools["add"].parameters["required"] == ["a", "b"]
    assert tools["add"].rerun == "rerun"
    assert tools["fail"].rerun == "ask"
    assert not tools["add"].is_async
    assert shared.tools()[0] is tools["add"]


def test_a_call_from_the_model_to_the_result(shared: MCP) -> None:
    call = prepare(gather([shared]), ToolCall("1", "add", {"a": 2, "b": 3}))
    assert isinstance(call, BoundCall)
    assert returned("1", call.run(), most=100) == ToolResult("1", "5")


def test_arguments_that_cannot_be_right_do_not_reach_the_server(shared: MCP) -> None:
    result = prepare(gather([shared]), ToolCall("1", "add", {"a": "two"}))
    assert isinstance(result, ToolResult)
    assert "$.b: is missing: integer" in result.content
    assert '$.a: expected integer, not "two"' in result.content


def test_an_odd_name_is_made_fit_and_the_server_gets_its_own(shared: MCP) -> None:
    tools = gather([shared])
    assert tools["odd_name_with_spaces"].bind({"value": "a"}).run() == "odd: a"


def test_names_with_a_prefix_and_a_choice_of_tools() -> None:
    with workshop(prefix="shop", include=["fail*", "add"], exclude="*silently", approve="deny") as source:
        tools = gather([source])
        assert list(tools) == ["shop_add", "shop_fail"]
        assert tools["shop_add"].approve == "deny"
        assert tools["shop_add"].bind({"a": 1, "b": 1}).run() == "2"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("weather", '{\n  "city": "Oslo",\n  "degrees": -3.5\n}'),
        ("only_structured", {"answer": 42}),
        ("nothing", None),
    ],
)
def test_results_are_text_or_values(shared: MCP, name: str, expected: object) -> None:
    assert shared.call(name, {"city": "Oslo"} if name == "weather" else {}) == expected


def test_what_is_no_text_is_described(shared: MCP) -> None:
    assert shared.call("parts", {}).splitlines() == [
        "first",
        "[image, image/png, 3 bytes; it cannot be shown here]",
        "[audio, audio/wav, 2 bytes; it cannot be shown here]",
        "[notes is at file:///notes.txt: what was said]",
        "[more is at file:///more.txt]",
        "[file:///a.txt]",
        "inside",
        "[file:///b.bin, no text, 4 bytes; it cannot be shown here]",
    ]


def test_errors_are_told_to_the_model(shared: MCP) -> None:
    with pytest.raises(ToolError, match="it failed loudly") as found:
        shared.call("fail", {})
    assert raised("1", found.value) == ToolResult("1", f"ToolError: {found.value}", is_error=True)
    with pytest.raises(ToolError, match="fail_silently failed, and did not say why"):
        shared.call("fail_silently", {})
    with pytest.raises(ToolError, match="Unknown tool"):
        shared.call("nonesuch", {})
    with pytest.raises(ToolError):
        shared.call("add", {"a": []})


def test_progress_is_reported_where_the_call_waits(shared: MCP) -> None:
    said: list[tuple[str, int]] = []
    context = ToolContext(report=lambda text: said.append((text, threading.get_ident())))
    assert shared.call("steps", {"count": 2}, context) == "done"
    assert [text for text, _ in said] == ["step 1 (1 of 2)", "step 2 (2 of 2)", "2"]
    assert {thread for _, thread in said} == {threading.get_ident()}


def test_a_huge_result_comes_whole_and_is_cut_for_the_model(shared: MCP) -> None:
    tool = gather([shared])["much"]
    text = tool.bind({"size": 5_000_000}).run()
    assert len(text) == 5_000_000
    assert len(returned("1", text, most=tool.max_output).content) <= tool.max_output


def test_garbage_among_the_messages_is_passed_over(shared: MCP, capfd: pytest.CaptureFixture[str]) -> None:
    assert shared.call("say_garbage", {}) == "it was said"
    assert shared.call("add", {"a": 1, "b": 1}) == "2"
    assert capfd.readouterr() == ("", "")


# --- many users at once


def test_threads_share_one_server(shared: MCP) -> None:
    with ThreadPoolExecutor(8) as pool:
        sums = pool.map(lambda number: shared.call("add", {"a": number, "b": 1}), range(40))
        pids = set(pool.map(lambda _: pid_of(shared), range(8)))
    assert list(sums) == [str(number + 1) for number in range(40)]
    assert len(pids) == 1


def test_threads_start_one_server() -> None:
    with small() as source, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: (source.tools(), pid_of(source)), range(4)))
    assert len({pid for _, pid in found}) == 1
    assert len({id(tools[0]) for tools, _ in found}) == 1


async def add_in_threads(source: MCP) -> list[str]:
    found: list[str] = []

    async def one(number: int) -> None:
        found.append(await anyio.to_thread.run_sync(lambda: source.call("add", {"a": number, "b": 0})))

    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(one, number)
    return sorted(found)


def test_event_loops_share_it_too(shared: MCP) -> None:
    expected = ["0", "1", "2", "3", "4"]
    assert asyncio.run(add_in_threads(shared)) == expected
    assert asyncio.run(add_in_threads(shared)) == expected
    assert anyio.run(add_in_threads, shared, backend="trio") == expected


# --- calls that nobody waits for


def cancelled_at(mark: Path) -> bool:
    return until(mark.with_suffix(".cancelled").exists)


def test_a_call_is_cancelled_where_the_turn_is_stopped(shared: MCP, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    context = ToolContext(cancelled=mark.with_suffix(".begun").exists)
    with pytest.raises(ToolError, match="nobody waits any more"):
        shared.call("wait", {"mark": str(mark)}, context)
    assert cancelled_at(mark)


def test_a_call_that_takes_too_long_is_cancelled(shared: MCP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.tools()
    with monkeypatch.context() as patch:
        patch.setattr(shared, "timeout", 0.5)
        with pytest.raises(errors.TimeoutError, match=r"did not answer within 0.5 s: wait\(\)") as found:
            shared.call("wait", {"mark": str(tmp_path / "mark")})
    assert found.value.phase == "total"
    assert cancelled_at(tmp_path / "mark")
    assert shared.call("add", {"a": 1, "b": 1}) == "2"


def test_an_error_of_who_reports_cancels_the_call(shared: MCP) -> None:
    def report(text: str) -> None:
        raise KeyError(text)

    with pytest.raises(KeyError):
        shared.call("steps", {"count": 1}, ToolContext(report=report))
    assert shared.call("add", {"a": 1, "b": 1}) == "2"


# --- servers that fail


def test_a_server_that_dies_in_a_call_is_started_anew_by_the_next_one() -> None:
    with workshop(name="shop") as source:
        first = pid_of(source)
        with pytest.raises(ConnectionLost, match=r"'shop' ended before it answered: die\(\)") as found:
            source.call("die", {})
        assert "the last words of a server" in str(found.value)
        assert "abc123secret" not in str(found.value)
        assert until(lambda: not is_running(first))
        assert pid_of(source) != first


def test_a_server_that_dies_between_two_calls_is_started_anew() -> None:
    with small() as source:
        tools = source.tools()
        first = pid_of(source)
        os.kill(first, signal.SIGKILL)
        assert until(lambda: not is_running(first))
        assert until(lambda: _answers(source))
        assert [tool.name for tool in source.tools()] == [tool.name for tool in tools]


def _answers(source: MCP) -> bool:
    with contextlib.suppress(ConnectionLost):  # the end may be noticed a moment after the process is gone
        return is_running(pid_of(source))
    return False


REFUSING = """
import json, sys
for line in sys.stdin:
    error = {"code": 5, "message": "go away"}
    print(json.dumps({"jsonrpc": "2.0", "id": json.loads(line)["id"], "error": error}), flush=True)
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import sys; sys.exit('no key was given')", "ended before it answered; .*'no key was given'"),
        ("print('Welcome!')", "what is no message: 'Welcome!'"),
        ("import os; os.write(1, b'\\xff\\xfe' * 9)", "ended before it answered"),
        (REFUSING, "was not reached: go away"),
    ],
)
def test_a_server_that_does_not_start(text: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with script(text) as source:
        with pytest.raises(ConnectError, match=message):
            source.tools()
        with pytest.raises(ConnectError, match=message):
            source.call("add", {})
    assert capfd.readouterr() == ("", "")


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(ConnectError, match="there is no 'no-such-program'"):
        MCP.stdio("no-such-program").tools()
    with pytest.raises(ConnectError, match="no-such-folder"):
        MCP.stdio(sys.executable, cwd="no-such-folder").tools()


def test_a_server_that_hangs_at_its_start() -> None:
    source = script("import sys; sys.stdin.read()", start_timeout=0.5)
    with pytest.raises(errors.TimeoutError, match=r"did not answer within 0.5 s of its start") as found:
        source.tools()
    assert found.value.phase == "connect"


STUBBORN = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()) + ".", encoding="utf-8")
time.sleep(1000)
"""


def test_a_server_that_neither_starts_nor_ends_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    source = MCP.stdio(sys.executable, "-c", STUBBORN, str(mark))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(source.tools)
        assert until(lambda: mark.exists() and mark.read_text(encoding="utf-8").endswith("."))
        source.close()
        with pytest.raises(ConnectError, match="closed before it answered"):
            waiting.result(PATIENCE)
    assert not is_running(int(mark.read_text(encoding="utf-8")[:-1]))


def test_nobody_waits_for_the_start(tmp_path: Path) -> None:
    with script("import sys; sys.stdin.read()") as source, pytest.raises(ToolError, match="nobody waits any more"):
        source.call("add", {}, ToolContext(cancelled=lambda: True))


# --- lists of tools


def test_a_list_that_changes_is_asked_for_again() -> None:
    with workshop() as source:
        before = source.tools()
        assert source.tools() == before
        source.call("learn", {"name": "greet"})
        assert until(lambda: len(source.tools()) == len(before) + 1)
        assert gather([source])["greet"].bind({}).run() == "learnt greet"
        source.max_tools = 3
        source.call("learn", {"name": "meet"})
        assert len(source.tools()) == len(before) + 1, "a list that cannot be had stays what it was"
        source.max_tools = 128
        assert until(lambda: len(source.tools()) == len(before) + 2)
        with pytest.raises(ConnectionLost):
            source.call("die", {})
        assert len(source.tools()) == len(before) + 2, "what was known of a server that is gone"
        assert pid_of(source)
        assert len(source.tools()) == len(before), "the new one has learnt nothing"


def test_a_server_with_a_thousand_tools() -> None:
    with small("many", "1000") as source:
        with pytest.raises(InvalidInput, match=r"has 1,001 tools, and max_tools is 128; .* include="):
            source.tools()
        source.include = ("nonesuch",)
        with pytest.raises(InvalidInput, match="no tool nonesuch; it has: identity, tool_0, "):
            source.tools()
        source.include = ("tool_7*",)
        assert len(source.tools()) == 111


def test_a_tool_that_is_not_as_it_should_be_does_not_hide_the_others(caplog: pytest.LogCaptureFixture) -> None:
    with small("faulty") as source:
        assert [tool.name for tool in source.tools()] == ["identity", "named"]
        assert pid_of(source)
    said = [record.getMessage() for record in caplog.records if record.name == "agentkit.mcp"]
    assert len(said) == 2
    assert "the tool 'broken' is left out: inputSchema.type: " in said[0]
    assert "the tool None is left out: name: " in said[1]


def test_a_list_that_is_wrong_beside_its_tools() -> None:
    with small("lost") as source, pytest.raises(ToolError, match=r"(?s)the list of its tools: .*nextCursor"):
        source.tools()


def test_a_server_of_a_version_without_a_greeting() -> None:
    with small("modern", name="new") as source:
        assert [tool.name for tool in source.tools()] == ["identity"]
        assert is_running(pid_of(source))
        assert small("modern").prefix_on_clash == Path(sys.executable).name


def test_two_servers_with_the_same_tools(shared: MCP) -> None:
    with workshop(name="other", include=["add", "fail"]) as other:
        tools = gather([shared, other])
        assert {"workshop_add", "other_add", "workshop_fail", "other_fail", "steps"} <= set(tools)
        assert "add" not in tools
        assert tools["workshop_add"].bind({"a": 1, "b": 1}).run() == "2"
        assert tools["other_add"].bind({"a": 1, "b": 1}).run() == "2"


# --- over HTTP


@contextlib.contextmanager
def serving(way: str, port: int = 0) -> Iterator[int]:
    if not port:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, SERVER, way, str(port)], stderr=subprocess.DEVNULL)
    try:
        assert until(lambda: _listens(port))
        yield port
    finally:
        process.kill()
        process.wait(PATIENCE)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE):
        return True
    return False


def test_a_server_over_http(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(serving("http"))
        source = stack.enter_context(MCP.http(f"http://127.0.0.1:{port}/mcp", headers={"X-Key": "secret"}))
        assert "secret" not in repr(source)
        assert gather([source])["add"].bind({"a": 1, "b": 1}).run() == "2"
        assert source.prefix_on_clash == "workshop"
        said: list[str] = []
        assert source.call("steps", {"count": 2}, ToolContext(report=said.append)) == "done"
        assert said == ["step 1 (1 of 2)", "step 2 (2 of 2)", "2"]
        with pytest.raises(ToolError, match="it failed"):
            source.call("fail", {})
        with pytest.raises(ToolError, match="nobody waits"):
            source.call("wait", {"mark": str(mark)}, ToolContext(cancelled=mark.with_suffix(".begun").exists))
        assert cancelled_at(mark)
        with pytest.raises(ConnectionLost, match=r"ended before it answered: die\(\)"):
            source.call("die", {})
        with serving("http", port):
            assert source.call("add", {"a": 1, "b": 1}) == "2", "the session that the first server knew is replaced"
        with pytest.raises(ConnectionLost, match=r"ended before it answered: add\(\)"):
            source.call("add", {"a": 1, "b": 1})


def test_a_server_over_the_older_way() -> None:
    with serving("sse") as port, MCP.http(f"http://127.0.0.1:{port}/sse") as source:
        assert gather([source])["add"].bind({"a": 1, "b": 1}).run() == "2"


def test_an_address_that_nobody_listens_at() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectError, match="was not reached: All connection attempts failed"):
        MCP.http(f"http://127.0.0.1:{port}/mcp").tools()


def test_an_address_elsewhere_is_forbidden_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKIT_OFFLINE", "1")
    with pytest.raises(ConnectError, match="AGENTKIT_OFFLINE allows loopback addresses only"):
        MCP.http("https://tools.example.org/mcp").tools()


# --- settings


@pytest.mark.parametrize(
    "make",
    [
        lambda: MCP.http("ftp://example.org"),
        lambda: MCP.http("nothing"),
        lambda: MCP.stdio("a", timeout=0),
        lambda: MCP.stdio("a", start_timeout=True),
        lambda: MCP.stdio("a", max_tools="5"),  # type: ignore[arg-type]
        lambda: MCP.stdio("a", approve="perhaps"),  # type: ignore[arg-type]
    ],
)
def test_settings_that_cannot_be(make: Callable[[], MCP]) -> None:
    with pytest.raises(InvalidInput):
        make()


def test_nothing_of_the_settings_that_may_be_a_key_is_shown() -> None:
    shown = repr(MCP.stdio("a", "--key", "abc", env={"KEY": "abc"}))
    shown += repr(MCP.http("https://me:abc@example.org/mcp", headers={"Authorization": "abc"}))
    assert "abc" not in shown


def test_the_environment_and_the_folder_of_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a key of somebody else")
    folder = tmp_path / "folder"
    folder.mkdir()
    text = "import os, sys; sys.exit(os.getcwd() + os.environ['WORD'] + str('OPENAI_API_KEY' in os.environ))"
    with script(text, env={"WORD": "-word-"}, cwd=folder) as source, pytest.raises(ConnectError, match="-word-False"):
        source.tools()


# --- the end of processes


def test_a_closed_source_is_closed() -> None:
    source = small()
    pid = pid_of(source)
    source.close()
    assert not is_running(pid)
    with pytest.raises(ConnectError, match="was closed here"):
        source.call("identity", {})
    source.close()


def test_a_source_that_nobody_holds_is_closed() -> None:
    source = small()
    pid = pid_of(source)
    del source
    gc.collect()
    assert until(lambda: not is_running(pid))


def run(program: str, *arguments: str) -> str:
    """What a program prints that makes a source of the server."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", program, sys.executable, *arguments],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_no_server_outlives_the_interpreter() -> None:
    program = """
import sys
from agentkit.toolbox import MCP
source = MCP.stdio(*sys.argv[1:])
print(source.call("identity", {}).split()[0])
"""
    assert not is_running(int(run(program, SMALL)))


def test_a_fork_has_a_server_of_its_own() -> None:
    program = """
import os, sys
from agentkit.toolbox import MCP
source = MCP.stdio(*sys.argv[1:])
def identity():
    return source.call("identity", {}).split()[0]
first = identity()
child = os.fork()
if child == 0:
    print(len(source.tools()), identity(), flush=True)
else:
    os.waitpid(child, 0)
    print(len(source.tools()), identity(), first)
"""
    (count, in_child), (again, in_parent, first) = map(str.split, run(program, SMALL).splitlines())
    assert (count, in_parent) == (again, first)
    assert in_child != in_parent
    assert not is_running(int(in_child))
    assert not is_running(int(in_parent))


def test_without_the_extra_it_says_what_to_install() -> None:
    program = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("mcp", "mcp_types"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
from agentkit.errors import NotConfigured
from agentkit.toolbox import MCP, Calculator
assert Calculator().tools()
for make in (lambda: MCP.stdio("a"), lambda: MCP.http("http://localhost")):
    try:
        make()
    except NotConfigured as error:
        print(error)
"""
    said = 'tools of MCP servers need the official SDK, version 2: pip install "agentkit-conversation[mcp]"\n'
    assert run(program) == said * 2


def test_the_sdk_is_not_loaded_before_it_is_needed() -> None:
    program = """
import sys
from agentkit.toolbox import MCP
MCP.stdio("a")
print([name for name in ("mcp", "mcp_types", "anyio", "asyncio", "httpx", "httpcore", "ssl") if name in sys.modules])
"""
    assert run(program) == "[]\n"

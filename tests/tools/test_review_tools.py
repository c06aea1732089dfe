"""What tools are defined with, where somebody would try it first, and what hostile texts cost."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

from agentkit.errors import InvalidInput
from agentkit.messages import ToolResult
from agentkit.toolbox import MCP, Fetched, Files, Target, Web
from agentkit.toolbox.calculator import calculate
from agentkit.tools import InvalidArguments, ToolContext, explain, gather, returned, tool


def with_none(it: int, context: ToolContext | None = None) -> str:
    return context.key if context is not None else "none"


def with_text(it: int, context: Annotated[ToolContext, "of the call"]) -> str:
    return context.key


def with_both(it: int, context: Annotated[ToolContext | None, "of the call"] = None) -> str:
    return context.key if context is not None else "none"


@pytest.mark.parametrize("function", [with_none, with_text, with_both])
def test_a_context_in_every_form_of_its_hint(function: Callable[..., Any]) -> None:
    made = tool(function)
    assert list(made.parameters["properties"]) == ["it"]
    assert made.bind({"it": 1}).run(ToolContext(key="k")) == "k"


def test_there_is_one_context() -> None:
    def two(one: ToolContext, other: ToolContext) -> None: ...

    with pytest.raises(InvalidInput, match=r"two\(\): one parameter takes the ToolContext, not 2: one, other"):
        tool(two)


def test_what_a_partial_fills_is_kept_from_the_model() -> None:
    def query(word: str, account: object, key: str) -> str:
        return f"{word} of {key}"

    made = tool(functools.partial(query, account=object(), key="secret-1"))
    assert made.description == "", "not what partial itself has to say"
    assert "secret-1" not in str(made.parameters)
    assert made.bind({"word": "boats"}).run() == "boats of secret-1"
    with pytest.raises(InvalidArguments):
        made.bind({"word": "boats", "key": "another"})


class Box:
    def plain(self, at: int) -> int:
        return at

    @tool
    def made(self, at: int) -> int:
        return at


def test_a_method_without_its_instance_is_refused_where_it_is_handed_over() -> None:
    for method in (Box.plain, Box.made):
        with pytest.raises(InvalidInput, match=r"is a method: take it from an instance, as in tools=\[thing\."):
            gather([method])
    assert list(gather([Box().plain, Box().made])) == ["plain", "made"]


def test_a_class_method_is_made_a_tool_from_outside() -> None:
    with pytest.raises(InvalidInput, match=r"make_it\(\), parameter 'cls': make a tool of the bound class method"):

        class Maker:
            @classmethod
            @tool
            def make_it(cls, at: int) -> int:
                return at


def test_each_problem_has_its_own_place_where_equal_values_are_one_object() -> None:
    def mark(places: list[int | str], other: float | str) -> None: ...

    with pytest.raises(InvalidArguments) as caught:
        tool(mark).bind({"places": [None, 1, None, True], "other": None})
    assert [problem.path for problem in caught.value.problems] == [
        "$.places[0]",
        "$.places[2]",
        "$.places[3]",
        "$.other",
    ]
    assert all(" or a text, not " in problem.message for problem in caught.value.problems)


@pytest.mark.parametrize("word", ["a", "a_", "a-", "token", "secret ", "://", "sk-", "/a"])
def test_a_long_error_costs_little_to_clean(word: str) -> None:
    began = time.monotonic()
    assert len(explain(ValueError(word * (2_000_000 // len(word))))) <= 500
    assert time.monotonic() - began < 10


def test_a_token_is_hidden_whatever_stands_before_it() -> None:
    said = explain(ValueError("my_api_token=abc session-token: def token=ghi tokens: 5"))
    assert said == "ValueError: my_api_token=*** session-token: *** token=*** tokens: 5"


def test_files_with_unusual_names_and_marks(tmp_path: Path) -> None:
    files = Files(tmp_path)
    (tmp_path / "marked.txt").write_text("marked", encoding="utf-8-sig")
    assert files.read_file("marked.txt") == "marked"
    with pytest.raises(InvalidInput, match="there is no"):
        files.read_file("half\ud800")
    with pytest.raises(InvalidInput, match="meaning of its own on Windows"):
        files.read_file("aux.py")


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_a_folder_with_links_that_lead_nowhere_is_listed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "gone").symlink_to("nothing")
    (tmp_path / "link").symlink_to("a.txt")
    files = Files(tmp_path)
    assert files.list_files() == "a.txt\nlink"
    with pytest.raises(InvalidInput, match=r"there is no folder 'a\.txt'"):
        files.list_files("a.txt")
    for name in ("circle", "gone", "missing"):
        with pytest.raises(InvalidInput, match="there is no"):
            files.read_file(name)


def page(*answers: Fetched, address: str = "93.184.216.34") -> Web:
    left = list(answers)

    def fetch(target: Target) -> Fetched:
        return left.pop(0)

    return Web(allow=["site.test"], fetch=fetch, resolve=lambda host, port: [address])


@pytest.mark.parametrize("encoding", ["idna", "undefined", "\0", "no-such"])
def test_a_page_in_an_encoding_that_is_none(encoding: str) -> None:
    web = page(Fetched(200, {"content-type": f"text/plain; charset={encoding}"}, b"caf\xc3\xa9"))
    assert web.fetch_page("https://site.test/") == "café"


def test_a_redirect_to_nowhere() -> None:
    with pytest.raises(InvalidInput, match="the server redirects to what is no address"):
        page(Fetched(302, {"location": "http://[::1"}, b"")).fetch_page("https://site.test/")


@pytest.mark.parametrize("address", ["fec0::1", "feff::1"])
def test_addresses_of_a_site_are_private(address: str) -> None:
    with pytest.raises(InvalidInput, match="in a private network"):
        page(address=address).fetch_page("https://site.test/")


@pytest.mark.parametrize("allow", ["*site.test", "site test", "a.*.test", "site..test", "site.test.*"])
def test_hosts_that_would_never_match(allow: str) -> None:
    with pytest.raises(InvalidInput, match="allow names hosts"):
        Web(allow=[allow])


def test_the_repr_of_a_server_has_no_keys() -> None:
    pytest.importorskip("mcp")
    shown = repr(MCP.http("https://me:word@tools.test:8443/mcp/@all?api_key=abc123#abc123"))
    assert "url='https://tools.test:8443/mcp/@all'" in shown


def test_a_source_that_gives_no_list_is_told_so() -> None:
    class Waiting:
        async def tools(self) -> list[Any]:
            return []

    class Empty:
        def tools(self) -> None:
            return None

    for source in (Waiting(), Empty()):
        with pytest.raises(InvalidInput, match=r"tools\(\) of \w+ gives a list of tools, and is no async function"):
            gather([source])  # type: ignore[list-item]


@pytest.mark.parametrize("value", ["", " \n", None])
def test_a_result_is_never_blank(value: str | None) -> None:
    assert returned("1", value, most=100) == ToolResult("1", "(nothing)")
    assert returned("1", " a\n", most=100) == ToolResult("1", " a\n")


@pytest.mark.parametrize(
    "text", ["1if 1else 2", "0xfor 1", "1.if 1 else 2", "1jif 2 else 3", "1_0is 1", r"'\d'", "1if 1 else 2", "1IF 2"]
)
def test_python_prints_nothing_of_what_is_no_arithmetic(text: str, recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(InvalidInput, match="is no"):
        calculate.function(text)
    assert not recwarn.list


@dataclasses.dataclass
class Sea:
    depth: int | str


@dataclasses.dataclass
class Land:
    depth: int | str
    height: int


def test_what_several_alternatives_hold_is_read_once_and_told_in_words() -> None:
    def look(place: Sea | Land, name: int | Annotated[str, "as on the map"] = 0) -> Any:
        return place, name

    made = tool(look)
    assert made.bind({"place": {"depth": 1, "height": 2}}).run() == (Land(1, 2), 0)
    with pytest.raises(InvalidArguments, match="a whole number or a text"):
        made.bind({"place": {"depth": []}})
    with pytest.raises(InvalidArguments, match=r"\$\.name: expected a whole number or a text"):
        made.bind({"place": {"depth": 1}, "name": []})

"""The tools that come along: they work, and there is no way around their bounds."""

from __future__ import annotations

import contextlib
import http.client
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.errors import InvalidInput
from agentkit.toolbox import Calculator, Clock, Fetched, Files, Target, Web, files
from agentkit.toolbox.calculator import calculate
from agentkit.tools import gather

# --- the calculator


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", 14),
        (" -(2 + 3) ** 2 // 2 % 7 ", 1),
        ("2^10", 1024),
        ("+7 / 2", 3.5),
        ("round(10 / 3, 2) + round(2.5)", 5.33),
        ("max(1, min(5, 3)) + abs(-1)", 4),
        ("sqrt(16) + floor(cos(0)) + degrees(0)", 5.0),
        ("0.1 + pi - pi", pytest.approx(0.1)),
        ("2 ** -1", 0.5),
        ("+".join("7" * 300), 2100),
        ("-" * 60 + "1", 1),
        ("2 ** 0.5", pytest.approx(1.41421356)),
    ],
)
def test_arithmetic(expression: str, value: Any) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 +", "no arithmetic expression"),
        ("", "no arithmetic expression"),
        ("\0", "no arithmetic expression"),
        ("1" * 1001, "more than 1000 characters"),
        ("(" * 400 + "1" + ")" * 400, "no arithmetic expression"),
        ("-" * 999 + "1", "nested too deeply|no arithmetic expression"),
        ("~" * 999 + "1", "nested too deeply|no arithmetic expression"),
        ("1e400", "too large, or is no number"),
        ("1e308 * 10", "too large, or is no number"),
        ("__import__('os')", "no part of arithmetic"),
        ("().__class__", "no part of arithmetic"),
        ("'a' * 3", "no part of arithmetic"),
        ("True + 1", "no part of arithmetic"),
        ("x", "no part of arithmetic"),
        ("round(1, ndigits=2)", "no part of arithmetic"),
        ("(lambda: 1)()", "no part of arithmetic"),
        ("1 if 1 else 2", "no part of arithmetic"),
        ("~5", "no part of arithmetic"),
        ("1 << 5", "no part of arithmetic"),
        ("9 ** 9 ** 9", "too large"),
        ("(10 ** 999) * (10 ** 999)", "too large"),
        ("(-8) ** 0.5", "no real number"),
        ("sqrt(1, 2)", "sqrt does not take these 2 values"),
        ("round(1, -10 ** 9)", "rounded to 1000 places at most"),
        ("5j", "no part of arithmetic"),
    ],
)
def test_what_is_no_arithmetic(expression: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        calculate(expression)


@given(st.text(st.sampled_from("0123456789+-*/%()., epi^"), max_size=40))
@settings(max_examples=400, deadline=None)
def test_any_expression_has_a_number_or_a_plain_error(expression: str) -> None:
    try:
        made: object = calculate(expression)
    except (InvalidInput, ArithmeticError, ValueError):
        return
    assert isinstance(made, int | float)


# --- the clock


def _noon(zone: tzinfo | None) -> datetime:
    return datetime(2031, 1, 2, 12, tzinfo=UTC).astimezone(zone or timezone(timedelta(hours=2), "here"))


def test_the_time() -> None:
    current = gather([Clock(now=_noon)])["current_time"]
    assert current.bind({}).run() == "Thursday, 2031-01-02 14:00:00 here (UTC+0200)"
    assert current.bind({"zone": "UTC"}).run() == "Thursday, 2031-01-02 12:00:00 UTC (UTC+0000)"
    for name in ("Nowhere/Else", "../../etc/passwd", "/etc/passwd", ""):
        with pytest.raises(InvalidInput, match="there is no time zone"):
            current.bind({"zone": name}).run()


def test_the_time_of_this_machine() -> None:
    assert Clock().current_time("UTC").endswith("UTC (UTC+0000)")
    assert str(datetime.now().astimezone().year) in Clock().current_time()


# --- files


@pytest.fixture
def shelf(tmp_path: Path) -> Files:
    root = tmp_path / "root"
    (root / "notes").mkdir(parents=True)
    (root / "notes" / "june.txt").write_text("warm å", encoding="utf-8")
    (root / "empty").mkdir()
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (tmp_path / "root-beside").mkdir()
    (tmp_path / "root-beside" / "secret.txt").write_text("secret", encoding="utf-8")
    return Files(root)


def test_files_are_listed_and_read(shelf: Files) -> None:
    found = gather([shelf])
    assert found["list_files"].bind({}).run() == "empty/\nnotes/"
    assert found["list_files"].bind({"folder": "notes/"}).run() == "june.txt"
    assert found["list_files"].bind({"folder": "empty"}).run() == "(empty)"
    assert found["read_file"].bind({"path": "notes/./june.txt"}).run() == "warm å"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "notes/../../secret.txt",
        "notes/..",
        "/etc/passwd",
        "//etc/passwd",
        "..",
        "..\\secret.txt",
        "C:\\secret.txt",
        "C:secret.txt",
        "\\\\host\\share",
        "notes/june.txt:stream",
        "notes/june.txt\0",
        "CON",
        "notes/nul.txt",
        "notes /june.txt",
        "notes./june.txt",
        ".. /secret.txt",
        "a" * 5000,
        "~/x",
        "none.txt",
        "notes",
        "notes/june.txt/x",
        "",
    ],
)
def test_there_is_no_way_out(shelf: Files, path: str) -> None:
    with pytest.raises(InvalidInput) as found:
        shelf.read_file(path)
    assert str(shelf.root) not in str(found.value)


PIECES = ["..", ".", "notes", "up", "secret.txt", "", "june.txt", "\\", "C:", "~", "june.txt "]


@given(st.lists(st.sampled_from(PIECES)))
@settings(max_examples=300, deadline=None)
def test_no_path_leads_to_what_is_outside(pieces: list[str]) -> None:
    with contextlib.suppress(InvalidInput):
        assert Files(_outside()).read_file("/".join(pieces)) == "warm"


def _outside() -> Path:
    """The same folders for all paths, with a link out of the inner one."""
    if not hasattr(_outside, "made"):
        folder = tempfile.TemporaryDirectory()
        root = Path(folder.name) / "root"
        (root / "notes").mkdir(parents=True)
        (root / "notes" / "june.txt").write_text("warm", encoding="utf-8")
        (Path(folder.name) / "secret.txt").write_text("secret", encoding="utf-8")
        (root / "up").symlink_to("..")
        _outside.made = folder, root  # type: ignore[attr-defined]
    return _outside.made[1]  # type: ignore[attr-defined,no-any-return]


def test_links_are_followed_within_and_not_out(shelf: Files) -> None:
    (shelf.root / "inner").symlink_to("notes")
    (shelf.root / "out").symlink_to("..")
    (shelf.root / "file").symlink_to("../secret.txt")
    (shelf.root / "circle").symlink_to("circle")
    (shelf.root / "beside").symlink_to("../root-beside")
    assert shelf.read_file("inner/june.txt") == "warm å"
    assert shelf.list_files() == "empty/\ninner/\nnotes/"
    for path in ("out/secret.txt", "file", "circle", "beside/secret.txt", "circle/x"):
        with pytest.raises(InvalidInput):
            shelf.read_file(path)
    with pytest.raises(InvalidInput, match="leads out of the folder"):
        shelf.list_files("out")


def test_a_link_that_was_put_there_a_moment_ago_is_not_followed(shelf: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path is judged, then a folder of it becomes a link, then it is opened."""
    opened = files._opened

    def late(root: Path, parts: Sequence[str]) -> int:
        (root / "notes").rename(root / "old")
        (root / "notes").symlink_to("../root-beside")
        return opened(root, parts)

    (shelf.root / "notes" / "secret.txt").write_text("mine", encoding="utf-8")
    monkeypatch.setattr(files, "_opened", late)
    with pytest.raises(InvalidInput, match="there is no file"):
        shelf.read_file("notes/secret.txt")


def test_a_system_that_cannot_go_by_steps(shelf: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_BY_STEPS", False)
    assert shelf.read_file("notes/june.txt") == "warm å"


def test_bounds_of_files(shelf: Files) -> None:
    (shelf.root / "data").write_bytes(b"a\0b")
    (shelf.root / "odd").write_bytes(b"a\xffb")
    with pytest.raises(InvalidInput, match="'data' is no text file"):
        shelf.read_file("data")
    assert shelf.read_file("odd") == "a\ufffdb"
    with pytest.raises(InvalidInput, match="has 7 bytes, and at most 5 are read"):
        Files(shelf.root, most_bytes=5).read_file("notes/june.txt")
    with pytest.raises(InvalidInput, match="there is no 'none'"):
        shelf.list_files("none")
    for number in range(1005):
        (shelf.root / "empty" / f"{number:04}").touch()
    assert shelf.list_files("empty").endswith("0999\n... and 5 more")
    with pytest.raises(InvalidInput, match="there is no folder"):
        Files(shelf.root / "none")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes with names")
def test_what_is_no_file_is_not_waited_for(shelf: Files) -> None:
    os.mkfifo(shelf.root / "pipe")
    with pytest.raises(InvalidInput, match="'pipe' is no file"):
        shelf.read_file("pipe")


# --- the web

PAGES: Mapping[str, tuple[int, Mapping[str, str], bytes]] = {
    "/": (200, {"Content-Type": "text/html; charset=latin-1"}, "<p>å".encode("latin-1")),
    "/odd": (200, {"Content-Type": "text/plain; charset=none-such"}, "å".encode()),
    "/json": (200, {"Content-Type": "application/problem+json"}, b"{}"),
    "/image": (200, {"Content-Type": "image/png"}, b"\x89PNG"),
    "/long": (200, {"Content-Type": "text/plain"}, b"x" * 5000),
    "/gone": (410, {}, b""),
    "/near": (302, {"Location": "/json"}, b""),
    "/far": (301, {"Location": "http://elsewhere.test/"}, b""),
    "/down": (307, {"Location": "file:///etc/passwd"}, b""),
    "/round": (302, {"Location": "/round"}, b""),
    "/lost": (302, {}, b""),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, headers, body = PAGES[self.path]
        self.server.seen.append(self.headers["Host"])  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def fetch(target: Target) -> Fetched:
    """Connects to the address that it is told, whatever the name means."""
    connection = http.client.HTTPConnection(target.address, target.port, timeout=30)
    try:
        path = target.url.partition(target.host)[2].lstrip(":0123456789")
        connection.request("GET", path, headers={"Host": target.host})
        answer = connection.getresponse()
        body = answer.read(target.most_bytes + 1)
        return Fetched(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)
    finally:
        connection.close()


@pytest.fixture
def web(server: ThreadingHTTPServer) -> Web:
    return Web(
        allow=["site.test"], fetch=fetch, resolve=lambda host, port: ["127.0.0.1"], private=True, most_bytes=1000
    )


def page(web: Web, server: ThreadingHTTPServer, path: str) -> str:
    return str(gather([web])["fetch_page"].bind({"url": f"http://site.test:{server.server_port}{path}"}).run())


def test_pages_are_fetched(web: Web, server: ThreadingHTTPServer) -> None:
    assert page(web, server, "/") == "<p>å"
    assert page(web, server, "/odd#part") == "å"
    assert page(web, server, "/near") == "{}"
    assert page(web, server, "/long") == "x" * 1000 + "\n[... the rest is left out ...]"
    assert set(server.seen) == {"site.test"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/image", "this is no text but 'image/png'"),
        ("/gone", "the server answered with status 410"),
        ("/lost", "the server answered with status 302"),
        ("/far", "the host 'elsewhere.test' is not allowed; allowed are site.test"),
        ("/down", "begins with https:// or http://"),
        ("/round", "more than 5 redirects"),
    ],
)
def test_pages_that_are_not_given(web: Web, server: ThreadingHTTPServer, path: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        page(web, server, path)


def never(target: Target) -> Fetched:
    raise AssertionError(f"{target} was asked for")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://site.test/",
        "file:///etc/passwd",
        "site.test",
        "http://",
        "http://[::1",
        "http://site.test:99999/",
        "http://ada:pw@site.test/",
        "http://@site.test/",
        "http://site.test@evil.test/",
        "http://evil.test/site.test",
        "http://site.test.evil.test/",
        "http://evil-site.test/",
        "http://site.test\\@evil.test/",
        "http://site.test/a b",
        "http://site.test/\r\nHost: evil.test",
        "http://sité.test/",
        "http://127.0.0.1/",
        "http://sub.site.test/",
        "http://other.test/",
    ],
)
def test_only_what_is_allowed(url: str) -> None:
    web = Web(allow=["site.test", "*.other.test"], fetch=never, resolve=lambda host, port: ["93.184.216.34"])
    with pytest.raises(InvalidInput):
        web.fetch_page(url)


def test_hosts_below_a_host() -> None:
    seen: list[Target] = []

    def note(target: Target) -> Fetched:
        seen.append(target)
        return Fetched(200, {}, b"ok")

    web = Web(
        allow=["*.Site.test.", "one.test"], fetch=note, resolve=lambda host, port: ["93.184.216.34", "2606:2800::1"]
    )
    assert web.fetch_page("https://A.b.site.test./x?y#z") == "ok"
    assert web.fetch_page("http://one.test:8080") == "ok"
    assert [(each.host, each.address, each.port, each.url) for each in seen] == [
        ("a.b.site.test", "93.184.216.34", 443, "https://A.b.site.test./x?y"),
        ("one.test", "93.184.216.34", 8080, "http://one.test:8080"),
    ]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.5.5",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:5ef5:79fd:0:0:80ff:fffe",
        "no address",
    ],
)
def test_no_private_network_is_reached(address: str) -> None:
    for found in ([address], ["93.184.216.34", address]):
        web = Web(allow=["site.test"], fetch=never, resolve=lambda host, port, found=found: found)  # type: ignore[misc]
        with pytest.raises(InvalidInput, match=r"the host 'site\.test' is in a private network"):
            web.fetch_page("http://site.test/")


def test_a_name_is_resolved_once_for_each_request(server: ThreadingHTTPServer) -> None:
    """A name that means something else at the second look gets no second look."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]

    seen: list[str] = []

    def note(target: Target) -> Fetched:
        seen.append(target.address)
        return Fetched(302, {"location": "/again"}, b"")

    with pytest.raises(InvalidInput, match="in a private network"):
        Web(allow=["site.test"], fetch=note, resolve=rebinding).fetch_page("http://site.test/")
    assert (seen, asked) == (["93.184.216.34"], ["site.test", "site.test"])


def test_names_that_lead_nowhere() -> None:
    def fails(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    for resolve in (fails, lambda host, port: []):
        with pytest.raises(InvalidInput, match=r"the host 'site\.test' is not known"):
            Web(allow=["site.test"], fetch=never, resolve=resolve).fetch_page("http://site.test/")


def test_the_resolver_of_the_system() -> None:
    with pytest.raises(InvalidInput, match="in a private network"):
        Web(allow="localhost", fetch=never).fetch_page("http://localhost/")


@pytest.mark.parametrize("allow", [[], [""], ["*"], ["*."], ["https://site.test"], ["site.test:80"], ["site.test/x"]])
def test_what_can_be_allowed(allow: list[str]) -> None:
    with pytest.raises(InvalidInput, match="allow names hosts"):
        Web(allow=allow, fetch=never)


def test_all_of_them_together(tmp_path: Path) -> None:
    found = gather([Calculator(), Clock(), Files(tmp_path), Web(allow=["site.test"], fetch=never)])
    assert list(found) == ["calculate", "current_time", "list_files", "read_file", "fetch_page"]
    assert {each.rerun for each in found.values()} == {"rerun"}
    assert all(each.description for each in found.values())

"""Settings: which value holds, where it says that it came from, and how a bad one is refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit import config
from agentkit.config import BackendSettings, Setting, backend_settings, setting, variables
from agentkit.errors import InvalidInput, NotConfigured

KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file, not yet there."""
    monkeypatch.delenv("LM_API_TOKEN", raising=False)
    path = tmp_path / "config.toml"
    monkeypatch.setenv("AGENTKIT_CONFIG", str(path))
    return path


def entries(found: BackendSettings) -> list[tuple[str | None, str]]:
    return [(each.value, each.origin) for each in (found.base_url, found.api_key, found.model)]


def test_arguments_then_the_environment_then_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert entries(backend_settings("openai")) == [(None, "default")] * 3
    file.write_text('[openai]\nbase_url = "http://file/v1"\napi_key = " k "\nmodel = "m"\n', encoding="utf-8")
    there = f"[openai] in {str(file)!r}"
    assert entries(backend_settings("openai")) == [("http://file/v1", there), ("k", there), ("m", there)]
    for name, value in (("BASE_URL", " http://env/v1\n"), ("API_KEY", "e"), ("MODEL", "n")):
        monkeypatch.setenv(f"OPENAI_{name}", value)
    assert entries(backend_settings("openai")) == [
        ("http://env/v1", "environment OPENAI_BASE_URL"),
        ("e", "environment OPENAI_API_KEY"),
        ("n", "environment OPENAI_MODEL"),
    ]
    given = backend_settings("openai", base_url="http://given", api_key="g")
    assert entries(given)[:2] == [("http://given", "argument base_url"), ("g", "argument api_key")]


def test_an_empty_value_says_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('model = ""\n[openai]\napi_key = " "\n', encoding="utf-8")
    monkeypatch.setenv("OPENAI_BASE_URL", "  ")
    monkeypatch.setenv("AGENTKIT_MODEL", "")
    assert entries(backend_settings("openai", base_url="", api_key="")) == [(None, "default")] * 3
    assert setting("model") == Setting(None)


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_around_a_variable_are_no_part_of_it(quote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BASE_URL", "http://env/v1"), ("API_KEY", KEY), ("MODEL", "m")):
        monkeypatch.setenv(f"OPENAI_{name}", f"{quote}{value}{quote}")
    assert [value for value, _ in entries(backend_settings("openai"))] == ["http://env/v1", KEY, "m"]


@pytest.mark.parametrize(
    ("variable", "backend", "entry"),
    [
        ("OPENAI_API_BASE", "openai", "base_url"),
        ("PIXIGPT_BASE_URL", "pixigpt", "base_url"),
        ("GRAVIXLAYER_BASE_URL", "gravixlayer", "base_url"),
        ("GRADIENT_BASE_URL", "gradient", "base_url"),
        ("PARALLAX_BASE_URL", "parallax", "base_url"),
        ("VLLM_BASE_URL", "vllm", "base_url"),
        ("GPT_OSS_BASE_URL", "gpt-oss", "base_url"),
        ("OLLAMA_BASE_URL", "ollama", "base_url"),
        ("PIXIGPT_API_KEY", "pixigpt", "api_key"),
        ("PIXIGPT_API_KEY", "pixigpt-threads", "api_key"),
        ("PIXIGPT_BASE_URL", "pixigpt-threads", "base_url"),
        ("GRAVIXLAYER_API_KEY", "gravixlayer", "api_key"),
        ("VLLM_API_KEY", "vllm", "api_key"),
        ("LLAMACPP_API_KEY", "llamacpp", "api_key"),
        ("LLAMA_API_KEY", "llamacpp", "api_key"),
        ("LM_API_TOKEN", "lmstudio", "api_key"),
        ("SGLANG_MODEL", "sglang", "model"),
        ("DEFAULT_ASSISTANT_ID", "pixigpt-threads", "model"),
    ],
)
def test_names_that_people_have(variable: str, backend: str, entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9/v1")
    found: Setting = getattr(backend_settings(backend), entry)
    assert (found.value, found.origin) == ("http://127.0.0.1:9/v1", f"environment {variable}")
    assert variable in variables(backend, entry)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1:9", "http://127.0.0.1:9/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:9", "http://127.0.0.1:9/v1"),
        (":9", "http://127.0.0.1:9/v1"),
        ("box", "http://box:11434/v1"),
        ("http://box", "http://box:80/v1"),
        ("https://box/", "https://box:443/v1"),
        ("https://box:9/ollama/", "https://box:9/ollama/v1"),
        ("[::]:9", "http://[::1]:9/v1"),
        ("::", "http://[::1]:11434/v1"),
        ("::1", "http://[::1]:11434/v1"),
        ("[fe80::1]", "http://[fe80::1]:11434/v1"),
        ("'127.0.0.1'", "http://127.0.0.1:11434/v1"),
        ("http://box:9/v1/", "http://box:9/v1"),
    ],
)
def test_where_ollama_listens(host: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert backend_settings("ollama").base_url == Setting(url, "environment OLLAMA_HOST")
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://other/v1")
    assert backend_settings("ollama").base_url.value == "http://other/v1"


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("0.0.0.0", "", Setting("http://127.0.0.1:8080/v1", "environment LLAMA_ARG_HOST")),
        ("::1", "9", Setting("http://[::1]:9/v1", "environment LLAMA_ARG_HOST")),
        ("", "9", Setting("http://127.0.0.1:9/v1", "environment LLAMA_ARG_PORT")),
        ("/run/llama.sock", "", Setting(None)),
        ("", "", Setting(None)),
    ],
)
def test_where_llamacpp_listens(host: str, port: str, expected: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_ARG_HOST", host)
    monkeypatch.setenv("LLAMA_ARG_PORT", port)
    assert backend_settings("llamacpp").base_url == expected


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OPENAI_BASE_URL", "localhost:8000", "from environment OPENAI_BASE_URL; write http://localhost:8000"),
        ("OPENAI_API_BASE", "api.example.org/v1/", "environment OPENAI_API_BASE; write http://api.example.org/v1"),
        ("OPENAI_BASE_URL", "ftp://host/v1", "'ftp://host/v1', from environment OPENAI_BASE_URL"),
        ("OPENAI_BASE_URL", "http://", "names a host"),
        ("OPENAI_BASE_URL", "http://host:port/v1", "from environment OPENAI_BASE_URL"),
        ("OPENAI_BASE_URL", "http://host:0", "from environment OPENAI_BASE_URL"),
        ("OPENAI_BASE_URL", "http://a b/v1", "from environment OPENAI_BASE_URL"),
        ("OPENAI_BASE_URL", "http://[::1/v1", "from environment OPENAI_BASE_URL"),
        ("OPENAI_API_KEY", f"{KEY}\u00e9", "the API key from environment OPENAI_API_KEY"),
        ("OPENAI_API_KEY", f"{KEY}\nb", "the API key from environment OPENAI_API_KEY"),
        (
            "OPENAI_API_KEY",
            f"Bearer {KEY}",
            "the API key from environment OPENAI_API_KEY begins with 'Bearer': write the key",
        ),
        ("OPENAI_BASE_URL", f"http://host/v1?key={KEY}", "'http://host/v1?***' has, from environment OPENAI_BASE_URL"),
        (
            "OPENAI_BASE_URL",
            "http://host/v1#top",
            "a base URL has no query and no fragment, as 'http://host/v1#top' has",
        ),
    ],
)
def test_a_bad_value_names_its_origin(variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidInput) as caught:
        backend_settings("openai")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_bad_argument_and_a_bad_host_do_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="from argument base_url"):
        backend_settings("vllm", base_url="nonsense")
    with pytest.raises(InvalidInput) as caught:
        backend_settings("vllm", base_url="me:hidden@host:9")
    assert "hidden" not in str(caught.value)
    monkeypatch.setenv("OLLAMA_HOST", "me:hidden@host:9")
    with pytest.raises(InvalidInput) as caught:
        backend_settings("ollama")
    assert "hidden" not in str(caught.value)
    monkeypatch.setenv("OLLAMA_HOST", "host:port")
    with pytest.raises(InvalidInput, match="'host:port', from environment OLLAMA_HOST"):
        backend_settings("ollama")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"model = ", "at line 1"),
        (b"a = 1\nb = 2\nc == 3\n", "at line 3"),
        (b"# one\n# two \xff\n", "no UTF-8 (at line 2)"),
        (b"openai = 3\n", "openai in {file} must be a table, as in [openai], not 3"),
        (b"[openai]\nbase_url = 3\n", "base_url, from [openai] in {file}, must be a text, not 3"),
        (b'[openai]\nbase_url = "h"\n', "not 'h', from [openai] in {file}; write http://h"),
        (b"[openai]\napi_key = 77123\n", "api_key, from [openai] in {file}, must be a text, not of type int"),
    ],
)
def test_a_bad_file_is_named(text: bytes, said: str, file: Path) -> None:
    file.write_bytes(text)
    with pytest.raises(InvalidInput) as caught:
        backend_settings("openai")
    assert said.format(file=repr(str(file))) in str(caught.value)
    assert str(file) in str(caught.value)
    assert "77123" not in str(caught.value)


def test_a_file_that_cannot_be_read(file: Path) -> None:
    file.mkdir()
    with pytest.raises(InvalidInput, match=r"cannot be read: Is a directory$"):
        backend_settings("openai")


def test_settings_of_the_whole(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotConfigured, match="AGENTKIT_MODEL"):
        config.configured_model()
    for name in ("gpt-4", "vllm/a b"):
        monkeypatch.setenv("AGENTKIT_MODEL", name)
        with pytest.raises(InvalidInput, match=f"; '{name}' came from environment AGENTKIT_MODEL$"):
            config.configured_model()
    monkeypatch.delenv("AGENTKIT_MODEL")
    file.write_text('model = "vllm/m"\nstore = 7\n', encoding="utf-8")
    assert setting("model") == Setting("vllm/m", repr(str(file)))
    assert config.configured_model() == "vllm/m"
    with pytest.raises(InvalidInput, match="store, from "):
        setting("store")
    monkeypatch.setenv("AGENTKIT_STORE", "memory")
    assert setting("store") == Setting("memory", "environment AGENTKIT_STORE")


def test_where_files_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: Path) -> None:
    assert config.config_path() == file
    monkeypatch.delenv("AGENTKIT_CONFIG")
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path))
    assert config.config_path() == tmp_path / "config.toml"
    assert config.store_path() == tmp_path / "conversations.db"
    monkeypatch.delenv("AGENTKIT_HOME")
    assert config.config_path().parts[-2:] == ("agentkit", "config.toml")
    assert config.data_path().name == "agentkit"


def test_a_key_is_never_shown() -> None:
    found = backend_settings("openai", api_key=KEY)
    assert KEY not in repr(found)
    assert found.api_key.shown == "set, ends in '89'"
    assert Setting("short", secret=True).shown == "set"
    assert Setting(None, secret=True).shown is None
    assert Setting(None).shown is None
    assert Setting("http://me:hidden@host/v1").shown == "http://me:***@host/v1"
    assert Setting("http://me:hid?den@host/v1?key=hidden").shown == "http://me:***@host/v1?***"
    assert repr(Setting("v", "o")) == "Setting('v', 'o')"


@given(st.text(max_size=30))
def test_whatever_a_host_is(host: str) -> None:
    if "\0" in host or any("\ud800" <= char <= "\udfff" for char in host):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OLLAMA_HOST", host)
        found = None
        with suppress(InvalidInput):
            found = backend_settings("ollama").base_url.value
        assert found is None or (found.endswith("/v1") and found.isprintable())

"""`agentkit config`, `agentkit models` and `agentkit doctor`, against servers of the simulator on loopback."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from agentkit.sim import SimServer, Simulator
from agentkit.sim.profiles import PROFILES

Run: TypeAlias = Callable[..., Any]
KEY = "sk-very-secret-0123456789"


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    """The address of each server that the simulator plays."""
    with SimServer(Simulator()) as running:
        yield {name: f"{running.url}{made.base}" for name, made in PROFILES.items()}


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{kept.getsockname()[1]}/v1"


@pytest.fixture
def file(home: Path) -> Path:
    home.mkdir()
    return home / "config.toml"


def rows(done: Any) -> dict[str, tuple[str, str]]:
    facts: dict[str, Any] = json.loads(done.out)
    return {name: (row["value"], row["origin"]) for name, row in facts.items()}


# config


def test_every_setting_with_its_origin(call: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('model = "vllm/m"\n[vllm]\nbase_url = "http://gpu:8000/v1"\n', encoding="utf-8")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_MODEL", "gpt")
    monkeypatch.setenv("AGENTKIT_OFFLINE", "1")
    shown = rows(call("config", "show", "--json"))
    assert shown["file"] == (str(file), "environment AGENTKIT_HOME")
    assert shown["data"] == (str(file.parent), "environment AGENTKIT_HOME")
    assert shown["model"] == ("vllm/m", repr(str(file)))
    assert shown["store"][1] == "environment AGENTKIT_HOME"
    assert shown["offline"] == ("yes", "environment AGENTKIT_OFFLINE")
    assert shown["openai.base_url"] == ("https://api.openai.com/v1", "default")
    assert shown["openai.api_key"] == ("set, ends in '89'", "environment OPENAI_API_KEY")
    assert shown["openai.model"] == ("gpt", "environment OPENAI_MODEL")
    assert shown["vllm.base_url"] == ("http://gpu:8000/v1", f"[vllm] in {str(file)!r}")
    assert "ollama.api_key" not in shown
    table = call("config", "show").out
    assert KEY not in table
    assert [line.split()[0] for line in table.splitlines()] == list(shown)
    monkeypatch.setenv("AGENTKIT_CONFIG", str(file))
    monkeypatch.setenv("AGENTKIT_STORE", "memory")
    shown = rows(call("config", "show", "--json"))
    assert shown["file"][1] == "environment AGENTKIT_CONFIG"
    assert shown["store"] == ("memory", "environment AGENTKIT_STORE")


def test_the_settings_of_one_backend(call: Run) -> None:
    done = call("config", "show", "ollama", "--json")
    assert rows(done) == {
        "ollama.base_url": ("http://localhost:11434/v1", "default"),
        "ollama.api_key": (None, "default"),
        "ollama.model": (None, "default"),
    }
    assert call("config", "show", "sim").code == 2
    refused = call("config", "show", "olama")
    assert (refused.code, refused.out) == (2, "")
    assert "'olama' has no settings" in refused.err


def test_a_wrong_setting_hides_no_other(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    done = call("config", "show")
    assert done.code == 2
    assert "from environment OPENAI_BASE_URL; write http://localhost:8000" in done.err
    assert "vllm.base_url" in done.out


def test_a_wrong_name_is_told_with_its_origin(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKIT_MODEL", "gpt-4")
    done = call("hi")
    assert (done.code, done.out) == (2, "")
    assert "'gpt-4' came from environment AGENTKIT_MODEL" in done.err
    monkeypatch.setenv("AGENTKIT_STORE", "what")
    assert "'what' came from environment AGENTKIT_STORE" in call("ls").err
    assert "'where' came from --store" in call("ls", "--store", "where").err


def test_a_file_that_is_no_toml(call: Run, file: Path) -> None:
    file.write_text("a = 1\nmodel = ", encoding="utf-8")
    for words in (("config", "show"), ("models",), ("models", "vllm"), ("hello",)):
        done = call(*words)
        assert (done.code, done.out) == (2, "")
        assert f"{str(file)!r} cannot be read: Invalid value (at line 2" in done.err
        assert done.err.count("\n") == 1


def test_where_the_file_is(call: Run, home: Path) -> None:
    done = call("config", "path")
    assert (done.code, done.out, done.err) == (0, f"{home / 'config.toml'}\n", "")
    assert call("config", "path", "vllm").code == 2
    assert call("config").code == 2


# models


@pytest.mark.parametrize(
    ("profile", "backend", "line"),
    [
        ("vllm-0.33", "vllm", "vllm/openai/gpt-oss-20b  window 8,192 tokens\n"),
        ("llamacpp-2026", "llamacpp", "llamacpp/gpt-oss-20b-mxfp4.gguf  window 8,192 tokens\n"),
        ("ollama", "ollama", "ollama/gpt-oss:20b  window 8,192 tokens\n"),
        ("lmstudio", "lmstudio", "lmstudio/openai/gpt-oss-20b  window 8,192 tokens\n"),
        ("transformers", "transformers", "transformers/openai/gpt-oss-20b\n"),
        ("mlx", "mlx", "mlx/mlx-community/gpt-oss-20b-MXFP4-Q8\n"),
        ("gradient", "gradient", "gradient/GPT-OSS-120B\ngradient/Qwen3-235B\n"),
        ("sglang", "gpt-oss", "gpt-oss/openai/gpt-oss-20b  window 8,192 tokens\n"),
        ("openai", "openai", "openai/sim  window 8,192 tokens\n"),
    ],
)
def test_the_models_of_a_server(call: Run, servers: dict[str, str], profile: str, backend: str, line: str) -> None:
    done = call("models", backend, "--base-url", servers[profile])
    assert (done.code, done.out) == (0, line)
    assert f"at {servers[profile]} (base_url), known by" in done.err


def test_the_models_for_programs(call: Run, servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_BASE_URL", servers["vllm-0.11"])
    facts = json.loads(call("models", "vllm", "--json").out)
    assert facts.pop("evidence")
    assert facts == {
        "backend": "vllm",
        "version": "0.11.0",
        "address": servers["vllm-0.11"],
        "origin": "environment VLLM_BASE_URL",
        "needs_key": False,
        "models": [{"name": "openai/gpt-oss-20b", "window": 8192}],
    }
    assert call("models", "sim").out == "sim\n"
    assert json.loads(call("models", "sim", "--json").out) == {"models": ["sim"]}


def test_a_server_of_another_kind(call: Run, servers: dict[str, str]) -> None:
    done = call("models", "vllm", "--base-url", servers["ollama"])
    assert (done.code, done.out) == (0, "ollama/gpt-oss:20b  window 8,192 tokens\n")
    assert f"that is no vllm: call its models ollama/MODEL, and set OLLAMA_BASE_URL={servers['ollama']}" in done.err


def test_models_that_cannot_be_listed(call: Run, servers: dict[str, str], nowhere: str) -> None:
    refused = call("models", "vllm", "--base-url", nowhere)
    assert refused.code == 1
    assert "Connection refused. Is the server running there?" in refused.err
    locked = call("models", "gravixlayer", "--base-url", servers["gravixlayer"])
    assert locked.code == 1
    assert "No key was sent. Try: export GRAVIXLAYER_API_KEY=..." in locked.err
    other = call("models", "vllm", "--base-url", servers["gradient"])
    assert other.code == 1
    assert "has no list of models" in other.err
    for words in (("nope",), ("vllm", "--base-url", "nonsense"), ("--base-url", nowhere)):
        done = call("models", *words)
        assert (done.code, done.out) == (2, "")


def test_models_in_a_chat(call: Run, servers: dict[str, str]) -> None:
    said = "/models\n/models sim\n/model\n"
    done = call("chat", "-m", "vllm/openai/gpt-oss-20b", "--base-url", servers["vllm-0.33"], "--no-store", given=said)
    assert done.code == 0
    assert done.out.startswith("vllm/openai/gpt-oss-20b  window 8,192 tokens\nsim\n")
    assert f"vllm 0.33.0 at {servers['vllm-0.33']} (base_url)" in done.err


def test_a_server_without_models(call: Run, tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "models").write_text('{"object": "list", "data": []}', encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        done = call("models", "openai", "--base-url", f"http://127.0.0.1:{server.server_address[1]}/v1")
        server.shutdown()
        thread.join(10)
    assert (done.code, done.out) == (0, "")
    assert "it lists no model" in done.err


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files, without a log."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that is overridden
        pass


def test_servers_of_this_machine(call: Run, servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    none = call("models", "--probe")
    assert "no server answers on this machine" in none.err
    monkeypatch.setenv("SGLANG_BASE_URL", servers["sglang"])
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    done = call("models", "--probe")
    assert done.code == 0
    assert f"sglang 0.5.23 at {servers['sglang']} (SGLANG_BASE_URL), known by owned_by 'sglang'" in done.out
    assert "  sglang/openai/gpt-oss-20b  window 8,192 tokens\n" in done.out
    facts = json.loads(call("models", "--probe", "--json").out)
    assert [server["backend"] for server in facts["servers"]] == ["sglang"]
    assert "servers" not in json.loads(call("models", "--json").out)
    assert KEY not in done.out


def test_a_failure_says_where_the_address_came_from(call: Run, servers: dict[str, str], nowhere: str) -> None:
    done = call("-m", "vllm/m", "--base-url", servers["vllm-0.33"].removesuffix("/v1") + "/other", "hi")
    assert done.code == 1
    assert "/vllm-0.33/other (from argument base_url) knows no such path. Does the API begin at" in done.err
    done = call("chat", "-m", "gravixlayer/m", "--base-url", servers["gravixlayer"], given="hi\n")
    assert done.code == 1
    assert "No key was sent. Try: export GRAVIXLAYER_API_KEY=..." in done.err
    chosen = call("-m", "sim:nope/x", "hi")
    assert chosen.code == 2


# doctor


def test_doctor_finds_servers(call: Run, servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "servers: none answers on this machine" in call("doctor").out
    monkeypatch.setenv("VLLM_BASE_URL", servers["vllm-0.33"])
    monkeypatch.setenv("GRAVIXLAYER_BASE_URL", servers["gravixlayer"])
    monkeypatch.setenv("OPENAI_BASE_URL", servers["openai"])
    done = call("doctor")
    assert done.code == 0
    assert "known by owned_by 'vllm' in /v1/models: openai/gpt-oss-20b; window 8,192 tokens" in done.out
    assert "-> to use it: export AGENTKIT_MODEL=vllm/openai/gpt-oss-20b\n" in done.out
    assert "-> to use it: export AGENTKIT_MODEL=openai/sim\n" in done.out
    assert f"-> export GRAVIXLAYER_API_KEY=... GRAVIXLAYER_BASE_URL={servers['gravixlayer']}" in done.out
    monkeypatch.setenv("VLLM_BASE_URL", servers["ollama"])
    told = call("doctor").out
    assert f"export AGENTKIT_MODEL=ollama/gpt-oss:20b OLLAMA_BASE_URL={servers['ollama']}\n" in told


IN_USE = [
    ("vllm/openai/gpt-oss-20b", "VLLM_BASE_URL", "vllm-0.33", 0, "ok     model: vllm/openai/gpt-oss-20b"),
    ("vllm", "VLLM_BASE_URL", "vllm-0.33", 0, "answers at"),
    ("gpt-oss/gpt-oss:20b", "GPT_OSS_BASE_URL", "ollama", 0, "answers at"),
    ("llamacpp/any", "LLAMACPP_BASE_URL", "llamacpp-2026", 0, "answers at"),
    ("openai/sim", "OPENAI_BASE_URL", "openai", 0, "answers at"),
    ("vllm/x", "VLLM_BASE_URL", "vllm-0.33", 1, "has no such model\n       -> agentkit models vllm lists"),
    ("vllm/x", "VLLM_BASE_URL", "sglang", 0, "is a sglang\n       -> name it as sglang/x, with SGLANG_BASE_URL="),
    ("vllm", "VLLM_BASE_URL", "gravixlayer", 1, "wants a key\n       -> export VLLM_API_KEY=..."),
    ("vllm/x", "VLLM_BASE_URL", "gradient", 1, "is something else (no list of models"),
]


@pytest.mark.parametrize("case", IN_USE, ids=lambda case: f"{case[0]} at {case[2]}")
def test_doctor_asks_the_model_in_use(
    call: Run, servers: dict[str, str], monkeypatch: pytest.MonkeyPatch, case: tuple[str, str, str, int, str]
) -> None:
    model, variable, profile, code, said = case
    monkeypatch.setenv(variable, servers[profile])
    monkeypatch.setenv("AGENTKIT_MODEL", model)
    done = call("doctor")
    assert done.code == code
    assert said in done.out


def test_doctor_asks_nobody_elsewhere(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKIT_MODEL", "openai/gpt")
    assert (
        "wrong  model: openai/gpt, from AGENTKIT_MODEL: no key\n       -> export OPENAI_API_KEY=" in call("doctor").out
    )
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    done = call("doctor")
    assert "ok     model: openai/gpt, from AGENTKIT_MODEL, at https://api.openai.com/v1" in done.out
    assert KEY not in done.out


def test_doctor_and_a_server_that_is_not_there(call: Run, nowhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_BASE_URL", nowhere)
    monkeypatch.setenv("AGENTKIT_MODEL", "vllm/m")
    done = call("doctor")
    assert done.code == 1
    assert "Connection refused\n       -> Is the server running there?" in done.out


def test_doctor_and_the_file(call: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_BASE_URL", "gpu:8000")
    text = 'modle = "x"\nstore = "memory"\ntranscript = "logs"\n'
    text += '[vllm]\nmodel = "m"\nbase_ulr = "x"\n[openai]\napi_key = 5\n[opnai]\n'
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    done = call("doctor")
    assert done.code == 1
    for entry in ("modle", "[vllm] base_ulr", "[opnai]"):
        assert f"note   settings: {entry} in {file} is not known, and does nothing\n" in done.out
    assert done.out.count("is not known") == 3
    assert "api_key, from [openai]" in done.out
    assert "must be a text, not of type int\n       -> correct it there" in done.out
    assert "write http://gpu:8000\n       -> correct it there" in done.out
    file.write_text("model = ", encoding="utf-8")
    done = call("doctor")
    assert done.code == 1
    assert done.out.count("cannot be read") == 1
    assert "1 is wrong" in done.err


def test_doctor_names_a_few_of_many_models(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with SimServer(Simulator(models=[f"m{n}" for n in range(7)])) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("AGENTKIT_MODEL", "openai")
        done = call("doctor")
    assert ": m0, m1, m2, m3, m4 and 2 more; window" in done.out
    assert "the model is missing\n       -> agentkit models openai lists what there is" in done.out

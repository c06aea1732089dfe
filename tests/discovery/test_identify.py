"""Servers by their answers: as recorded or read in their sources, never by the port, and whatever the bytes are."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server_answers import GPT, NOT_FOUND, SERVERS, listed, model, said

from agentkit.providers import provider_names
from agentkit.providers._identify import NO_ANSWER, PROBES, Answer, Verdict, identify, next_probe, root_of


def ask(server: Mapping[str, Answer], missing: Answer, *, version: bool = False) -> tuple[Verdict, list[str]]:
    """Ask a server as the drivers do; the verdict, and the paths that were asked."""
    answers: dict[str, Answer] = {}
    while (path := next_probe(answers, version=version)) is not None:
        assert path in PROBES
        assert path not in answers
        answers[path] = server.get(path, missing)
    return identify(answers), list(answers)


@pytest.mark.parametrize("name", SERVERS)
def test_by_its_answers(name: str) -> None:
    server, missing, backend, version, windows, questions = SERVERS[name]
    verdict, asked = ask(server, missing)
    assert (verdict.backend, verdict.windows) == (backend, windows)
    assert len(asked) == questions
    assert verdict.needs_key is (" key" in name)
    assert verdict.evidence
    told, asked = ask(server, missing, version=True)
    assert (told.backend, told.version, told.windows) == (backend, version, windows)
    assert len(asked) <= questions + 1


def test_all_names_are_backends() -> None:
    assert {server[2] for server in SERVERS.values()} <= set(provider_names())


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (NO_ANSWER, "no answer to /v1/models"),
        (NOT_FOUND, "no list of models in /v1/models (HTTP 404, text/plain)"),
        (
            said(b"<!doctype html><title>Jupyter</title>", headers={"content-type": "text/html; charset=utf-8"}),
            "no list of models in /v1/models (HTTP 200, text/html; charset=utf-8)",
        ),
        (said([1]), "no list of models in /v1/models (HTTP 200, no content type)"),
        (said({"data": []}), "no list of models in /v1/models (HTTP 200, no content type)"),
    ],
)
def test_something_else_is_asked_once(answer: Answer, evidence: str) -> None:
    verdict, asked = ask({}, answer)
    assert verdict == Verdict(backend=None, evidence=evidence)
    assert asked == ["/v1/models"]


def test_old_servers_are_known_from_what_was_asked_anyway() -> None:
    assert identify({"/v1/models": NOT_FOUND, "/api/version": said({"version": "0.1.20"})}).backend == "ollama"


def test_the_owner_of_a_compatible_server_is_told() -> None:
    verdict = identify({"/v1/models": said({"data": [{"id": "m", "owned_by": "tabby\x1b[2JAPI" + "x" * 99}]})})
    assert verdict.backend == "openai"
    assert verdict.evidence.startswith("a list of models in /v1/models, owned_by 'tabby [2JAPIxxx")
    assert len(verdict.evidence) < 120


def test_models_are_those_that_can_be_asked() -> None:
    server, missing, *_ = SERVERS["lmstudio"]
    assert ask(server, missing)[0].models == (GPT, "other")
    names = [model("a"), model("a"), model("b\x1b[31m"), model(""), model("c" * 600), {"id": 7}, model("z")]
    assert identify({"/v1/models": listed(*names)}).models == ("a", "z")
    assert identify({"/v1/models": said({"data": [{"id": "m"}]}, 500)}).models == ()


def test_a_window_is_a_positive_whole_number() -> None:
    for wrong in (0, -1, True, "4096", None, 2.5, [1]):
        assert not identify({"/v1/models": listed(model(max_model_len=wrong))}).windows


def test_a_window_by_the_name_that_a_request_uses() -> None:
    ollama = ask(*SERVERS["ollama"][:2])[0]
    assert (ollama.window("qwen3"), ollama.window("qwen3:latest"), ollama.window("gpt-oss:20b")) == (4096, 4096, None)
    llamacpp = ask(*SERVERS["llamacpp"][:2])[0]
    assert (llamacpp.window("tiny.gguf"), llamacpp.window("anything")) == (512, 512)
    assert Verdict(backend="llamacpp", evidence="", windows={"a": 1, "b": 2}).window("c") is None
    assert Verdict(backend="llamacpp", evidence="").window("c") is None
    assert Verdict(backend="vllm", evidence="", windows={"a": 1}).window("b") is None


def test_where_the_paths_begin() -> None:
    for base in ("http://host:1", "http://host:1/", "http://host:1/v1", "http://host:1/v1/"):
        assert root_of(base) == "http://host:1"
    assert root_of("http://host/mine/v1") == "http://host/mine"


KEYS = ["object", "data", "id", "owned_by", "created", "max_model_len", "meta", "n_ctx", "version", "status", "state"]
KEYS += ["type", "models", "name", "context_length", "loaded_instances", "config", "default_generation_settings"]
KEYS += ["error", "detail", "model_id"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["list", "vllm", "llamacpp", "ok", "loaded", "cluster_status", "Unexpected endpoint or method"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
BODIES = st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()) | st.just(b"[" * 20_000)
HEADERS = st.dictionaries(st.sampled_from(["Server", "content-type", "x"]), st.text(max_size=12), max_size=2)
ANSWERS = st.dictionaries(
    st.sampled_from(PROBES) | st.text(max_size=4),
    st.tuples(st.sampled_from([200, 401, 404, 0, -1, 999]), HEADERS, BODIES),
)


@given(ANSWERS, st.booleans())
def test_whatever_the_answers_are(answers: dict[str, Answer], version: bool) -> None:
    verdict = identify(answers)
    assert verdict.backend is None or verdict.backend in provider_names()
    assert verdict.evidence.isprintable()
    assert (verdict.version or "").isprintable()
    assert all(name.isprintable() for name in (*verdict.models, *verdict.windows))
    assert all(size > 0 for size in verdict.windows.values())
    verdict.window("m")
    path = next_probe(answers, version=version)
    assert path is None or (path in PROBES and path not in answers)

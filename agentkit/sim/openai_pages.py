"""What the servers tell of themselves: models, window, version, health, tokens. One function a page, and the pages of
each server as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentkit.sim.accent import Accent, is_harmony
from agentkit.sim.openai_fit import prompt_tokens
from agentkit.sim.openai_history import refuse
from agentkit.sim.openai_request import heard_messages, read_tools
from agentkit.sim.openai_wire import CREATED, Page, Pages
from agentkit.sim.talk import Failure, Refused, Said
from agentkit.sim.text import digest, tokens
from agentkit.sim.wire import SimRequest, SimResponse, Stage, as_object, json_response, shown

_TRAINED = 131_072
"""The window that gpt-oss was trained with, which is not the one that is served."""
_VOCABULARY = 200_000


def _text(status: int, text: str, kind: str = "text/plain") -> SimResponse:
    body = text.encode()
    return SimResponse(status, {"content-type": kind, "content-length": str(len(body))}, iter((body,)))


def _json(value: Any, status: int = 200) -> Page:
    """A page that is always the same."""
    return lambda _, __, ___: json_response(status, value)


def _empty(_: SimRequest, __: Stage, ___: Accent) -> SimResponse:
    return _text(200, "")


def _names(stage: Stage, accent: Accent) -> tuple[str, ...]:
    return stage.models or accent.served


def _list_by(owner: Callable[[str], dict[str, Any]]) -> Page:
    """The list of models, without a window; `owner` tells whose a model is."""

    def page(_: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
        data = [{"id": name, "object": "model", "created": CREATED, **owner(name)} for name in _names(stage, accent)]
        return json_response(200, {"object": "list", "data": data})

    return page


def _list(owner: str) -> Page:
    return _list_by(lambda _: {"owned_by": owner})


def _entry(name: str, owner: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": owner, **more}


def _list_with_window(owner: str, **more: Any) -> Page:
    """The list of models, as vLLM and SGLang give it."""

    def page(_: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
        data = [
            _entry(name, owner, root=name, parent=None, max_model_len=stage.window, **more)
            for name in _names(stage, accent)
        ]
        return json_response(200, {"object": "list", "data": data})

    return page


def _model(owner: str) -> Page:
    """One model."""

    def page(request: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
        name = request.path.partition("/models/")[2]
        if stage.models and name not in stage.models:
            raise Refused(Failure(status=404, message=f"The model `{name}` does not exist.", code="model_not_found"))
        return json_response(200, _entry(name, owner, max_model_len=stage.window))

    return page


def _asked(request: SimRequest) -> dict[str, Any]:
    body = as_object(request.json)
    if body is None:
        refuse(f"a JSON object is needed, not {shown(request.json)}")
    return {name: value for name, value in body.items() if value is not None}


def _count(given: dict[str, Any], accent: Accent) -> tuple[int, str]:
    """The tokens of a chat, and its text."""
    messages, tools = heard_messages(given, accent.of(given.get("model"))), read_tools(given)
    return prompt_tokens(messages, tools), _prompt(messages)


def _prompt(messages: tuple[Said, ...]) -> str:
    return "".join(f"<|start|>{said.role} <|message|> {said.reasoning}{said.text} <|end|> " for said in messages)


def _numbers(text: str) -> list[int]:
    return [int(digest(token)[:8], 16) % _VOCABULARY for token in tokens(text)]


def _tokenize_chat(request: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
    """vLLM and SGLang: a prompt or messages."""
    given = _asked(request)
    if "messages" in given:
        count, text = _count(given, accent)
        numbers = (_numbers(text) + [0] * count)[:count]
    else:
        numbers = _numbers(_string(given, "prompt"))
    return json_response(
        200, {"count": len(numbers), "max_model_len": stage.window, "tokens": numbers, "token_strs": None}
    )


def _tokenize_text(request: SimRequest, _: Stage, __: Accent) -> SimResponse:
    """llama.cpp: a text."""
    given = _asked(request)
    text = _string(given, "content")
    numbers = _numbers(text)
    if given.get("with_pieces"):
        pieces = [{"id": number, "piece": piece} for number, piece in zip(numbers, tokens(text), strict=True)]
        return json_response(200, {"tokens": pieces})
    return json_response(200, {"tokens": numbers})


def _string(given: dict[str, Any], name: str) -> str:
    found = given.get(name)
    if not isinstance(found, str):
        refuse(f"'{name}' must be a string, not {shown(found)}", name)
    return found


def _input_tokens(request: SimRequest, _: Stage, accent: Accent) -> SimResponse:
    return json_response(200, {"input_tokens": _count(_asked(request), accent)[0], "object": "response.input_tokens"})


def _apply_template(request: SimRequest, _: Stage, accent: Accent) -> SimResponse:
    return json_response(200, {"prompt": _count(_asked(request), accent)[1]})


def _props(_: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
    name = _names(stage, accent)[0]
    return json_response(
        200,
        {
            "default_generation_settings": {"n_ctx": stage.window},
            "total_slots": 1,
            "model_alias": name,
            "model_path": f"/models/{name}",
            "chat_template": "{{ messages }}",
            "modalities": {"vision": False, "audio": False},
            "build_info": accent.base["system_fingerprint"],
        },
    )


def _llamacpp_models(*, tells_window: bool) -> Page:
    """Both lists in one; older builds tell only the window of the training."""

    def page(_: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
        meta = {
            "vocab_type": 2,
            "n_vocab": _VOCABULARY,
            "n_ctx_train": _TRAINED,
            "n_embd": 2880,
            "n_params": 20_914_757_184,
        }
        meta |= {"n_ctx": stage.window} if tells_window else {}
        names = _names(stage, accent)
        models = [{"name": name, "model": name, "type": "model", "capabilities": ["completion"]} for name in names]
        data = [_entry(name, "llamacpp", aliases=[], tags=[], meta=meta) for name in names]
        return json_response(200, {"models": models, "object": "list", "data": data})

    return page


def _slots(_: SimRequest, stage: Stage, __: Accent) -> SimResponse:
    return json_response(200, [{"id": 0, "n_ctx": stage.window, "speculative": False, "is_processing": False}])


def _ollama_loaded(_: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
    models = [{"name": name, "model": name, "context_length": stage.window} for name in _names(stage, accent)]
    return json_response(200, {"models": models})


def _ollama_tags(_: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
    return json_response(200, {"models": [{"name": name, "model": name} for name in _names(stage, accent)]})


def _ollama_show(request: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
    name = _string(_asked(request), "model")
    if stage.models and name not in stage.models:
        return json_response(404, {"error": f"model '{name}' not found"})
    family = "gptoss" if is_harmony(name) else "sim"
    capabilities = ["completion", "tools", "thinking"]
    info = {"general.architecture": family, f"{family}.context_length": _TRAINED}
    return json_response(200, {"model_info": info, "capabilities": capabilities, "parameters": "", "template": ""})


def _lmstudio_v0(_: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
    data = [
        {"id": name, "object": "model", "type": "llm", "publisher": "agentkit", "arch": "gpt-oss", "state": "loaded"}
        | {"compatibility_type": "gguf", "quantization": "MXFP4", "max_context_length": _TRAINED}
        for name in _names(stage, accent)
    ]
    return json_response(200, {"object": "list", "data": data})


def _lmstudio_v1(_: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
    models = [
        {
            "type": "llm",
            "key": name,
            "loaded_instances": [{"id": name, "config": {"context_length": stage.window}}],
            "max_context_length": _TRAINED,
            "capabilities": {"vision": False, "trained_for_tool_use": True},
        }
        for name in _names(stage, accent)
    ]
    return json_response(200, {"models": models})


def _lmstudio_lost(request: SimRequest, _: Stage, __: Accent) -> SimResponse:
    """With status 200."""
    return json_response(200, {"error": f"Unexpected endpoint or method. ({request.method} {request.path})"})


def _server_info(_: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
    name = _names(stage, accent)[0]
    return json_response(200, {"version": "0.5.23", "model_path": name, "context_length": stage.window})


def _model_info(_: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
    name = _names(stage, accent)[0]
    return json_response(200, {"model_path": name, "tokenizer_path": name, "is_generation": True})


def _cluster(_: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
    node = {"node_id": "sim", "status": "available", "gpu_num": 1, "gpu_name": "simulated", "gpu_memory": 24}
    data: dict[str, Any] = {
        "status": "available",
        "model_name": _names(stage, accent)[0],
        "init_nodes_num": 1,
        "node_join_command": {},
        "node_list": [node],
        "need_more_nodes": False,
        "max_running_request": 8,
    }
    return json_response(200, {"type": "cluster_status", "data": data})


def _parallax_models(_: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
    return json_response(200, {"type": "model_list", "data": list(_names(stage, accent))})


def _file_not_found(_: SimRequest, __: Stage, accent: Accent) -> SimResponse:
    return json_response(404, accent.error(Failure(status=404, message="File Not Found")))


def _no_such_path(request: SimRequest, _: Stage, accent: Accent) -> SimResponse:
    return json_response(404, accent.error(Failure(status=404, message=f"no such path: {request.path}")))


_LOST = ("*", "*")
_NO_DETAIL: Pages = {_LOST: _json({"detail": "Not Found"}, 404)}
_OK = _json({"status": "ok"})

OPENAI: Pages = {
    ("GET", "/v1/models"): _list_with_window("agentkit-sim"),
    ("GET", "/v1/models/*"): _model("agentkit-sim"),
    ("GET", "/health"): _json({"status": "ok", "simulator": True}),
}
_TOKENIZE: Pages = {("POST", "/tokenize"): _tokenize_chat}


def vllm(version: str) -> Pages:
    """What tells the version and the window."""
    return {
        ("GET", "/v1/models"): _list_with_window("vllm", permission=[]),
        ("GET", "/v1/models/*"): _model("vllm"),
        ("GET", "/health"): _empty,
        ("GET", "/version"): _json({"version": version}),
        **_TOKENIZE,
        **_NO_DETAIL,
    }


def llamacpp(*, new: bool) -> Pages:
    """Newer builds tell the window in the list of models, too, and count the tokens of a chat."""
    counting: Pages = {("POST", "/v1/chat/completions/input_tokens"): _input_tokens} if new else {}
    return {
        ("GET", "/v1/models"): _llamacpp_models(tells_window=new),
        ("GET", "/health"): _OK,
        ("GET", "/v1/health"): _OK,
        ("GET", "/props"): _props,
        ("GET", "/slots"): _slots,
        ("POST", "/tokenize"): _tokenize_text,
        ("POST", "/apply-template"): _apply_template,
        **counting,
        _LOST: _file_not_found,
    }


OLLAMA: Pages = {
    ("GET", "/"): lambda _, __, ___: _text(200, "Ollama is running"),
    ("GET", "/v1/models"): _list("library"),
    ("GET", "/v1/models/*"): _model("library"),
    ("GET", "/api/version"): _json({"version": "0.15.2"}),
    ("GET", "/api/tags"): _ollama_tags,
    ("GET", "/api/ps"): _ollama_loaded,
    ("POST", "/api/show"): _ollama_show,
    _LOST: lambda _, __, ___: _text(404, "404 page not found"),
}
LMSTUDIO: Pages = {
    ("GET", "/v1/models"): _list("organization_owner"),
    ("GET", "/api/v0/models"): _lmstudio_v0,
    ("GET", "/api/v1/models"): _lmstudio_v1,
    _LOST: _lmstudio_lost,
}
SGLANG: Pages = {
    ("GET", "/v1/models"): _list_with_window("sglang"),
    ("GET", "/v1/models/*"): _model("sglang"),
    ("GET", "/health"): _empty,
    ("GET", "/model_info"): _model_info,
    ("GET", "/get_model_info"): _model_info,
    ("GET", "/server_info"): _server_info,
    ("POST", "/v1/tokenize"): _tokenize_chat,
    **_TOKENIZE,
    **_NO_DETAIL,
}
TRANSFORMERS: Pages = {
    ("GET", "/v1/models"): _list_by(lambda name: {"owned_by": name.split("/")}),
    ("GET", "/health"): _OK,
    **_NO_DETAIL,
}
MLX: Pages = {
    ("GET", "/v1/models"): _list_by(lambda _: {}),
    ("GET", "/health"): _OK,
    _LOST: lambda _, __, ___: _text(404, "Not Found"),
}
_SCHEDULER: Pages = {
    ("GET", "/model/list"): _parallax_models,
    ("GET", "/cluster/status_json"): _cluster,
}
PARALLAX_2025: Pages = {("GET", "/v1/models"): _list("parallax"), **_SCHEDULER, **_NO_DETAIL}
PARALLAX_2026: Pages = {
    ("GET", "/v1/models"): _list_with_window("parallax"),
    ("GET", "/health"): _empty,
    **_TOKENIZE,
    **_SCHEDULER,
    **_NO_DETAIL,
}
GRAVIXLAYER: Pages = {_LOST: _no_such_path}

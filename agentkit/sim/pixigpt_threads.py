"""The platform of PixiGPT over HTTP: assistants, threads, messages, runs. Runs are asked for until they have ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from attrs import evolve

from agentkit.sim.pixigpt_platform import COMPLETED, POLLS, Assistant, Board, Outcome, Platform, Post, Run
from agentkit.sim.pixigpt_reply import spoken
from agentkit.sim.pixigpt_request import (
    assistant_of,
    fields_of,
    limit_of,
    missing,
    read_post,
    read_posts,
    read_run,
    text_of,
)
from agentkit.sim.stage import Performance
from agentkit.sim.talk import Break, Pause
from agentkit.sim.text import digest
from agentkit.sim.whole import Whole, broken
from agentkit.sim.wire import SimRequest, SimResponse, Stage, json_response

T = TypeVar("T")

_OPEN = "in_progress"


def answer(request: SimRequest, parts: tuple[str, ...], stage: Stage) -> SimResponse | None:
    """Answer a request to one of the paths of the platform; None for any other.

    Raises:
        Refused: it breaks the rules, asks for what is not there, or an error was ordered.
    """
    platform = stage.keep(Platform)
    match parts:
        case ["assistants"]:
            return _assistants(request, platform)
        case ["assistants", name]:
            return _assistant(request, platform, name)
        case ["assistants", name, "threads"] if request.method == "GET":
            asked = _found(platform.assistant(name), "assistant", name)
            return _list(map(_thread_json, platform.threads(asked.id)[: limit_of(request)]))
        case ["threads"]:
            return _threads(request, platform)
        case ["threads", name, *rest]:
            return _thread(request, stage, _found(platform.thread(name), "thread", name), rest)
        case _:
            return None


def _assistants(request: SimRequest, platform: Platform) -> SimResponse | None:
    match request.method:
        case "GET":
            return _list(map(_assistant_json, platform.assistants()))
        case "POST":
            return json_response(200, _assistant_json(platform.create_assistant(**_assistant_fields(request))))
        case _:
            return None


def _assistant(request: SimRequest, platform: Platform, name: str) -> SimResponse | None:
    there = _found(platform.assistant(name), "assistant", name)
    match request.method:
        case "GET":
            return json_response(200, _assistant_json(there))
        case "PUT":
            changed = evolve(there, **_assistant_fields(request))
            platform.update_assistant(changed)
            return json_response(200, _assistant_json(changed))
        case "DELETE":
            platform.delete_assistant(name)
            return _deleted("assistant", name)
        case _:
            return None


def _assistant_fields(request: SimRequest) -> dict[str, Any]:
    fields = fields_of(request)
    config = text_of(fields, "tools_config") if "tools_config" in fields else None
    return {"name": text_of(fields, "name"), "instructions": text_of(fields, "instructions"), "tools_config": config}


def _threads(request: SimRequest, platform: Platform) -> SimResponse | None:
    match request.method:
        case "GET":
            return _list(map(_thread_json, platform.threads()))
        case "POST":
            fields_of(request)
            return json_response(200, _thread_json(platform.create_thread()))
        case _:
            return None


def _thread(request: SimRequest, stage: Stage, thread: Board, rest: list[str]) -> SimResponse | None:
    platform = stage.keep(Platform)
    match request.method, rest:
        case "GET", []:
            return json_response(200, _thread_json(thread))
        case "DELETE", []:
            platform.delete_thread(thread.id)
            return _deleted("thread", thread.id)
        case "GET", ["messages"]:
            return _messages(request, thread)
        case "POST", ["messages"]:
            return json_response(200, _post_json(_posted(platform, thread, [read_post(fields_of(request))])[0]))
        case "POST", ["messages", "bulk"]:
            return _list(map(_post_json, _posted(platform, thread, read_posts(fields_of(request).get("messages")))))
        case "POST", ["runs"]:
            return _begin(request, stage, thread)
        case "GET", ["runs", name]:
            return json_response(200, _run_json(_found(platform.poll(thread.id, name), "run", name)))
        case _:
            return None


def _posted(platform: Platform, thread: Board, said: list[tuple[str, str]]) -> tuple[Post, ...]:
    return _found(platform.post(thread.id, said), "thread", thread.id)


def _messages(request: SimRequest, thread: Board) -> SimResponse:
    """The newest first."""
    shown = [_post_json(post) for post in reversed(thread.posts)][: limit_of(request)]
    ends = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {}
    return _list(shown, **ends, has_more=len(shown) < len(thread.posts))


def _begin(request: SimRequest, stage: Stage, thread: Board) -> SimResponse:
    """A lost connection does not concern the run: it is the answer that breaks off."""
    platform, fields = stage.keep(Platform), fields_of(request)
    assistant = assistant_of(fields, platform)
    performance = stage.perform(read_run(fields, assistant, thread.posts, stage.window))
    made = Whole.of(evolve(performance, faults=tuple(fault for fault in performance.faults if fault.kind != "drop")))
    outcome = _outcome(made, performance, assistant)
    run = _found(platform.begin(thread.id, assistant.id, outcome), "thread", thread.id)
    answered = json_response(200, _run_json(run), before=(Pause(made.waited),) if made.waited else ())
    lost = any(fault.kind == "drop" for fault in performance.faults)
    return broken(answered, performance) if lost else answered


def _outcome(made: Whole, performance: Performance, assistant: Assistant) -> Outcome:
    """How the run will end: an error in mid-reply makes it fail."""
    quirks = performance.quirks
    text, reasoning = spoken(made, leaks="leak" in quirks)
    status = "failed" if isinstance(made.outcome, Break) else quirks.get("status", COMPLETED)
    return Outcome(
        status=_OPEN if "open" in quirks else status,
        text=text,
        reasoning=reasoning,
        attached=_attached(quirks.get("attach", ""), text) if assistant.tools_config is None else {},
        polls=max(1, int(quirks.get("polls", POLLS))),
    )


def _attached(wanted: str, text: str) -> dict[str, Any]:
    """What the tools of the service would have found and made."""
    name = digest("attached", text)[:8]
    url = f"https://lighthouse.example/{name}"
    source = {"id": f"src_{name}", "tool_name": "WebSearch", "title": "The lighthouse", "url": url, "snippet": None}
    media = {"id": f"med_{name}", "source": "DrawImage", "type": "image", "signed_url": f"{url}.png?signature=none"}
    code = {"id": f"code_{name}", "language": "python", "code": "print(6 * 7)", "stdout": "42\n", "stderr": None}
    made: Mapping[str, tuple[str, dict[str, Any]]] = {
        "source": ("sources", source),
        "media": ("media", {**media, "prompt": "a lighthouse", "description": None}),
        "code": ("code", {**code, "execution_time_ms": 3}),
    }
    return {name: [item] for word, (name, item) in made.items() if word in wanted}


def _assistant_json(assistant: Assistant) -> dict[str, Any]:
    return {
        "id": assistant.id,
        "object": "assistant",
        "created_at": assistant.created_at,
        "name": assistant.name,
        "instructions": assistant.instructions,
        "tools_config": assistant.tools_config,
    }


def _thread_json(thread: Board) -> dict[str, Any]:
    return {"id": thread.id, "object": "thread", "created_at": thread.created_at, "metadata": {}}


def _post_json(post: Post) -> dict[str, Any]:
    return {
        "id": post.id,
        "object": "thread.message",
        "created_at": post.created_at,
        "thread_id": post.thread_id,
        "role": post.role,
        "content": [{"type": "text", "text": {"value": post.text, "annotations": []}}],
        "reasoning_content": post.reasoning,
        **post.attached,
    }


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "object": "thread.run",
        "created_at": run.created_at,
        "thread_id": run.thread_id,
        "assistant_id": run.assistant_id,
        "status": run.status,
        "model": "pixi",
        "message": None if run.message is None else _post_json(run.message),
    }


def _list(items: Iterable[dict[str, Any]], **more: Any) -> SimResponse:
    return json_response(200, {"object": "list", "data": list(items), **more})


def _deleted(kind: str, name: str) -> SimResponse:
    return json_response(200, {"id": name, "object": f"{kind}.deleted", "deleted": True})


def _found(value: T | None, kind: str, name: str) -> T:
    return missing(kind, name) if value is None else value

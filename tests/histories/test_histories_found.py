"""What random histories have found, each in its plainest form."""

from __future__ import annotations

from typing import Any

import pytest
from history_rules import check, check_raw, read

from agentkit import Conversation
from agentkit._engine.bytewise import BYTES
from agentkit._engine.history import History
from agentkit._engine.plan.planner import plan
from agentkit._engine.plan.terms import Summary, Terms
from agentkit.errors import BadRequest, InvalidInput, ProviderError, ServerError
from agentkit.events import TextDelta
from agentkit.messages import Media, Message, Reasoning, Text, ToolCall, ToolResult, assistant, user
from agentkit.provider import Adapting, ChatRequest
from agentkit.providers import get_provider
from agentkit.providers.gradient import Gradient
from agentkit.sim import SimServer, Simulator


def sent(*messages: Message, name: str = "openai") -> list[dict[str, Any]]:
    """The messages of the request, which the strictest server takes."""
    body = get_provider(name, api_key="sk-0").encode(ChatRequest(model="any", messages=messages)).body
    return check(name, body)


def arguments(call: ToolCall) -> str:
    wires = sent(user("q"), Message("assistant", (call,)), Message("tool", (ToolResult(call.id, "r"),)))
    return str(wires[1]["tool_calls"][0]["function"]["arguments"])


@pytest.mark.parametrize(
    ("written", "leaves"),
    [
        ('{"a": 1e999}', '{"a":null}'),
        ('{"a": [1, -1e999, 2.5]}', '{"a":[1,null,2.5]}'),
        ('{"a": 1e3, "b": "\\ud83d\\ude00"}', '{"a": 1e3, "b": "\\ud83d\\ude00"}'),
        (f'{{"a": 1{"0" * 400}.5}}', '{"a":null}'),
        ('{"a": "\\ud83d"}', '{"a":"\ufffd"}'),
        ('{"\\uDE00": "\\ud83d\\ude00"}', '{"\ufffd":"😀"}'),
        ('{"a": "\ud83d"}', '{"a":"\ufffd"}'),
        ('{"a": ' * 100 + "1" + "}" * 100, "{}"),
        ('{"a": [' + "[1], " * 70 + "[]]}", '{"a": [' + "[1], " * 70 + "[]]}"),
        ('{"a": 1', "{}"),
        (' {"a" : "as it was"}\n', ' {"a" : "as it was"}\n'),
    ],
)
def test_arguments_are_such_as_any_reader_takes(written: str, leaves: str) -> None:
    assert arguments(ToolCall.parse("a", "f", written)) == leaves


@pytest.mark.parametrize(
    ("call", "leaves"),
    [
        (ToolCall("a", "f", {"a": float("nan"), "b": [float("inf")]}), '{"a":null,"b":[null]}'),
        (ToolCall("a", "f", {"a": "\ud83d"}), '{"a":"\ufffd"}'),
        (ToolCall("a", "f", {"a": 1}, raw="no json"), "{}"),
        (ToolCall("a", "f", {"a": 1}, raw="[1]"), "{}"),
        (ToolCall("a", "f", {}, raw='{"a": ' + "[" * 5000), "{}"),
        (ToolCall("a", "f", {}, raw='{"a": NaN, "b": "\\ud83d"}'), '{"a":null,"b":"\ufffd"}'),
    ],
)
def test_arguments_of_another_program_are_such_as_any_reader_takes(call: ToolCall, leaves: str) -> None:
    assert arguments(call) == leaves


@pytest.mark.parametrize("blank", ["", " ", "\n", "\u2028"])
def test_what_says_nothing_stays_here(blank: str) -> None:
    said = [Message(role, (Text(blank),)) for role in ("system", "user", "assistant")]
    assert sent(*said, user("q")) == [{"role": "user", "content": "q"}]
    picture = Media("image/png", url="https://host/x.png")
    (wire,) = sent(Message("user", (Text(blank), picture)))
    assert [part["type"] for part in wire["content"]] == ["image_url"]


def test_a_question_whose_reply_is_gone_on_with_is_not_left_out() -> None:
    """A backend that takes the last question alone got the words that ask to go on, and neither question nor reply."""
    with SimServer(Simulator()) as server:
        backend = Gradient(base_url=server.describe()["gradient"], context_pairs=0)
        with Conversation(backend) as chat:
            chat.send("Hello")
            with chat.stream("write 40 words") as turn:
                next(event for event in turn if isinstance(event, TextDelta))
                turn.stop()
            begun = chat.messages[-1].text
            assert begun
            chat.resume()
        sent = server.simulator.requests[-1].json["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert (sent[0]["content"], sent[1]["content"]) == ("write 40 words", begun)


def test_a_summary_goes_along_with_as_many_questions_as_a_backend_takes() -> None:
    asked = [Message("user", (Text(f"q{number}"),)) for number in range(3)]
    terms = Terms(counter=BYTES, max_pairs=1, summary=Summary(1, "what came before"))
    messages = plan(terms, History().add(*asked)).messages
    body = Gradient(context_pairs=1).encode(ChatRequest(model="any", messages=messages)).body
    said = [message["content"] for message in check("gradient", body)]
    assert said[1:] == ["what came before", "q1\nq2"]


@pytest.mark.parametrize("model", ["gpt-oss-20b", "qwen3"])
def test_what_says_nothing_stays_out_of_a_text_that_is_completed(model: str) -> None:
    cut = "<|channel|>final<|message|>" if model == "gpt-oss-20b" else " "
    said = [user("q"), Message("assistant", (Text(cut),)), Message("user", (Text("\n"),)), user("r"), assistant("On")]
    request = ChatRequest(model=model, messages=said, prefix=True, raw=True)
    prompt = check_raw(get_provider("vllm").encode(request).body)
    assert prompt.count("<|end|>" if model == "gpt-oss-20b" else "<|im_end|>") == 2 + (model == "gpt-oss-20b")
    assert prompt.endswith("On")


@pytest.mark.parametrize("name", ["ollama", "llamacpp"])
def test_a_reply_of_leaked_tokens_alone_is_no_beginning(name: str) -> None:
    for thought, wires in (("", 1), ("hm", 2)):
        parts = (Reasoning(thought),) if thought else ()
        cut = Message("assistant", (*parts, Text("<|channel|>comme")))
        request = ChatRequest(model="gpt-oss-20b", messages=[user("q"), cut], prefix=True)
        body = get_provider(name).encode(request).body
        assert len(check(f"{name}, gpt-oss", body, begun=bool(thought))) == wires


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequest), (500, ServerError)])
def test_a_template_that_wants_turns_gets_them(status: int, kind: type[ProviderError]) -> None:
    """A question that was stopped before a word of its reply left two in a row, which Mistral's templates refuse."""
    provider = get_provider("vllm")
    assert isinstance(provider, Adapting)
    refused = kind("conversation roles must alternate user/assistant/user/assistant/...", status=status)
    adapted = provider.adapted("mistral", refused)
    assert adapted is not None
    assert isinstance(adapted[0], Adapting)
    assert adapted[0].adapted("mistral", refused) is None
    call, result = Message("assistant", (ToolCall("a", "f"),)), Message("tool", (ToolResult("a", "r"),))
    said = [
        assistant("Hi"),
        user("q"),
        Message("user", (Text(" "),)),
        assistant(" \n", "x"),
        assistant("a"),
        call,
        result,
        user("r"),
        user("s"),
    ]
    wires = check("vllm, in turn", adapted[0].encode(ChatRequest(model="mistral", messages=said)).body)
    assert [wire["content"] for wire in wires] == ["…", "Hi", "q", " \nx\n\na", "r", "…", "r\n\ns"]
    for begun in ("b", "\n"):
        said = [user("q"), assistant("a"), user("r"), Message("assistant", (Text(begun),))]
        cut = ChatRequest(model="mistral", messages=said, prefix=True)
        assert len(check("vllm, in turn", adapted[0].encode(cut).body, begun=True)) == 4


def test_a_template_that_wants_its_instructions_first_gets_them() -> None:
    provider = get_provider("llamacpp")
    assert isinstance(provider, Adapting)
    refused = BadRequest("System message must be at the beginning.", status=400)
    adapted = provider.adapted("qwen", refused)
    assert adapted is not None
    said = [user("q"), Message("system", (Text("s"),)), user("r")]
    body = adapted[0].encode(ChatRequest(model="qwen", messages=said)).body
    assert [wire["role"] for wire in read(body)["messages"]] == ["system", "user", "user"]
    assert isinstance(adapted[0], Adapting)
    assert adapted[0].adapted("qwen", refused) is None


def test_a_turn_that_was_asked_again_is_not_taken_for_the_one_before_it() -> None:
    chat = Conversation("sim")
    with chat.stream("write 300 words", turn_id="a") as turn:
        for event in turn:
            if isinstance(event, TextDelta):
                break
    whole = chat.retry()
    told = chat.send("write 300 words", turn_id="a")
    assert told.text == turn.reply.text != whole.text
    assert [message.text for message in chat.messages] == ["write 300 words", whole.text]


def test_an_empty_message_that_was_given_is_not_asked_again() -> None:
    chat = Conversation("sim", messages=[Message("user", (Text(" "),))])
    with pytest.raises(InvalidInput, match="an empty message cannot be sent"):
        chat.retry()

"""The contract that others use for their providers, for the built-in ones; and that it sees what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from agentkit.errors import InvalidInput, NotConfigured, ProtocolError, ProviderError, Unsupported
from agentkit.events import TextDelta
from agentkit.provider import Capabilities, ChatRequest, Chunk, Finish, HTTPRequest, ResponseHead
from agentkit.providers.detecting import gpt_oss
from agentkit.providers.gradient import gradient
from agentkit.providers.gravixlayer import gravixlayer
from agentkit.providers.local import llamacpp, lmstudio, mlx, ollama, sglang, transformers, vllm
from agentkit.providers.openai_chat import OpenAIChat, openai
from agentkit.providers.parallax import parallax
from agentkit.providers.pixigpt import pixigpt
from agentkit.testing import RecordedAnswer, provider_contract
from agentkit.usage import FinishReason, Usage

WHOLE = RecordedAnswer(
    body=json.dumps(
        {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Zwölf."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2},
        }
    ).encode(),
    text="Zwölf.",
    usage=Usage(input_tokens=5, output_tokens=2),
)
STREAM = RecordedAnswer(
    body=b'data: {"choices":[{"index":0,"delta":{"content":"Zw\xc3\xb6"}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"content":"lf."},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n",
    text="Zwölf.",
    content_type="text/event-stream",
)
BOTH = (WHOLE, STREAM)

TestOpenAI = provider_contract(openai, answers=BOTH)
TestGravixLayer = provider_contract(gravixlayer, answers=BOTH)
TestVllm = provider_contract(vllm, answers=BOTH)
TestVllmGptOss = provider_contract(vllm, answers=BOTH, model="gpt-oss-20b")
TestLlamacpp = provider_contract(llamacpp, answers=BOTH)
TestOllama = provider_contract(ollama, answers=BOTH, model="gpt-oss:20b")
TestLMStudio = provider_contract(lmstudio, answers=BOTH)
TestSglang = provider_contract(sglang, answers=BOTH)
TestTransformers = provider_contract(transformers, answers=BOTH)
TestMlx = provider_contract(mlx, answers=BOTH)
TestGptOss = provider_contract(gpt_oss, answers=BOTH)
TestParallax = provider_contract(parallax, answers=BOTH)
TestPixiGPT = provider_contract(pixigpt, answers=[WHOLE])
TestGradient = provider_contract(
    gradient,
    answers=[
        RecordedAnswer(
            body=b'{"type":"jobInfo","data":{"status":"processing"}}\n'
            b'{"type":"reply","data":{"role":"assistant","reasoningContent":"Hm."}}\n'
            b'{"type":"reply","data":{"content":"Zw\xc3\xb6lf."}}\n'
            b'{"type":"jobInfo","data":{"status":"completed"}}\n',
            text="Zwölf.",
            reasoning="Hm.",
            content_type="application/x-ndjson",
        )
    ],
)


# --- what is wrong is seen


class Wrapped:
    """A good provider, in which a test breaks one thing."""

    def __init__(self, base_url: str | None, api_key: str | None) -> None:
        self.good: OpenAIChat = openai(base_url, api_key)
        self.key = api_key or ""
        self.name = "openai"
        self.base_url = self.good.base_url

    def __repr__(self) -> str:
        return "Wrapped()"

    def capabilities(self, model: str, /) -> Capabilities:
        return self.good.capabilities(model)

    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        return self.good.encode(request)

    def decoder(self, head: ResponseHead, /, *, max_line: int) -> Any:
        return self.good.decoder(head, max_line=max_line)

    def decode_error(self, head: ResponseHead, body: bytes, /) -> ProviderError:
        return self.good.decode_error(head, body)


class Eager:
    """Takes whatever comes for text, and the end for a good one."""

    def __init__(self) -> None:
        self.over = False

    def feed(self, data: bytes, /) -> list[Chunk]:
        return [] if self.over or not data else [TextDelta(data.decode(errors="replace"))]

    def close(self) -> list[Chunk]:
        was, self.over = self.over, True
        return [] if was else [Finish(FinishReason.STOP)]


class TwoWords(Wrapped):
    def __init__(self, base_url: str | None, api_key: str | None) -> None:
        super().__init__(base_url, api_key)
        self.name = "my/backend"


class Elsewhere(Wrapped):
    def __init__(self, base_url: str | None, api_key: str | None) -> None:
        super().__init__("https://example.com", api_key)


class Indiscreet(Wrapped):
    def __repr__(self) -> str:
        return f"Indiscreet({self.key!r})"


class KeyInTheBody(Wrapped):
    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        wire = super().encode(request)
        return evolve(wire, body=wire.body + self.key.encode())


class Deaf(Wrapped):
    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        return super().encode(ChatRequest(model=request.model, messages=request.messages, stream=request.stream))


class Forgetful(Wrapped):
    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        return super().encode(evolve(request, messages=request.messages[:-1]))


class Crashing(Wrapped):
    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        assert all(len(message.parts) == 1 for message in request.messages)
        return super().encode(request)


class Repeating(Wrapped):
    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        return evolve(super().encode(request), repeatable=True)


class Hopeful(Wrapped):
    def decoder(self, head: ResponseHead, /, *, max_line: int) -> Any:
        return Eager()


class Shared(Wrapped):
    made: Any = None

    def decoder(self, head: ResponseHead, /, *, max_line: int) -> Any:
        if Shared.made is None:
            Shared.made = super().decoder(head, max_line=max_line)
        return Shared.made


class Vague(Wrapped):
    def decode_error(self, head: ResponseHead, body: bytes, /) -> ProviderError:
        return ProtocolError(body.decode(errors="replace"), body=body.decode(errors="replace"))


class Toolless(Wrapped):
    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        return super().encode(evolve(request, tools=()))


class Clumsy(Wrapped):
    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        wire = super().encode(request)
        return evolve(wire, body=wire.body.replace(b'"$ref"', b'"ref"').replace("ä".encode(), b"a"))


class Overeager(Wrapped):
    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        extra = {"tool_choice": request.options.tool_choice}
        return super().encode(evolve(request, options=evolve(request.options, extra=extra)))


class Unbidden(Wrapped):
    def capabilities(self, model: str, /) -> Capabilities:
        return evolve(super().capabilities(model), tools=False, tool_choice=False, json_mode=False)


class Undecided(Wrapped):
    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        options = evolve(request.options, tool_choice=None, parallel_tool_calls=None)
        return super().encode(evolve(request, options=options))


class Unshaped(Wrapped):
    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        return super().encode(evolve(request, shape=None))


class Lax(Wrapped):
    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        wire = super().encode(request)
        return evolve(wire, body=wire.body.replace(b',"strict":true', b""))


class Refusing(Wrapped):
    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        if request.tools or request.shape:
            raise Unsupported("not today")
        return super().encode(request)


_A_CHOICE = "a_choice_among_tools_is_sent_or_a_notice_says_that_it_is_not"


@pytest.mark.parametrize(
    ("make", "seen_by"),
    [
        (TwoWords, "its_name_is_one_word"),
        (Elsewhere, "its_address_is_the_given_one"),
        (Indiscreet, "its_key_is_not_shown"),
        (KeyInTheBody, "the_question_and_the_model_are_sent"),
        (Deaf, "an_option_is_sent_or_a_notice_says_that_it_is_not_temperature"),
        (Forgetful, "the_question_and_the_model_are_sent"),
        (Crashing, "a_history_is_sent_or_refused_thinking"),
        (Repeating, "a_request_is_repeatable_where_that_is_claimed"),
        (Toolless, "tools_are_sent_as_they_are_declared_one"),
        (Toolless, f"{_A_CHOICE}_at_least_one"),
        (Clumsy, "tools_are_sent_as_they_are_declared_with_definitions"),
        (Clumsy, "tools_are_sent_as_they_are_declared_in_all_kinds_of_characters"),
        (Overeager, "without_tools_nothing_is_said_of_them"),
        (Unbidden, "tools_are_sent_as_they_are_declared_one"),
        (Unbidden, "a_reply_is_bound_to_a_schema_where_that_is_claimed_loosely"),
        (Undecided, f"{_A_CHOICE}_none"),
        (Undecided, f"{_A_CHOICE}_one_by_its_name"),
        (Undecided, "several_calls_at_once_are_allowed_or_a_notice_says_that_it_is_not_sent_forbidden"),
        (Unshaped, "a_reply_is_bound_to_a_schema_where_that_is_claimed_strictly"),
        (Lax, "a_strict_tool_is_sent_as_such_or_a_notice_says_that_it_is_not"),
        (Refusing, "tools_are_sent_as_they_are_declared_one"),
        (Refusing, "a_reply_is_bound_to_a_schema_where_that_is_claimed_loosely"),
        (Hopeful, "an_answer_is_read_answer_1"),
        (Hopeful, "an_answer_is_read_however_it_is_cut_answer_1"),
        (Hopeful, "an_answer_that_ends_early_is_never_taken_for_whole_answer_1"),
        (Hopeful, "garbage_is_a_fault_nothing"),
        (Shared, "answers_are_read_side_by_side_answer_1"),
        (Vague, "a_refusal_is_an_error_by_its_status_429"),
        (Vague, "a_refusal_may_say_anything_the_key"),
        (Vague, "a_refusal_may_say_anything_much"),
        (Vague, "a_refusal_tells_when_to_come_again"),
    ],
)
def test_the_contract_sees_what_is_wrong(make: Callable[[str | None, str | None], Any], seen_by: str) -> None:
    good, bad = (provider_contract(factory, answers=BOTH)() for factory in (openai, make))
    getattr(good, f"test_{seen_by}")()
    with pytest.raises(AssertionError):
        getattr(bad, f"test_{seen_by}")()


def test_the_contract_has_many_cases_and_wants_an_answer() -> None:
    assert len([name for name in dir(TestOpenAI) if name.startswith("test_")]) >= 100
    with pytest.raises(InvalidInput, match="needs an answer"):
        provider_contract(openai, answers=[])


def test_a_backend_may_need_an_address() -> None:
    def demanding(base_url: str | None, api_key: str | None) -> OpenAIChat:
        if base_url is None:
            raise NotConfigured("name the address of the gateway: base_url=")
        return openai(base_url, api_key)

    rules: Any = provider_contract(demanding, answers=BOTH)()
    rules.test_it_has_an_address_of_its_own_or_says_that_it_needs_one()
    rules.test_its_address_is_the_given_one()

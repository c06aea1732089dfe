"""Gradient Chat: the web service in front of a network of GPUs. Unofficial; no key, no tools, no sampling settings.

Its protocol knows text, and two roles: `user` and `assistant`. Tool calls and results of a history that began elsewhere
go as readable text, standing instructions at the head of the first message of the user. This, and the choice of the
latest pairs, is done to the request only: what is stored stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from attrs import evolve, field, frozen

from agentkit.errors import InvalidInput, ProviderError, Unsupported
from agentkit.events import Notice
from agentkit.messages import Message
from agentkit.provider import Capabilities, ChatRequest, HTTPRequest, ResponseHead
from agentkit.providers._errors import ErrorReader
from agentkit.providers._gradient_decode import GradientDecoder, available_models
from agentkit.providers._openai_encode import body_of, fields_of
from agentkit.providers._plain_text import WireMessage, content_of, fold, merged, window, wires_of
from agentkit.providers._switch import thinking_switch
from agentkit.providers.openai_chat import Dialect, shown_url

__all__ = ["MODELS", "MOST_PAIRS", "PAIRS", "URL", "Gradient", "available_models", "gradient"]

URL = "https://chat.gradient.network/api"
MODELS = ("GPT OSS 120B", "Qwen3 235B")
"""The names on display; `gpt-oss-120b` and the like mean the same."""
PAIRS = 15
MOST_PAIRS = 50

ClusterMode: TypeAlias = Literal["nvidia", "hybrid"]

_LACKS = "temperature top_p max_tokens stop seed presence_penalty frequency_penalty"
_ACCENT = Dialect(capabilities=Capabilities(tools=False, json_mode=False), lacks=frozenset(_LACKS.split()))


def _base_url(value: str) -> str:
    if "://" not in value:
        raise InvalidInput(f"a base URL begins with http:// or https://, not {shown_url(value)!r}")
    return value.rstrip("/")


def _cluster_mode(instance: object, attribute: object, value: object) -> None:
    if value not in (None, "nvidia", "hybrid"):
        raise InvalidInput(f"cluster_mode is 'nvidia', 'hybrid' or None, not {value!r}")


def _pairs(value: int | None) -> int:
    if value is None:
        return PAIRS
    given: object = value
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInput(f"context_pairs is a whole number of at least 0, or None for {PAIRS}; not {value!r}")
    return min(given, MOST_PAIRS)


@frozen(kw_only=True)
class Gradient:
    """The service, or a stand-in for it at another address."""

    base_url: str = field(default=URL, converter=_base_url, repr=lambda url: repr(shown_url(url)))
    model: str = MODELS[0]
    """The model of a conversation that is given this value."""
    cluster_mode: ClusterMode | None = field(default=None, validator=_cluster_mode)
    """Where the job runs; None follows the model."""
    enable_thinking: bool = False
    """Where the options say nothing of `reasoning_effort`."""
    context_pairs: int = field(default=PAIRS, converter=_pairs)
    """Questions with their answers that go along with the current one: 0 for none, `MOST_PAIRS` at most."""
    system_role: bool = False
    """Send instructions under the role `system`, which the service seems to accept."""
    name: str = "gradient"

    def capabilities(self, model: str, /) -> Capabilities:
        return Capabilities(
            tools=False,
            parallel_tools=False,
            tool_choice=False,
            system_role=self.system_role,
            usage=False,
            max_tokens=False,
            json_mode=False,
            max_pairs=self.context_pairs,
        )

    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        """The request as it leaves.

        Raises:
            InvalidInput: the model does not run in this cluster.
            Unsupported: a message holds what is no text.
        """
        if request.prefix:
            raise Unsupported(f"{self.name} cannot go on from the beginning of a reply")
        thinks, notices = thinking_switch(request.options, default=self.enable_thinking)
        plain = evolve(request, stream=False, options=evolve(request.options, reasoning_effort=None))
        given, lacking = fields_of(plain, _ACCENT)
        model = display_name(str(given.pop("model", request.model)))
        messages, left_out = self._outgoing(request.messages)
        fields: dict[str, Any] = {
            "model": model,
            "clusterMode": self.cluster_mode or ("hybrid" if _hybrid_only(model) else "nvidia"),
            "messages": messages,
            "enableThinking": thinks,
            **given,
        }
        _check_pair(fields)
        return HTTPRequest(
            method="POST",
            url=f"{self.base_url}/generate",
            headers=_headers(),
            body=body_of(fields, b""),
            notices=(*notices, *lacking, *left_out),
        )

    def decoder(self, head: ResponseHead, /, *, max_line: int) -> GradientDecoder:
        """A fresh decoder for one answer."""
        return GradientDecoder(head, errors=ErrorReader(source=self.name), max_line=max_line)

    def decode_error(self, head: ResponseHead, body: bytes, /) -> ProviderError:
        """The error that a refusal is."""
        return ErrorReader(source=self.name).response(head, body)

    def _outgoing(self, messages: Sequence[Message]) -> tuple[list[WireMessage], tuple[Notice, ...]]:
        said = [message for message in messages if message.role != "system"]
        instructions = "\n".join(
            filter(str.strip, (content_of(m, {}, self.name) for m in messages if m.role == "system"))
        )
        first = window(said, self.context_pairs)
        made = merged(wires_of(said[first:], self.name))
        if instructions and self.system_role:
            made.insert(0, {"role": "system", "content": instructions})
        elif instructions:
            fold(instructions, made)
        told = f"the {first} earliest messages were not sent: context_pairs is {self.context_pairs}"
        return made, ((Notice(told),) if first else ())


def gradient(base_url: str | None, api_key: str | None) -> Gradient:
    """The service, which takes no key: one that is given is never sent."""
    return Gradient(base_url=base_url or URL)


def display_name(model: str) -> str:
    """The name that the service shows, for a known model under a name without blanks."""
    return next((shown for shown in MODELS if _plain(shown) == _plain(model)), model)


def _plain(model: str) -> str:
    return model.lower().replace(" ", "-").replace("_", "-")


def _hybrid_only(model: str) -> bool:
    return _plain(model).startswith("qwen3")


def _check_pair(fields: dict[str, Any]) -> None:
    model, cluster = fields["model"], fields["clusterMode"]
    if _hybrid_only(model) and cluster != "hybrid":
        raise InvalidInput(
            f"{model!r} does not run in the cluster {cluster!r}: set cluster_mode='hybrid', or leave it out"
        )


def _headers() -> tuple[tuple[str, str], ...]:
    from agentkit import __version__

    return (
        ("content-type", "application/json"),
        ("accept", "*/*"),
        ("accept-encoding", "identity"),
        ("user-agent", f"agentkit/{__version__}"),
    )

"""A server of which only the address is known: what it is, and which model to take, it is asked first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from attrs import evolve, frozen

from agentkit.errors import NotConfigured, ProtocolError
from agentkit.provider import Found, Provider, Rounds
from agentkit.providers import local
from agentkit.providers._asking import asked
from agentkit.providers._identify import Verdict, root_of
from agentkit.providers._openai_dialect import Dialect, is_gpt_oss
from agentkit.providers.openai_chat import OpenAIChat, shown_url
from agentkit.providers.parallax import PARALLAX

__all__ = ["Undetected", "gpt_oss"]

_DIALECTS: Mapping[str, Dialect] = {
    "llamacpp": local.LLAMACPP,
    "lmstudio": local.LMSTUDIO,
    "mlx": local.MLX,
    "ollama": local.OLLAMA,
    "parallax": PARALLAX,
    "sglang": local.SGLANG,
    "transformers": local.TRANSFORMERS,
    "vllm": local.VLLM,
}
_MOST_NAMED = 5


@frozen(kw_only=True)
class Undetected(OpenAIChat):
    """Relies on nothing until the server has told what it is; then another provider stands in its place."""

    any_server: bool = False
    """The dialect depends on the server; otherwise only the model does."""

    def detect(self, model: str, /) -> Rounds[Found]:
        """Ask until it is known, with as few requests as that takes.

        Raises:
            NotConfigured: no model is named, and the server has several or none.
            ProtocolError: what answers is no server of this kind.
        """
        verdict = yield from asked(self.base_url, self.headers_for("application/json"))
        if verdict.backend is None and not model:
            root = root_of(shown_url(self.base_url))
            raise ProtocolError(f"{root} is no server of an OpenAI-like dialect: {verdict.evidence}")
        dialect = _DIALECTS.get(verdict.backend or "", self.dialect) if self.any_server else self.dialect
        chosen = model or self._choose(verdict)
        known = OpenAIChat(
            base_url=self.base_url, api_key=self.api_key, dialect=dialect, headers=self.headers, name=self.name
        )
        return Found(provider=cast("Provider", known), model=chosen, window=verdict.window(chosen))

    def _choose(self, verdict: Verdict) -> str:
        models, place = verdict.models, shown_url(self.base_url)
        wanted = [model for model in models if is_gpt_oss(model)] if self.any_server else []
        candidates = wanted or list(models)
        if len(candidates) == 1:
            return candidates[0]
        if not candidates:
            raise NotConfigured(f"{place} lists no model: load one there, or name it as '{self.name}/MODEL'")
        named = ", ".join(candidates[:_MOST_NAMED]) + (", ..." if len(candidates) > _MOST_NAMED else "")
        raise NotConfigured(f"{place} has several models ({named}): name one as '{self.name}/{candidates[0]}'")


def undetected(provider: OpenAIChat) -> Undetected:
    """The same server, to be asked for its model first."""
    return Undetected(
        base_url=provider.base_url,
        api_key=provider.api_key,
        dialect=provider.dialect,
        headers=provider.headers,
        name=provider.name,
    )


def gpt_oss(base_url: str | None, api_key: str | None) -> Undetected:
    """Any server of a gpt-oss model."""
    return evolve(undetected(local.gpt_oss(base_url, api_key)), any_server=True)

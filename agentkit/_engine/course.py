"""The course of one reply over several attempts: when it goes on, in which way, and why it stops."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, cast

from attrs import evolve

from agentkit._engine.accumulate import Builder, is_cut
from agentkit._engine.line import Line
from agentkit._engine.seam.strategy import Echo, Native, Overlap, Raw, Strategy, rungs, strategy_name
from agentkit.continuation import ON_ERROR, Continuation, OnError, Progress
from agentkit.errors import (
    AgentKitError,
    ContextOverflow,
    InvalidInput,
    ProtocolError,
    ProviderError,
    TransportError,
    Unsupported,
)
from agentkit.options import Options
from agentkit.provider import Capabilities
from agentkit.usage import FinishReason

if TYPE_CHECKING:
    from agentkit._engine.seam.shape import Shape

_LEAST_CAP = 1024
_EFFORTLESS = "low"
_REFUSALS = (400, 403, 404, 405, 422, 501)
"""Of a path or a field that the server does not have."""


class Course:
    """One reply's way through its attempts."""

    def __init__(
        self, settings: Continuation, options: Options, question: str, turn_id: str, unfit: set[tuple[str, str]]
    ) -> None:
        self.settings = settings
        self.options = options
        """Of the next attempt; a larger cap than the caller's where a smaller one gave nothing that can be used."""
        self.attempts = 0
        """Continuations so far."""
        self.stopped: str | None = None
        """Why the reply is still cut."""
        self.error: AgentKitError | None = None
        """What ended the reply and is not raised."""
        self.broken: AgentKitError | None = None
        """What is gone over by the next attempt, and raised where there is none."""
        self.shape: Shape | None = None
        self.window: int | None = None
        """Of the user's settings."""
        self._besides = 0
        """Tokens that the last request may take for what is not new."""
        self._question = question
        self._turn_id = turn_id
        self._unfit = unfit
        """Ways that were seen to fail in this conversation, by backend."""
        self._thought_only = 0
        self._from = 0
        self._was_cut = False
        """The attempt before ended at the backend's limit."""

    def strategy(self, line: Line, text: str, *, whole: bool = True) -> Strategy | None:
        """How this backend is asked to go on from `text`; None where every way has failed.

        A text that does not go along as a `whole` cannot be the beginning of the reply.
        """
        can = line.provider.capabilities(line.model)
        failed = {way for backend, way in self._unfit if backend == line.backend}
        ways = rungs(prefix=can.prefix and whole, raw=can.raw and whole, failed=failed)
        wanted = self.settings.strategy
        if wanted != "auto":
            ways = tuple(way for way in ways if way == wanted)
        if not ways:
            return None
        from agentkit._engine.seam.scaffold import echo_quote

        match ways[0]:
            case "native":
                return Native(can.repeats_prefix)
            case "raw":
                return Raw()
            case "echo" if self.settings.prompt is None and (quote := echo_quote(text)) is not None:
                return Echo(quote)
            case _:  # also in place of an echo that cannot be asked for: not again where it has failed
                return None if "overlap" in failed else Overlap()

    def allowed(self, strategy: Strategy | None = None) -> Options:
        """The options of the next request: an echo takes nothing of what the reply may take."""
        self._besides = len(strategy.quote) if isinstance(strategy, Echo) else 0
        most = self.options.max_tokens
        return self.options if most is None else evolve(self.options, max_tokens=most + self._besides)

    def instruction(self, strategy: Strategy, text: str) -> str | None:
        """What is said to the model; None where the text itself says it."""
        if isinstance(strategy, Native | Raw):
            return None
        own = self.settings.prompt
        if own is None:
            from agentkit._engine.seam.scaffold import echo_instruction, plain_instruction

            return echo_instruction(strategy.quote) if isinstance(strategy, Echo) else plain_instruction()
        if isinstance(own, str):
            return own
        said: object = cast("object", own(self.attempts, self.settings.max_attempts, text, self._question))
        if not isinstance(said, str) or not said.strip():
            raise InvalidInput(f"the prompt function of the continuation returned {said!r:.80}, not a text")
        return said

    def failed(self, line: Line, strategy: Strategy) -> None:
        """This way does not work with this backend: not to be tried again in this conversation."""
        self._unfit.add((line.backend, strategy_name(strategy)))

    def is_refused(self, strategy: Strategy | None, error: AgentKitError) -> bool:
        """The backend does not complete texts, or the conversation is more than a text: there are other ways."""
        if not isinstance(strategy, Raw) or isinstance(error, ContextOverflow):
            return False
        return isinstance(error, Unsupported) or (isinstance(error, ProviderError) and error.status in _REFUSALS)

    def cut(self, line: Line, builder: Builder) -> str | None:
        """Why the reply as it stands counts as cut; None where it is whole."""
        was_cut, self._was_cut = self._was_cut, builder.finish_reason is FinishReason.LENGTH
        calls = builder.calls()
        if calls:
            return "a tool call is cut" if any(map(is_cut, calls)) else None
        reason, can = builder.finish_reason, line.provider.capabilities(line.model)
        if reason is FinishReason.LENGTH:
            return "the backend's limit of tokens"
        text = builder.said
        if was_cut and reason is FinishReason.STOP and len(text) == self._from and _is_open(text):
            return "the backend has no more to say"
        if not self.settings.detect or not text:
            return None
        shape = self.follow(text)
        cap, used = _cap(self.options, can, self._besides), builder.usage
        tokens = None if used is None else used.output_tokens
        from agentkit._engine.seam.truncation import truncation

        return truncation(shape, reason, output_tokens=tokens, max_tokens=cap)

    def follow(self, text: str) -> Shape:
        """The shape of the reply; made when it is first needed, and followed by the seams from then on."""
        if self.shape is None:
            from agentkit._engine.seam.shape import Shape

            self.shape = Shape(text)
        return self.shape

    def end(self, line: Line, builder: Builder, seconds: float, *, lost: bool = False) -> str | None:
        """Why no other attempt is made; None where there is to be one. Prepares the options of that.

        `lost`: the last attempt broke off, so that what it added says nothing of the next.
        """
        if not self.settings.max_attempts:
            return ""
        text = builder.said
        added, self._from = text[self._from :], len(text)
        call_is_cut = any(map(is_cut, builder.calls()))
        wordless = not text or call_is_cut
        if wordless:
            if not self._enlarge(line, builder):
                return (
                    "the tool call was cut again" if call_is_cut else "it thought up to the limit and came to no answer"
                )
        elif self.attempts and not lost:
            from agentkit._engine.seam.guards import no_progress, repetition

            # a limit of a few tokens is met by honest work, too
            idle = None if builder.finish_reason is FinishReason.LENGTH and added.strip() else no_progress(added)
            if (why := idle or repetition(text, len(added))) is not None:
                return why
        return self._limit(builder, seconds)

    def _enlarge(self, line: Line, builder: Builder) -> bool:
        """A larger cap, and less effort where there is the switch: to go on as before would end in the same place."""
        self._thought_only += 1
        if self._thought_only > 2 or (self._thought_only > 1 and self.options.max_tokens is None):  # noqa: PLR2004 - twice is all
            return False
        if self.options.max_tokens is not None:
            larger = _larger(self.options.max_tokens, line, builder, self.window)
            self.options = evolve(self.options, max_tokens=larger)
        if self.options.reasoning_effort != "none":
            self.options = evolve(self.options, reasoning_effort=_EFFORTLESS)
        return True

    def _limit(self, builder: Builder, seconds: float) -> str | None:
        settings, spent = self.settings, builder.spent
        if self.attempts >= settings.max_attempts:
            return f"max_attempts={settings.max_attempts} continuations were made"
        if settings.max_tokens is not None and spent.output_tokens >= settings.max_tokens:
            return f"max_tokens={settings.max_tokens} of the whole reply is reached"
        if settings.max_seconds is not None and seconds >= settings.max_seconds:
            return f"max_seconds={settings.max_seconds:g} is reached"
        if settings.max_cost is not None and settings.price is not None:
            cost = settings.price(spent)
            if cost >= settings.max_cost:
                return f"max_cost={settings.max_cost:g} is reached"
        return None

    def pause(self) -> float:
        """Seconds before the next attempt."""
        delay = self.settings.delay
        if not isinstance(delay, tuple):
            return delay
        share = zlib.crc32(f"{self._turn_id}+{self.attempts}".encode()) / 2**32
        return delay[0] + (delay[1] - delay[0]) * share

    def progress(self, strategy: str, reason: str, builder: Builder) -> Progress:
        return Progress(
            attempt=self.attempts,
            max_attempts=self.settings.max_attempts,
            strategy=strategy,
            reason=reason,
            text=builder.said,
            usage=builder.spent,
        )

    def after_error(self, error: AgentKitError, builder: Builder) -> OnError:
        """What becomes of a continuation that failed."""
        policy = self.settings.on_error
        if not callable(policy):
            return policy
        said = policy(error, self.progress("", str(error), builder))
        if said not in ON_ERROR:
            raise InvalidInput(f"on_error returned {said!r:.80}, not one of {', '.join(ON_ERROR)}") from error
        return said

    def is_owed_an_error(self, text: str) -> bool:
        """A reply that is cut all the same is not what was asked for: always where it came to no words at all."""
        return self.settings.ensure_complete or (not text and self.settings.max_attempts > 0)

    def bridges(self, error: AgentKitError, builder: Builder) -> bool:
        """A connection that broke in mid-reply is to be gone over as a cut is."""
        lost = isinstance(error, TransportError | ProtocolError)
        return lost and self.settings.on_disconnect == "continue" and bool(builder.text)


def _is_open(text: str) -> bool:
    """It ends where no sentence, line or block does."""
    return text[-1:].isalpha() or text[-1:] in tuple(",;:-(")


def _larger(cap: int, line: Line, builder: Builder, window: int | None = None) -> int:
    """More room for a reply, within what the backend has."""
    can = line.provider.capabilities(line.model)
    window = window or line.learnt.window or can.window
    left = None if window is None else (window - builder.expected) * 3 // 4
    return max(cap, min(each for each in (max(cap * 4, _LEAST_CAP), can.max_output, left) if each is not None))


def _cap(options: Options, can: Capabilities, besides: int) -> int | None:
    """The tokens at which the backend cuts this reply, where it is asked to."""
    if options.max_tokens is None or not can.max_tokens:
        return None
    return max(options.max_tokens + besides, can.min_output or 0)

"""The chunks of a model that writes its calls as text: calls are read out of it, and the rest is joined."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from agentkit._engine.seam import Joint
from agentkit.provider import Chunk
from agentkit.tools import PromptedCalls


class Reading:
    """Reads the calls, and then joins what is left, where there is something to join it to."""

    def __init__(self, names: Collection[str], joint: Joint | None) -> None:
        self._calls = PromptedCalls(names)
        self._joint = joint

    def pass_on(self, chunk: Chunk) -> Iterator[Chunk]:
        return self._joined(self._calls.pass_on(chunk))

    def held(self) -> Sequence[Chunk]:
        """What was held back; there is no more to come."""
        read = tuple(self._joined(self._calls.held()))
        return read if self._joint is None else (*read, *self._joint.held())

    def _joined(self, chunks: Sequence[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            if self._joint is None:
                yield chunk
            else:
                yield from self._joint.pass_on(chunk)

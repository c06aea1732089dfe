"""Replies that are values: what a model is asked for, and the value that its answer comes to.

The hint is read as those of tools are. Only what is around the JSON is forgiven, and the object that a server demands
around what is none; never the JSON itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from inspect import formatannotation
from operator import itemgetter
from typing import Any, Generic, TypeVar, cast, overload

from attrs import evolve, field, frozen

from agentkit.errors import Unsupported
from agentkit.provider import ReplyShape
from agentkit.tools._convert import convert
from agentkit.tools._errors import InvalidArguments, InvalidReply, Problem
from agentkit.tools._hints import HintReader
from agentkit.tools._json import is_object
from agentkit.tools._json_text import NotJson, document_in
from agentkit.tools._partial_json import PartialJson
from agentkit.tools._schema import schema_of, strict_outline
from agentkit.tools._shapes import About, Field, Foreign, Named, Outline, Record
from agentkit.tools._tool import BoundCall, Tool

T = TypeVar("T")

ANSWER = "answer"
_VALUE = "value"
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME = 64
_HOW = "Answer with JSON alone, without any words or marks before or after it. It has to fit this JSON schema:"
_CALL = "Give your answer with this tool: its arguments are the answer. Call it once."
RECEIVED = "Received."


@frozen(kw_only=True, eq=False)
class Wanted(Generic[T]):
    """What a reply is to be made into."""

    name: str
    """For the wire: letters, digits, _ and -, at most 64."""
    schema: Mapping[str, Any] = field(repr=False)
    """JSON schema of an object; what is no object stands in one, under `value`."""
    strict: bool
    """The schema is of the kind that servers with a strict mode demand: null stands for what is left out."""
    is_text: bool = False
    """The text of the reply is the value: nothing is to be said of JSON, and nothing is read."""
    _outlines: tuple[Outline, ...] = field(repr=False, alias="outlines")
    """That of the schema, and the one that demands no more than the hint does."""
    _wrapped: bool = field(repr=False, alias="wrapped")

    @property
    def shape(self) -> ReplyShape:
        """The same for a request to a backend with a JSON mode."""
        return ReplyShape(name=self.name, schema=self.schema, strict=self.strict)

    @property
    def instructions(self) -> str:
        """What a model is told by a backend without one; nothing where the text is the value."""
        return "" if self.is_text else f"{_HOW}\n\n{json.dumps(self.schema, ensure_ascii=False)}"

    def read(self, text: str) -> T:
        """The value of a reply.

        Raises:
            InvalidReply: it comes to none; the message tells the model what to mend.
        """
        if self.is_text:
            return cast("T", text)
        try:
            value = document_in(text)
        except NotJson as error:
            raise InvalidReply((Problem("$", str(error)),), text) from None
        return self.take(value, text=text)

    def take(self, value: Any, *, text: str = "") -> T:
        """The value that a JSON value stands for, such as the arguments of a call.

        Raises:
            InvalidReply: it stands for none.
        """
        forms = [*self._forms(value)]
        failed: list[tuple[Problem, ...]] = []
        for form in forms:
            for outline in self._outlines:
                made, problems = convert(outline, form)
                if not problems:
                    return cast("T", made)
                failed.append(problems)
        raise InvalidReply(self._told(value, failed[:: len(self._outlines)]), text)

    def _forms(self, value: Any) -> Iterable[Any]:
        """The value in the form of the schema: what was asked for first, then without its wrapper or within it."""
        if not self._wrapped:
            yield value
            if is_object(value) and value.keys() == {_VALUE}:
                yield value[_VALUE]
        else:
            if is_object(value):
                yield value
            yield {_VALUE: value}

    def _told(self, value: Any, failed: list[tuple[Problem, ...]]) -> tuple[Problem, ...]:
        """What to say of several attempts: where only the wrapper is missing, what is wrong besides."""
        if not self._wrapped or not is_object(value) or _VALUE in value:
            return failed[0]
        is_near = all(problem.path != f"$.{_VALUE}" for problem in failed[1])
        return failed[1] if is_near else failed[0]

    def partial(self) -> PartialJson:
        """What is to be fed a reply as it comes, and shows what it amounts to so far."""
        return PartialJson(under=_VALUE if self._wrapped else None)

    def as_tool(self, name: str = ANSWER) -> Tool[..., str]:
        """A tool for backends that have tools but no JSON mode. `take` makes the value of the arguments of its call."""
        about = self.schema.get("description", "")
        return _AnswerTool(
            name=name,
            description=f"{_CALL} {about}".rstrip(),
            parameters=self.schema,
            function=_received,
            approve="auto",
            rerun="rerun",
            ends_turn=True,
            strict=self.strict,
            outline=self._outlines[0],
            wanted=self,
        )


@frozen(kw_only=True, eq=False)
class _AnswerTool(Tool[..., str]):
    """Its arguments are read as a reply is."""

    _wanted: Wanted[Any] = field(repr=False, alias="wanted")

    def bind(self, arguments: Mapping[str, Any]) -> BoundCall:
        try:
            value = self._wanted.take(dict(arguments))
        except InvalidReply as error:
            raise InvalidArguments(self.name, error.problems) from None
        return BoundCall(self, {_VALUE: value})


def _received(value: object) -> str:
    """Nothing is done; and the model has said it, so it is not told once more."""
    return RECEIVED


@overload
def wanted(into: type[T]) -> Wanted[T]: ...
@overload
def wanted(into: object) -> Wanted[Any]: ...
def wanted(into: Any) -> Wanted[Any]:
    """What a reply is to be made into, by a type or another hint. `str` is the text of the reply as it is.

    Raises:
        InvalidInput: it cannot be described to a model; says what, and what to do.
    """
    name = into.__name__ if isinstance(into, type) else ANSWER
    reader = HintReader()
    shape = reader.read(into, f"into={formatannotation(into)}")
    outline = Outline(shape, reader.definitions)
    wrapped = schema_of(outline).get("type") != "object"
    if wrapped:
        outline = Outline(Record(ANSWER, (Field(_VALUE, shape),), itemgetter(_VALUE)), reader.definitions)
    outlines = _both(outline)
    return Wanted(
        name=_NO_NAME.sub("_", name).strip("_")[:_LONGEST_NAME] or ANSWER,
        schema=_with_about(outlines[0]),
        strict=len(outlines) > 1,
        is_text=into is str,
        outlines=outlines,
        wrapped=wrapped,
    )


def _both(outline: Outline) -> tuple[Outline, ...]:
    """The strict outline, where there is one, and the one that it is made of."""
    try:
        return strict_outline(outline), outline
    except Unsupported:
        return (outline,)


def _with_about(outline: Outline) -> Mapping[str, Any]:
    """The schema, with what is said of the whole."""
    about = _about(outline)
    return {"description": about, **schema_of(outline)} if about else schema_of(outline)


def _about(outline: Outline) -> str:
    match outline.root:
        case Record() as record:
            return record.about
        case About() as said:
            return said.text
        case Foreign() as foreign:
            return str(foreign.schema.get("description", ""))
        case Named() as named:
            return _about(evolve(outline, root=outline.definitions[named.name]))
        case _:
            return ""

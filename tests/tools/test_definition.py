"""What becomes a tool, what the model is told of it, and what is refused when it is defined."""

from __future__ import annotations

import asyncio
import functools
import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import InitVar, dataclass, field
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Required,
    TypedDict,
    TypeVar,
)

import attrs
import msgspec
import pydantic
import pytest
from typing_extensions import TypeAliasType

from agentkit.errors import InvalidInput, Unsupported
from agentkit.tokens import ToolShape
from agentkit.tools import InvalidArguments, Tool, ToolContext, _docs, gather, tool

if TYPE_CHECKING:
    from somewhere import Nothing

T = TypeVar("T")
City = NewType("City", str)
Cities = TypeAliasType("Cities", list[City])


@dataclass(frozen=True)
class Stop:
    """A place on the way."""

    where: str
    when: date | None = None
    notes: list[str] = field(default_factory=list)
    made: int = field(default=0, init=False)
    count: ClassVar[int] = 0


@attrs.frozen
class Trip:
    stops: list[Stop]
    _seats: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    code: str = attrs.field(factory=str)
    total: int = attrs.field(default=0, init=False)


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Plan(TypedDict, total=False):
    """What is planned."""

    name: Required[str]
    stops: list[Stop]


def parameters(function: Callable[..., Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = tool(function).parameters["properties"]
    return found


def test_a_function_is_described_by_its_hints_and_its_docstring() -> None:
    def weather(city: str, unit: Literal["c", "f"] = "c", days: Annotated[int, "how many"] = 1) -> str:
        """The weather
        in a city.

        It is never right.
        """
        return f"{days} of rain in {city}, {unit}"

    made = tool(weather)
    shape: ToolShape = made
    assert (shape.name, shape.description) == ("weather", "The weather in a city.")
    assert shape.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"type": "string", "enum": ["c", "f"], "default": "c"},
            "days": {"type": "integer", "description": "how many", "default": 1},
        },
        "required": ["city"],
        "additionalProperties": False,
    }
    assert made.bind({"city": "Oslo", "days": 2}).run() == "2 of rain in Oslo, c"
    assert made("Oslo") == "1 of rain in Oslo, c"
    assert not made.is_async


def test_a_tool_without_parameters() -> None:
    def now() -> str:
        return "noon"

    assert tool(now).parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert tool(now).bind({}).run() == "noon"
    with pytest.raises(InvalidArguments, match=r"\$\.it: there is nothing of this name; the names are: none"):
        tool(now).bind({"it": 1})


def test_settings() -> None:
    @tool(name="rm", description="Delete.", approve="ask", rerun="fail", timeout=5, retries=2, max_output=500)
    def delete(path: Path) -> None:
        """Not this."""

    assert (delete.name, delete.description, delete.approve, delete.rerun) == ("rm", "Delete.", "ask", "fail")
    assert (delete.timeout, delete.retries, delete.max_output, delete.ends_turn) == (5, 2, 500, False)
    assert "0x" in repr(delete)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        delete.name = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "a b"}, "a tool cannot have the name 'a b'"),
        ({"approve": "maybe"}, "approve is one of auto, ask, deny, or a function, not 'maybe'"),
        ({"rerun": True}, "rerun must be one of rerun, ask, fail, not True"),
        ({"timeout": 0}, "timeout must be a number of at least 0.001, not 0"),
        ({"retries": -1}, "retries must be a whole number of at least 0, not -1"),
        ({"retries": None}, "retries must be a whole number of at least 0, not None"),
        ({"max_output": True}, "max_output must be a whole number of at least 100, not True"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as found:
        tool(**{"name": "it", **settings})(lambda: None)
    assert str(found.value).startswith(message)


def test_async_functions() -> None:
    async def look(it: int) -> int:
        return it + 1

    class Looks:
        async def __call__(self, it: int) -> int:
            return it + 1

    for made, arguments in (
        (tool(look), {"it": 1}),
        (tool(functools.partial(look, it=1)), {}),
        (tool(Looks()), {"it": 1}),
    ):
        assert made.is_async
        assert asyncio.run(made.bind(arguments).run()) == 2


class Box:
    """Holds things."""

    def __init__(self, *things: str) -> None:
        self.things = things

    def plain(self, at: int) -> str:
        """What is there."""
        return self.things[at]

    @tool(approve="ask")
    def look(self, at: int) -> str:
        """Look into it."""
        return self.things[at]

    @staticmethod
    @tool
    def size(of: str) -> int:
        return len(of)

    @classmethod
    def make(cls, thing: str) -> str:
        return cls(thing).things[0]

    def __call__(self, at: int) -> str:
        return self.things[at]


def test_methods() -> None:
    box = Box("a", "b")
    assert tool(box.plain).bind({"at": 1}).run() == "b"
    assert tool(Box.make).bind({"thing": "c"}).run() == "c"
    look = box.look
    assert (look.name, look.approve, look.description) == ("look", "ask", "Look into it.")
    assert look.bind({"at": 1}).run() == look(1) == "b"
    assert Box.look(box, 0) == "a"
    assert Box.size.bind({"of": "abc"}).run() == box.size("abc") == 3
    with pytest.raises(InvalidInput, match="look is a method: take it from an instance"):
        Box.look.bind({"at": 1})


def test_a_method_without_self_is_none() -> None:
    class Odd:
        @tool
        def one(it: int) -> int:  # type: ignore[misc] # noqa: N805
            return it

        @tool
        def none() -> int:  # type: ignore[misc]
            return 1

    assert Odd.one.bind({"it": 1}).run() == 1
    assert Odd.none.bind({}).run() == 1


def test_an_object_that_can_be_called() -> None:
    made = tool(Box("a", "b"))
    assert (made.name, made.description) == ("Box", "Holds things.")
    assert made.bind({"at": 0}).run() == "a"


def test_a_partial_keeps_name_and_docstring_and_what_it_fills_to_itself() -> None:
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    made = tool(functools.partial(add, b=5))
    assert (made.name, made.description) == ("add", "Add.")
    assert list(made.parameters["properties"]) == ["a"]
    assert made.bind({"a": 1}).run() == 6
    with pytest.raises(InvalidArguments, match="there is nothing of this name; the names are: a"):
        made.bind({"a": 1, "b": 1})
    named = functools.partial(add, 5)
    named.__name__ = "add_five"  # type: ignore[attr-defined]
    assert (tool(named).name, tool(named).bind({"b": 1}).run()) == ("add_five", 6)


def test_what_wraps_a_function_is_described_as_the_function() -> None:
    def shout(function: Callable[..., str]) -> Callable[..., str]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> str:
            return function(*args, **kwargs).upper()

        return wrapped

    @tool
    @shout
    def hello(name: str) -> str:
        return name

    assert hello.bind({"name": "ada"}).run() == "ADA"


def test_a_class_whose_fields_are_the_arguments() -> None:
    @tool(ends_turn=True)
    @attrs.frozen
    class Book:
        """Book it."""

        trip: Trip

        def __call__(self, context: ToolContext) -> str:
            return f"{self.trip.stops[0].where} {context.call_id}"

    call = Book.bind({"trip": {"stops": [{"where": "Oslo"}]}})
    assert call.arguments.trip == Trip([Stop("Oslo")])
    assert call.run(ToolContext(call_id="c1")) == "Oslo c1"
    assert (Book.name, Book.description, Book.ends_turn) == ("Book", "Book it.", True)
    assert Book.parameters["properties"]["trip"] == {
        "type": "object",
        "properties": {
            "stops": {
                "type": "array",
                "items": {
                    "type": "object",
                    "description": "A place on the way.",
                    "properties": {
                        "where": {"type": "string"},
                        "when": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "default": None},
                        "notes": {"type": "array", "items": {"type": "string"}},
                    },
                    "required": ["where"],
                    "additionalProperties": False,
                },
            },
            "seats": {"type": "integer", "default": 1},
            "code": {"type": "string"},
        },
        "required": ["stops"],
        "additionalProperties": False,
    }


def test_a_class_that_is_not_called_is_its_own_result() -> None:
    made = tool(Stop)
    assert made.bind({"where": "Oslo"}).run() == Stop("Oslo")
    assert "description" not in made.parameters
    assert tool(Plan).bind({"name": "x", "stops": [{"where": "Oslo"}]}).run() == {"name": "x", "stops": [Stop("Oslo")]}
    assert tool(Point).bind({"x": 1}).run() == Point(1.0, 0.0)


def test_a_class_that_holds_itself_has_an_object_at_the_top() -> None:
    made = tool(Folder)
    assert made.parameters["type"] == "object"
    assert made.parameters["properties"]["inner"] == {"type": "array", "items": {"$ref": "#/$defs/Folder"}}
    assert made.bind({"name": "a", "inner": [{"name": "b", "inner": []}]}).run() == Folder("a", (Folder("b", ()),))
    assert made.strictly().parameters["properties"].keys() == {"name", "inner"}


@dataclass(frozen=True)
class Folder:
    name: str
    inner: tuple[Folder, ...]


def _twin() -> type:
    @attrs.frozen
    class Folder:
        of: int
        more: Any = None

    return Folder


def test_two_classes_of_one_name_do_not_mix() -> None:
    other = _twin()

    def look(a: Folder, b: Any, c: Folder) -> None: ...

    look.__annotations__["b"] = set[Folder]
    made = tool(look)
    assert made.parameters["properties"]["a"] == made.parameters["properties"]["c"] == {"$ref": "#/$defs/Folder"}

    def both(a: Any, b: Folder) -> None: ...

    both.__annotations__["a"] = other
    assert tool(both).parameters["properties"]["b"] == {"$ref": "#/$defs/Folder-2"}


def test_all_kinds_of_hints() -> None:
    class Many(Enum):
        A = "a"

    def look(  # noqa: PLR0917
        a: list,  # type: ignore[type-arg]
        b: typing.List,  # type: ignore[type-arg] # noqa: UP006
        c: dict,  # type: ignore[type-arg]
        d: tuple,  # type: ignore[type-arg]
        e: Cities,
        f: Optional[City],  # noqa: UP045
        g: Mapping[str, int],
        h: Set[int],
        i: object,
        j: typing.Tuple[int, ...],  # noqa: UP006
        k: Iterator[int] | None = None,
    ) -> None: ...

    look.__annotations__["k"] = Many
    made = parameters(look)
    assert made["a"] == made["b"] == made["d"] == {"type": "array"}
    assert made["c"] == {"type": "object"}
    assert made["e"] == {"type": "array", "items": {"type": "string"}}
    assert made["f"] == {"type": ["string", "null"]}
    assert made["g"] == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert made["h"] == made["j"] == {"type": "array", "items": {"type": "integer"}}
    assert made["i"] == {}
    assert made["k"] == {"type": "string", "enum": ["a"]}


def test_defaults_that_say_nothing_are_not_shown() -> None:
    def look(  # noqa: PLR0917
        a: int = None,  # type: ignore[assignment] # noqa: RUF013
        b: str = "x" * 500,
        c: date = date(2031, 1, 2),
        d: Any = print,
        e: Stop = Stop("Oslo"),
        f: Folder | None = None,
    ) -> str:
        return f"{a} {c}"

    made = parameters(look)
    assert made["a"] == {"type": "integer"}
    assert made["b"] == {"type": "string"}
    assert made["c"]["default"] == "2031-01-02"
    assert "default" not in made["e"]
    assert made["f"]["default"] is None
    assert tool(look).bind({}).run() == "None 2031-01-02"


def test_the_context_is_not_the_models_business() -> None:
    said: list[str] = []

    @tool
    def work(it: int, context: ToolContext) -> str:
        context.report(f"{it} of 2")
        return f"{context.key}{context.cancelled()}"

    assert list(work.parameters["properties"]) == ["it"]
    assert work.bind({"it": 1}).run() == "False"
    assert work.bind({"it": 1}).run(ToolContext(key="k", report=said.append, cancelled=lambda: True)) == "kTrue"
    assert said == ["1 of 2"]


def test_a_result_may_name_what_is_not_there() -> None:
    def look(it: int) -> Nothing:
        return it

    assert tool(look).bind({"it": 1}).run() == 1


# --- what is refused


def gone(it: Missing) -> None: ...  # type: ignore[name-defined] # noqa: F821


def broken(it: "list[") -> None: ...  # type: ignore[syntax] # noqa: F722


def hintless(it) -> None: ...  # type: ignore[no-untyped-def]


def many(*it: int) -> None: ...


def others(**it: int) -> None: ...


def placed(it: int, /) -> None: ...


def generated() -> Iterator[int]:
    yield 1


async def streamed() -> Any:
    yield 1


def with_hint(hint: Any) -> Callable[..., Any]:
    def look(it: Any) -> None: ...

    look.__annotations__["it"] = hint
    return look


@dataclass
class Mutable:
    it: int


@dataclass
class Initial:
    it: InitVar[int]


class Bare:
    pass


@dataclass
class Asks:
    it: int

    def __call__(self, more: int) -> None: ...


class Generics(Generic[T]):
    it: T


Untyped = attrs.make_class("Untyped", ["it"])


class Lists(NamedTuple):
    it: Any


del Lists.__annotations__["it"]


class Objects(Enum):
    A = (1, 2)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (gone, "gone(): a type hint leads nowhere (name 'Missing' is not defined)"),
        (broken, "broken(): a type hint cannot be read"),
        (hintless, "hintless(), parameter 'it': it has no type hint; say what it is, such as it: str"),
        (many, "many(), parameter 'it': a model fills parameters by name; take a list or a dict in place of *it"),
        (others, "others(), parameter 'it': a model fills parameters by name; take a list or a dict"),
        (placed, "placed(), parameter 'it': a model fills parameters by name; take the / out of the signature"),
        (generated, "generated(): a generator is no tool; return a list"),
        (streamed, "streamed(): a generator is no tool; return a list"),
        (with_hint(bytes), "look(), parameter 'it': bytes cannot be described to a model; take a str: the path"),
        (with_hint(list[bytearray]), "look(), parameter 'it': bytearray cannot be described"),
        (
            with_hint(timedelta),
            "look(), parameter 'it': datetime.timedelta cannot be described to a model; take the sec",
        ),
        (with_hint(T), "look(), parameter 'it': ~T cannot be described to a model; name a type in its place"),
        (with_hint(Callable[[], int]), "look(), parameter 'it': collections.abc.Callable[[], int] cannot be described"),
        (with_hint(Generics[int]), "look(), parameter 'it': "),
        (with_hint(complex), "look(), parameter 'it': complex cannot be described to a model; use str, int, float"),
        (with_hint(Bare), "look(), parameter 'it': "),
        (with_hint(5), "look(), parameter 'it': 5 cannot be described"),
        (with_hint([int]), "look(), parameter 'it': [<class 'int'>] cannot be described"),
        (with_hint(dict[int, str]), "look(), parameter 'it': the keys of an object are texts"),
        (with_hint(set[list[int]]), "look(), parameter 'it': these items cannot be in a set; take a list"),
        (with_hint(set), "look(), parameter 'it': these items cannot be in a set"),
        (with_hint(set[dict[str, int]]), "look(), parameter 'it': these items cannot be in a set"),
        (with_hint(set[Mutable]), "look(), parameter 'it': these items cannot be in a set"),
        (with_hint(set[Plan]), "look(), parameter 'it': these items cannot be in a set"),
        (with_hint(set[tuple[int, list[int]]]), "look(), parameter 'it': these items cannot be in a set"),
        (with_hint(set[int | list[int]]), "look(), parameter 'it': these items cannot be in a set"),
        (with_hint(set[Annotated[list[int], "x"]]), "look(), parameter 'it': these items cannot be in a set"),
        (with_hint(Literal[b"x"]), "look(), parameter 'it': Literal[b'x'] needs values that JSON has"),
        (with_hint(Objects), "look(), parameter 'it': "),
        (with_hint(Initial), "look(), parameter 'it', field 'it': an InitVar cannot be described; make it a field"),
        (with_hint(Untyped), "look(), parameter 'it', field 'it': it has no type hint"),
        (with_hint(Lists), "look(), parameter 'it', field 'it': it has no type hint"),
        (Bare, "Bare(): test_definition.Bare cannot be described"),
        (Colour := Enum("Colour", {"RED": "red"}), "Colour(): a class without fields is no tool"),
        (Asks, "Asks(): the fields are the arguments, so __call__ takes none but a ToolContext"),
        (print, "print(), parameter 'args': "),
        (iter, "iter(): its parameters are not known; wrap it in a function of yours"),
        (lambda: None, "a tool cannot have the name '<lambda>'"),
        ("text", "a tool is made of a function or a class, not of 'text'"),
        (tool(Stop), "a tool is made of a function or a class, not of Tool(name='Stop'"),
    ],
)
def test_what_cannot_be_described_is_refused_at_once(made: Any, message: str) -> None:
    with pytest.raises(InvalidInput) as found:
        tool(made)
    assert str(found.value).startswith(message)


def test_what_can_be_in_a_set() -> None:
    class Model(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(frozen=True)
        it: int

    for hint in (
        set[tuple[int, ...]],
        set[tuple[int, str]],
        set[frozenset[str] | None],
        set[Literal["a"]],
        set[Point],
        set[Folder],
        set[Annotated[str, "x"]],
        set[Model],
    ):
        tool(with_hint(hint))


# --- what the model is told of wrong arguments


def test_every_wrong_argument_is_named() -> None:
    def plan(stops: list[Stop], how: Literal["bus", "train"] = "bus", trip: Trip | None = None) -> None: ...

    with pytest.raises(InvalidArguments) as found:
        tool(plan).bind(
            {
                "stops": [{"where": "Oslo", "when": "tomorrow"}, {"when": None, "an other": 1}, "Bergen"],
                "how": "boat",
                "trip": {"stops": [], "seats": 0},
                "town": 1,
            }
        )
    assert str(found.value).splitlines() == [
        "These arguments do not fit plan, so it was not run:",
        '- $.stops[0].when: expected a date such as "2031-01-02" or null, not "tomorrow"',
        "- $.stops[1].where: is missing: a text",
        '- $.stops[1]["an other"]: there is nothing of this name; the names are: where, when, notes',
        '- $.stops[2]: expected an object with where, when, notes, not "Bergen"',
        '- $.how: expected one of "bus", "train", not "boat"',
        "- $.trip: Trip refuses this: ValueError: '_seats' must be >= 1: 0",
        "- $.town: there is nothing of this name; the names are: stops, how, trip",
        "Call it again with others.",
    ]
    assert found.value.problems[0].path == "$.stops[0].when"


def test_words_for_all_that_is_expected() -> None:
    def look(  # noqa: PLR0917
        a: tuple[int, int],
        b: dict[str, int],
        c: Annotated[int, "x"],
        d: Folder,
        e: list[int],
        f: Only | int,
        g: Bare2,
    ) -> None: ...

    with pytest.raises(InvalidArguments) as found:
        tool(look).bind(dict.fromkeys("abcdefg", "x" * 200))
    expected = [problem.message.partition(", not ")[0] for problem in found.value.problems]
    assert expected == [
        "expected an array of 2",
        "expected an object",
        "expected a whole number",
        "expected an object with name, inner",
        "expected an array",
        "expected an object (Only) or a whole number",
        "expected an object with no keys",
    ]
    assert all(len(problem.message) < 200 for problem in found.value.problems)
    with pytest.raises(InvalidArguments, match=r"\$\.it: is missing: an object with name, inner"):
        tool(with_hint(Folder)).bind({})


@dataclass
class Bare2:
    pass


class Only(pydantic.BaseModel):
    it: int


def test_very_many_problems_are_counted() -> None:
    with pytest.raises(InvalidArguments, match="- and 15 more"):
        tool(with_hint(list[int])).bind({"it": ["x"] * 25})


def test_arguments_that_are_no_json() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(InvalidArguments, match="not <list>"):
        tool(with_hint(int)).bind({"it": cycle})
    with pytest.raises(InvalidArguments, match=r'not \{"a": "<object>"\}'):
        tool(with_hint(int)).bind({"it": {"a": object()}})
    with pytest.raises(InvalidArguments, match=r"\$\.5: there is nothing"):
        tool(with_hint(int)).bind({"it": 1, 5: 1})  # type: ignore[dict-item]


def test_the_nearest_of_several_classes_is_explained() -> None:
    def look(it: Stop | Point | Trip) -> None: ...

    with pytest.raises(InvalidArguments) as found:
        tool(look).bind({"it": {"x": "one"}})
    assert [problem.path for problem in found.value.problems] == ["$.it.x"]


# --- the strict schema


def test_a_strict_schema_demands_every_key_and_null_leaves_out() -> None:
    def look(a: int, b: int = 5, c: int | None = 6, d: Literal[None, 1] = 1, e: Annotated[None, "x"] = None) -> Any:
        return a, b, c, d, e

    made = tool(look)
    strict = made.strictly()
    schema = strict.parameters
    assert schema["required"] == ["a", "b", "c", "d", "e"]
    assert schema["properties"]["b"] == {"type": ["integer", "null"]}
    given = {"a": 1, "b": None, "c": None, "d": None, "e": None}
    assert strict.bind(given).run() == (1, 5, None, None, None)
    with pytest.raises(InvalidArguments, match=r"\$\.b: is missing: a whole number or null"):
        strict.bind({"a": 1, "c": 1, "d": 1, "e": None})
    with pytest.raises(InvalidArguments):
        made.bind(given)


@pytest.mark.parametrize("hint", [Any, list[Any], dict[str, int], tuple[object, int], int | Any, Annotated[Any, "x"]])
def test_what_a_strict_schema_cannot_say(hint: Any) -> None:
    with pytest.raises(Unsupported, match=r"\$\.it: a strict schema"):
        tool(with_hint(hint)).strictly()


# --- classes of others


class Address(pydantic.BaseModel):
    street: str
    number: int = pydantic.Field(ge=1)


class Person(pydantic.BaseModel):
    """Somebody."""

    name: str
    homes: list[Address] = []
    friends: list[Person] = []


class Item(msgspec.Struct, frozen=True):
    name: str
    next: Item | None = None


def test_models_of_pydantic() -> None:
    made = tool(with_hint(list[Person]))
    assert made.parameters["properties"]["it"] == {"type": "array", "items": made.parameters["$defs"]["Person.Person"]}
    home = {"street": "High", "number": 1}
    found = made.bind({"it": [{"name": "Ada", "homes": [home], "friends": [{"name": "Bob"}]}]}).arguments["it"]
    assert found == [Person(name="Ada", homes=[Address(**home)], friends=[Person(name="Bob")])]
    with pytest.raises(InvalidArguments) as wrong:
        made.bind({"it": [{"name": "Ada", "homes": [{"street": "High", "number": 0}]}]})
    (problem,) = wrong.value.problems
    assert problem.path == "$.it[0].homes[0].number"
    assert "greater than or equal to 1" in problem.message
    with pytest.raises(Unsupported, match=r"the schema of Person\.Address is not ours"):
        made.strictly()


def test_a_model_is_a_tool_too() -> None:
    made = tool(Address)
    assert made.parameters["properties"].keys() == {"street", "number"}
    assert made.bind({"street": "High", "number": 2}).run() == Address(street="High", number=2)
    assert tool(Item).parameters["type"] == "object"
    assert tool(Item).bind({"name": "a"}).run() == Item("a")


def test_structs_of_msgspec() -> None:
    made = tool(with_hint(Item))
    assert made.parameters["$defs"]["Item.Item"]["properties"]["next"]["anyOf"][0] == {"$ref": "#/$defs/Item.Item"}
    assert made.bind({"it": {"name": "a", "next": {"name": "b"}}}).arguments["it"] == Item("a", Item("b"))
    with pytest.raises(InvalidArguments) as wrong:
        made.bind({"it": {"name": "a", "next": {"name": 5}}})
    assert [(each.path, each.message) for each in wrong.value.problems] == [
        ("$.it.next.name", "Expected `str`, got `int`")
    ]
    with pytest.raises(InvalidArguments, match=r"\$\.it: ValidationError: Expected `object`, got `int`"):
        made.bind({"it": 5})


# --- what docstrings say


def google(a: int, b: Annotated[int, "of the hint"] = 1, c: int = 2) -> None:
    """Do it.

    Args:
        a: The first,
            at length.
        b: The second.
    """


def numpy(a: int, b: int = 1) -> None:
    """Do it.

    Parameters
    ----------
    a : int
        The first, at length.
    b : int
    """


def rest(a: int, b: int = 1) -> None:
    """Do it.

    :param a: The first, at length.
    :raises ValueError: never
    """


@pytest.mark.parametrize("function", [google, numpy, rest])
def test_what_is_written_of_parameters(function: Callable[..., Any]) -> None:
    made = tool(function)
    assert made.description == "Do it."
    assert made.parameters["properties"]["a"]["description"] == "The first, at length."


def test_the_hint_says_more_than_the_docstring() -> None:
    made = parameters(google)
    assert made["b"]["description"] == "of the hint"
    assert "description" not in made["c"]


def test_without_the_extra_there_is_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, _docs.PARSER, None)
    made = tool(google)
    assert made.description == "Do it."
    assert made.parameters["properties"]["a"] == {"type": "integer"}


# --- many tools


class Shelf:
    def tools(self) -> list[Any]:
        return [google, tool(Stop)]


def test_tools_of_all_kinds_are_gathered() -> None:
    found = gather([numpy, tool(rest), Shelf()])
    assert list(found) == ["numpy", "rest", "google", "Stop"]
    assert all(isinstance(each, Tool) for each in found.values())
    with pytest.raises(InvalidInput, match="two tools have the name 'google'; give one another name"):
        gather([google, Shelf()])
    with pytest.raises(InvalidInput, match="a tool is made of a function or a class, not of 5"):
        gather([5])  # type: ignore[list-item]

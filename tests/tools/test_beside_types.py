"""What other libraries write beside a type, in `Annotated` and where a default stands: taken, or refused by name."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypedDict

import annotated_types
import attrs
import msgspec
import pydantic
import pytest
from pydantic import Field
from pydantic.dataclasses import dataclass as checked_dataclass
from typing_extensions import Doc

from agentkit.errors import InvalidInput
from agentkit.tools import InvalidArguments, tool


def described(hint: Any) -> Any:
    def rate(it: Any) -> object:
        return it

    rate.__annotations__["it"] = hint
    return tool(rate).parameters["properties"]["it"]


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        (Field(description="stars"), "stars"),
        (msgspec.Meta(description="stars", title="Stars"), "stars"),
        (Doc("stars"), "stars"),
        (annotated_types.doc("stars"), "stars"),
    ],
)
def test_a_description_is_told_to_the_model(mark: object, text: str) -> None:
    assert described(Annotated[int, mark]) == {"type": "integer", "description": text}
    assert described(Annotated[int, "How many", mark])["description"] == f"How many {text}"


@pytest.mark.parametrize(
    "mark",
    [
        Field(title="Stars"),
        Field(strict=True),
        msgspec.Meta(),
        annotated_types.Unit("m"),
        annotated_types.Interval(),
        pydantic.Strict(),
        pydantic.PlainSerializer(str),
        pydantic.WithJsonSchema({}),
        type("Mine", (), {"description": "of something else"})(),
        None,
        int,
    ],
)
def test_what_says_nothing_and_checks_nothing_is_passed_over(mark: object) -> None:
    assert described(Annotated[int, mark]) == {"type": "integer"}


@pytest.mark.parametrize(
    ("hint", "named"),
    [
        (Annotated[int, Field(ge=1, le=5, description="stars")], r"Ge\(ge=1\), Le\(le=5\)"),
        (Annotated[str, Field(pattern="a+")], "pattern='a\\+'"),
        (Annotated[float, Field(allow_inf_nan=False)], "AllowInfNan"),
        (Annotated[int, annotated_types.Gt(0)], r"Gt\(gt=0\)"),
        (Annotated[int, annotated_types.Interval(ge=1, lt=9)], r"Ge\(ge=1\), Lt\(lt=9\)"),
        (Annotated[str, annotated_types.Len(1, 3)], r"MinLen\(min_length=1\), MaxLen\(max_length=3\)"),
        (Annotated[str, annotated_types.Predicate(str.islower)], "Predicate"),
        (Annotated[str, pydantic.StringConstraints(min_length=1)], r"MinLen\(min_length=1\)"),
        (Annotated[int, pydantic.AfterValidator(abs)], "AfterValidator"),
        (pydantic.FilePath, "PathType"),
        (pydantic.PositiveInt, r"Gt\(gt=0\)"),
        (list[pydantic.PositiveInt] | None, r"Gt\(gt=0\)"),
        (Annotated[int, msgspec.Meta(ge=1, multiple_of=2, description="stars")], "ge=1, multiple_of=2"),
        (Annotated[str, msgspec.Meta(pattern="^a$")], r"pattern='\^a\$'"),
    ],
)
def test_a_limit_that_nothing_would_check_is_refused(hint: Any, named: str) -> None:
    with pytest.raises(InvalidInput, match=rf"rate\(\), parameter 'it': nothing here checks .*{named}.*; take a Liter"):
        described(hint)


@attrs.frozen
class Plain:
    stars: Annotated[int, Field(ge=1)]


@dataclasses.dataclass
class Old:
    stars: int = Field(3, ge=1)


class Keys(TypedDict):
    stars: Annotated[int, msgspec.Meta(ge=1)]


@checked_dataclass(config=pydantic.ConfigDict(arbitrary_types_allowed=True))
class Outer:
    inner: Plain


def test_classes_that_check_nothing_of_this_are_refused_also_inside_of_those_that_do() -> None:
    for kind in (Plain, Keys, list[Plain], Outer):
        with pytest.raises(InvalidInput, match=r"field 'stars': nothing here checks"):
            described(kind)
    with pytest.raises(InvalidInput, match=r"field 'stars': only classes of pydantic read a Field"):
        described(Old)


def test_a_field_in_place_of_a_default_is_refused() -> None:
    def rate(stars: int = Field(3, description="stars")) -> int:
        return stars

    with pytest.raises(InvalidInput, match=r"rate\(\), parameter 'stars': only classes of pydantic read a Field.*text"):
        tool(rate)


@checked_dataclass
class Rating:
    stars: Annotated[int, Field(ge=1, le=5, description="the stars")]
    guests: pydantic.PositiveInt = Field(description="who came")
    places: list[Annotated[str, annotated_types.MinLen(2)]] = Field(default_factory=list[str], max_length=2)
    word: str = Field(default="good", description="in one word")


def save(rating: Rating) -> str:
    return f"{rating.stars} {rating.guests} {rating.places} {rating.word}"


def test_a_dataclass_of_pydantic_checks_itself() -> None:
    made = tool(save)
    schema: Any = made.parameters
    found = schema["properties"]["rating"]
    assert found["required"] == ["stars", "guests"]
    assert found["properties"]["stars"]["description"] == "the stars"
    assert found["properties"]["guests"] == {"type": "integer", "description": "who came"}
    assert found["properties"]["word"] == {"type": "string", "description": "in one word", "default": "good"}
    assert made.bind({"rating": {"stars": 5, "guests": 2}}).run() == "5 2 [] good"
    for wrong in ({"stars": 9, "guests": 2}, {"stars": 5, "guests": 0}, {"stars": 5, "guests": 1, "places": ["a"]}):
        with pytest.raises(InvalidArguments, match=r"\$\.rating"):
            made.bind({"rating": wrong})


def test_models_and_structs_check_themselves() -> None:
    class Model(pydantic.BaseModel):
        stars: int = Field(ge=1, le=5)

    class Struct(msgspec.Struct):
        stars: Annotated[int, msgspec.Meta(ge=1, le=5)]

    def of_model(it: Model) -> int:
        return it.stars

    def of_struct(it: Struct) -> int:
        return it.stars

    of_model.__annotations__["it"], of_struct.__annotations__["it"] = Model, Struct
    functions: list[Callable[..., int]] = [of_model, of_struct]
    for made in map(tool, functions):
        assert made.bind({"it": {"stars": 5}}).run() == 5
        with pytest.raises(InvalidArguments):
            made.bind({"it": {"stars": 9}})


@pydantic.validate_call
def checked(stars: Annotated[int, Field(ge=1, le=5, description="the stars")], more: int = Field(2, ge=1)) -> int:
    return stars + more


def test_a_function_that_pydantic_checks_checks_itself() -> None:
    made = tool(checked)
    assert made.parameters["required"] == ["stars"]
    assert made.parameters["properties"]["stars"] == {"type": "integer", "description": "the stars"}
    assert made.bind({"stars": 4}).run() == 6
    with pytest.raises(pydantic.ValidationError):
        made.bind({"stars": 9}).run()


def test_none_of_the_libraries_is_imported_for_this(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from typing import Annotated\n"
        "from agentkit.tools import tool\n"
        "def f(a: Annotated[int, 'text', object()] = 1) -> int: return a\n"
        "tool(f)\n"
        "print([name for name in ('pydantic', 'msgspec', 'annotated_types') if name in sys.modules])\n",
        encoding="utf-8",
    )
    run = subprocess.run([sys.executable, str(program)], capture_output=True, encoding="utf-8", check=True, timeout=60)
    assert run.stdout.strip() == "[]"

"""JSON values to the values that a function asks for, by shape; says of everything that is wrong where and why.

It takes just what the schema of the same shape allows. What a class itself refuses when it is made, and a whole number
too large for a float, are beyond the words of a schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, assert_never, cast

from agentkit.tools._errors import Problem, along, shown, under
from agentkit.tools._json import is_array, is_object
from agentkit.tools._results import explain
from agentkit.tools._shapes import (
    LEFT_OUT,
    About,
    Choice,
    Definitions,
    Either,
    Field,
    Foreign,
    Items,
    Leaf,
    LeftOut,
    Named,
    Omissible,
    Outline,
    Record,
    Row,
    Shape,
    Table,
)

Attempt: TypeAlias = tuple[Any, tuple[Problem, ...]]
"""A value, or what is in its way."""


class Wrong:
    """Stands for a value that could not be read."""


WRONG = Wrong()
_AT = re.compile(r" - at `\$(.*)`\Z", re.DOTALL)


def convert(outline: Outline, arguments: Any) -> Attempt:
    """The values of all arguments by name, and everything that is wrong with them."""
    reader = _Reader(outline.definitions)
    try:
        made = reader.read(outline.root, arguments, "$")
    except RecursionError:
        return WRONG, (Problem("$", "nested too deeply"),)
    return made, tuple(reader.problems)


class _Reader:
    """Reads one value; collects what is wrong."""

    def __init__(self, definitions: Definitions) -> None:
        self.problems: list[Problem] = []
        self._definitions = definitions
        self._tried: dict[tuple[str, int, int], Attempt] = {}
        """By place, value and option: a value in choices within choices would be tried ever more often."""

    def read(self, shape: Shape, value: Any, path: str) -> Any:  # noqa: C901 - one arm for each shape
        match shape:
            case Leaf():
                return self._made(lambda: shape.read(value), shape, value, path)
            case Choice():
                return self._choice(shape, value, path)
            case Items():
                return self._items(shape, value, path)
            case Row():
                return self._row(shape, value, path)
            case Table():
                return self._table(shape, value, path)
            case Record():
                return self._record(shape, value, path)
            case Either():
                return self._either(shape, value, path)
            case About():
                return self.read(shape.shape, value, path)
            case Omissible():
                return LEFT_OUT if value is None else self.read(shape.shape, value, path)
            case Foreign():
                return self._foreign(shape, value, path)
            case Named():
                return self.read(self._definitions[shape.name], value, path)
            case _:
                assert_never(shape)

    def _wrong(self, path: str, message: str) -> Wrong:
        self.problems.append(Problem(path, message))
        return WRONG

    def _unexpected(self, shape: Shape, value: Any, path: str) -> Wrong:
        message = f"expected {words(shape, self._definitions)}, not {shown(value)}"
        self.problems.append(Problem(path, message, unlike=True))
        return WRONG

    def _made(self, make: Callable[[], Any], shape: Shape, value: Any, path: str) -> Any:
        try:
            return make()
        except ValueError:
            return self._unexpected(shape, value, path)

    def _choice(self, shape: Choice, value: Any, path: str) -> Any:
        for written, meant in shape.options:
            if isinstance(value, bool) is isinstance(written, bool) and value == written:
                return meant
        return self._unexpected(shape, value, path)

    def _items(self, shape: Items, value: Any, path: str) -> Any:
        if not is_array(value):
            return self._unexpected(shape, value, path)
        before = len(self.problems)
        made = [self.read(shape.item, item, f"{path}[{place}]") for place, item in enumerate(value)]
        return WRONG if len(self.problems) > before else shape.into(made)

    def _row(self, shape: Row, value: Any, path: str) -> Any:
        if not is_array(value) or len(value) != len(shape.items):
            return self._unexpected(shape, value, path)
        pairs = zip(shape.items, value, strict=True)
        return tuple(self.read(item, each, f"{path}[{place}]") for place, (item, each) in enumerate(pairs))

    def _table(self, shape: Table, value: Any, path: str) -> Any:
        if not is_object(value):
            return self._unexpected(shape, value, path)
        return {key: self.read(shape.value, item, under(path, key)) for key, item in value.items()}

    def _record(self, shape: Record, value: Any, path: str) -> Any:
        if not is_object(value):
            return self._unexpected(shape, value, path)
        before = len(self.problems)
        made = {field.name: self._field(field, value, path) for field in shape.fields}
        known = ", ".join(made) or "none"
        for key in [key for key in value if key not in made]:
            self._wrong(under(path, str(key)), f"there is nothing of this name; the names are: {known}")
        if len(self.problems) > before:
            return WRONG
        try:
            return shape.make({name: each for name, each in made.items() if not isinstance(each, LeftOut)})
        except Exception as error:  # noqa: BLE001 - a class may refuse its values with any error
            return self._wrong(path, f"{shape.name} refuses this: {explain(error)}")

    def _field(self, field: Field, given: Mapping[str, Any], path: str) -> Any:
        if field.name in given:
            return self.read(field.shape, given[field.name], under(path, field.name))
        if not field.required:
            return LEFT_OUT
        return self._wrong(under(path, field.name), f"is missing: {words(field.shape, self._definitions)}")

    def _either(self, shape: Either, value: Any, path: str) -> Any:
        attempts: list[tuple[Problem, ...]] = []
        for option in shape.options:
            made, problems = self._try(option, value, path)
            if not problems:
                return made
            attempts.append(problems)
        near = [
            problems for problems in attempts if all(problem.path != path or not problem.unlike for problem in problems)
        ]
        if not near:
            return self._unexpected(shape, value, path)
        fewest = min(map(len, near))
        self.problems += next(problems for problems in near if len(problems) == fewest)
        return WRONG

    def _try(self, option: Shape, value: Any, path: str) -> Attempt:
        key = path, id(value), id(option)
        if key not in self._tried:
            kept, self.problems = self.problems, []
            made = self.read(option, value, path)
            self._tried[key] = made, tuple(self.problems)
            self.problems = kept
        return self._tried[key]

    def _foreign(self, shape: Foreign, value: Any, path: str) -> Any:
        try:
            return shape.read(value)
        except Exception as error:  # noqa: BLE001 - each library has errors of its own
            self.problems += _foreign_problems(error, path)
            return WRONG


def _foreign_problems(error: Exception, path: str) -> list[Problem]:
    """The errors of pydantic are a list with places; those of msgspec are one text that ends with the place."""
    listed = getattr(error, "errors", None)
    if callable(listed):
        found = cast("list[Mapping[str, Any]]", listed())
        return [Problem(along(path, each["loc"]), str(each["msg"]), unlike=not each["loc"]) for each in found]
    text = str(error)
    at = _AT.search(text)
    return [Problem(path + at[1], text[: at.start()])] if at else [Problem(path, explain(error), unlike=True)]


def words(shape: Shape, definitions: Definitions) -> str:  # noqa: C901 - one arm for each shape
    """What is expected, in words."""
    match shape:
        case Leaf():
            return shape.words
        case Choice():
            return f"one of {', '.join(shown(value) for value, _ in shape.options)}"
        case Items():
            return "an array"
        case Row():
            return f"an array of {len(shape.items)}"
        case Table():
            return "an object"
        case Record():
            return f"an object with {', '.join(field.name for field in shape.fields) or 'no keys'}"
        case Either():
            return " or ".join(dict.fromkeys(words(option, definitions) for option in shape.options))
        case About():
            return words(shape.shape, definitions)
        case Omissible():
            return f"{words(shape.shape, definitions)} or null"
        case Foreign():
            return f"an object ({shape.name})"
        case Named():
            return words(definitions[shape.name], definitions)
        case _:
            assert_never(shape)

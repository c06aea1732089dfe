"""Arithmetic without `eval`: a small grammar, exact where numbers are whole, with bounds on every step."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias

from agentkit.errors import InvalidInput
from agentkit.tools import AnyTool, tool

Number: TypeAlias = int | float

_LONGEST = 1000
_MOST_BITS = 4096
_MOST_DIGITS = 1000
"""Rounding to more places would take as long as there are places."""

_WARNED_OF = re.compile(r"\\|[0-9a-f.j](?:and|else|for|if|in|is|not|or)", re.IGNORECASE)
"""A backslash, and a number with a word right behind it: Python would print a warning of some of them."""

_BINARY: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
}
_UNARY: Mapping[type, Callable[[Any], Any]] = {ast.UAdd: lambda a: a, ast.USub: lambda a: -a}
_NAMES: Mapping[str, Number] = {"pi": math.pi, "e": math.e, "tau": math.tau}


def _rounded(value: Number, digits: int | None = None, /) -> Number:
    if digits is not None and abs(digits) > _MOST_DIGITS:
        raise InvalidInput(f"a number is rounded to {_MOST_DIGITS} places at most")
    return round(value, digits)


_OF_MATH = ("sqrt", "exp", "log", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "floor", "ceil")
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: getattr(math, name) for name in _OF_MATH},
    "degrees": math.degrees,
    "radians": math.radians,
    "abs": abs,
    "min": min,
    "max": max,
    "round": _rounded,
}


class Calculator:
    """A calculator."""

    def tools(self) -> list[AnyTool]:
        """The one tool `calculate`."""
        return [calculate]


@tool(rerun="rerun")
def calculate(
    expression: Annotated[str, "such as (2 + 3) * 4 ** 2, sqrt(2), round(10 / 3, 2)"],
) -> Number:
    """Work out an arithmetic expression: + - * / // % **, brackets, pi, e, and the usual functions."""
    if len(expression) > _LONGEST:
        raise InvalidInput(f"the expression has more than {_LONGEST} characters")
    if _WARNED_OF.search(expression):
        raise InvalidInput("this is no arithmetic expression")
    try:
        tree = ast.parse(expression.strip().replace("^", "**"), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise InvalidInput("this is no arithmetic expression") from None
    try:
        return _value(tree.body)
    except RecursionError:
        raise InvalidInput("the expression is nested too deeply") from None


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _bounded(value)
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
            return _bounded(_UNARY[type(sign)](_value(operand)))
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left), _value(right))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
            return _bounded(_BINARY[type(sign)](_value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=given, keywords=[]) if name in _FUNCTIONS:
            return _bounded(_called(name, [_value(each) for each in given]))
        case _:
            raise InvalidInput(f"{ast.unparse(node)[:80]!r} is no part of arithmetic")


def _called(name: str, values: list[Number]) -> Any:
    try:
        return _FUNCTIONS[name](*values)
    except TypeError:
        raise InvalidInput(f"{name} does not take these {len(values)} values") from None


def _power(base: Number, exponent: Number) -> Number:
    """The size of the result is known before it is worked out."""
    if isinstance(base, int) and isinstance(exponent, int) and abs(exponent) * base.bit_length() > _MOST_BITS:
        raise _too_large()
    return _bounded(base**exponent)


def _bounded(value: Any) -> Number:
    if not isinstance(value, int | float):
        raise InvalidInput("the result is no real number")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput("the result is too large, or is no number")
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise _too_large()
    return value


def _too_large() -> InvalidInput:
    return InvalidInput(f"a number of more than {_MOST_BITS} bits is too large")

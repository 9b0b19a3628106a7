"""A small expression language for derived values and conditions: arithmetic, comparisons, a choice between two."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from .values import Date, Day, Money, Time, plain, typed


def _column(values: Any, field: str) -> Any:
    if isinstance(values, Mapping):
        return values[field]
    return tuple(item[field] for item in values)


def _total(values: Any) -> Any:
    made: Any = None
    for value in values:
        made = value if made is None else _binary(ast.Add(), made, value)
    return 0 if made is None else made


def _round(value: Any, digits: int = 0) -> Any:
    rounded = round(plain(value), digits)
    return typed(rounded if digits else int(rounded), value)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sum": _total,
    "len": len,
    "min": lambda *values: min(*values),
    "max": lambda *values: max(*values),
    "abs": lambda value: typed(abs(plain(value)), value),
    "round": _round,
    "money": lambda value: Money(plain(value)),
    "number": plain,
    "join": lambda values, separator=", ": separator.join(str(value) for value in values),
}


def _binary(operator: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str) and isinstance(operator, ast.Add):
        return left + right
    if isinstance(left, Date | Day | Time) or isinstance(right, Time):
        return _calendar(operator, left, right)
    a, b = plain(left), plain(right)
    if isinstance(a, Decimal) != isinstance(b, Decimal):
        a, b = Decimal(a), Decimal(b)
    if isinstance(operator, ast.Add):
        made = a + b
    elif isinstance(operator, ast.Sub):
        made = a - b
    elif isinstance(operator, ast.Mult):
        made = a * b
    elif isinstance(operator, ast.Div):
        made = Decimal(a) / Decimal(b)
        made = int(made) if made == made.to_integral_value() and abs(made) < 10**15 else made
    elif isinstance(operator, ast.FloorDiv):
        made = a // b
    else:
        made = a % b
    money = isinstance(left, Money) + isinstance(right, Money)
    return Money(made) if money == 1 or (money and isinstance(operator, ast.Add | ast.Sub | ast.Mod)) else made


def _calendar(operator: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(operator, ast.Sub) and type(left) is type(right):
        return left.minus(right)
    amount = int(plain(right))
    return left.plus(amount if isinstance(operator, ast.Add) else -amount)


_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_ALLOWED = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Name, ast.Constant,
    ast.Attribute, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.USub, ast.Not, ast.And, ast.Or,
    ast.Load, *_COMPARE,
)  # fmt: skip


@cache
def compiled(source: str) -> tuple[ast.expr, frozenset[str]]:
    """The tree of an expression and the names in it. Raises ValueError for all that is not on the list."""
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"{source!r} is not an expression: {error.msg}.") from None
    names = set()
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise ValueError(f"{source!r}: {type(node).__name__} is not allowed in an expression.")
        if isinstance(node, ast.Call) and (not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS):
            raise ValueError(f"{source!r}: only {', '.join(_FUNCTIONS)} may be called.")
        if isinstance(node, ast.Name) and node.id not in _FUNCTIONS:
            names.add(node.id)
    return tree.body, frozenset(names)


def evaluate(source: str, values: Mapping[str, Any]) -> Any:
    """The value of an expression."""
    return _value(compiled(source)[0], values)


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return Decimal(str(node.value)) if isinstance(node.value, float) else node.value
    if isinstance(node, ast.Name):
        if node.id not in values:
            raise ValueError(f"There is no value {node.id!r}.")
        return values[node.id]
    if isinstance(node, ast.Attribute):
        return _column(_value(node.value, values), node.attr)
    if isinstance(node, ast.BinOp):
        return _binary(node.op, _value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, values)
        return not value if isinstance(node.op, ast.Not) else typed(-plain(value), value)
    if isinstance(node, ast.BoolOp):
        stop = isinstance(node.op, ast.Or)
        for part in node.values:
            value = _value(part, values)
            if bool(value) == stop:
                return value
        return value
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, values) else node.orelse, values)
    if isinstance(node, ast.Compare):
        left = _value(node.left, values)
        for operator, comparator in zip(node.ops, node.comparators):
            right = _value(comparator, values)
            if not _COMPARE[type(operator)](left, right):
                return False
            left = right
        return True
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return _FUNCTIONS[node.func.id](*[_value(argument, values) for argument in node.args])

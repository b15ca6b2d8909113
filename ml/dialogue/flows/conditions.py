"""Conditions of flows: comparisons of slots, joined by and, or, not. Nothing in them can be called or reached into."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

_OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
    ast.Is: lambda left, right: left is right,
    ast.IsNot: lambda left, right: left is not right,
}
_CONSTANTS = (str, int, float, bool, type(None))
# `yes` and `no` are what YAML and people say; None is a slot that has no value.
_WORDS = {"true": True, "false": False, "yes": True, "no": False, "none": None}


class ConditionError(ValueError):
    """What is wrong with a condition, in a sentence."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`amount > 1000 and reason in ["lost", "stolen"]`; `names` are the slots that it reads."""

    text: str
    names: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Raises ConditionError."""
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ConditionError(f"cannot be read: {text!r}") from error
        names: set[str] = set()
        _check(tree.body, names)
        return cls(text, frozenset(names))

    def holds(self, values: Mapping[str, str]) -> bool:
        """Whether it is true of the values; a comparison with a slot that has none is false, whatever it compares."""
        return bool(_value(ast.parse(self.text.strip(), mode="eval").body, values))


def _check(node: ast.expr, names: set[str]) -> None:
    if isinstance(node, ast.Name):
        if node.id.lower() not in _WORDS:
            names.add(node.id)
    elif isinstance(node, ast.Constant):
        if not isinstance(node.value, _CONSTANTS):
            raise ConditionError(f"{node.value!r} is neither a number, a text, true nor false")
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            _check(value, names)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        _check(node.operand, names)
    elif isinstance(node, ast.Compare):
        for each in (node.left, *node.comparators):
            _check(each, names)
    elif isinstance(node, ast.List | ast.Tuple):
        for each in node.elts:
            _check(each, names)
    else:
        raise ConditionError(f"only slots, values, comparisons, and, or, not may stand in it: {ast.unparse(node)!r}")


def _value(node: ast.expr, values: Mapping[str, str]) -> Any:
    if isinstance(node, ast.Name):
        return _WORDS[node.id.lower()] if node.id.lower() in _WORDS else _read(values.get(node.id))
    if isinstance(node, ast.Constant):
        return Decimal(str(node.value)) if type(node.value) in (int, float) else node.value
    if isinstance(node, ast.BoolOp):
        found = (bool(_value(value, values)) for value in node.values)
        return all(found) if isinstance(node.op, ast.And) else any(found)
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, values)
        return -value if isinstance(node.op, ast.USub) else not value
    if isinstance(node, ast.Compare):
        return _compares(node, values)
    assert isinstance(node, ast.List | ast.Tuple)  # noqa: S101 - checked when the condition was parsed
    return [_value(each, values) for each in node.elts]


def _compares(node: ast.Compare, values: Mapping[str, str]) -> bool:
    left = _value(node.left, values)
    for sign, comparator in zip(node.ops, node.comparators, strict=True):
        right = _value(comparator, values)
        try:
            if not _OPERATORS[type(sign)](left, right):
                return False
        except TypeError:
            return False
        left = right
    return True


def _read(value: str | None) -> Any:
    """A slot's value as it is compared: numbers as numbers, yes and no as such, anything else as text."""
    if value is None or value in {"yes", "no"}:
        return None if value is None else value == "yes"
    try:
        number = Decimal(value)
    except InvalidOperation:
        return value
    # Numbers of accounts and cards are texts, for a leading zero counts.
    return value if value[:1] == "0" and len(value) > 1 and value[1] != "." else number

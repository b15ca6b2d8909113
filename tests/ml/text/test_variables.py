"""Typed variables: definitions that make sense, and values that fit them."""

from __future__ import annotations

from typing import Any

import pytest

from ml.text.prompts import Source, Value
from ml.text.variables import Variable, VariableError, value_of, values_of, variables_of


def variable(**data: Any) -> Variable:
    return Variable.from_dict({"name": "x"} | data)


@pytest.mark.parametrize(
    ("data", "given", "value"),
    [
        ({}, "  two\n lines ", "two lines"),
        ({"type": "long_text"}, "two\n lines", "two\n lines"),
        ({"default": "tea"}, "", "tea"),
        ({"type": "choice", "choices": ["a", "b"]}, "b", "b"),
        ({"type": "number", "least": "1", "most": "5"}, "2.50", "2.50"),
        ({"type": "number"}, 0.1, "0.1"),
        ({"type": "list"}, "a\n\n b ", ("a", "b")),
        ({"type": "list", "default": ["a"]}, [], ("a",)),
        ({"type": "file"}, Source("n", "t"), Source("n", "t")),
        ({"type": "url", "many": True}, [Source("n", "t")], (Source("n", "t"),)),
        ({"type": "file"}, None, None),
    ],
)
def test_values_that_fit(data: dict[str, Any], given: Any, value: Value) -> None:
    assert value_of(variable(**data), given) == value


@pytest.mark.parametrize(
    ("data", "given"),
    [
        ({"required": True}, " "),
        ({"most": "3"}, "four"),
        ({"least": "3"}, "ab"),
        ({}, "a\0b"),
        ({}, ["list"]),
        ({}, True),
        ({"type": "choice", "choices": ["a"]}, "b"),
        ({"type": "number"}, "many"),
        ({"type": "number"}, "NaN"),
        ({"type": "number"}, "1e999999999999999999999999999999"),
        ({"type": "number", "most": "5"}, "5.1"),
        ({"type": "list", "most": "1"}, ["a", "b"]),
        ({"type": "list"}, {"a": 1}),
        ({"type": "file"}, "text"),
        ({"type": "file"}, [Source("a", "a"), Source("b", "b")]),
        ({"type": "file"}, Source("a", "x" * 100_001)),
    ],
)
def test_values_that_do_not_fit(data: dict[str, Any], given: Any) -> None:
    with pytest.raises(VariableError):
        value_of(variable(**data), given)


@pytest.mark.parametrize(
    "data",
    [
        {"name": "X"}, {"name": "if"}, {"name": "loop"}, {"name": "a b"}, {"name": 3}, {"colour": "red"},
        {"type": "secret"}, {"type": "choice"}, {"type": "choice", "choices": ["a", "a"]}, {"choices": ["a"]},
        {"many": True}, {"least": "5", "most": "4"}, {"most": "-1"}, {"most": "0"}, {"most": "x"}, {"most": "9999999"},
        {"type": "file", "default": "x"}, {"default": "four", "most": "3"}, {"required": "yes"}, {"label": "x" * 81},
    ],
)  # fmt: skip
def test_definitions_that_make_no_sense(data: dict[str, Any]) -> None:
    with pytest.raises(VariableError):
        variable(**data)


def test_definitions_come_back_as_they_were_stored() -> None:
    data = {"name": "x", "type": "choice", "choices": ["a", "b"], "default": "b", "required": True, "help": "Which."}
    assert Variable.from_dict(data).to_dict() == data


def test_unknown_and_doubled_names_are_refused() -> None:
    with pytest.raises(VariableError):
        variables_of([{"name": "x"}, {"name": "x"}])
    with pytest.raises(VariableError) as refusal:
        values_of(variables_of([{"name": "x"}]), {"y": "1"})
    assert refusal.value.name == "y"

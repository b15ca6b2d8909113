"""The typed variables of a template: what may be filled in, and whether what was filled in is that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from ml.text.prompts import NAME, RESERVED, Source, Value

MAX_VARIABLES = 30
MAX_CHOICES = 60
MAX_ITEMS = 50
MAX_SOURCES = 10
LONGEST_ITEM = 2_000
LONGEST_URL = 2_000
LONGEST_SOURCE = 100_000
DEFAULT_LENGTHS = {"text": 300, "long_text": 20_000}
MOST_LENGTHS = {"text": 2_000, "long_text": 100_000}
_NAME = re.compile(NAME)
_LONGEST_NUMBER = 30


class Type(StrEnum):
    TEXT = "text"
    LONG_TEXT = "long_text"
    CHOICE = "choice"
    NUMBER = "number"
    LIST = "list"
    FILE = "file"
    URL = "url"


class VariableError(ValueError):
    """A definition or a value that is wrong; `name` is the variable, `template` the message with its `%(…)s`."""

    def __init__(self, name: str, template: str, **values: object) -> None:
        self.message = template % values if values else template
        super().__init__(f"{name}: {self.message}")
        self.name, self.template, self.values = name, template, values


@dataclass(frozen=True, slots=True)
class Variable:
    """One thing to fill in.

    `most` and `least` bound characters of texts, items of lists, files or pages, and the value of numbers (as decimal
    texts, so that nothing is rounded). `many` allows several files or pages. `default` is a text, or a list for lists.
    """

    name: str
    type: Type = Type.TEXT
    label: str = ""
    help: str = ""
    required: bool = False
    default: str | tuple[str, ...] = ""
    choices: tuple[str, ...] = ()
    least: str = ""
    most: str = ""
    many: bool = False

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Variable:
        """Reads a stored or sent definition; raises VariableError."""
        name = data.get("name")
        known = {field.name for field in fields(cls)}
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in RESERVED:
            raise VariableError(
                str(name)[:60],
                "A name has small letters, digits and underscores, begins with a letter, and is no word"
                " of the language.",
            )
        if unknown := sorted(set(data) - known):
            raise VariableError(name, "There is nothing called %(what)s.", what=unknown[0])
        try:
            type = Type(data.get("type") or Type.TEXT)
        except ValueError:
            raise VariableError(name, "There is no such type.") from None
        default = data.get("default") or ""
        variable = cls(
            name=name,
            type=type,
            label=_words(name, data, "label", 80),
            help=_words(name, data, "help", 300),
            required=_flag(name, data, "required"),
            default=tuple(map(str, default)) if isinstance(default, list | tuple) else str(default),
            choices=tuple(str(choice).strip() for choice in _listed(name, data.get("choices"))),
            least=str(data.get("least") if data.get("least") is not None else "").strip(),
            most=str(data.get("most") if data.get("most") is not None else "").strip(),
            many=_flag(name, data, "many"),
        )
        _check(variable)
        return variable

    def to_dict(self) -> dict[str, Any]:
        """As it is stored and sent: JSON, without what is not set."""
        data = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {key: value for key, value in data.items() if value not in ("", [], False)}

    @property
    def shown(self) -> str:
        return self.label or self.name.replace("_", " ").capitalize()

    @property
    def is_source(self) -> bool:
        return self.type in {Type.FILE, Type.URL}

    @property
    def longest(self) -> int:
        """Characters of a text at most."""
        return int(self.most) if self.most else DEFAULT_LENGTHS.get(self.type, LONGEST_ITEM)

    @property
    def most_items(self) -> int:
        if self.is_source:
            return (int(self.most) if self.most else MAX_SOURCES) if self.many else 1
        return int(self.most) if self.most else MAX_ITEMS


def variables_of(data: Sequence[Mapping[str, Any]]) -> tuple[Variable, ...]:
    """Definitions of one template: each name once; raises VariableError."""
    if len(data) > MAX_VARIABLES:
        raise VariableError("", "A template has at most %(most)s variables.", most=MAX_VARIABLES)
    found = tuple(Variable.from_dict(each) for each in data)
    names = [variable.name for variable in found]
    for name in names:
        if names.count(name) > 1:
            raise VariableError(name, "There are two variables of this name.")
    return found


def values_of(variables: Sequence[Variable], given: Mapping[str, Any]) -> dict[str, Value]:
    """What was filled in, checked and with defaults; raises VariableError for the first that is wrong.

    Files and pages are `Source`s; whoever calls this has read them.
    """
    known = {variable.name for variable in variables}
    for name in given:
        if name not in known:
            raise VariableError(str(name)[:60], "The template has no variable of this name.")
    return {variable.name: value_of(variable, given.get(variable.name)) for variable in variables}


def value_of(variable: Variable, given: Any) -> Value:
    """One value, checked; the default where none was given."""
    if given is None or given == "" or given == [] or given == ():
        given = variable.default
    value = _READERS[variable.type](variable, given)
    if variable.required and not value:
        raise VariableError(variable.name, "This is required.")
    return value


# ---------------------------------------------------------------- values


def _text(variable: Variable, given: Any) -> str:
    text = _string(variable, given).strip()
    if len(text) > variable.longest:
        raise VariableError(variable.name, "This may have %(most)s characters.", most=variable.longest)
    if text and variable.least and len(text) < int(variable.least):
        raise VariableError(variable.name, "This needs at least %(least)s characters.", least=variable.least)
    # One line stays one line, so that a short text cannot begin a paragraph of its own in the prompt.
    return " ".join(text.split()) if variable.type == Type.TEXT else text


def _choice(variable: Variable, given: Any) -> str:
    text = _string(variable, given).strip()
    if text and text not in variable.choices:
        raise VariableError(variable.name, "Choose one of: %(choices)s.", choices=", ".join(variable.choices))
    return text


def _number(variable: Variable, given: Any) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int | float | Decimal):
        raise VariableError(variable.name, "This must be a number.")
    text = str(given).strip()
    if not text:
        return ""
    number = _decimal(variable.name, text)
    if variable.least and number < Decimal(variable.least):
        raise VariableError(variable.name, "This must be at least %(least)s.", least=variable.least)
    if variable.most and number > Decimal(variable.most):
        raise VariableError(variable.name, "This must be at most %(most)s.", most=variable.most)
    return text


def _list(variable: Variable, given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        given = given.splitlines()
    if not isinstance(given, list | tuple):
        raise VariableError(variable.name, "This must be a list.")
    items = tuple(item for each in given if (item := " ".join(_string(variable, each).split())))
    if len(items) > variable.most_items:
        raise VariableError(variable.name, "This may have %(most)s entries.", most=variable.most_items)
    if items and variable.least and len(items) < int(variable.least):
        raise VariableError(variable.name, "This needs at least %(least)s entries.", least=variable.least)
    if any(len(item) > LONGEST_ITEM for item in items):
        raise VariableError(variable.name, "An entry may have %(most)s characters.", most=LONGEST_ITEM)
    return items


def _sources(variable: Variable, given: Any) -> Value:
    sources: Sequence[Any] = given if isinstance(given, list | tuple) else [given] if given else []
    if not all(isinstance(source, Source) for source in sources):
        raise VariableError(variable.name, "This must be a text with a name.")
    if len(sources) > variable.most_items:
        raise VariableError(variable.name, "This may have %(most)s entries.", most=variable.most_items)
    if sources and variable.least and len(sources) < int(variable.least):
        raise VariableError(variable.name, "This needs at least %(least)s entries.", least=variable.least)
    for source in sources:
        if len(source.text) > LONGEST_SOURCE:
            raise VariableError(variable.name, "A text may have %(most)s characters.", most=LONGEST_SOURCE)
    if variable.many:
        return tuple(sources)
    return sources[0] if sources else None


_READERS = {
    Type.TEXT: _text,
    Type.LONG_TEXT: _text,
    Type.CHOICE: _choice,
    Type.NUMBER: _number,
    Type.LIST: _list,
    Type.FILE: _sources,
    Type.URL: _sources,
}


def _string(variable: Variable, given: Any) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise VariableError(variable.name, "This must be text.")
    text = str(given)
    if "\0" in text:
        raise VariableError(variable.name, "Text cannot contain NUL characters.")
    return text


def _decimal(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text) if len(text) <= _LONGEST_NUMBER else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise VariableError(name, "This must be a number.")
    return number


# ---------------------------------------------------------------- definitions


def _check(variable: Variable) -> None:
    """Raises VariableError unless bounds, choices and default go together."""
    name = variable.name
    if variable.type == Type.CHOICE:
        if not 1 <= len(variable.choices) <= MAX_CHOICES or not all(variable.choices):
            raise VariableError(name, "Give 1 to %(most)s choices.", most=MAX_CHOICES)
        if len(set(variable.choices)) < len(variable.choices):
            raise VariableError(name, "A choice stands there twice.")
        if any(len(choice) > 200 for choice in variable.choices):
            raise VariableError(name, "A choice may have %(most)s characters.", most=200)
    elif variable.choices:
        raise VariableError(name, "Only a choice has choices.")
    if variable.many and not variable.is_source:
        raise VariableError(name, "Only files and pages can be several.")
    _check_bounds(variable)
    if variable.default and variable.is_source:
        raise VariableError(name, "A file or page has no default.")
    if variable.default:
        value_of(variable, variable.default)


def _check_bounds(variable: Variable) -> None:
    name, bounds = variable.name, (variable.least, variable.most)
    if variable.type == Type.CHOICE and any(bounds):
        raise VariableError(name, "A choice has no bounds.")
    numbers = [_decimal(name, bound) for bound in bounds if bound]
    if variable.type != Type.NUMBER:
        most = MOST_LENGTHS.get(variable.type, MAX_SOURCES if variable.is_source else MAX_ITEMS)
        if any(not re.fullmatch(r"[0-9]{1,6}", bound) for bound in bounds if bound):
            raise VariableError(name, "A bound is a whole number.")
        if any(not 0 <= number <= most for number in numbers) or variable.most == "0":
            raise VariableError(name, "A bound is from 0 to %(most)s.", most=most)
    if len(numbers) == 2 and numbers[0] > numbers[1]:
        raise VariableError(name, "The least is more than the most.")


def _listed(name: str, given: Any) -> Sequence[Any]:
    if given is None:
        return ()
    if not isinstance(given, list | tuple):
        raise VariableError(name, "Choices are a list.")
    return given


def _words(name: str, data: Mapping[str, Any], key: str, most: int) -> str:
    text = data.get(key) or ""
    if not isinstance(text, str) or len(text) > most or "\0" in text:
        raise VariableError(name, "%(what)s is a text of at most %(most)s characters.", what=key, most=most)
    return text.strip()


def _flag(name: str, data: Mapping[str, Any], key: str) -> bool:
    value = data.get(key) or False
    if not isinstance(value, bool):
        raise VariableError(name, "%(what)s is true or false.", what=key)
    return value

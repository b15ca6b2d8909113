"""The filter language of RFC 7644 section 3.4.2.2, parsed by its grammar; also the paths of PATCH, which use it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from apps.core.errors import ScimInvalid

LONGEST, DEEPEST = 2000, 20
OPERATORS = frozenset("eq ne co sw ew gt ge lt le".split())
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<mark>[()\[\]])"""
    r"""|(?P<word>(?:urn:[A-Za-z0-9:._-]*:)?[A-Za-z$][A-Za-z0-9_$-]*(?:\.[A-Za-z$][A-Za-z0-9_$-]*)?)"""
    r"""|(?P<number>-?[0-9]+(?:\.[0-9]+)?))"""
)


@dataclass(frozen=True, slots=True)
class Compare:
    """`attribute operator value`; the operator `pr` has no value."""

    attribute: str
    operator: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Join:
    """`and` or `or` of two filters."""

    word: str
    left: Filter
    right: Filter


@dataclass(frozen=True, slots=True)
class Not:
    inner: Filter


@dataclass(frozen=True, slots=True)
class Within:
    """`attribute[filter]`: one value of a multi-valued attribute fits the whole filter."""

    attribute: str
    inner: Filter


Filter = Compare | Join | Not | Within


@dataclass(frozen=True, slots=True)
class Path:
    """What a PATCH is about: `attribute`, `attribute.sub`, `attribute[filter]` or `attribute[filter].sub`."""

    attribute: str
    sub: str = ""
    inner: Filter | None = None


def parse_filter(text: str) -> Filter:
    """The filter, or ScimInvalid with the type invalidFilter."""
    parser = _Parser(text, "invalidFilter")
    found = parser.either(0)
    parser.end()
    return found


def parse_path(text: str) -> Path:
    """The path, or ScimInvalid with the type invalidPath."""
    parser = _Parser(text, "invalidPath")
    name = plain(parser.word())
    if parser.take("["):
        inner = parser.either(0)
        parser.need("]")
        sub = parser.rest().removeprefix(".")
        if sub and not re.fullmatch(r"[A-Za-z$][A-Za-z0-9_$-]*", sub):
            raise parser.wrong()
        return Path(name, sub, inner)
    parser.end()
    attribute, _, sub = name.partition(".")
    return Path(attribute, sub)


def plain(name: str) -> str:
    """An attribute without the schema before it: `urn:…:User:userName` is `userName`."""
    return name.rpartition(":")[2] if name.lower().startswith("urn:") else name


class _Parser:
    """Recursive descent; `or` binds least, then `and`, then `not`."""

    def __init__(self, text: str, problem: str) -> None:
        self._text, self._at, self._problem = text, 0, problem
        if len(text) > LONGEST:
            raise self.wrong()

    def wrong(self) -> ScimInvalid:
        return ScimInvalid(f"This cannot be understood at character {self._at + 1}.", scim_type=self._problem)

    def either(self, depth: int) -> Filter:
        found = self.both(depth)
        while self._keyword("or"):
            found = Join("or", found, self.both(depth))
        return found

    def both(self, depth: int) -> Filter:
        found = self._single(depth)
        while self._keyword("and"):
            found = Join("and", found, self._single(depth))
        return found

    def _single(self, depth: int) -> Filter:
        if depth > DEEPEST:
            raise self.wrong()
        if self._keyword("not"):
            self.need("(")
            inner = self.either(depth + 1)
            self.need(")")
            return Not(inner)
        if self.take("("):
            inner = self.either(depth + 1)
            self.need(")")
            return inner
        name = plain(self.word())
        if self.take("["):
            inner = self.either(depth + 1)
            self.need("]")
            return Within(name, inner)
        operator = self.word().lower()
        if operator == "pr":
            return Compare(name, "pr")
        if operator not in OPERATORS:
            raise self.wrong()
        return Compare(name, operator, self._value())

    def _value(self) -> Any:
        match = self._next()
        if match is None:
            raise self.wrong()
        self._at = match.end()
        if match["string"]:
            try:
                return json.loads(match["string"])
            except ValueError:
                raise self.wrong() from None
        if match["number"]:
            return float(match["number"]) if "." in match["number"] else int(match["number"])
        words = {"true": True, "false": False, "null": None}
        if match["word"] and match["word"].lower() in words:
            return words[match["word"].lower()]
        raise self.wrong()

    def _next(self) -> re.Match[str] | None:
        return _TOKEN.match(self._text, self._at)

    def _keyword(self, word: str) -> bool:
        match = self._next()
        if match and match["word"] and match["word"].lower() == word:
            self._at = match.end()
            return True
        return False

    def word(self) -> str:
        match = self._next()
        if match is None or not match["word"]:
            raise self.wrong()
        self._at = match.end()
        return match["word"]

    def take(self, mark: str) -> bool:
        match = self._next()
        if match and match["mark"] == mark:
            self._at = match.end()
            return True
        return False

    def need(self, mark: str) -> None:
        if not self.take(mark):
            raise self.wrong()

    def rest(self) -> str:
        rest = self._text[self._at :].strip()
        self._at = len(self._text)
        return rest

    def end(self) -> None:
        if self._text[self._at :].strip():
            raise self.wrong()


def fits(filter: Filter, value: Any) -> bool:
    """Whether one value of a multi-valued attribute, a mapping of its parts, fits."""
    match filter:
        case Join("and", left, right):
            return fits(left, value) and fits(right, value)
        case Join(_, left, right):
            return fits(left, value) or fits(right, value)
        case Not(inner):
            return not fits(inner, value)
        case Compare(attribute, "pr", _):
            return bool(_part(value, attribute))
        case Compare(attribute, "eq", wanted):
            found = _part(value, attribute)
            both = isinstance(found, str) and isinstance(wanted, str)
            return str(found).lower() == str(wanted).lower() if both else found == wanted
    raise ScimInvalid("Here only eq, pr, and, or and not are understood.", scim_type="invalidFilter")


def _part(value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        return value if name.lower() == "value" else None
    return next((part for key, part in value.items() if key.lower() == name.lower()), None)

"""The language of prompt templates: variables, optional sections and loops over lists, and nothing that computes.

    {{ product }}   {{ source.text }}   {{ loop.index }}   {{ "{{" }}   {# left out #}
    {% if tone %}…{% else %}…{% endif %}   {% if not tone %}…   {% if network == "x" %}…   {% if network != "x" %}…
    {% for point in points %}…{% endfor %}

A line that holds nothing but tags goes with its line break. Values are put in as they are and never read as template
text, so that no value can open a tag, close a section or reach another variable. Reading is linear in the template,
and writing stops at `MAX_OUTPUT_CHARS` and `MAX_STEPS`, whatever the loops say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

MAX_TEMPLATE_CHARS = 20_000
MAX_OUTPUT_CHARS = 400_000
MAX_STEPS = 50_000
MAX_DEPTH = 6
NAME = r"[a-z][a-z0-9_]{0,39}"
# What a loop itself offers; no variable is called so.
LOOP = "loop"
RESERVED = frozenset({LOOP, "if", "else", "endif", "for", "endfor", "in", "not"})

_PATH = rf"{NAME}(?:\.{NAME})?"
_TEXT = r'"[^"\n]{0,200}"'
_OPEN = re.compile(r"\{\{|\{%|\{#")
_CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}"}
_OUTPUT = re.compile(rf"\{{\{{\s*(?:(?P<path>{_PATH})|(?P<text>{_TEXT}))\s*\}}\}}")
_IF = re.compile(
    rf"\{{%\s*if\s+(?:(?P<no>not)\s+(?P<absent>{_PATH})|(?P<path>{_PATH})(?:\s*(?P<op>==|!=)\s*(?P<text>{_TEXT}))?)\s*%\}}"
)
_FOR = re.compile(rf"\{{%\s*for\s+(?P<item>{NAME})\s+in\s+(?P<path>{_PATH})\s*%\}}")
_WORD = re.compile(r"\{%\s*(else|endif|endfor)\s*%\}")


class PromptError(ValueError):
    """A template that cannot be read, or that writes too much; `line` counts from 1, and 0 means none in particular.

    `template` is the message with its `%(…)s`, for `values`.
    """

    def __init__(self, template: str, line: int = 0, **values: object) -> None:
        self.message = template % values if values else template
        super().__init__(f"Line {line}: {self.message}" if line else self.message)
        self.template, self.line, self.values = template, line, values


@dataclass(frozen=True, slots=True)
class Source:
    """A text with a name: an uploaded file or a fetched page. Written without a part it gives its text."""

    name: str
    text: str

    def __str__(self) -> str:
        return self.text


Value = str | Source | Sequence["Value"] | None


@dataclass(frozen=True, slots=True)
class Literal:
    text: str


@dataclass(frozen=True, slots=True)
class Output:
    path: str


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether a value is there, or is (`equal`) or is not the given text."""

    path: str
    equal: bool
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    condition: Condition
    then: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    item: str
    path: str
    body: tuple[Node, ...]


Node = Literal | Output | Section | Loop


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template that has been read."""

    nodes: tuple[Node, ...]

    def names(self) -> frozenset[str]:
        """The variables that it speaks of."""
        return frozenset(_names(self.nodes, frozenset()))

    def render(self, values: Mapping[str, Value]) -> str:
        """The text with the values put in; a name without one is empty. Raises PromptError where it gets too long."""
        writer = _Writer()
        writer.write(self.nodes, dict(values))
        return "".join(writer.parts).strip()


def parse(source: str) -> Prompt:
    """Reads a template; raises PromptError naming the line."""
    if len(source) > MAX_TEMPLATE_CHARS:
        raise PromptError("A template has at most %(most)s characters.", most=f"{MAX_TEMPLATE_CHARS:,}")
    return Prompt(_Reader(list(_tokens(source))).read())


# ---------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    line: int
    is_tag: bool


def _tokens(source: str) -> Iterator[_Token]:
    """Literal texts and tags, without comments; of a line that holds block tags and blanks alone, only the tags."""
    line: list[_Token] = []
    for token in _pieces(source.replace("\r\n", "\n")):
        line.append(token)
        if not token.is_tag and token.text.endswith("\n"):
            yield from _kept(line)
            line = []
    yield from _kept(line)


def _pieces(source: str) -> Iterator[_Token]:
    """Tags, and the texts between them cut after each line break. Each tag is searched for its end only once."""
    place, line = 0, 1
    while True:
        opening = _OPEN.search(source, place)
        for part in source[place : opening.start() if opening else len(source)].splitlines(keepends=True):
            yield _Token(part, line, False)
            line += part.count("\n")
        if opening is None:
            return
        end = source.find(_CLOSING[opening.group()], opening.end())
        if end < 0:
            raise PromptError("“%(tag)s” is not closed.", line, tag=opening.group())
        place = end + 2
        yield _Token(source[opening.start() : place], line, True)
        line += source.count("\n", opening.start(), place)


def _kept(line: list[_Token]) -> Iterator[_Token]:
    tags = [token for token in line if token.is_tag]
    writes = any(token.text.startswith("{{") or (not token.is_tag and token.text.strip()) for token in line)
    for token in line if writes or not tags else tags:
        if not token.text.startswith("{#") or not token.is_tag:
            yield token


class _Reader:
    """Reads tokens into nodes, one section inside another."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens, self._place, self._loops = tokens, 0, list[str]()

    def read(self) -> tuple[Node, ...]:
        nodes, ending = self._until(frozenset(), 0)
        if ending is not None:
            raise PromptError("“%(word)s” closes nothing.", ending.line, word=_word(ending))
        return nodes

    def _until(self, words: frozenset[str], depth: int) -> tuple[tuple[Node, ...], _Token | None]:
        """Nodes up to a tag of `words`, which is returned, or to the end."""
        nodes: list[Node] = []
        while self._place < len(self._tokens):
            token = self._tokens[self._place]
            self._place += 1
            if not token.is_tag:
                nodes.append(Literal(token.text))
            elif word := _WORD.fullmatch(token.text):
                if word.group(1) not in words:
                    raise PromptError("“%(word)s” stands where nothing can end.", token.line, word=word.group(1))
                return tuple(nodes), token
            else:
                nodes.append(self._tag(token, depth))
        return tuple(nodes), None

    def _tag(self, token: _Token, depth: int) -> Node:
        if found := _OUTPUT.fullmatch(token.text):
            text = found["text"]
            return Literal(text[1:-1]) if text is not None else Output(self._path(found["path"], token))
        if depth >= MAX_DEPTH:
            raise PromptError("Sections stand in each other at most %(most)s deep.", token.line, most=MAX_DEPTH)
        if found := _IF.fullmatch(token.text):
            return self._section(found, token, depth)
        if found := _FOR.fullmatch(token.text):
            return self._loop(found, token, depth)
        raise PromptError("“%(tag)s” is not understood.", token.line, tag=token.text[:60])

    def _section(self, found: re.Match[str], token: _Token, depth: int) -> Section:
        path = self._path(found["absent"] or found["path"], token)
        text = found["text"]
        condition = Condition(path, not found["no"] and found["op"] != "!=", None if text is None else text[1:-1])
        then, ending = self._until(frozenset({"else", "endif"}), depth + 1)
        otherwise: tuple[Node, ...] = ()
        if ending is not None and _word(ending) == "else":
            otherwise, ending = self._until(frozenset({"endif"}), depth + 1)
        if ending is None:
            raise PromptError("This “if” has no “endif”.", token.line)
        return Section(condition, then, otherwise)

    def _loop(self, found: re.Match[str], token: _Token, depth: int) -> Loop:
        item, path = found["item"], self._path(found["path"], token)
        if item in RESERVED:
            raise PromptError("“%(word)s” is a word of the language.", token.line, word=item)
        self._loops.append(item)
        body, ending = self._until(frozenset({"endfor"}), depth + 1)
        self._loops.pop()
        if ending is None:
            raise PromptError("This “for” has no “endfor”.", token.line)
        return Loop(item, path, body)

    def _path(self, path: str, token: _Token) -> str:
        name, _, part = path.partition(".")
        if name == LOOP:
            if not self._loops or part != "index":
                raise PromptError("“loop.index” is all that a loop offers, inside of one.", token.line)
        elif name in RESERVED:
            raise PromptError("“%(word)s” is a word of the language.", token.line, word=name)
        elif part not in {"", "name", "text"}:
            raise PromptError("Of a file or page there is “name” and “text”.", token.line)
        return path


def _word(token: _Token) -> str:
    found = _WORD.fullmatch(token.text)
    return found.group(1) if found else ""


def _names(nodes: Sequence[Node], inner: frozenset[str]) -> Iterator[str]:
    for node in nodes:
        paths: list[str] = []
        if isinstance(node, Output):
            paths = [node.path]
        elif isinstance(node, Section):
            paths = [node.condition.path]
            yield from _names(node.then, inner)
            yield from _names(node.otherwise, inner)
        elif isinstance(node, Loop):
            paths = [node.path]
            yield from _names(node.body, inner | {node.item})
        for path in paths:
            name = path.partition(".")[0]
            if name != LOOP and name not in inner:
                yield name


# ---------------------------------------------------------------- writing


class _Writer:
    """Puts values in, counting what it writes and how often it turns."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._chars = self._steps = 0

    def write(self, nodes: Sequence[Node], values: dict[str, Value]) -> None:
        for node in nodes:
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise PromptError("The loops of this template go on too long.")
            if isinstance(node, Literal):
                self._add(node.text)
            elif isinstance(node, Output):
                self._add(_text(_value(node.path, values)))
            elif isinstance(node, Section):
                self.write(node.then if _holds(node.condition, values) else node.otherwise, values)
            else:
                self._repeat(node, values)

    def _repeat(self, node: Loop, values: dict[str, Value]) -> None:
        for index, item in enumerate(_items(_value(node.path, values)), 1):
            self.write(node.body, values | {node.item: item, LOOP: str(index)})

    def _add(self, text: str) -> None:
        self._chars += len(text)
        if self._chars > MAX_OUTPUT_CHARS:
            raise PromptError(
                "The finished prompt would have more than %(most)s characters.", most=f"{MAX_OUTPUT_CHARS:,}"
            )
        self.parts.append(text)


def _value(path: str, values: Mapping[str, Value]) -> Value:
    name, _, part = path.partition(".")
    value = values.get(name)
    if name == LOOP or not part:
        return value
    if isinstance(value, Source):
        return value.name if part == "name" else value.text
    return value if part == "text" else None


def _items(value: Value) -> Sequence[Value]:
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str | Source) else value


def _text(value: Value) -> str:
    return ", ".join(_text(item) for item in value) if isinstance(value, list | tuple) else str(value or "")


def _holds(condition: Condition, values: Mapping[str, Value]) -> bool:
    value = _value(condition.path, values)
    if condition.text is None:
        return bool(_text(value).strip()) == condition.equal
    return (_text(value) == condition.text) == condition.equal

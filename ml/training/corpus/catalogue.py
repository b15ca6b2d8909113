"""The catalogue of product categories and the word lists, read from the data files beside this module."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Group:
    """What the categories of one field share."""

    name: str
    audiences: tuple[str, ...]
    scenes: tuple[str, ...]
    problems: tuple[str, ...]
    topics: tuple[str, ...]
    parts: tuple[str, ...]
    finishes: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of product: its noun, what it is made of, what it has and what it does."""

    noun: str
    plural: bool
    materials: tuple[str, ...]
    features: tuple[str, ...]
    benefits: tuple[str, ...]
    group: Group


@dataclass(frozen=True, slots=True)
class Offer:
    """A point outside the product itself: how a brief says it and how copy may say it."""

    point: str
    sentences: tuple[str, ...]


def _sections(file_name: str) -> Iterator[tuple[str, list[str]]]:
    name, lines = "", list[str]()
    for raw in (DATA / file_name).read_text(encoding="utf-8").splitlines():
        if raw.startswith("#") or not raw.strip():
            continue
        if raw.startswith("[") and raw.endswith("]") and "|" not in raw:
            if name:
                yield name, lines
            name, lines = raw[1:-1], []
        else:
            lines.append(raw)
    yield name, lines


def _items(text: str, separator: str = ";") -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(separator) if item.strip())


def _category(line: str, group: Group) -> Category:
    noun, materials, features, benefits = (part.strip() for part in line[1:].split("|"))
    return Category(
        noun.lstrip("*"), noun.startswith("*"), _items(materials, ","), _items(features), _items(benefits), group
    )


@functools.cache
def categories() -> tuple[Category, ...]:
    """Return every category of the catalogue."""
    found: list[Category] = []
    for name, lines in _sections("catalogue.txt"):
        fields = {key: _items(rest) for key, rest in (line.split(":", 1) for line in lines if line[0] != "@")}
        group = Group(name=name, **fields)
        found.extend(_category(line, group) for line in lines if line[0] == "@")
    return tuple(found)


@functools.cache
def sentences() -> dict[str, tuple[str, ...]]:
    """Return the templates of each section; "section/tone" holds those of one tone."""
    return {name: tuple(lines) for name, lines in _sections("sentences.txt")}


@functools.cache
def words(section: str) -> dict[str, tuple[str, ...]]:
    """Return one section of word lists: adjectives, hashtags or slots."""
    lines = dict(_sections("words.txt"))[section]
    return {key: _items(rest) for key, rest in (line.split(":", 1) for line in lines)}


@functools.cache
def offers() -> tuple[Offer, ...]:
    """Return every kind of offer."""
    pairs = (line.split(" => ") for line in dict(_sections("words.txt"))["offers"])
    return tuple(Offer(point.strip(), _items(ways, " / ")) for point, ways in pairs)

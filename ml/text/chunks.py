"""Cutting a document along its structure into pieces that an encoder can read whole.

A document is a row of blocks: headings, paragraphs, list items, table rows. A chunk never reaches over a heading
or a page, keeps the path of headings above it and its page, and repeats the end of the chunk before it where a section
was too long for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

# How many tokens each of several texts has.
Lengths = Callable[[Sequence[str]], list[int]]

# Ends of sentences in Latin and in Chinese writing; what follows stays with the next one.
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？；…])(?=\S)|\n+")
_ENDS = re.compile(r"[.!?…。！？；:：]['\"”’)\]]*\s*$")
LONGEST_HEADING = 200
# Of a chunk's tokens, so many at most for the headings that are read with it.
HEADING_SHARE = 5


class BlockKind(StrEnum):
    HEADING = "heading"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a document; `level` is a heading's, from 1. `page` is where it begins, None without pages."""

    kind: BlockKind
    text: str
    level: int = 0
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is found and cited; `heading` is the path of headings above it, outermost first."""

    text: str
    heading: tuple[str, ...]
    page: int | None
    tokens: int

    @property
    def read(self) -> str:
        """What the encoder reads: the text under its headings."""
        return "\n".join(filter(None, [" › ".join(self.heading), self.text]))


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence, or a part of one that is too long; `joint` stands before it unless it begins a chunk."""

    text: str
    page: int | None
    joint: str
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class _Section:
    heading: tuple[str, ...]
    blocks: tuple[Block, ...]


def chunks(blocks: Sequence[Block], lengths: Lengths, most: int, overlap: int) -> list[Chunk]:
    """The document in pieces of at most `most` tokens, headings included.

    Where a section is cut, a piece begins with whole sentences of the one before it that have up to `overlap` tokens.
    """
    if not 0 <= overlap < most // 2:
        raise ValueError("the overlap must be less than half of a chunk")
    found: list[Chunk] = []
    for section in _sections(blocks):
        heading = _fitting(section.heading, lengths, most // HEADING_SHARE)
        room = most - (lengths([" › ".join(heading)])[0] if heading else 0)
        units = list(_measured(_units(section), room, lengths))
        found += [
            Chunk(_joined(part), heading, page, sum(unit.tokens for unit in part) + most - room)
            for part, page in _packed(units, room, overlap)
        ]
    return found


def _sections(blocks: Sequence[Block]) -> Iterator[_Section]:
    """Runs of text between headings; a heading without text of its own shows in the path of what is below it."""
    path: list[tuple[int, str]] = []
    waiting: list[Block] = []
    for block in blocks:
        if not block.text.strip():
            continue
        if block.kind != BlockKind.HEADING:
            waiting.append(block)
            continue
        if waiting:
            yield _Section(tuple(text for _, text in path), tuple(waiting))
            waiting = []
        path = [(level, text) for level, text in path if level < block.level]
        path.append((block.level, " ".join(block.text.split())[:LONGEST_HEADING]))
    if waiting:
        yield _Section(tuple(text for _, text in path), tuple(waiting))


def _fitting(heading: tuple[str, ...], lengths: Lengths, most: int) -> tuple[str, ...]:
    """The path without its outer headings, as far as it has room; the innermost says most of what follows."""
    while heading and lengths([" › ".join(heading)])[0] > most:
        heading = heading[1:]
    return heading


def _units(section: _Section) -> Iterator[_Unit]:
    for block in section.blocks:
        joint = "\n\n"
        for sentence in _SENTENCE.split(block.text.strip()):
            if sentence.strip():
                yield _Unit(sentence, block.page, joint)
                joint = "" if _is_cjk(sentence[-1]) else " "


def _is_cjk(character: str) -> bool:
    return "\u3000" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef"


def _measured(units: Iterator[_Unit], room: int, lengths: Lengths) -> Iterator[_Unit]:
    """The units with their tokens; a sentence of more than there is room for comes in parts, cut between words."""
    waiting = list(units)
    counts = lengths([unit.text for unit in waiting]) if waiting else []
    for unit, count in zip(waiting, counts, strict=True):
        if count <= room:
            yield replace(unit, tokens=count)
            continue
        # A character is a token at most, but for those that normalisation unfolds: hence the half.
        longest = max(1, room // 2)
        parts = re.findall(rf".{{1,{longest}}}(?:\s+|$)|.{{1,{longest}}}", unit.text, re.DOTALL)
        for place, (part, size) in enumerate(zip(parts, lengths(parts), strict=True)):
            yield _Unit(part, unit.page, "" if place else unit.joint, size)


def _packed(units: Sequence[_Unit], room: int, overlap: int) -> Iterator[tuple[list[_Unit], int | None]]:
    """Parts of at most `room` tokens, each with the page of what is new in it; none reaches over the end of a page.

    A sentence that goes on over the page is repeated on the next, as far as the overlap has room.
    """
    part: list[_Unit] = []
    size = 0
    page: int | None = None
    for unit in units:
        turned = bool(part) and unit.page != page
        if part and (turned or size + unit.tokens > room):
            yield part, page
            repeated = not turned or not _ENDS.search(part[-1].text)
            part = _tail(part, min(overlap, room - unit.tokens)) if repeated else []
            size = sum(each.tokens for each in part)
        part.append(unit)
        size += unit.tokens
        page = unit.page
    if part:
        yield part, page


def _tail(part: Sequence[_Unit], overlap: int) -> list[_Unit]:
    """The last whole sentences that have so many tokens at most; never all of the part."""
    size, begin = 0, len(part)
    while begin > 1 and size + part[begin - 1].tokens <= overlap:
        begin -= 1
        size += part[begin].tokens
    return list(part[begin:])


def _joined(part: Sequence[_Unit]) -> str:
    return "".join((unit.joint if place else "") + unit.text for place, unit in enumerate(part))

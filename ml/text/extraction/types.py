"""Kinds of documents, what comes out of them, and every reason for which one is not read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ml.text.chunks import Block


class Kind(StrEnum):
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    DOCX = "docx"
    PDF = "pdf"


class Refusal(StrEnum):
    """Why a file is not read."""

    EMPTY = "empty"
    UNKNOWN_TYPE = "unknown_type"
    WRONG_TYPE = "wrong_type"
    ENCODING = "unknown_encoding"
    ENCRYPTED = "encrypted"
    DAMAGED = "damaged"
    UNSAFE_PATH = "unsafe_path"
    NESTED_ARCHIVE = "nested_archive"
    ARCHIVE_TOO_LARGE = "archive_too_large"
    XML_ENTITIES = "xml_entities"
    TOO_MANY_PAGES = "too_many_pages"
    TOO_MUCH_TEXT = "too_much_text"
    NO_TEXT = "no_text"
    TOO_SLOW = "too_slow"
    TOO_MUCH_MEMORY = "too_much_memory"


class Refused(ValueError):
    """A file that is not read, and why."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document's blocks; `title` is what it calls itself, empty if it does not; `pages` None without pages."""

    blocks: tuple[Block, ...]
    title: str = ""
    pages: int | None = None


# What a document may hold at most.
MOST_CHARACTERS = 8_000_000
MOST_BLOCKS = 200_000
MOST_PAGES = 2_000

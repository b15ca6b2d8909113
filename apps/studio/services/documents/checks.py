"""What a document may be called and hold."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext

from apps.core.errors import InvalidRequest, PayloadTooLarge

MOST_CHARS, LONGEST_TITLE, LONGEST_NAME = 200_000, 200, 80
MOST_TAGS, LONGEST_TAG = 12, 40


def text_of(text: str) -> str:
    """The text as it is kept: lines end with a line feed, and no NUL or lone surrogate is in it."""
    _storable(text, "text")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MOST_CHARS:
        raise PayloadTooLarge("A document has at most %(most)s characters.", values={"most": MOST_CHARS}, param="text")
    return text


def title_of(title: str) -> str:
    """A title in one line; an empty one says that there is none yet."""
    _storable(title, "title")
    return " ".join(title.split())[:LONGEST_TITLE] or gettext("Untitled")


def name_of(name: str, longest: int = LONGEST_NAME) -> str:
    """The name of a version or a folder."""
    name = " ".join(name.split())
    _storable(name, "name")
    if not 1 <= len(name) <= longest:
        raise InvalidRequest("A name has 1 to %(most)s characters.", values={"most": longest}, param="name")
    return name


def tags_of(tags: Sequence[str]) -> list[str]:
    """Tags in small letters, each once, in the order given."""
    found = list(dict.fromkeys(" ".join(tag.lower().split())[:LONGEST_TAG] for tag in tags if tag.strip()))
    for tag in found:
        _storable(tag, "tags")
    if len(found) > MOST_TAGS or any("," in tag for tag in found):
        raise InvalidRequest("At most %(most)s tags, without commas.", values={"most": MOST_TAGS}, param="tags")
    return found


def _storable(text: str, param: str) -> None:
    if "\0" in text:
        raise InvalidRequest("Text cannot contain NUL characters.", param=param)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("Text must be valid Unicode, without lone surrogates.", param=param) from None

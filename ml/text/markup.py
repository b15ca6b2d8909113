"""HTML of help pages as Markdown: what a reader sees of it, with headings, lists, links and emphasis. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_SKIPPED = frozenset("script style noscript template nav aside form button iframe object svg select footer".split())
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_PARAGRAPHS = frozenset("p div section article main header table ul ol dl blockquote pre body figure".split())
_MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*", "code": "`"}
_SPECIAL = re.compile(r"([\\*_`\[\]<>])")
_LINK = re.compile(r"(?:https://|mailto:)\S+", re.IGNORECASE)


def markdown_of(html: str) -> tuple[str, str]:
    """The page's title and its text; whatever is no text is left out."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.result()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._title: list[str] = []
        self._first_heading: list[str] = []
        self._skipping = 0
        self._in_title = False
        self._heading = 0
        self._lists: list[int] = []
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED:
            self._skipping += 1
        elif self._skipping:
            return
        elif tag == "title":
            self._in_title = True
        elif tag in _HEADINGS:
            self._heading = _HEADINGS[tag]
            self._parts.append(f"\n\n{'#' * self._heading} ")
        elif tag in {"ul", "ol"}:
            self._lists.append(0 if tag == "ol" else -1)
            self._parts.append("\n\n" if len(self._lists) == 1 else "")
        elif tag == "li":
            self._item()
        elif tag in {"br", "tr"}:
            self._parts.append("\n\n" if tag == "tr" else "  \n")
        elif tag in {"td", "th"}:
            self._parts.append(" ")
        elif tag in _MARKS:
            self._parts.append(_MARKS[tag])
        elif tag == "a":
            address = dict(attributes).get("href") or ""
            self._links.append(address if _LINK.fullmatch(address) else "")
            self._parts.append("[" if self._links[-1] else "")
        elif tag in _PARAGRAPHS and not self._lists:
            self._parts.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SKIPPED:
            self._skipping = max(0, self._skipping - 1)
        elif self._skipping:
            return
        elif tag == "title":
            self._in_title = False
        elif tag in _HEADINGS:
            self._heading = 0
            self._parts.append("\n\n")
        elif tag in {"ul", "ol"}:
            self._lists = self._lists[:-1]
            self._parts.append("" if self._lists else "\n\n")
        elif tag in _MARKS:
            self._parts.append(_MARKS[tag])
        elif tag == "a" and self._links:
            address = self._links.pop()
            self._parts.append(f"]({address})" if address else "")
        elif tag in _PARAGRAPHS and not self._lists:
            self._parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self._skipping:
            return
        words = re.sub(r"\s+", " ", data)
        if self._in_title:
            self._title.append(words)
            return
        if self._heading == 1:
            self._first_heading.append(words)
        self._parts.append(_SPECIAL.sub(r"\\\1", words))

    def result(self) -> tuple[str, str]:
        text = "".join(self._parts)
        lines = [
            line.strip() if not line.lstrip().startswith(("- ", "1. ")) else line.rstrip() for line in text.split("\n")
        ]
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
        title = " ".join("".join(self._first_heading or self._title).split())
        return title, text

    def _item(self) -> None:
        depth = max(0, len(self._lists) - 1)
        ordered = bool(self._lists) and self._lists[-1] >= 0
        self._parts.append(f"\n{'   ' * depth}{'1.' if ordered else '-'} ")

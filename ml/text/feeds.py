"""News from pages and feeds of strangers: RSS and Atom items, or a page's own words, always as plain text."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

import nh3
from lxml import etree

from ml.words import Words

MOST_ITEMS = 20
LONGEST_TITLE, LONGEST_SUMMARY, LONGEST_PAGE = 300, 2_000, 20_000
# A feed declares no document type; one that does could declare entities with it.
_DOCTYPE = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.I)


@dataclass(frozen=True, slots=True)
class Item:
    title: str
    summary: str = ""
    link: str = ""


class NotReadable(ValueError):
    """Nothing can be read from this; the words are for whoever named the address."""

    def __init__(self, template: str, /, **values: object) -> None:
        self.words = Words(template, **values)
        super().__init__(self.words)


def items_of(body: bytes, content_type: str = "") -> list[Item]:
    """What a feed or a page says, newest as the feed has it; NotReadable for anything else."""
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:2_000].lower()
    if b"<rss" in start or b"<feed" in start or b"<rdf" in start:
        return _feed(body)
    kind = content_type.partition(";")[0].strip().lower()
    if kind in {"", "text/html", "application/xhtml+xml", "text/plain", "text/markdown"}:
        return [_page(_decoded(body, content_type), kind)]
    raise NotReadable("This address is neither a feed nor a page.")


def _feed(body: bytes) -> list[Item]:
    if _DOCTYPE.search(body[:65_536].replace(b"\0", b"")):
        raise NotReadable("This feed declares entities, which none needs.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=True)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None:
        raise NotReadable("This feed cannot be read.")
    found = [_item(each) for each in root.iter() if _name(each) in {"item", "entry"}]
    items = [item for item in found if item.title or item.summary][:MOST_ITEMS]
    if not items:
        raise NotReadable("This feed has no items.")
    return items


def _item(element: Any) -> Item:
    parts: dict[str, str] = {}
    for child in element:
        name = _name(child)
        text = "".join(child.itertext()) if name else ""
        if name == "link":
            text = text.strip() or child.get("href", "")
        parts.setdefault({"encoded": "content"}.get(name, name), text)
    summary = parts.get("description") or parts.get("summary") or parts.get("content") or ""
    link = parts.get("link", "").strip()
    return Item(
        plain(parts.get("title", ""))[:LONGEST_TITLE],
        plain(summary)[:LONGEST_SUMMARY],
        link if link.startswith(("https://", "http://")) else "",
    )


def _name(element: Any) -> str:
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def _page(text: str, kind: str) -> Item:
    title = re.search(r"<title[^>]*>(.{0,1000}?)</title>", text, re.I | re.S)
    words = text if kind == "text/plain" or kind == "text/markdown" else plain(text)
    if not words.strip():
        raise NotReadable("There are no words at this address.")
    return Item(plain(title[1])[:LONGEST_TITLE] if title else "", words.strip()[:LONGEST_PAGE])


def plain(text: str) -> str:
    """HTML without its tags, scripts and styles, its words in one line."""
    hidden = {"script", "style", "noscript", "template", "title", "nav", "footer"}
    clean = nh3.clean(text, tags=set(), clean_content_tags=hidden)
    return " ".join(html.unescape(clean).replace("\0", "").split())


def _decoded(body: bytes, content_type: str) -> str:
    charset = re.search(r"charset=[\"']?([\w-]{1,40})", content_type, re.I)
    for name in (charset[1] if charset else "utf-8", "utf-8"):
        try:
            return body.decode(name)
        except (LookupError, UnicodeDecodeError):
            continue
    return body.decode("utf-8", "replace")

"""Markdown that people have written, as HTML that can do nothing but be read."""

from __future__ import annotations

import re
from collections.abc import Sequence

import nh3
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.token import Token

# No raw HTML, no pictures: another site's picture would tell it who reads here. Tables, because data has them.
_PARSER = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
_TAGS = {
    "p", "br", "hr", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a",
    "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip

# What links may lead to. An address without a scheme would be one of this site, where a click can do something.
_ADDRESS = re.compile(r"(https://|mailto:)[^\s]", re.I)


def render(text: str) -> SafeString:
    """HTML of Markdown; headings begin at the third level, since they stand below the page's own."""
    return _html(_PARSER.parse(text), _TAGS)


def render_foreign(text: str) -> SafeString:
    """The same for what a model wrote: a link is its words with its address beside them, which nobody follows by
    mistake.
    """
    tokens = _PARSER.parse(text)
    for token in tokens:
        if token.children:
            token.children = _unlinked(token.children)
    return _html(tokens, _TAGS - {"a"})


def _unlinked(tokens: Sequence[Token]) -> list[Token]:
    kept: list[Token] = []
    for token in tokens:
        if token.type == "link_open":
            address, words = str(token.attrGet("href") or ""), len(kept)
        elif token.type == "link_close":
            said = "".join(inner.content for inner in kept[words:])
            if address and address != said:
                kept.append(Token("text", "", 0, content=f" ({address})"))
        else:
            kept.append(token)
    return kept


def _html(tokens: Sequence[Token], tags: set[str]) -> SafeString:
    for token in tokens:
        for inner in token.children or ():
            if inner.type == "link_open" and not _ADDRESS.match(str(inner.attrGet("href") or "")):
                del inner.attrs["href"]
        if token.tag in {"h1", "h2", "h3", "h4"}:
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    return SafeString(
        nh3.clean(
            html,
            tags=tags,
            # No title either, which nh3 lets every tag have by itself.
            attributes={"a": {"href"}, "*": set()},
            url_schemes={"https", "mailto"},
            link_rel="nofollow noopener noreferrer",
        )
    )

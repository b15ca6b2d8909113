"""The words of a mail: any charset, HTML without its markup, and no character that a database or a page chokes on."""

from __future__ import annotations

import codecs
import re
import unicodedata

from lxml import etree

from ml.text.extraction.detection import decoded as guessed
from ml.text.extraction.types import Refused

# What senders say and mean (WHATWG Encoding): the wider sets hold the narrower ones.
_MEANT = {
    "iso8859-1": "cp1252",
    "ascii": "utf-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "iso8859-9": "cp1254",
    "big5": "big5hkscs",
}
# Encodings that carry markup past whoever looks for it, or are no charsets at all.
_REFUSED = frozenset("utf-7 idna punycode unicode_escape raw_unicode_escape undefined".split())
_SKIPPED = frozenset("script style noscript template head title object svg math select iframe".split())
_BREAKS = frozenset(
    "p li dt dd blockquote pre td th tr table ul ol dl div section article header footer main form br hr "
    "h1 h2 h3 h4 h5 h6 address".split()
)
_KEPT = frozenset("\n\t")


def decoded(data: bytes, charset: str) -> str:
    """By the charset that the mail names, or what its bytes look like."""
    try:
        name = codecs.lookup(charset).name if charset else ""
        if name and name not in _REFUSED:
            return data.decode(_MEANT.get(name, name))
    except (LookupError, UnicodeError, ValueError):
        pass
    try:
        return guessed(data)
    except Refused:
        return data.decode("cp1252", "replace")


def clean(text: str) -> str:
    """Without control characters and halves of characters; lines end with a newline alone."""
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    return "".join(each for each in text if each in _KEPT or unicodedata.category(each) not in ("Cc", "Cs"))


def of_html(source: str) -> str:
    """What a reader sees of it, line by line, with `>` before what is quoted. Walks without recursion: the tree is as
    deep as a stranger likes.
    """
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(clean(source).encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    return "" if root is None else _Lines().of(root)


class _Lines:
    def __init__(self) -> None:
        self._done: list[str] = []
        self._words: list[str] = []
        self._depth = 0

    def of(self, root: object) -> str:
        skipped = 0
        for event, node in etree.iterwalk(root, events=("start", "end")):
            name = node.tag if isinstance(node.tag, str) else ""
            begins = event == "start"
            if name in _SKIPPED:
                skipped += 1 if begins else -1
            elif not skipped:
                if name in _BREAKS:
                    self._end_line()
                if name == "blockquote":
                    self._depth += 1 if begins else -1
                if begins and node.text:
                    self._words.append(node.text)
            if not begins and not skipped and node.tail:
                self._words.append(node.tail)
            if not begins and not skipped and name == "p":
                self._done.append("")
        self._end_line()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self._done)).strip()

    def _end_line(self) -> None:
        words = " ".join("".join(self._words).split())
        self._words.clear()
        if words:
            self._done.append(f"{'> ' if self._depth else ''}{words}")

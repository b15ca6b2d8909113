"""HTML by lxml: what a reader sees of it, without scripts, navigation and other furniture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from ml.text.chunks import Block, BlockKind
from ml.text.extraction.detection import decoded
from ml.text.extraction.types import Extracted, Refusal, Refused

_SKIPPED = frozenset(
    "script style noscript template nav aside form button iframe object svg math select head footer".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
# Elements whose text stands by itself.
_BLOCKS = frozenset(
    "p li dt dd blockquote pre figcaption caption td th tr table ul ol dl div section article main header body html "
    "address details summary hr br".split()
) | set(_HEADINGS)


def read(path: Path) -> Extracted:
    # What the page says of its own encoding is passed over: that has been decided already.
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(decoded(path.read_bytes()).encode(), parser)
    except etree.XMLSyntaxError:
        root = None
    if root is None:
        raise Refused(Refusal.DAMAGED)
    title = " ".join("".join(root.xpath("//head/title//text()")).split())
    blocks = tuple(_Reader().blocks(root))
    title = title or next((block.text for block in blocks if block.kind == BlockKind.HEADING), "")
    return Extracted(blocks, title)


class _Reader:
    """Walks without recursion: the tree is as deep as a stranger likes."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._level = 0
        self._cells = 0

    def blocks(self, root: Any) -> Iterator[Block]:
        skipped = 0
        for event, node in etree.iterwalk(root, events=("start", "end")):
            name = node.tag if isinstance(node.tag, str) else ""
            if name in _SKIPPED:
                skipped += 1 if event == "start" else -1
            elif not skipped:
                yield from self._begins(name, node) if event == "start" else self._ends(name)
            if event == "end" and not skipped and node.tail:
                self._words.append(node.tail)
        yield from self._flush()

    def _begins(self, name: str, node: Any) -> Iterator[Block]:
        if name in {"td", "th"} and self._words and self._cells:
            self._words.append(" | ")
        elif name in _BLOCKS:
            yield from self._flush()
        if name == "tr":
            self._cells = 1
        self._level = _HEADINGS.get(name, self._level)
        if node.text:
            self._words.append(node.text)

    def _ends(self, name: str) -> Iterator[Block]:
        if name in {"td", "th"}:
            return
        if name in _BLOCKS:
            yield from self._flush()
        if name == "tr":
            self._cells = 0
        if name in _HEADINGS:
            self._level = 0

    def _flush(self) -> Iterator[Block]:
        text = " ".join("".join(self._words).split())
        self._words.clear()
        if text:
            kind = BlockKind.HEADING if self._level else BlockKind.TEXT
            yield Block(kind, text, self._level)

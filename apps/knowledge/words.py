"""The words of a text as full-text search takes them: English by PostgreSQL, Chinese in pairs of characters. Pure.

PostgreSQL finds no words in Chinese, which is written without spaces. Pairs of neighbouring characters stand for them:
a query finds what holds its pairs, and rare pairs say as much as words do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

# Han with its extensions, Kana and Hangul.
_CJK = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af]+")
# PostgreSQL refuses a vector of words of more than a MiB; a passage has a thousandth of that.
MOST_PAIRS = 2_000


@dataclass(frozen=True, slots=True)
class Words:
    """A text without Chinese, and the pairs of what was Chinese in it, between spaces."""

    latin: str
    pairs: str


def words_of(text: str) -> Words:
    runs = _CJK.findall(text)
    pairs = [run[place : place + 2] for run in runs for place in range(max(1, len(run) - 1))]
    return Words(_CJK.sub(" ", text), " ".join(pairs[:MOST_PAIRS]))


def mark_of(organization_id: UUID) -> str:
    """A word that every passage of the organization has and no other: it narrows the index to them from within."""
    return f"o{organization_id.hex}"

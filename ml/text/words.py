"""The words of a text as a full-text index wants them: words where a script has spaces, pairs of ideographs where not.

Chinese is written without spaces, and PostgreSQL has no dictionary for it. Overlapping pairs of characters find every
phrase of two characters and more without one (Nie, Gao, Zhang and Zhou, "On the use of words and n-grams for Chinese
information retrieval", 2000).
"""

from __future__ import annotations

import re

_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f"
_RUN = re.compile(f"[{_IDEOGRAPHS}]+")
_WORD = re.compile(f"[^\\W_{_IDEOGRAPHS}]+")
# What is said in a search beyond this makes it slower and no better.
MOST_WORDS, LONGEST_SEARCH = 12, 200


def pairs(run: str) -> list[str]:
    """Overlapping pairs of a run of ideographs; a single one is its own."""
    return [run[index : index + 2] for index in range(len(run) - 1)] or [run]


def indexed(text: str) -> str:
    """The text for the index: ideographs as pairs and single ones, everything else as it is."""
    return _RUN.sub(lambda found: f" {' '.join(_pairs_and_ends(found.group()))} ", text.lower().replace("_", " "))


def _pairs_and_ends(run: str) -> list[str]:
    """Each pair, and single characters only where nothing stands beside them: the prefix of a pair finds the rest."""
    return [*pairs(run), run[-1]] if len(run) > 1 else [run]


def searched(text: str) -> tuple[list[str], list[str]]:
    """Words and pairs of ideographs of what somebody looks for."""
    text = text[:LONGEST_SEARCH].lower().replace("_", " ")
    runs = [pair for run in _RUN.findall(text) for pair in pairs(run)]
    return _WORD.findall(text)[:MOST_WORDS], runs[:MOST_WORDS]


def snippet(text: str, search: str, width: int = 160) -> list[tuple[str, bool]]:
    """A piece of the text around the first word that is found, in parts: words, and whether they were looked for."""
    words, runs = searched(search)
    wanted = [re.escape(word) for word in sorted({*words, *runs}, key=len, reverse=True)]
    flat = " ".join(text.split())
    if not wanted:
        return [(flat[:width], False)]
    pattern = re.compile("|".join(wanted), re.IGNORECASE)
    first = pattern.search(flat)
    start = max(0, (first.start() if first else 0) - width // 4)
    # From the beginning of a word, where one is near.
    start = flat.find(" ", start, start + 20) + 1 or start if start else 0
    piece = ("…" if start else "") + flat[start : start + width] + ("…" if len(flat) > start + width else "")
    parts, place = [], 0
    for match in pattern.finditer(piece):
        parts += [(piece[place : match.start()], False), (match.group(), True)]
        place = match.end()
    return [part for part in [*parts, (piece[place:], False)] if part[0]]

"""Which of all addresses a path may be, known by its first words.

Django compares a path with one pattern after the other, some hundreds of them: several milliseconds for an address that
stands far behind, more than answering takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.urls import URLPattern, URLResolver
from django.urls.resolvers import RoutePattern

WORDS, KEPT = 4, 1_024

Pattern = URLPattern | URLResolver


class Addresses(URLResolver):
    """Patterns in their order, of which a path is compared with those only whose first words it has."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        flat = _flat(patterns)
        super().__init__(RoutePattern(""), flat)
        self._words = [(words_of(each), each) for each in flat]
        self._known = frozenset(word for words, _ in self._words for word in words)
        self._like = lru_cache(maxsize=KEPT)(self._find_like)

    def resolve(self, path: Any) -> Any:
        """As Django's own; raises Resolver404."""
        words = [word if word in self._known else None for word in str(path).split("/", WORDS)[:WORDS]]
        return self._like(tuple(words)).resolve(path)

    def _find_like(self, words: tuple[str | None, ...]) -> URLResolver:
        return URLResolver(RoutePattern(""), [each for first, each in self._words if words[: len(first)] == first])


def _flat(patterns: Sequence[Pattern]) -> list[Pattern]:
    """Without lists in lists that begin at the same place."""
    found: list[Pattern] = []
    for each in patterns:
        if isinstance(each, URLResolver) and _is_plain(each):
            found += _flat(each.url_patterns)
        else:
            found.append(each)
    return found


def _is_plain(each: URLResolver) -> bool:
    plain = type(each) is URLResolver and isinstance(each.pattern, RoutePattern) and str(each.pattern) == ""
    return plain and not (each.namespace or each.app_name or each.default_kwargs)


def words_of(pattern: Pattern) -> tuple[str, ...]:
    """The words that every path begins with that it matches."""
    if not isinstance(pattern.pattern, RoutePattern):
        return ()
    route = str(pattern.pattern)
    words = route.partition("<")[0].split("/")
    # What follows may go on within the last word.
    is_whole = isinstance(pattern, URLPattern) and "<" not in route
    return tuple(words[: None if is_whole else -1][:WORDS])

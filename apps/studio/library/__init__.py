"""The library of content types: templates shipped as files, one a language, copied into an organization on use."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
FALLBACK = "en"
# In the order in which people meet them: what most write most often comes first.
ORDER = (
    "product-description",
    "email",
    "social-linkedin",
    "social-x",
    "social-instagram",
    "social-facebook",
    "social-threads",
    "social-weibo",
    "social-xiaohongshu",
    "ad-variants",
    "blog-outline",
    "blog-article",
    "news-digest",
    "faq",
    "release-notes",
    "seo",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One content type in one language; `content` are the fields of a template's version."""

    key: str
    language: str
    name: str
    description: str
    content_type: str
    content: Mapping[str, Any]

    @property
    def reference(self) -> str:
        return f"{self.key}/{self.language}"


@cache
def entries(language: str = FALLBACK) -> tuple[Entry, ...]:
    """Every content type in that language, English where it is not written in it."""
    return tuple(_read(key, language) for key in ORDER)


def entry(key: str, language: str = FALLBACK) -> Entry | None:
    return next((each for each in entries(known(language)) if each.key == key), None)


def languages() -> list[str]:
    return sorted(folder.name for folder in FOLDER.iterdir() if folder.is_dir() and any(folder.glob("*.toml")))


def known(language: str) -> str:
    """The language that the library has for a page's or an organization's."""
    return language if language in languages() else FALLBACK


def _read(key: str, language: str) -> Entry:
    path = FOLDER / language / f"{key}.toml"
    if not path.exists():
        path = FOLDER / FALLBACK / f"{key}.toml"
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    described = {name: data.pop(name) for name in ("name", "description", "content_type")}
    texts = {name: data.pop(name).strip() for name in ("system", "prompt") if name in data}
    return Entry(key=key, language=path.parent.name, content=texts | data, **described)

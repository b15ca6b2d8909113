"""Texts in several languages, and pairs, as lines of a form and as values of a file of flows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.conf.locale import LANG_INFO

_LANGUAGE = re.compile(r"([a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*):(?: |$)(.*)")
_LANGUAGES = frozenset(code.split("-")[0] for code in LANG_INFO)
_TEXTS = ("title", "ask", "invalid", "say")


def words_of(value: Any) -> str:
    """A text in several languages as lines `en: …`."""
    if isinstance(value, dict):
        return "\n".join(f"{tag}: {text}" for tag, text in value.items())
    return str(value)


def brief_of(value: Any, language: str) -> str:
    """A text in the reader's language, or else in the one that comes first."""
    if not isinstance(value, dict):
        return str(value)
    family = language.split("-")[0]
    near = next((text for tag, text in value.items() if str(tag).split("-")[0] == family), None)
    return str(near or next(iter(value.values()), ""))


def text_of(value: str, file: Mapping[str, Any] | frozenset[str]) -> Any:
    """Lines `en: …` make a text in several languages; a line without a language goes on with the one before.

    What stands before a colon is a language if the file has texts in it, or if there are several: “id: …” alone is not.
    """
    spoken = file if isinstance(file, frozenset) else languages_of(file)
    lines = value.strip().splitlines()
    begun = [_LANGUAGE.fullmatch(line.strip()) for line in lines]
    named = {each.group(1) for each in begun if each and each.group(1).split("-")[0] in _LANGUAGES}
    tags = spoken | (named if len(named) > 1 else frozenset())
    found: dict[str, str] = {}
    tag = ""
    for line, each in zip(lines, begun, strict=True):
        if each and each.group(1) in tags:
            tag = each.group(1)
            found[tag] = each.group(2).strip()
        elif not tag:
            return "\n".join(lines)
        else:
            found[tag] = f"{found[tag]}\n{line.rstrip()}"
    return found or value.strip()


def languages_of(file: Mapping[str, Any]) -> frozenset[str]:
    """The languages of the product, and those of the file's texts."""
    found = {code.split("-")[0] for code, _name in settings.LANGUAGES}
    pending: list[Any] = [file.get("flows"), *({"say": each} for each in (file.get("answers") or {}).values())]
    while pending:
        each = pending.pop()
        if isinstance(each, list):
            pending += each
        elif isinstance(each, dict):
            for name, value in each.items():
                if name in _TEXTS and isinstance(value, dict):
                    found.update(str(tag) for tag in value)
                else:
                    pending.append(value)
    return frozenset(found)


def pairs(text: str, *, bare: bool = False) -> dict[str, str]:
    """Lines `name: value`; with `bare` a name may stand alone."""
    lines = [line.partition(":") for line in text.splitlines() if line.strip()]
    return {name.strip(): value.strip() for name, colon, value in lines if (colon or bare) and name.strip()}

"""Prompts with `{{column}}` in them: which columns they name, and what they say of a row."""

from __future__ import annotations

import re
from collections.abc import Mapping

PLACE = re.compile(r"\{\{\s*([^{}\n]{1,100}?)\s*\}\}")


def places_in(prompt: str) -> tuple[str, ...]:
    """The names in a prompt's placeholders, each once, in their order."""
    return tuple(dict.fromkeys(PLACE.findall(prompt)))


def filled(prompt: str, values: Mapping[str, str]) -> str:
    """The prompt with every place filled in one pass, so that what a value says is never taken for a place."""
    return PLACE.sub(lambda match: values.get(match.group(1), ""), prompt)

"""Sentences that rows keep for whoever reads them later: in English, and as what is needed to say them otherwise.

A row keeps the English text, which programs are told, and beside it `said`: the template by which translators know it
and the values in it. Pages tell it in the language of whoever reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext

from apps.core.errors import MillraceError
from ml.words import Words


def words_of(error: MillraceError) -> Words:
    return Words(error.template, **(error.values or {}))


def said(sentence: str) -> dict[str, Any]:
    """As JSON; of a text that is no `Words` there is nothing to keep."""
    if not isinstance(sentence, Words):
        return {}
    values = {name: value if isinstance(value, int | float) else str(value) for name, value in sentence.values.items()}
    return {"template": sentence.template, "values": values}


def told(kept: Mapping[str, Any], otherwise: str) -> str:
    """In the reader's language; `otherwise` is the English text, also of rows that kept nothing else."""
    if not kept:
        return otherwise
    words, values = gettext(kept["template"]), kept["values"]
    return words % values if values else words

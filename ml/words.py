"""Sentences for whoever reads a page: English, and what is needed to say them in another language."""

from __future__ import annotations


class Words(str):
    """A sentence in English; `template` has `%(name)s` for what `values` holds."""

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, /, **values: object) -> Words:
        made = super().__new__(cls, template % values if values else template)
        made.template, made.values = template, values
        return made

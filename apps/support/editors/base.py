"""A form with rows: both are checked together, so that everything that is wrong is told at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.forms import BaseFormSet

PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class Row(forms.Form):
    """One row, which may stay empty; `value` is what it says, None where it says nothing."""

    value: Any = None

    @property
    def holds_something(self) -> bool:
        """Whether there is anything in it to take out."""
        return not self.empty_permitted or self.has_changed()

    @property
    def is_blank(self) -> bool:
        return not any(value for name, value in self.cleaned_data.items() if name not in ("DELETE", "ORDER"))


class Rows(BaseFormSet):
    """Rows whose empty and removed ones do not count."""

    def kept(self) -> Iterator[Row]:
        """In the order that was chosen where there is one."""
        for row in sorted(self.forms, key=_place):
            if row.is_valid() and not row.cleaned_data.get("DELETE") and row.value is not None:
                yield row

    def values(self) -> list[Any]:
        return [row.value for row in self.kept()]


def _place(row: Any) -> float:
    """Where a row without a place comes: behind those that have one."""
    place = row.cleaned_data.get("ORDER") if row.is_valid() else None
    return float("inf") if place is None else float(place)


class SettingForm(forms.Form):
    """One kind of setting. `sets` are its rows by name; `wide` says that it needs the whole page."""

    wide = False

    def __init__(self, data: Any = None, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=dict(initial or {}))
        self.sets: dict[str, Any] = self.rows_of(data, initial or {})

    def rows_of(self, data: Any, initial: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def is_valid(self) -> bool:
        # Each is asked, so that all errors stand on the page.
        return all([super().is_valid(), *(each.is_valid() for each in self.sets.values())])

    def values(self) -> dict[str, Any]:
        """As the service takes them."""
        return dict(self.cleaned_data)

"""Seconds as people say them: a number, and minutes, hours or days."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

LONGEST = 365 * 86_400
UNITS = ((60, _("minutes")), (3_600, _("hours")), (86_400, _("days")))


class PromiseWidget(forms.MultiWidget):
    use_fieldset = False

    def __init__(self) -> None:
        number = forms.NumberInput({"min": 0, "step": "any"})
        super().__init__((number, forms.Select({"aria-label": _("Unit")}, choices=UNITS)))

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Whatever class the page gives to fields is that of one control; here there are two."""
        context: dict[str, Any] = super().get_context(name, value, attrs)
        for part, kind in zip(context["widget"]["subwidgets"], ("input", "select"), strict=True):
            part["attrs"]["class"] = f"{kind} promise"
        return context

    def id_for_label(self, id_: str) -> str:
        return f"{id_}_0"

    def decompress(self, value: int | None) -> list[Any]:
        """The largest unit that the seconds are whole in; what is none is said in minutes, with a fraction."""
        if not value:
            return [None, 60]
        unit = next((each for each, _name in reversed(UNITS) if value % each == 0), 60)
        return [value / unit if value % unit else value // unit, unit]


class PromiseField(forms.MultiValueField):
    """Seconds, or None where nothing is promised."""

    widget = PromiseWidget

    def __init__(self, label: Any) -> None:
        number = forms.DecimalField(min_value=0, max_digits=9, decimal_places=4)
        unit = forms.TypedChoiceField(choices=UNITS, coerce=int)
        help_text = _("Empty promises nothing.")
        super().__init__((number, unit), label=label, required=False, require_all_fields=False, help_text=help_text)

    def clean(self, value: Any) -> int | None:
        # The unit alone, which is always chosen, is nothing.
        return super().clean(value) if value and value[0] not in (None, "") else None

    def compress(self, data_list: Any) -> int | None:
        if not data_list or data_list[0] is None:
            return None
        seconds = round(data_list[0] * int(data_list[1]))
        if not 60 <= seconds <= LONGEST:
            raise forms.ValidationError(_("A promise is from a minute to a year."))
        return seconds

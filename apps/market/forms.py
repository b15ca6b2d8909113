"""Forms of the market's pages."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core.currencies import chargeable, minor_digits
from apps.market.licences import LicenceCode
from apps.market.models import OfferKind
from apps.market.services.offers import CURRENCIES, LONGEST, MOST_MINOR, OfferFacts
from apps.market.services.requests import LONGEST_TEXT


class OfferForm(forms.Form):
    kind = forms.ChoiceField(label=_("What it is"), choices=OfferKind.choices)
    title = forms.CharField(label=_("Title"), max_length=LONGEST["title"])
    description = forms.CharField(
        label=_("Description"),
        max_length=LONGEST["description"],
        help_text=_("Markdown: headings, lists, tables and links; no pictures."),
        widget=forms.Textarea({"rows": 8, "class": "textarea-tall"}),
    )
    sample = forms.CharField(
        label=_("Sample"),
        max_length=LONGEST["sample"],
        required=False,
        help_text=_("A few rows or an example of your work, shown as it is to everybody who looks."),
        widget=forms.Textarea({"rows": 4}),
    )
    licence = forms.ChoiceField(label=_("Licence"), choices=LicenceCode.choices, initial=LicenceCode.COMMERCIAL)
    licence_text = forms.CharField(
        label=_("Your own licence text"),
        max_length=LONGEST["licence_text"],
        required=False,
        help_text=_("Only with your own licence."),
        widget=forms.Textarea({"rows": 3}),
    )
    price = forms.DecimalField(
        label=_("Price"), min_value=Decimal(1), max_value=Decimal(MOST_MINOR) / 100, decimal_places=2
    )
    currency = forms.ChoiceField(label=_("Currency"), choices=[(code, code) for code in CURRENCIES])

    def facts(self) -> OfferFacts:
        """Raises AmountNotChargeable."""
        values: dict[str, Any] = dict(self.cleaned_data)
        price: Decimal = values.pop("price")
        price_minor = chargeable(price.scaleb(minor_digits(values["currency"])), values["currency"], "price")
        return OfferFacts(price_minor=price_minor, **values)


class FileForm(forms.Form):
    file = forms.FileField(label=_("File"), widget=forms.FileInput({"class": "input"}))


class NoteForm(forms.Form):
    text = forms.CharField(
        label=_("Message"), max_length=LONGEST_TEXT, required=False, widget=forms.Textarea({"rows": 4})
    )
    file = forms.FileField(label=_("File"), required=False, widget=forms.FileInput({"class": "input"}))


class BuyForm(forms.Form):
    licence_sha256 = forms.CharField(widget=forms.HiddenInput, max_length=64)
    accepted = forms.BooleanField(
        label=_("I accept this licence for my organization"),
        error_messages={"required": _("The licence must be accepted.")},
    )

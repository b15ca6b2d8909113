"""Forms of the privacy pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core.datakinds import DataKind, Texts


class TermForm(forms.Form):
    """How long one kind is kept; empty is without a limit."""

    kind = forms.CharField(widget=forms.HiddenInput)
    days = forms.IntegerField(
        label=_("Days"), required=False, widget=forms.NumberInput({"inputmode": "numeric", "autocomplete": "off"})
    )

    def __init__(self, *args: Any, shown: DataKind, **kwargs: Any) -> None:
        # Several of these stand on one page: each field needs an id of its own.
        super().__init__(*args, **kwargs | {"auto_id": f"id_{shown.name}_%s"})
        term = shown.retention
        self.shown = shown
        words = _("From %(least)s to %(most)s days; leave it empty to keep without a limit.")
        self.fields["days"].help_text = words % {"least": term.least, "most": term.most}


class EraseForm(forms.Form):
    """What becomes of the texts, and the address typed as proof that it is meant."""

    texts = forms.ChoiceField(
        label=_("What the person has written"), choices=Texts.choices, initial=Texts.KEEP, widget=forms.RadioSelect
    )
    email = forms.CharField(
        label=_("Type the e-mail address to confirm"), widget=forms.TextInput({"autocomplete": "off"})
    )

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if email.strip().lower() != self.expected.lower():
            raise forms.ValidationError(_("This is not the address."))
        return email

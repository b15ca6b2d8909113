"""Forms of accounts; sign-up asks for the organization's name as well."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import SignupForm as AllauthSignupForm
from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.permissions import KEY_SCOPES, PERMISSIONS


class SignupForm(AllauthSignupForm):
    organization_name = forms.CharField(
        label=_("Organization"),
        max_length=120,
        required=False,
        help_text=_("Where your work and keys live. You can leave it empty."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )


class ApiKeyForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": _("Which program will use it")}),
    )
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=[(scope, PERMISSIONS[scope]) for scope in KEY_SCOPES],
        initial=list(KEY_SCOPES),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one scope.")},
    )


class RevokeForm(forms.Form):
    """Revoking asks for the key's name, typed."""

    name = forms.CharField(label=_("Type the key's name to confirm"), widget=forms.TextInput({"autocomplete": "off"}))

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name.strip() != self.expected.strip():
            raise forms.ValidationError(_("This is not the key's name."))
        return name

"""Forms of accounts; sign-up asks for the organization's name as well."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from allauth.account.fields import EmailField
from allauth.account.forms import SignupForm as AllauthSignupForm
from allauth.account.models import EmailAddress
from django import forms
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.accounts.permissions import KEY_SCOPES, PERMISSIONS
from apps.core import mail


class SignupForm(AllauthSignupForm):
    """Does the same work whether the address is free or taken, so that its answer comes after the same time."""

    cleaned_data: dict[str, Any]
    organization_name = forms.CharField(
        label=_("Organization"),
        max_length=120,
        required=False,
        help_text=_("Where your work and keys live. You can leave it empty."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )

    def clean_email(self) -> str:
        """Somebody else's unconfirmed wish to move to this address must not keep its owner out."""
        email: str = self.cleaned_data["email"]
        EmailAddress.objects.filter(email=email.lower(), verified=False, primary=False).delete()
        return str(super().clean_email())

    def try_save(self, request: HttpRequest) -> Any:
        if self.account_already_exists:
            self._save_nobody(request)
        return super().try_save(request)

    def _save_nobody(self, request: HttpRequest) -> None:
        """Signs up a person whom nobody asked for, and takes it back."""
        asked = self.cleaned_data
        self.cleaned_data = asked | {"email": f"{token_hex(12)}@nobody.invalid"}
        self.account_already_exists = False
        with transaction.atomic():
            self.save(request)
            transaction.set_rollback(True)
        self.cleaned_data, self.account_already_exists = asked, True


class ResetPasswordForm(forms.Form):
    """Only notes the wish: whether there is such an account is found out by a worker, which writes to the address."""

    email = EmailField(required=True)

    def save(self, request: HttpRequest, **_options: Any) -> str:
        email: str = self.cleaned_data["email"].lower()
        mail.compose_later("password_reset", email)
        return email


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

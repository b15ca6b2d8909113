"""Passkey forms that take whatever is sent to them: allauth's stumble over JSON of another shape."""

from __future__ import annotations

from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn import forms
from django.forms import BooleanField
from django.utils.translation import gettext_lazy as _


class Tolerant:
    """A credential with parts missing is a wrong one, and no error of ours."""

    def clean_credential(self) -> Any:
        try:
            return super().clean_credential()  # type: ignore[misc]
        except (AttributeError, KeyError, TypeError):
            raise get_adapter().validation_error("incorrect_code") from None


class AddForm(forms.AddWebAuthnForm):
    passwordless = BooleanField(
        label=_("Sign in with it alone, without a password"),
        help_text=_("It then asks for finger, face or PIN. Without this it is a second factor beside the password."),
        required=False,
        initial=True,
    )

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
        except (AttributeError, KeyError, TypeError):
            raise get_adapter().validation_error("incorrect_code") from None
        return cleaned


class LoginForm(Tolerant, forms.LoginWebAuthnForm):
    pass


class AuthenticateForm(Tolerant, forms.AuthenticateWebAuthnForm):
    pass


class ReauthenticateForm(Tolerant, forms.ReauthenticateWebAuthnForm):
    pass

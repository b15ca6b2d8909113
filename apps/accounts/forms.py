"""Forms of accounts; sign-up asks for the organization's name as well."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.fields import EmailField
from allauth.account.forms import AddEmailForm as AllauthAddEmailForm
from allauth.account.forms import SignupForm as AllauthSignupForm
from allauth.account.internal.flows.email_verification import send_verification_email_to_address
from allauth.account.models import EmailAddress
from django import forms
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.accounts.services import is_taken
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
        """One commit either way: what a transaction writes may be nobody's, but it has to reach the disk."""
        if self.account_already_exists:
            with transaction.atomic():
                self._save_nobody(request)
                EmailAddress.objects.filter(email=self.cleaned_data["email"].lower()).update(email=F("email"))
            return super().try_save(request)
        with transaction.atomic():
            return super().try_save(request)

    def _save_nobody(self, request: HttpRequest) -> None:
        """Signs up a person whom nobody asked for, asks what is asked about a new person, and takes it all back."""
        asked = self.cleaned_data
        self.cleaned_data = asked | {"email": f"{token_hex(12)}@nobody.invalid"}
        self.account_already_exists = False
        with transaction.atomic():
            nobody = self.save(request)
            EmailAddress.objects.filter(user=nobody, verified=True).exists()
            EmailAddress.objects.filter(user=nobody, email=nobody.email).first()
            transaction.set_rollback(True)
        self.cleaned_data, self.account_already_exists = asked, True


class ResetPasswordForm(forms.Form):
    """Only notes the wish: whether there is such an account is found out by a worker, which writes to the address."""

    email = EmailField(required=True)

    def save(self, request: HttpRequest, **_options: Any) -> str:
        email: str = self.cleaned_data["email"].lower()
        mail.compose_later("password_reset", email)
        return email


class AddEmailForm(AllauthAddEmailForm):
    """The address that a person wants to change to; the present one stays until the new one is confirmed.

    An address that somebody else has looks the same on the page; only its own mailbox is told, and nothing to confirm
    goes there.
    """

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if email == self.user.email:
            raise get_adapter().validation_error("duplicate_email")
        return email

    def save(self, request: HttpRequest) -> EmailAddress:
        email = self.cleaned_data["email"]
        with transaction.atomic():
            EmailAddress.objects.filter(user=self.user, verified=False).exclude(email=self.user.email).delete()
            wanted: EmailAddress = EmailAddress.objects.create(user=self.user, email=email)
            if is_taken(email, self.user):
                get_adapter().send_account_already_exists_mail(email)
            else:
                send_verification_email_to_address(request, wanted)
        return wanted

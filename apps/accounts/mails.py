"""Mails whose content depends on who has an account, composed by a worker so that no request tells."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from apps.accounts.models import User


def password_reset(to: str) -> EmailMessage:
    """A link for whoever has the account; whoever has none is told so, and nobody but the mailbox's owner learns it."""
    user = User.objects.filter(email=to.lower(), is_active=True).first()
    if user is None:
        return _mail("account/email/unknown_account", to, signup_url=_address("account_signup"))
    key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"}).replace("UID-KEY", key)
    return _mail("account/email/password_reset_key", to, password_reset_url=f"{settings.BASE_URL}{path}")


def _address(name: str) -> str:
    return f"{settings.BASE_URL}{reverse(name)}"


def _mail(template: str, to: str, **values: Any) -> EmailMessage:
    context = {"email": to, **values}
    subject = " ".join(render_to_string(f"{template}_subject.txt", context).split())
    text = render_to_string(f"{template}_message.txt", context).strip()
    return EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, [to])

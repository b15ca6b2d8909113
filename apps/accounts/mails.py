"""Mails that a worker composes: no request tells who has an account, and no table holds an invitation's secret."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from apps.accounts.models import Invitation, Organization, OwnershipTransfer, User
from apps.accounts.services.tokens import token_of
from apps.core import tenancy


def password_reset(to: str) -> EmailMessage:
    """A link for whoever has the account; whoever has none is told so, and nobody but the mailbox's owner learns it."""
    user = User.objects.filter(email=to.lower(), is_active=True).first()
    if user is None:
        return _mail("account/email/unknown_account", to, signup_url=_address("account_signup"))
    key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"}).replace("UID-KEY", key)
    return _mail("account/email/password_reset_key", to, password_reset_url=f"{settings.BASE_URL}{path}")


def invitation(to: str, organization: str, id: str) -> EmailMessage | None:
    """The link that makes its reader a member; nothing, if the invitation is over by now."""
    with tenancy.scope(UUID(organization)):
        rows = Invitation.objects.open().select_related("organization", "custom_role")
        found: Invitation | None = rows.filter(pk=UUID(id)).first()
    if found is None or found.status != "pending":
        return None
    url = settings.BASE_URL + reverse("invitation", args=[token_of(found)])
    return _mail("accounts/email/invitation", to, organization=found.organization, invitation=found, url=url)


def ownership_offer(to: str, organization: str, id: str) -> EmailMessage | None:
    """Who wants to hand the organization over; nothing, if that is over by now."""
    with tenancy.scope(UUID(organization)):
        rows = OwnershipTransfer.objects.pending().select_related("organization", "offered_by")
        found: OwnershipTransfer | None = rows.filter(pk=UUID(id)).first()
    if found is None:
        return None
    values = {"organization": found.organization, "transfer": found, "url": _address("membership")}
    return _mail("accounts/email/transfer", to, **values)


def organization_deletion(to: str, organization: str, id: str) -> EmailMessage | None:
    """When the organization will be gone; nothing, if that was called off."""
    with tenancy.scope(UUID(organization)):
        found = Organization.objects.filter(pk=UUID(id), deletes_at__isnull=False).first()
    if found is None:
        return None
    return _mail("accounts/email/deletion", to, organization=found, url=_address("organization-settings"))


def _address(name: str) -> str:
    return f"{settings.BASE_URL}{reverse(name)}"


def _mail(template: str, to: str, **values: Any) -> EmailMessage:
    context = {"email": to, **values}
    subject = " ".join(render_to_string(f"{template}_subject.txt", context).split())
    text = render_to_string(f"{template}_message.txt", context).strip()
    return EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, [to])

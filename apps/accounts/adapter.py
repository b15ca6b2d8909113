"""What allauth leaves to the product: a new person gets an organization of their own, or has come for another one."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.accounts import arrivals, services
from apps.accounts.models import User


class AccountAdapter(DefaultAccountAdapter):
    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        with transaction.atomic():
            user = super().save_user(request, user, form, commit=commit)
            wanted = form.cleaned_data.get("organization_name", "").strip()
            if commit and (wanted or not arrivals.is_for(request, user.email)):
                mailbox = user.email.split("@")[0]
                services.create_organization(user, wanted or _("%(name)s's organization") % {"name": mailbox})
        return user

    def is_email_verified(self, request: HttpRequest, email: str) -> bool:
        """Whoever brings an invitation's secret has read the mail of its address."""
        return super().is_email_verified(request, email) or arrivals.is_for(request, email)

"""What allauth leaves to the product: every new person starts with an organization of their own."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.accounts import services
from apps.accounts.models import User


class AccountAdapter(DefaultAccountAdapter):
    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        with transaction.atomic():
            user = super().save_user(request, user, form, commit=commit)
            if commit:
                wanted = form.cleaned_data.get("organization_name", "").strip()
                mailbox = user.email.split("@")[0]
                services.create_organization(user, wanted or _("%(name)s's organization") % {"name": mailbox})
        return user

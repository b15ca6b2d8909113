"""Who a pair of address and password belongs to, in the same work whether there is such a person or not."""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend

from apps.accounts.models import User


class EmailBackend(AuthenticationBackend):
    """One question to the database and one hash, always.

    allauth's own looks through two tables, and stops after the first when it finds a confirmed address.
    """

    def _authenticate_by_email(self, email: str, password: str) -> Any:
        user = User.objects.filter(email=email.strip().lower()).first()
        return self._check_password(user, password) if user else None

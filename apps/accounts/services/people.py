"""People's own addresses."""

from __future__ import annotations

from allauth.account.models import EmailAddress

from apps.accounts.models import User


def is_taken(email: str, by_other_than: User) -> bool:
    """Whether the address is somebody else's: the one that they sign in with, or one that they have confirmed."""
    email = email.lower()
    others = User.objects.exclude(pk=by_other_than.pk).filter(email=email)
    confirmed = EmailAddress.objects.exclude(user_id=by_other_than.pk).filter(email=email, verified=True)
    return others.exists() or confirmed.exists()

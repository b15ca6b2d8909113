"""Keeping the secrets of second factors."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.utils import timezone

from apps.accounts.models import FactorSecret
from apps.core import crypto
from apps.core.errors import SealedValueUnreadable

# allauth stores the id a moment after it was made.
LOOSE_FOR = timedelta(hours=1)


def keep_secret(user_id: UUID, secret: str) -> str:
    """Seals a person's secret in a row of its own and returns the row's id."""
    row = FactorSecret(user_id=user_id)
    crypto.seal_into(row, "secret", secret)
    row.save(force_insert=True)
    return str(row.pk)


def secret_of(user_id: UUID, id: str) -> str:
    """The secret that `keep_secret` returned this id for; SealedValueUnreadable when it is another person's."""
    row = FactorSecret.objects.filter(pk=UUID(id), user_id=user_id).first()
    if row is None:
        raise SealedValueUnreadable("The secret of a second factor is gone, or somebody else's.")
    return crypto.unseal_from(row, "secret")


def forget_loose_secrets() -> int:
    """Removes the secrets of factors that are gone; returns how many."""
    old = FactorSecret.objects.filter(created_at__lt=timezone.now() - LOOSE_FOR)
    data = Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).values_list("data", flat=True)
    used = {value for item in data.iterator() for value in (item.get("secret"), item.get("seed")) if value}
    loose = [id for id in old.values_list("pk", flat=True) if str(id) not in used]
    FactorSecret.objects.filter(pk__in=loose).delete()
    return len(loose)

"""In whose name work goes on that was asked for earlier: with what they may do now, not what they once could."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from apps.accounts.access import Actor, actor_of_membership
from apps.accounts.models import Membership
from apps.accounts.services.keys import actor_of_key, admissible
from apps.core import tenancy
from apps.core.errors import PermissionDenied


def actor_of(organization_id: UUID, user_id: UUID | None, api_key_id: UUID | None) -> Actor:
    """Raises PermissionDenied where the person is no member any more, or the key does not work.

    Only from where a key may be used is not asked: nobody calls now.
    """
    with tenancy.scope(organization_id):
        if api_key_id is not None:
            key = admissible().filter(pk=api_key_id).first()
            if key is not None and not key.is_expired(timezone.now()):
                return actor_of_key(key)
            raise PermissionDenied("The API key that asked for this does not work any more.")
        members = Membership.objects.select_related("user", "organization", "custom_role")
        member: Membership | None = members.filter(user_id=user_id, user__is_active=True).first()
        if member is None:
            raise PermissionDenied("Whoever asked for this is not a member any more.")
        return actor_of_membership(member, member.user)

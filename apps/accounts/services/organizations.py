"""Creating organizations."""

from __future__ import annotations

import secrets

from django.db import transaction
from django.utils.text import slugify

from apps.accounts import audit
from apps.accounts.access import actor_of_membership
from apps.accounts.models import Membership, Organization, Role, User
from apps.core import events, tenancy
from apps.core.errors import InvalidRequest
from apps.core.ids import uuid7


def create_organization(owner: User, name: str, slug: str = "") -> Organization:
    """Creates an organization with its first owner; `slug` is made unique if it is not given."""
    name = name.strip()
    if not name:
        raise InvalidRequest("An organization needs a name.", param="name")
    id = uuid7()
    with transaction.atomic(), tenancy.scope(id):
        organization = Organization.objects.create(id=id, name=name[:120], slug=slug or _free_slug(name))
        membership = Membership.objects.create(organization=organization, user=owner, role=Role.OWNER)
        actor = actor_of_membership(membership, owner)
        audit.record(actor, "membership.created", membership, role=Role.OWNER)
        events.record("organization.created", id, {"name": organization.name, "slug": organization.slug})
    return organization


def _free_slug(name: str) -> str:
    """A readable slug with a random tail: whether a slug is taken tells nobody which customers exist."""
    base = slugify(name)[:46] or "organization"
    return f"{base}-{secrets.token_hex(6)}"

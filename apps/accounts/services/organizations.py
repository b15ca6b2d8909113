"""Creating organizations, their settings, and the lock that changes of their people share."""

from __future__ import annotations

import re
import secrets
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.text import slugify

from apps.accounts import audit
from apps.accounts.access import Actor, actor_of_membership, memberships_of
from apps.accounts.models import Membership, Organization, Role, User
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.ids import uuid7

LONGEST_NAME = 120
MOST_OWNED = 10
# What people choose of a slug; a random tail follows.
SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST_SLUG = 46


def create_organization(owner: User, name: str, slug: str = "") -> Organization:
    """Creates an organization with its first owner; `slug` is made unique if it is not given."""
    name = name.strip()
    if not name:
        raise InvalidRequest("An organization needs a name.", param="name")
    id = uuid7()
    with transaction.atomic(), tenancy.scope(id):
        organization = Organization.objects.create(id=id, name=name[:LONGEST_NAME], slug=slug or _free_slug(name))
        membership = Membership.objects.create(organization=organization, user=owner, role=Role.OWNER)
        actor = actor_of_membership(membership, owner)
        audit.record(actor, "membership.created", membership, role=Role.OWNER)
        events.record("organization.created", id, {"name": organization.name, "slug": organization.slug})
    return organization


def start_organization(owner: User, name: str) -> Organization:
    """Another organization for somebody; Conflict for one who owns as many as anybody may.

    Each comes with the free plan's allowance: without a bound one account would have any number of them.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=owner.pk)
        if sum(each.role == Role.OWNER for each in memberships_of(owner)) >= MOST_OWNED:
            raise Conflict(
                "You own %(most)s organizations; hand one over, or delete it, first.", values={"most": MOST_OWNED}
            )
        return create_organization(owner, name)


def locked(organization_id: UUID) -> Organization:
    """The organization's row, locked until commit: whatever changes its people or its existence takes this lock first.

    So two owners cannot leave at the same time, each counting on the other. NO KEY: rows that only refer to the
    organization, such as generations, are written meanwhile.
    """
    found = Organization.objects.select_for_update(no_key=True).filter(pk=organization_id).first()
    if found is None:
        raise NotFound("There is no such organization.")
    return found


def get_organization(actor: Actor) -> Organization:
    """The actor's own organization; whoever acts in it may know what it is called."""
    with tenancy.scope(actor.organization_id):
        return Organization.objects.get(pk=actor.organization_id)


def change_organization(
    actor: Actor, *, name: str | None = None, slug: str | None = None, language: str | None = None
) -> Organization:
    """Changes what is given. A new slug gets a random tail, so that nobody can find out which slugs are taken."""
    actor.require("organization:manage")
    with tenancy.scope(actor.organization_id):
        organization = locked(actor.organization_id)
        wanted = _checked_settings(organization, name, slug, language)
        before = {field: getattr(organization, field) for field in wanted}
        if wanted:
            Organization.objects.filter(pk=organization.pk).update(**wanted)
            organization.refresh_from_db()
            audit.record(actor, "organization.changed", organization, before=before, after=wanted)
            events.record("organization.changed", organization.pk, wanted)
    return organization


def _checked_settings(
    organization: Organization, name: str | None, slug: str | None, language: str | None
) -> dict[str, str]:
    """The fields that really change, or InvalidRequest."""
    wanted = dict[str, str]()
    if name is not None:
        wanted["name"] = " ".join(name.split())
        if not 1 <= len(wanted["name"]) <= LONGEST_NAME:
            raise InvalidRequest(
                "Give a name of 1 to %(most)s characters.", values={"most": LONGEST_NAME}, param="name"
            )
    if slug is not None and slug != organization.slug:
        if not SLUG.fullmatch(slug) or len(slug) > LONGEST_SLUG:
            raise InvalidRequest(
                "A slug has small letters, digits and single hyphens, begins with a letter, and has at most %(most)s"
                " characters.",
                values={"most": LONGEST_SLUG},
                param="slug",
            )
        wanted["slug"] = _with_tail(slug)
    if language is not None:
        if language not in dict(settings.LANGUAGES):
            raise InvalidRequest(
                "Choose a language from: %(choices)s.",
                values={"choices": ", ".join(dict(settings.LANGUAGES))},
                param="language",
            )
        wanted["language"] = language
    return {field: value for field, value in wanted.items() if getattr(organization, field) != value}


def _free_slug(name: str) -> str:
    """A readable slug with a random tail: whether a slug is taken tells nobody which customers exist."""
    return _with_tail(slugify(name)[:LONGEST_SLUG] or "organization")


def _with_tail(base: str) -> str:
    return f"{base}-{secrets.token_hex(6)}"

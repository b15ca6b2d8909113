"""The public help centre: what an organization opens to everybody, and nothing else of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.tenancy import Across, across_tenants
from apps.support.access_bot import APPROVE, READ
from apps.support.models import HelpCentre
from apps.support.services.articles.writing import LOCALE

SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{1,58}[a-z0-9])")
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class CentreDraft:
    slug: str
    name: str
    locale: str = "en"
    is_open: bool = False


def centre_of(actor: Actor) -> HelpCentre | None:
    """The organization's own; None before it was set."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        found: HelpCentre | None = HelpCentre.objects.first()
    return found


def set_centre(actor: Actor, draft: CentreDraft) -> HelpCentre:
    """Names the help centre, and opens or closes it; Conflict where the address is somebody else's."""
    actor.require(APPROVE)
    actor.require_open()
    name = " ".join(draft.name.split())
    if not SLUG.fullmatch(draft.slug):
        raise InvalidRequest("An address has 3 to 60 small letters, digits and hyphens.", param="slug")
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidRequest("Give the help centre a name of up to 80 characters.", param="name")
    if not LOCALE.fullmatch(draft.locale):
        raise InvalidRequest("A language is written like en or zh-Hans.", param="locale")
    # Whose address it is, is public anyway: whoever opens it sees their name.
    with across_tenants(Across.SHARED):
        taken = HelpCentre.objects.filter(slug=draft.slug).exclude(organization_id=actor.organization_id).exists()
    if taken:
        raise Conflict("This address is taken.", param="slug")
    with tenancy.scope(actor.organization_id):
        found: HelpCentre = HelpCentre.objects.update_or_create(
            organization_id=actor.organization_id,
            defaults={"slug": draft.slug, "name": name, "locale": draft.locale, "is_open": draft.is_open},
        )[0]
        audit.record(actor, "help_centre.changed", found, slug=found.slug, is_open=found.is_open)
        events.record("help_centre.changed", found.pk, {"slug": found.slug, "is_open": found.is_open})
    return found


def open_centre(slug: str) -> HelpCentre:
    """The help centre at an address, for anybody; closed and unknown ones raise the same NotFound."""
    with across_tenants(Across.SHARED):
        found: HelpCentre | None = HelpCentre.objects.filter(slug=slug, is_open=True).first()
    if found is None:
        raise NotFound("There is no help centre at this address.")
    return found

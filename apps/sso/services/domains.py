"""Domains: claiming one, proving it, giving it up, and finding whose an address is."""

from __future__ import annotations

import re
import secrets
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.services.organizations import locked
from apps.core import events, ratelimit, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, SsoRefused
from apps.core.ratelimit import Bucket
from apps.core.tenancy import Across, across_tenants
from apps.sso import records
from apps.sso.models import Connection, Domain

MANAGE = "sso:manage"
MOST_DOMAINS = 100
LOOKUPS_A_MINUTE = 20
_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63}|xn--[a-z0-9-]{1,59})")


def domain_of(email: str) -> str:
    """The domain of an address in the form that domains are kept in; "" if it has none."""
    mailbox, at, name = email.strip().rpartition("@")
    return _plain(name) if mailbox and at else ""


def _plain(name: str) -> str:
    try:
        text = name.strip().rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        return ""
    return text if _DOMAIN.fullmatch(text) else ""


def claim_domain(actor: Actor, name: str) -> Domain:
    """Notes a domain and the record that will prove it; others may claim it too, until one has proved it."""
    actor.require(MANAGE)
    plain = _plain(name)
    if not plain:
        raise InvalidRequest("Enter a domain such as example.com.", param="name")
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        if Domain.objects.count() >= MOST_DOMAINS:
            raise Conflict("An organization can have %(most)s domains.", values={"most": MOST_DOMAINS}, param="name")
        if Domain.objects.filter(name=plain).exists():
            raise Conflict("This domain is on your list already.", param="name")
        domain: Domain = Domain.objects.create(
            organization_id=actor.organization_id, name=plain, token=secrets.token_urlsafe(24)
        )
        audit.record(actor, "sso.domain_claimed", domain)
    return domain


def verify_domain(actor: Actor, id: UUID) -> Domain:
    """Looks the record up, outside any transaction, and takes the domain if it is there."""
    actor.require(MANAGE)
    domain = get_domain(actor, id)
    ratelimit.charge(f"sso:dns:{actor.organization_id}", [Bucket("requests", LOOKUPS_A_MINUTE, 1)])
    proved = records.proves(domain.name, domain.token)
    with tenancy.scope(actor.organization_id):
        found: Domain | None = Domain.objects.select_for_update().filter(pk=id).first()
        if found is None:
            raise NotFound("There is no domain with this id.")
        found.checked_at = timezone.now()
        if not proved:
            found.save(update_fields=["checked_at"])
        elif found.verified_at is None:
            _take(found)
            audit.record(actor, "sso.domain_verified", found)
            events.record("sso.domain_verified", found.pk, {"name": found.name})
    if not proved:
        raise InvalidRequest("The record is not there yet. New records can take an hour to be seen.", param="name")
    return found


def _take(domain: Domain) -> None:
    domain.verified_at = timezone.now()
    try:
        with transaction.atomic():
            domain.save(update_fields=["checked_at", "verified_at"])
    except IntegrityError:
        raise Conflict("Another organization has verified this domain. Let it give the domain up first.") from None


def remove_domain(actor: Actor, id: UUID) -> None:
    """Gives a domain up: nobody with an address in it comes in through a connection any more."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        domain: Domain | None = Domain.objects.filter(pk=id).first()
        if domain is None:
            raise NotFound("There is no domain with this id.")
        audit.record(actor, "sso.domain_removed", domain, before={"verified": domain.verified_at is not None})
        domain.delete()
        events.record("sso.domain_removed", id, {"name": domain.name})


def get_domain(actor: Actor, id: UUID) -> Domain:
    with tenancy.scope(actor.organization_id):
        domain: Domain | None = Domain.objects.filter(pk=id).first()
    if domain is None:
        raise NotFound("There is no domain with this id.")
    return domain


def owns_address(email: str) -> bool:
    """Whether the address lies in a verified domain of the organization in scope."""
    name = domain_of(email)
    return bool(name) and bool(Domain.objects.verified().filter(name=name).exists())


def require_address(email: str) -> None:
    """Raises SsoRefused for an address for which the organization's identity providers cannot speak."""
    if not owns_address(email):
        raise SsoRefused("This e-mail address is not in a domain that the organization has verified.")


def connections_for(email: str) -> list[Connection]:
    """The enabled connections of the organization whose verified domain the address is in; none for all others.

    It asks the same of the database for every address, and nothing about the person.
    """
    with across_tenants(Across.SIGN_IN):
        domain: Domain | None = Domain.objects.verified().filter(name=domain_of(email) or "none").first()
        owner = domain.organization_id if domain else UUID(int=0)
        return list(Connection.objects.enabled().filter(organization_id=owner))

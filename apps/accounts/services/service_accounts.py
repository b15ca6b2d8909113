"""Service accounts: what programs are in an organization, when they are nobody's in particular."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import ApiKey, Role, ServiceAccount
from apps.accounts.services.grants import Grant, grant, require_at_most, role_facts
from apps.core import events, revocation, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied

MANAGE = "keys:manage"
LONGEST_NAME, LONGEST_DESCRIPTION = 60, 200
NO_ACCOUNT = gettext_noop("There is no service account with this id.")


def get_service_account(actor: Actor, id: UUID) -> ServiceAccount:
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        account: ServiceAccount | None = ServiceAccount.objects.select_related("custom_role").filter(pk=id).first()
    if account is None:
        raise NotFound(NO_ACCOUNT)
    return account


def create_service_account(
    actor: Actor, name: str, role: str, custom_role_id: UUID | None = None, description: str = ""
) -> ServiceAccount:
    """Creates one with a role that may do no more than the actor, and is never the owner's."""
    actor.require(MANAGE)
    actor.require_open()
    texts = _checked(name, description)
    with tenancy.scope(actor.organization_id):
        given = _grant(actor, role, custom_role_id)
        account = ServiceAccount(
            organization_id=actor.organization_id,
            created_by_id=actor.user_id,
            role=given.role,
            custom_role=given.custom_role,
            **texts,
        )
        _save(account)
        audit.record(actor, "service_account.created", account, after=texts | given.facts)
        events.record("service_account.created", account.pk, {"name": account.name} | given.facts)
    return account


def change_service_account(
    actor: Actor,
    id: UUID,
    *,
    name: str | None = None,
    description: str | None = None,
    role: tuple[str, UUID | None] | None = None,
) -> ServiceAccount:
    """Changes what is given; another role acts on the next call of each of its keys."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        account = _locked(actor, id)
        before = _facts(account)
        texts = _checked(
            account.name if name is None else name, account.description if description is None else description
        )
        for field, value in texts.items():
            setattr(account, field, value)
        if role is not None:
            given = _grant(actor, *role)
            account.role, account.custom_role = given.role, given.custom_role
        after = _facts(account)
        if after != before:
            _save(account)
            audit.record(actor, "service_account.changed", account, before=before, after=after)
            events.record("service_account.changed", account.pk, after)
            revocation.announce(actor.organization_id)
    return account


def switch_service_account(actor: Actor, id: UUID, *, on: bool) -> ServiceAccount:
    """Stops everything that the account's keys do, or lets them work again."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        account = _locked(actor, id)
        if (account.disabled_at is None) == on:
            return account
        account.disabled_at = None if on else timezone.now()
        account.save(update_fields=["disabled_at"])
        keys = ApiKey.objects.unrevoked().filter(service_account=account)
        action = "service_account.enabled" if on else "service_account.disabled"
        audit.record(actor, action, account, keys=keys.count())
        events.record(action, account.pk, {"name": account.name})
        for key_id in [] if on else keys.values_list("pk", flat=True):
            revocation.announce(actor.organization_id, key_id)
    return account


def _locked(actor: Actor, id: UUID) -> ServiceAccount:
    rows = ServiceAccount.objects.select_for_update(of=("self",)).select_related("custom_role")
    account: ServiceAccount | None = rows.filter(pk=id).first()
    if account is None:
        raise NotFound(NO_ACCOUNT)
    require_at_most(
        actor, account.permissions, gettext_noop("You cannot change a service account that may do more than you.")
    )
    return account


def _grant(actor: Actor, role: str, custom_role_id: UUID | None) -> Grant:
    if role == Role.OWNER:
        raise PermissionDenied("A program never owns an organization.")
    return grant(actor, role, custom_role_id)


def _checked(name: str, description: str) -> dict[str, Any]:
    name, description = name.strip(), description.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidRequest(
            "Give the service account a name of 1 to %(most)s characters.", values={"most": LONGEST_NAME}, param="name"
        )
    if len(description) > LONGEST_DESCRIPTION:
        raise InvalidRequest(
            "A description has at most %(most)s characters.", values={"most": LONGEST_DESCRIPTION}, param="description"
        )
    return {"name": name, "description": description}


def _facts(account: ServiceAccount) -> dict[str, Any]:
    texts = {"name": account.name, "description": account.description}
    return texts | role_facts(account.role, account.custom_role)


def _save(account: ServiceAccount) -> None:
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError:
        raise Conflict("There is a service account of this name already.", param="name") from None

"""Products and the policies under which they are licensed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.currencies import chargeable
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.licensing.models import Policy, Product
from ml.licensing import is_inside

READ, MANAGE = "licences:read", "licences:manage"
NO_PRODUCT = gettext_noop("There is no product with this id.")
NO_POLICY = gettext_noop("There is no policy with this id.")
PRODUCT_THERE = gettext_noop("There is a product with this code.")
POLICY_THERE = gettext_noop("This product has a policy with this name.")
MOST, MOST_DAYS = 1_000_000, 36_500
MOST_ENTITLEMENTS, MOST_ARTEFACTS, LONGEST_TEXT = 100, 2_000, 5_000
_CODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What is granted; checked when it is made, so that no licence is signed that no program can read.

    Raises InvalidRequest, which names the field.
    """

    seats: int | None = None
    most_machines: int | None = None
    floating: bool = False
    machine_bound: bool = True
    entitlements: list[str] = field(default_factory=list)
    field_of_use: str = ""
    artefacts: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("seats", "most_machines"):
            check_number(getattr(self, name), name, MOST)
        if self.floating and self.seats is None:
            raise InvalidRequest("Floating seats need a number of seats.", param="seats")
        entitlements = sorted(set(self.entitlements))
        if len(entitlements) > MOST_ENTITLEMENTS or not all(map(_CODE.fullmatch, entitlements)):
            raise InvalidRequest(
                "Entitlements are up to %(most)s words of small letters, digits, dots, hyphens and underscores.",
                values={"most": MOST_ENTITLEMENTS},
                param="entitlements",
            )
        object.__setattr__(self, "entitlements", entitlements)
        if len(self.field_of_use) > LONGEST_TEXT:
            raise InvalidRequest("This text is too long.", param="field_of_use")
        object.__setattr__(self, "artefacts", _checked_artefacts(self.artefacts))

    def facts(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def changed(cls, before: Mapping[str, Any], changes: Mapping[str, Any]) -> Grant:
        names = {each.name for each in fields(cls)}
        return cls(**(dict(before) | {name: value for name, value in changes.items() if name in names}))


def check_number(value: int | None, name: str, most: int) -> None:
    if value is not None and not 1 <= value <= most:
        raise InvalidRequest("This must be between 1 and %(most)s.", values={"most": most}, param=name)


def _checked_artefacts(found: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    artefacts = [{"path": each.get("path", ""), "sha256": each.get("sha256", "").lower()} for each in found]
    paths = {each["path"] for each in artefacts}
    good = all(is_inside(each["path"]) and _DIGEST.fullmatch(each["sha256"]) for each in artefacts)
    if not good or len(paths) != len(artefacts) or len(artefacts) > MOST_ARTEFACTS:
        raise InvalidRequest(
            "Artefacts are up to %(most)s different paths within the product, each with its SHA-256.",
            values={"most": MOST_ARTEFACTS},
            param="artefacts",
        )
    return sorted(artefacts, key=lambda each: each["path"])


def create_product(actor: Actor, name: str, code: str, description: str = "") -> Product:
    """A product; its code is in every licence file and stays as it is."""
    actor.require(MANAGE)
    actor.require_open()
    name = name.strip()
    if not 1 <= len(name) <= 120:
        raise InvalidRequest("Give the product a name of 1 to 120 characters.", param="name")
    if not _CODE.fullmatch(code):
        raise InvalidRequest("A code has up to 60 small letters, digits, dots, hyphens and underscores.", param="code")
    facts = {"name": name, "code": code, "description": description.strip()[:500]}
    with tenancy.scope(actor.organization_id):
        product = Product(organization_id=actor.organization_id, **facts)
        _insert(product, PRODUCT_THERE, "code")
        audit.record(actor, "licence_product.created", product, after=facts)
        events.record("licence_product.created", product.pk, facts)
    return product


def create_policy(actor: Actor, product_id: UUID, name: str, grant: Grant, sale: Sale, days: int | None) -> Policy:
    """A policy of a product; what is issued later begins with what it grants."""
    actor.require(MANAGE)
    actor.require_open()
    check_number(days, "days", MOST_DAYS)
    name = _policy_name(name)
    with tenancy.scope(actor.organization_id):
        product = get_product(actor, product_id, MANAGE)
        facts = {"name": name, "days": days, **grant.facts(), **sale.facts()}
        policy = Policy(organization_id=actor.organization_id, product=product, **facts)
        _insert(policy, POLICY_THERE, "name")
        audit.record(actor, "licence_policy.created", policy, after=facts, product=product.name)
        events.record("licence_policy.created", policy.pk, {"name": name, "product": str(product.pk)})
    return policy


def change_policy(actor: Actor, id: UUID, changes: Mapping[str, Any]) -> Policy:
    """Changes what is given; licences that were issued stay as they are."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        policy = _locked_policy(id)
        sale = {each.name: getattr(policy, each.name) for each in fields(Sale)}
        before = {"name": policy.name, "days": policy.days, **policy.terms, **sale}
        wanted = before | {name: value for name, value in changes.items() if name in before}
        wanted |= Grant.changed(policy.terms, changes).facts()
        wanted |= Sale(wanted["price_minor"], wanted["currency"], wanted["is_published"]).facts()
        wanted["name"] = _policy_name(wanted["name"])
        check_number(wanted["days"], "days", MOST_DAYS)
        changed = {name: value for name, value in wanted.items() if before[name] != value}
        if changed:
            for name, value in changed.items():
                setattr(policy, name, value)
            _insert(policy, POLICY_THERE, "name")
            was = {name: before[name] for name in changed}
            audit.record(actor, "licence_policy.changed", policy, before=was, after=changed, what=sorted(changed))
            events.record("licence_policy.changed", policy.pk, {"name": policy.name, "changed": sorted(changed)})
    return policy


@dataclass(frozen=True, slots=True)
class Sale:
    """What one licence costs other organizations, and whether they see it; raises InvalidRequest."""

    price_minor: int | None = None
    currency: str = ""
    is_published: bool = False

    def __post_init__(self) -> None:
        check_number(self.price_minor, "price_minor", 10**11)
        if (self.price_minor is None) != (self.currency == "") or (self.currency and not _is_currency(self.currency)):
            raise InvalidRequest("A price has an amount and a currency such as EUR.", param="currency")
        if self.price_minor is not None:
            chargeable(self.price_minor, self.currency, "price_minor")
        if self.is_published and self.price_minor is None:
            raise InvalidRequest("What is offered to everybody needs a price.", param="price_minor")

    def facts(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


def _is_currency(text: str) -> bool:
    return bool(_CURRENCY.fullmatch(text))


def get_product(actor: Actor, id: UUID, permission: str = READ) -> Product:
    actor.require(permission)
    with tenancy.scope(actor.organization_id):
        product: Product | None = Product.objects.filter(pk=id).first()
    if product is None:
        raise NotFound(NO_PRODUCT)
    return product


def get_policy(actor: Actor, id: UUID, permission: str = READ) -> Policy:
    actor.require(permission)
    with tenancy.scope(actor.organization_id):
        policy: Policy | None = Policy.objects.select_related("product").filter(pk=id).first()
    if policy is None:
        raise NotFound(NO_POLICY)
    return policy


def _locked_policy(id: UUID) -> Policy:
    # NO KEY: a licence that refers to it is written meanwhile.
    policy: Policy | None = Policy.objects.select_for_update(of=("self",), no_key=True).filter(pk=id).first()
    if policy is None:
        raise NotFound(NO_POLICY)
    return policy


def _policy_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 120:
        raise InvalidRequest("Give the policy a name of 1 to 120 characters.", param="name")
    return name


def _insert(row: Product | Policy, message: str, param: str) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise Conflict(message, param=param) from None

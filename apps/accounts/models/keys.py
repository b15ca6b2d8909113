"""Credentials of programs, and the service accounts that programs act as."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models.organizations import Membership
from apps.accounts.models.people import User
from apps.accounts.models.roles import CustomRole, HoldsRole
from apps.accounts.permissions import KEY_SCOPES, Role
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet


class ServiceAccount(HoldsRole, TenantModel):
    """What a program is in an organization: it has a role and keys and no way to sign in; one switch stops it."""

    name = models.CharField(_("name"), max_length=60)
    description = models.CharField(_("description"), max_length=200, blank=True)
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.MEMBER)
    custom_role = TenantForeignKey(CustomRole, on_delete=models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    disabled_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint("organization", Lower("name"), name="service_account_name_once"),
            models.CheckConstraint(
                condition=(Q(role=Role.CUSTOM) & Q(custom_role__isnull=False))
                | (~Q(role__in=[Role.CUSTOM, Role.OWNER]) & Q(custom_role__isnull=True)),
                name="service_account_role",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ApiKeyQuerySet(TenantQuerySet):
    def unrevoked(self) -> Any:
        return self.filter(revoked_at__isnull=True)

    def usable(self) -> Any:
        """Neither revoked nor without somebody behind them; an expired one is among them, to be told so."""
        person = Q(member__user__is_active=True)
        program = Q(service_account__isnull=False, service_account__disabled_at__isnull=True)
        return self.unrevoked().filter(person | program)

    def with_owner(self) -> Any:
        """With what is needed to say what each may do."""
        return self.select_related(
            "organization", "member__custom_role", "member__user", "service_account__custom_role"
        )

    def for_pages(self) -> Any:
        return self.with_owner().select_related("created_by").order_by("-id")


class ApiKey(TenantModel):
    """A program's credential: a member's own, or a service account's.

    Only a SHA-256 of the secret is kept: it has 256 random bits, so no salt is needed. `replaces` is the key that this
    one was made from when it was rotated; both work until that one expires. Without `allowed_networks` it may be used
    from anywhere.
    """

    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    allowed_networks = ArrayField(models.CharField(max_length=43), default=list)
    member = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, related_name="+")
    service_account = TenantForeignKey(ServiceAccount, on_delete=models.PROTECT, null=True, related_name="+")
    replaces = TenantForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    last_used_address = models.GenericIPAddressField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(ApiKeyQuerySet)()

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "member"], name="api_keys_of_member")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def permissions(self) -> frozenset[str]:
        """Its scopes, as far as whoever is behind it may still do the same; load it `with_owner`."""
        owner = self.service_account or self.member
        return frozenset(self.scopes) & frozenset(KEY_SCOPES) & (owner.permissions if owner else frozenset())

    @property
    def owner_name(self) -> str:
        """The service account, or the member's address; empty when neither is left."""
        if self.service_account:
            return self.service_account.name
        return self.member.user.email if self.member else ""

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def may_come_from(self, address: str) -> bool:
        """Whether it may be used from this address; one that is not known is none of those allowed."""
        if not self.allowed_networks:
            return True
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in _network(text) for text in self.allowed_networks)


@lru_cache(maxsize=1024)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text)

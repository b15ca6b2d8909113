"""Connections, the people who came through them, and what they may become."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Role, User
from apps.core.crypto import SealedText
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet


class Kind(models.TextChoices):
    OIDC = "oidc", _("OpenID Connect")
    SAML = "saml", _("SAML 2.0")


class ConnectionQuerySet(TenantQuerySet):
    def enabled(self) -> Any:
        return self.filter(enabled=True).order_by("id")


class Connection(TenantModel):
    """An identity provider that may vouch for the organization's people.

    `issuer` is OpenID Connect's issuer or SAML's entity id of the provider; the SAML fields are what its metadata said.
    """

    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=80)
    enabled = models.BooleanField(default=False)
    issuer = models.CharField(max_length=1000)
    client_id = models.CharField(max_length=400, blank=True)
    client_secret = SealedText()
    sso_url = models.CharField(max_length=1000, blank=True)
    certificates = ArrayField(models.TextField(), default=list)
    metadata_url = models.CharField(max_length=1000, blank=True)
    allow_idp_initiated = models.BooleanField(default=False)
    email_attribute = models.CharField(max_length=200, blank=True)
    name_attribute = models.CharField(max_length=200, blank=True)
    groups_attribute = models.CharField(max_length=200, blank=True)
    creates_members = models.BooleanField(default=True)
    default_role = models.CharField(max_length=20, choices=Role.choices, default=Role.MEMBER)
    trusts_mfa = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    tested_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(ConnectionQuerySet)()

    def __str__(self) -> str:
        return self.name


class Identity(TenantModel):
    """A person as one connection knows them: OpenID Connect's `sub`, SAML's NameID."""

    connection = TenantForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    subject = models.CharField(max_length=400)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    email = models.EmailField(max_length=254)
    created_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "connection", "subject"], name="identity_once"),
        ]
        indexes = [models.Index(fields=["organization", "user"], name="identities_of_person")]

    def __str__(self) -> str:
        return self.email


class UsedAssertion(TenantModel):
    """A SAML assertion that has been accepted, kept until it would have expired: it is never accepted again."""

    connection = TenantForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "connection", "digest"], name="assertion_once"),
        ]
        indexes = [models.Index(fields=["organization", "expires_at"], name="assertions_by_expiry")]


class GroupRule(TenantModel):
    """Who is in the provider's group `group` has this role; the rule that stands first wins."""

    group = models.CharField(max_length=200)
    role = models.CharField(max_length=20, choices=Role.choices)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint("organization", Lower("group"), name="group_rule_once")]

    def __str__(self) -> str:
        return self.group

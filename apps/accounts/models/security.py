"""What an organization demands of its members' sessions, and the codes that let an owner in when nothing else does."""

from __future__ import annotations

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from apps.accounts.models.people import User
from apps.core.tenancy import TenantModel


class SecurityPolicy(TenantModel):
    """One an organization; without a row nothing is demanded. A demand holds from its time on, null is never.

    `connections` are the ids of the single sign-on connections that count today: a session made by one that has been
    switched off counts for nothing. `keys_need_sso_days` is how long an API key of a person lives on after that
    person's last single sign-on, null for ever.
    """

    sso_required_from = models.DateTimeField(null=True)
    mfa_required_from = models.DateTimeField(null=True)
    sso_session_hours = models.PositiveSmallIntegerField(default=24)
    keys_need_sso_days = models.PositiveSmallIntegerField(null=True)
    connections = ArrayField(models.UUIDField(), default=list)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization"], name="security_policy_of_organization")]

    def __str__(self) -> str:
        return "security policy"

    def needs_sso(self, now: datetime) -> bool:
        return self.sso_required_from is not None and self.sso_required_from <= now

    def needs_mfa(self, now: datetime) -> bool:
        return self.mfa_required_from is not None and self.mfa_required_from <= now

    def counts(self, connection: str) -> bool:
        return connection in {str(id) for id in self.connections}


class SingleSignOn(TenantModel):
    """When a person last came in through one of the organization's connections."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    connection_id = models.UUIDField()
    last_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="single_sign_on_of_member")]


class OwnerCode(TenantModel):
    """A single-use code for owners while single sign-on is required and broken; kept as a digest of 80 random bits."""

    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "digest"], name="owner_code_once")]

    def __str__(self) -> str:
        return "owner code"

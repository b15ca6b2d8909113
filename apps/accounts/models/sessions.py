"""Signed-in browsers."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Now

from apps.accounts.models.people import User
from apps.core.tenancy import TenantModel


class BrowserSession(AbstractBaseSession):
    """A browser's session, with what its owner needs to recognize it; a stranger's has no `user`.

    `started_at` is when the person signed in. A row that is removed ends its session at once.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    started_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=300, blank=True)

    class Meta(AbstractBaseSession.Meta):
        indexes = [models.Index(fields=["user", "-seen_at"], name="session_of_user")]

    @classmethod
    def get_session_store_class(cls) -> Any:
        from apps.accounts.sessions import SessionStore

        return SessionStore


class ClosedSession(TenantModel):
    """That an organization has ended a person's session for itself; in their other organizations it goes on.

    `handle` stands for the session's key, which is the cookie and therefore nowhere but in its own row.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    handle = models.CharField(max_length=64)
    closed_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "handle"], name="closed_session_once")]

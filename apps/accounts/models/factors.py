"""Secrets of second factors."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.accounts.models.people import User
from apps.core.crypto import SealedText
from apps.core.ids import uuid7


class FactorSecret(models.Model):  # noqa: DJ008 - nothing shows it
    """The sealed key of an authenticator app, or the seed of a set of recovery codes.

    allauth keeps factors in a JSON column, which no envelope can be bound to: it holds this row's id instead. The
    envelope opens for `user` alone, so that whoever can write rows cannot point somebody's factor at another's secret.
    """

    sealed_with = ("user_id",)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    secret = SealedText()
    created_at = models.DateTimeField(db_default=Now())

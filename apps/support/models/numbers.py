"""Whole numbers for rows, where programs written for Chatwoot expect them."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.core.tenancy import TenantModel


class Numbered(models.TextChoices):
    """What has a number; conversations have one of their own, and messages theirs within it."""

    ACCOUNT = "account"
    INBOX = "inbox"
    CONTACT = "contact"
    # A browser or program of a contact in an inbox, Chatwoot's contact inbox.
    SESSION = "session"
    USER = "user"
    TEAM = "team"
    BOT = "bot"
    LABEL = "label"
    CANNED = "canned"
    ENDPOINT = "endpoint"
    # A definition of a custom attribute.
    ATTRIBUTE = "field"
    # A note about a contact.
    NOTE = "note"
    MACRO = "macro"
    RULE = "rule"


class RowNumber(TenantModel):
    """That a row of the organization is `number` among those of its kind; given when it is first told.

    It stays when the row is gone, so that no other row is ever taken for it. The organization's own number is of the
    whole installation: programs that serve several accounts tell them apart by it.
    """

    kind = models.CharField(max_length=8, choices=Numbered.choices)
    row = models.UUIDField()
    number = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "kind", "row"], name="support_row_numbered_once"),
            models.UniqueConstraint(fields=["organization", "kind", "number"], name="support_row_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

"""What attributes of contacts and conversations are like, where the desk has said so."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.tenancy import TenantModel


class AttributeOf(models.TextChoices):
    CONTACT = "contact", _("contact")
    CONVERSATION = "conversation", _("conversation")


class AttributeKind(models.TextChoices):
    """Chatwoot's display types."""

    TEXT = "text", _("text")
    NUMBER = "number", _("number")
    CURRENCY = "currency", _("amount of money")
    PERCENT = "percent", _("percent")
    LINK = "link", _("link")
    DATE = "date", _("date")
    LIST = "list", _("one of a list")
    CHECKBOX = "checkbox", _("yes or no")


class AttributeDefinition(TenantModel):
    """What the attribute `key` is called and like; `choices` are the values of a list."""

    of = models.CharField(max_length=12, choices=AttributeOf.choices)
    key = models.CharField(max_length=60)
    name = models.CharField(max_length=80)
    about = models.CharField(max_length=500, blank=True)
    kind = models.CharField(max_length=8, choices=AttributeKind.choices, default=AttributeKind.TEXT)
    choices = ArrayField(models.CharField(max_length=200), default=list)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "of", "key"], name="support_attribute_once")]

    def __str__(self) -> str:
        return self.name

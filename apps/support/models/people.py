"""Who writes to the desk, and who answers there."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Membership, User
from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.support.models.inboxes import Inbox


class Contact(TenantModel):  # type: ignore[django-manager-missing]
    """Somebody who writes to the desk. `identifier` is the customer's own id for them.

    `verified_at` is when a signature of the customer's server last proved the identifier; `merged_into` the contact
    that this one turned out to be. `labels` are titles of the desk's labels.
    """

    name = models.CharField(max_length=120, blank=True)
    email = models.CharField(max_length=254, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    identifier = models.CharField(max_length=200, blank=True)
    language = models.CharField(max_length=10, blank=True)
    attributes = models.JSONField(default=dict)
    labels = ArrayField(models.CharField(max_length=40), default=list, db_default=[])
    verified_at = models.DateTimeField(null=True)
    blocked_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)
    merged_into = TenantForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "identifier"],
                condition=~Q(identifier="") & Q(merged_into=None),
                name="support_contact_identifier_once",
            )
        ]
        indexes = [
            models.Index("organization", Lower("email"), condition=~Q(email=""), name="support_contact_email"),
            models.Index(fields=["organization", "-created_at", "-id"], name="support_contact_newest"),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.identifier or f"visitor {str(self.id)[-6:]}"

    @property
    def audit_name(self) -> str:
        """No name: entries of the audit log stay when a contact is erased."""
        return f"contact {str(self.id)[-6:]}"


class ContactNote(TenantModel):
    """What the desk has written down about a contact, who does not read it. `content` is masked."""

    contact = TenantForeignKey(Contact, on_delete=models.CASCADE, related_name="notes")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    content = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "contact", "-created_at"], name="support_note_of_contact")]

    def __str__(self) -> str:
        return str(self.contact_id)


class ContactSession(TenantModel):
    """One browser or program through which a contact writes to one inbox.

    `digest` is the SHA-256 of what the browser holds (Chatwoot's `source_id`); `ended_at` when somebody signed out;
    `opened` says when and where its window was opened last, in which language.
    """

    inbox = TenantForeignKey(Inbox, on_delete=models.CASCADE, related_name="sessions")
    contact = TenantForeignKey(Contact, on_delete=models.CASCADE, related_name="sessions")
    digest = models.CharField(max_length=64)
    verified = models.BooleanField(default=False)
    opened = models.JSONField(null=True)
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "digest"], name="support_session_digest_once"),
        ]
        indexes = [models.Index(fields=["digest"], name="support_session_digest")]

    def __str__(self) -> str:
        return str(self.contact_id)


class Availability(models.TextChoices):
    ONLINE = "online", _("online")
    BUSY = "busy", _("busy")
    OFFLINE = "offline", _("offline")


class Agent(TenantModel):
    """A member who answers: how many open conversations they take, what they know, and whether they are there.

    `seen_at` is when the console last said that it is open; `given_at` when they were last given a conversation, by
    which turns are taken.
    """

    membership = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    availability = models.CharField(max_length=7, choices=Availability.choices, default=Availability.OFFLINE)
    capacity = models.PositiveSmallIntegerField(default=10)
    skills = ArrayField(models.CharField(max_length=40), default=list)
    signature = models.CharField(max_length=500, blank=True)
    seen_at = models.DateTimeField(null=True)
    given_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "membership"], name="support_agent_once")]

    def __str__(self) -> str:
        return str(self.membership_id)

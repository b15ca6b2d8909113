"""Conversations and their messages, in one order that everybody sees alike."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.accounts.models import Membership, Team, User
from apps.core.crypto import SealedText
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet
from apps.support.models.inboxes import Inbox
from apps.support.models.people import Contact, ContactSession

# What the search's policy lets everybody see who looks for nothing in particular (decision 34).
EVERYTHING = "every"


class ConversationStatus(models.TextChoices):
    OPEN = "open", pgettext_lazy("a conversation", "open")
    PENDING = "pending", _("with the bot")
    SNOOZED = "snoozed", _("snoozed")
    RESOLVED = "resolved", _("resolved")


class Priority(models.IntegerChoices):
    NONE = 0, _("none")
    LOW = 1, _("low")
    MEDIUM = 2, _("medium")
    HIGH = 3, _("high")
    URGENT = 4, _("urgent")


class ConversationQuerySet(TenantQuerySet):
    def waiting(self) -> Any:
        """The queue: open, nobody's, in order of arrival."""
        return self.filter(status=ConversationStatus.OPEN, assignee=None, waiting_since__isnull=False).order_by(
            "waiting_since", "id"
        )

    def latest_first(self) -> Any:
        return self.order_by("-active_at", "-id")


class Conversation(TenantModel):  # type: ignore[django-manager-missing]
    """One conversation with a contact. Whoever writes anything into it holds this row, which counts `last_sequence`.

    `bot_owns` says that the bot may answer: status pending, and no person has acted. `waiting_since` is when the
    contact began to wait for a person, None while nobody waits; `opened_at` when people first had it; `acted_at` when
    a person last did anything, which keeps the bot silent. `unread_from` is from where on somebody has marked it
    as unread, until somebody of the desk looks again. `merged_into` is where its messages have gone.
    """

    number = models.PositiveBigIntegerField()
    inbox = TenantForeignKey(Inbox, on_delete=models.CASCADE, related_name="conversations")
    contact = TenantForeignKey(Contact, on_delete=models.CASCADE, related_name="conversations")
    session = TenantForeignKey(ContactSession, on_delete=models.SET_NULL, null=True, related_name="+")
    subject = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=8, choices=ConversationStatus.choices, default=ConversationStatus.OPEN)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NONE)
    labels = ArrayField(models.CharField(max_length=40), default=list)
    skills = ArrayField(models.CharField(max_length=40), default=list)
    attributes = models.JSONField(default=dict)
    assignee = TenantForeignKey(Membership, on_delete=models.SET_NULL, null=True, related_name="+")
    team = TenantForeignKey(Team, on_delete=models.SET_NULL, null=True, related_name="+")
    bot_owns = models.BooleanField(default=False)
    last_sequence = models.PositiveIntegerField(default=0)
    unread_from = models.PositiveIntegerField(null=True)
    waiting_since = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    acted_at = models.DateTimeField(null=True)
    first_reply_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    merged_into = TenantForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    active_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = TenantManager.from_queryset(ConversationQuerySet)()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "number"], name="support_conversation_number_once"),
            models.CheckConstraint(
                condition=Q(bot_owns=False) | Q(status="pending"), name="support_bot_owns_what_is_pending"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "status", "-active_at", "-id"], name="support_conversation_latest"),
            models.Index(
                fields=["organization", "waiting_since", "id"],
                condition=Q(status="open", assignee=None, waiting_since__isnull=False),
                name="support_conversation_queue",
            ),
            models.Index(
                fields=["organization", "assignee", "status", "-active_at"], name="support_conversation_of_agent"
            ),
            models.Index(fields=["organization", "contact", "-created_at"], name="support_conversation_of_person"),
            models.Index(fields=["snoozed_until"], condition=Q(status="snoozed"), name="support_conversation_snoozed"),
            # Looked at every few seconds, in all organizations.
            models.Index(fields=["inbox"], condition=Q(bot_owns=True), name="support_conversation_of_bots"),
            GinIndex(fields=["labels"], name="support_conversation_labels"),
        ]

    def __str__(self) -> str:
        return self.subject or f"#{self.number}"

    @property
    def audit_name(self) -> str:
        """Not the subject, which may be a contact's words: entries of the audit log stay when a contact is erased."""
        return f"#{self.number}"


class MessageKind(models.TextChoices):
    INCOMING = "incoming", _("from the contact")
    OUTGOING = "outgoing", _("to the contact")
    NOTE = "note", _("note")
    ACTIVITY = "activity", _("activity")


class Author(models.TextChoices):
    CONTACT = "contact", _("contact")
    AGENT = "agent", _("agent")
    BOT = "bot", _("bot")
    SYSTEM = "system", _("system")


class Message(TenantModel):  # type: ignore[django-manager-missing]
    """What happened in a conversation as number `sequence`; every change has one, so that these rows are its history.

    `content` is masked. `client_id` is the sender's own id: what is sent twice is there once. Of an activity `content`
    is empty and `details` hold `changes`, before and after. `provenance` names what the bot answered with: the versions
    of model, flow and articles. `content_type` and `content_attributes` are as in Chatwoot: `input_select`, `form` and
    so on. `moved_from` is the conversation that it came from by a merge.
    """

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    sequence = models.PositiveIntegerField()
    client_id = models.CharField(max_length=100, null=True)
    kind = models.CharField(max_length=8, choices=MessageKind.choices)
    author = models.CharField(max_length=7, choices=Author.choices)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    contact = TenantForeignKey(Contact, on_delete=models.SET_NULL, null=True, related_name="+")
    content = models.TextField(blank=True)
    content_type = models.CharField(max_length=20, default="text")
    content_attributes = models.JSONField(default=dict)
    details = models.JSONField(default=dict)
    provenance = models.JSONField(default=dict)
    masked = ArrayField(models.CharField(max_length=20), default=list)
    external_id = models.CharField(max_length=300, blank=True)
    moved_from = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "conversation", "sequence"], name="support_message_in_sequence"
            ),
            models.UniqueConstraint(
                fields=["organization", "conversation", "client_id"], name="support_message_sent_once"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "created_at"], name="support_message_by_time"),
            models.Index(
                fields=["organization", "external_id"], condition=~Q(external_id=""), name="support_message_external"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.sequence}"

    def assume_none(self, part: str) -> None:
        """It is known to have no `files`, or no `mails`, and so whoever shows it need not ask."""
        known: dict[str, Any] = self.__dict__.setdefault("_prefetched_objects_cache", {})
        known[part] = getattr(self, part).none()


class Original(TenantModel):
    """What was masked in a message, sealed, until `expires_at`; opening it needs a permission and a reason."""

    message = TenantForeignKey(Message, on_delete=models.CASCADE, related_name="originals")
    content = SealedText()
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "message"], name="support_original_once")]
        indexes = [models.Index(fields=["organization", "expires_at"], name="support_original_expiring")]

    def __str__(self) -> str:
        return str(self.message_id)


class Scan(models.TextChoices):
    WAITING = "waiting", _("is being checked")
    CLEAN = "clean", _("checked")
    INFECTED = "infected", _("infected")
    FAILED = "failed", _("could not be checked")


class MessageFile(TenantModel):
    """A file that came with a message; it lies in the organization's folder under `path`.

    Where a virus scanner is set, `scan` says what came of it, and nobody is given the file before it is clean; of an
    infected one only the name of what was found (`finding`) is left. It is empty for what nobody has scanned. One that
    the scanner does not judge is tried `scan_attempts` times, next at `scan_at`, which then says when it was given up.
    """

    message = TenantForeignKey(Message, on_delete=models.CASCADE, related_name="files")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=150)
    media_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    path = models.CharField(max_length=200)
    scan = models.CharField(max_length=8, choices=Scan.choices, blank=True, default="", db_default="")
    finding = models.CharField(max_length=120, blank=True, default="", db_default="")
    scan_attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    scan_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "message", "position"], name="support_file_in_order")
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=models.Q(scan="waiting"), name="support_file_unscanned")
        ]

    @property
    def may_be_fetched(self) -> bool:
        return self.scan in ("", Scan.CLEAN)

    def __str__(self) -> str:
        return self.name


class Mention(TenantModel):
    """Somebody who is named in a note; `mailed_at` once they were told by mail, or had seen it before that."""

    message = TenantForeignKey(Message, on_delete=models.CASCADE, related_name="mentions")
    membership = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    mailed_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "message", "membership"], name="support_mention_once")
        ]

    def __str__(self) -> str:
        return str(self.membership_id)


class Participant(TenantModel):
    """A member who takes part in a conversation, and is told by mail what is said in it while their console is closed.

    `told_through` is the last message that a mail has told them of: the next mail waits until they have looked.
    """

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="participants")
    membership = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    told_through = models.PositiveIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "conversation", "membership"], name="support_participant_once"
            )
        ]

    def __str__(self) -> str:
        return str(self.membership_id)


class Cursor(TenantModel):
    """How far a participant has got: `acknowledged` arrived at their device, `seen` was shown. Neither goes back.

    One of `membership` and `contact` is set.
    """

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="cursors")
    membership = TenantForeignKey(Membership, on_delete=models.CASCADE, null=True, related_name="+")
    contact = TenantForeignKey(Contact, on_delete=models.CASCADE, null=True, related_name="+")
    acknowledged = models.PositiveIntegerField(default=0)
    seen = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "conversation", "membership", "contact"],
                nulls_distinct=False,
                name="support_cursor_once",
            ),
            models.CheckConstraint(
                condition=Q(membership__isnull=True, contact__isnull=False)
                | Q(membership__isnull=False, contact__isnull=True),
                name="support_cursor_of_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.acknowledged}/{self.seen}"


class MessageIndex(TenantModel):
    """What conversations are found by: masked messages, and the contact's name where there is no message.

    Its wall also holds what is looked for, as that of the index of documents does (decision 34).
    """

    conversation = TenantForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    message = TenantForeignKey(Message, on_delete=models.CASCADE, null=True, related_name="+")
    search = SearchVectorField(db_default=models.Value(EVERYTHING))

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "conversation", "message"], nulls_distinct=False, name="support_indexed_once"
            )
        ]
        indexes = [GinIndex(fields=["search"], name="support_message_search")]

    def __str__(self) -> str:
        return str(self.conversation_id)

"""Exports, erasures and their register, retention rules, and what people have agreed to."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.datakinds import Texts
from apps.core.ids import uuid7
from apps.core.jobs import Job, JobQuerySet, Status
from apps.core.tenancy import TenantManager, TenantModel


class Scope(models.TextChoices):
    """What an export or erasure is about."""

    ORGANIZATION = "organization", _("the whole organization")
    MEMBER = "member", _("a person, within the organization")
    ACCOUNT = "account", _("one's own account, in all organizations")


class RequestQuerySet(JobQuerySet):
    def visible_to(self, user_id: Any, manages: bool) -> Any:
        """What a person asked for about their own account is theirs alone; the rest is for whoever manages privacy."""
        mine = models.Q(requested_by=user_id) if user_id else models.Q(pk__in=[])
        others = ~models.Q(scope=Scope.ACCOUNT) if manages else models.Q(pk__in=[])
        return self.filter(models.Q(scope=Scope.ACCOUNT) & mine | others)


class Request(Job):
    """What exports and erasures share: what it is about, and who asked."""

    share_sql = "SELECT 1 AS weight, 2 AS max_running"

    scope = models.CharField(max_length=12, choices=Scope.choices)
    person = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    objects: ClassVar[Any] = TenantManager.from_queryset(RequestQuerySet)()

    class Meta(Job.Meta):
        abstract = True

    @property
    def ended(self) -> bool:
        return self.status not in {Status.QUEUED, Status.RUNNING}


class Export(Request):
    """A ZIP of everything about an organization or a person.

    `path` is within the organization's folder (`apps.core.media`) and set only when the file is whole; after
    `expires_at` the file is removed.
    """

    path = models.CharField(max_length=200, blank=True)
    size = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    expires_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"export of {self.scope} {self.id}"

    @property
    def downloadable(self) -> bool:
        return self.status == Status.SUCCEEDED and self.removed_at is None


class Erasure(Request):
    """The erasure of a person: their name goes, what must stay stays under `pseudonym`. `counts` is rows by kind."""

    texts = models.CharField(max_length=8, choices=Texts.choices, default=Texts.KEEP)
    pseudonym = models.CharField(max_length=40)
    counts = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"erasure {self.pseudonym}"


class ErasedPerson(models.Model):
    """The register of erasures, only ever added to: digests, since it must not name whom it is about.

    A file beside the database holds the same lines, so that a restored backup can be brought up to date. A removed
    organization has a line too, whose `person` and `pseudonym` are empty.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.CharField(max_length=64)
    tenant = models.CharField(max_length=64, blank=True)
    texts = models.CharField(max_length=8, choices=Texts.choices)
    pseudonym = models.CharField(max_length=40)
    erased_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "tenant", "pseudonym"], name="erased_person_once")]

    def __str__(self) -> str:
        return self.pseudonym


class RetentionRule(TenantModel):
    """How many days an organization keeps a kind of data; None is for as long as the organization is there."""

    kind = models.CharField(max_length=40)
    days = models.PositiveIntegerField(null=True)
    changed_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "kind"], name="retention_rule_once")]


class Document(models.TextChoices):
    TERMS = "terms", _("Terms of service")
    PRIVACY = "privacy", _("Privacy notice")
    MAIL = "mail", _("News about the product by e-mail")


class Consent(models.Model):
    """One act of a person: a version accepted, or an optional consent given or withdrawn; only ever added to."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    document = models.CharField(max_length=10, choices=Document.choices)
    version = models.CharField(max_length=40, blank=True)
    given = models.BooleanField()
    address = models.CharField(max_length=45, blank=True)
    agent = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["person", "document", "-id"], name="consent_latest")]

    def __str__(self) -> str:
        return f"{self.document} {self.version}"

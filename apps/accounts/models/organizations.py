"""Organizations and who belongs to them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Value
from django.db.models.functions import Least, Now, StrIndex
from django.utils.translation import gettext_lazy as _

from apps.accounts.models.people import User, words_of
from apps.accounts.models.roles import CustomRole, HoldsRole
from apps.accounts.permissions import Role
from apps.core.ids import uuid7
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet


class Organization(models.Model):
    """A customer; the root of everything that row-level security separates.

    `deletes_at` is set while its deletion is pending and can be called off; once `removal_started_at` is set it cannot.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, default="en")
    created_at = models.DateTimeField(db_default=Now())
    deletes_at = models.DateTimeField(null=True)
    removal_started_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["deletes_at"], condition=models.Q(deletes_at__isnull=False), name="organization_leaving"
            )
        ]

    def __str__(self) -> str:
        return self.name


class MembershipQuerySet(TenantQuerySet):
    def for_pages(self) -> Any:
        """With what a list shows of each member, newest first; ids are in the order of time."""
        return self.select_related("user", "custom_role").order_by("-id")

    def matching(self, text: str) -> Any:
        """Members in whose name or address each word of `text` begins a word.

        Looks at the organization's own rows alone, so that no word's time tells anything of others. Of `strpos`
        PostgreSQL expects a third of the rows, whatever is looked for, and so walks in the order of the page and stops
        when that is full; a word that nobody has costs 0.7 µs of a processor a member.
        """
        found = [StrIndex("search", Value(f" {word}")) for word in words_of(text)]
        if not found:
            return self
        return self.alias(found=Least(*found) if len(found) > 1 else found[0]).filter(found__gt=0)


class Membership(HoldsRole, TenantModel):
    """That a person belongs to an organization, and as what; with the role `custom` it names one of its own roles.

    `search` holds the words of the person's name and address, a space before each; triggers of the database keep it.
    `closed_here` is set where it is read for one session: whether the organization has ended that one for itself.
    """

    closed_here: bool = False

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.MEMBER)
    custom_role = TenantForeignKey(CustomRole, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    search = models.TextField(db_default="", editable=False)

    objects: ClassVar[Any] = TenantManager.from_queryset(MembershipQuerySet)()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role=Role.CUSTOM, custom_role__isnull=False)
                | (~models.Q(role=Role.CUSTOM) & models.Q(custom_role__isnull=True)),
                name="membership_custom_role",
            ),
        ]
        indexes = [models.Index(fields=["organization", "role", "-id"], name="membership_of_role")]

    @property
    def audit_name(self) -> str:
        return self.user.email

"""What a directory (SCIM) knows about the organization's people."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower, Now

from apps.accounts.models import Team, User
from apps.core.tenancy import TenantForeignKey, TenantModel


class DirectoryToken(TenantModel):
    """The directory's credential, of which only a SHA-256 is kept; `ends_at` is set when another replaces it."""

    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.prefix}…"


class DirectoryUser(TenantModel):
    """A person whom the directory has provisioned; `active` is whether they have their membership.

    The names are the directory's own for this organization, whether or not it may change the person's.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    user_name = models.CharField(max_length=254)
    external_id = models.CharField(max_length=254, blank=True)
    given_name = models.CharField(max_length=120, blank=True)
    family_name = models.CharField(max_length=120, blank=True)
    display_name = models.CharField(max_length=240, blank=True)
    active = models.BooleanField(default=True)
    role = models.CharField(max_length=20, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="directory_user_once"),
            models.UniqueConstraint("organization", Lower("user_name"), name="directory_user_name_once"),
        ]
        indexes = [models.Index(fields=["organization", "external_id"], name="directory_user_external")]

    def __str__(self) -> str:
        return self.user_name


class DirectoryGroup(TenantModel):
    """A group of the directory, and the team that follows it."""

    name = models.CharField(max_length=200)
    team = TenantForeignKey(Team, on_delete=models.SET_NULL, null=True, related_name="+")
    external_id = models.CharField(max_length=254, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint("organization", Lower("name"), name="directory_group_once")]

    def __str__(self) -> str:
        return self.name


class DirectoryGroupMember(TenantModel):
    group = TenantForeignKey(DirectoryGroup, on_delete=models.CASCADE, related_name="+", related_query_name="inside")
    directory_user = TenantForeignKey(
        DirectoryUser, on_delete=models.CASCADE, related_name="+", related_query_name="inside"
    )

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "group", "directory_user"], name="directory_member_once"),
        ]
        indexes = [models.Index(fields=["organization", "directory_user"], name="directory_groups_of_user")]

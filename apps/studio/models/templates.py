"""Templates: prompts with variables, in versions that never change, and the labels by which they are called."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Team, TeamMembership, User
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet
from apps.studio.models.voices import BrandVoice
from ml.text.variables import Variable, variables_of

# The newest version is the draft: that label is not stored. The other two only stand on what was approved.
DRAFT, APPROVED, PRODUCTION = "draft", "approved", "production"


class Visibility(models.TextChoices):
    ORGANIZATION = "organization", _("Everybody in the organization")
    TEAMS = "teams", _("Chosen teams")


class TemplateQuerySet(TenantQuerySet):
    def in_use(self) -> Any:
        return self.filter(archived_at=None)

    def seen_by(self, user_id: Any) -> Any:
        """What a member finds: what everybody sees, what their teams see, and their own; a program, the first."""
        if user_id is None:
            return self.filter(visibility=Visibility.ORGANIZATION)
        mine = TemplateTeam.objects.filter(
            template=models.OuterRef("pk"),
            team_id__in=TeamMembership.objects.filter(membership__user_id=user_id).values("team_id"),
        )
        return self.filter(Q(visibility=Visibility.ORGANIZATION) | Q(created_by_id=user_id) | models.Exists(mine))


class Template(TenantModel):  # type: ignore[django-manager-missing]
    """A prompt by its name; `latest` is the number of its newest version.

    `content_type` is a key of the library or "custom"; `library` says of which entry, in which language, it is a copy.
    """

    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    content_type = models.CharField(max_length=40, default="custom")
    library = models.CharField(max_length=80, blank=True)
    visibility = models.CharField(max_length=12, choices=Visibility.choices, default=Visibility.ORGANIZATION)
    latest = models.PositiveIntegerField(default=0)
    archived_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = TenantManager.from_queryset(TemplateQuerySet)()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "slug"], name="template_slug_once")]
        indexes = [models.Index(fields=["organization", "-created_at", "-id"], name="template_newest")]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_name(self) -> str:
        return self.name


class TemplateTeam(TenantModel):
    """A team that a template with visibility `teams` is shown to."""

    template = TenantForeignKey(Template, on_delete=models.CASCADE, related_name="shares")
    team = TenantForeignKey(Team, on_delete=models.CASCADE, related_name="+")

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "template", "team"], name="template_team_once")]


class TemplateVersion(TenantModel):  # type: ignore[django-manager-missing]
    """One state of a template, never changed.

    `system` and `prompt` are in the language of `ml.text.prompts`; `variables` and `examples` are JSON. `model_name`
    empty and `max_tokens` null leave the choice to whoever runs it; `sampling` holds what differs from the defaults.
    `limits` are what the text's place takes, such as a network's characters.
    """

    template = TenantForeignKey(Template, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    system = models.TextField(blank=True)
    prompt = models.TextField()
    variables = models.JSONField(default=list)
    examples = models.JSONField(default=list)
    model_name = models.CharField(max_length=120, blank=True)
    sampling = models.JSONField(default=dict)
    max_tokens = models.PositiveIntegerField(null=True)
    limits = models.JSONField(default=dict)
    voice = TenantForeignKey(BrandVoice, on_delete=models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "template", "number"], name="template_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.template} v{self.number}"

    @property
    def fields(self) -> tuple[Variable, ...]:
        return variables_of(self.variables)


class TemplateApproval(TenantModel):
    """That somebody has read a version and stands by it; never changed."""

    version = TenantForeignKey(TemplateVersion, on_delete=models.CASCADE, related_name="approvals")
    approved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "version"], name="template_approval_once")]


class TemplateLabel(TenantModel):
    """A name that stands on one version of a template and can be moved; `previous` is where it stood before."""

    template = TenantForeignKey(Template, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=40)
    version = TenantForeignKey(TemplateVersion, on_delete=models.CASCADE, related_name="+")
    previous = TenantForeignKey(TemplateVersion, on_delete=models.CASCADE, null=True, related_name="+")
    moved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    moved_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "template", "name"], name="template_label_once")]

    def __str__(self) -> str:
        return self.name


class TemplateSettings(TenantModel):
    """One an organization; without a row approving one's own version is allowed."""

    four_eyes = models.BooleanField(default=False)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization"], name="template_settings_of_organization")]

    def __str__(self) -> str:
        return "template settings"

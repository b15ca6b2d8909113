"""Runs: one request written several times side by side, votes between models, and what people think of texts."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import ApiKey, User
from apps.core.tenancy import TenantForeignKey, TenantModel
from apps.registry.models import ModelVersion
from apps.studio.models.generations import Generation


class RunKind(models.TextChoices):
    """What differs between the variants of a run."""

    SEEDS = "seeds", _("Seeds")
    TEMPERATURES = "temperatures", _("Temperatures")
    MODELS = "models", _("Two models, voted on blindly")


class RunStep(models.TextChoices):
    """How a run came from a variant of an earlier one."""

    FIRST = "first", _("first run")
    AGAIN = "again", _("written again")
    BRANCH = "branch", _("changed")
    REPEAT = "repeat", _("repeated exactly")


class Run(TenantModel):  # type: ignore[django-manager-missing]
    """One request with its variants. `parent` is the variant from which it came, and `root` the first run of the tree.

    What was asked stands in the variants' generations.
    """

    kind = models.CharField(max_length=12, choices=RunKind.choices)
    step = models.CharField(max_length=6, choices=RunStep.choices, default=RunStep.FIRST)
    title = models.CharField(max_length=80, blank=True)
    parent = TenantForeignKey("studio.Variant", on_delete=models.SET_NULL, null=True, related_name="runs")
    root = models.UUIDField(editable=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    api_key = TenantForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "-id"], name="run_newest"),
            models.Index(fields=["organization", "root"], name="run_of_tree"),
        ]

    def __str__(self) -> str:
        return self.title or f"run {self.id}"

    @property
    def is_blind(self) -> bool:
        return self.kind == RunKind.MODELS


class Variant(TenantModel):  # type: ignore[django-manager-missing]
    """One of a run's texts, at its place from the left; of two models, chance decides which is where."""

    run = TenantForeignKey(Run, on_delete=models.CASCADE, related_name="variants")
    position = models.PositiveSmallIntegerField()
    generation = TenantForeignKey(Generation, on_delete=models.SET_NULL, null=True, related_name="+")
    # Kept beside the text, which retention may remove: votes count for a model as long as the run exists.
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "run", "position"], name="variant_at_its_place")]
        indexes = [models.Index(fields=["generation"], name="variant_of_generation")]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.position}"

    @property
    def letter(self) -> str:
        return chr(ord("A") + self.position)


class Verdict(models.TextChoices):
    BETTER = "better", _("One is better")
    TIE = "tie", _("Both are equally good")
    NEITHER = "neither", _("Neither is any good")


class Opinion(TenantModel):
    """What somebody, or a program, thinks, and why: words from a list, and their own."""

    reasons = ArrayField(models.CharField(max_length=20), default=list)
    comment = models.TextField(blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    api_key = TenantForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        abstract = True


class RunVote(Opinion):
    """A blind vote on a run of two models; it stays as it was given."""

    run = TenantForeignKey(Run, on_delete=models.CASCADE, related_name="votes")
    verdict = models.CharField(max_length=7, choices=Verdict.choices)
    winner = TenantForeignKey(Variant, on_delete=models.CASCADE, null=True, related_name="+")

    class Meta(Opinion.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "run", "created_by"], name="run_vote_of_person"),
            models.UniqueConstraint(fields=["organization", "run", "api_key"], name="run_vote_of_key"),
            models.CheckConstraint(
                condition=Q(verdict=Verdict.BETTER, winner__isnull=False)
                | (~Q(verdict=Verdict.BETTER) & Q(winner__isnull=True)),
                name="run_vote_names_winner",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.run_id}"


class Feedback(Opinion):
    """A thumb up (1) or down (-1) for a text, wherever it was written."""

    UP: ClassVar[int] = 1
    DOWN: ClassVar[int] = -1

    generation = TenantForeignKey(Generation, on_delete=models.CASCADE, related_name="feedback")
    rating = models.SmallIntegerField()

    class Meta(Opinion.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "generation", "created_by"], name="feedback_of_person"),
            models.UniqueConstraint(fields=["organization", "generation", "api_key"], name="feedback_of_key"),
            models.CheckConstraint(condition=Q(rating__in=(-1, 1)), name="feedback_up_or_down"),
        ]

    def __str__(self) -> str:
        return f"{self.rating:+d} {self.generation_id}"


class Favourite(TenantModel):
    """A text that somebody wants to find again."""

    generation = TenantForeignKey(Generation, on_delete=models.CASCADE, related_name="favourites")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "generation", "user"], name="favourite_once"),
        ]
        indexes = [models.Index(fields=["organization", "user", "-created_at"], name="favourites_of_person")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.generation_id}"

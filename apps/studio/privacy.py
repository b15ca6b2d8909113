"""What the studio stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor, ActorKind
from apps.core import tenancy
from apps.core.datakinds import FOREVER, Basis, DataKind, Erasing, OnErasure, Retention, Texts
from apps.core.jobs import TERMINAL
from apps.studio.bulk_privacy import BULK_KINDS
from apps.studio.chat_privacy import KINDS as CHAT_KINDS
from apps.studio.documents_privacy import DOCUMENT_KINDS
from apps.studio.models import Generation
from apps.studio.services import cancel_generation
from apps.studio.services.bulk.progress import note_outcomes
from apps.studio.services.conversations.indexing import forget_answers

BATCH = 500


def erase_generations(erasing: Erasing) -> int:
    """Takes the person's name off what they asked for, with the texts erased too if that was chosen; what still runs is
    told to stop and keeps its name until a later call.

    The charges stay: they stand in the ledger, without a name.
    """
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    stopper = Actor(
        erasing.organization_id, frozenset({"generations:write"}), name=erasing.pseudonym, kind=ActorKind.SYSTEM
    )
    with tenancy.scope(erasing.organization_id):
        running = list(
            Generation.objects.filter(created_by=erasing.person_id).unfinished().values_list("id", flat=True)
        )
    for id in running:
        cancel_generation(stopper, id)
    emptied: dict[str, Any] = {}
    if erasing.texts == Texts.ERASE:
        emptied = {"messages": [], "prompt": "", "brief": None, "variables": None, "text": "", "originals": ""}
    changed = 0
    while True:
        with tenancy.scope(erasing.organization_id):
            ended = Generation.objects.filter(created_by=erasing.person_id, status__in=TERMINAL)
            batch = list(ended.order_by("id").values_list("id", flat=True)[:BATCH])
            changed += Generation.objects.filter(id__in=batch).update(created_by=None, **emptied)
        if len(batch) < BATCH:
            return changed


def before_removal(generations: Sequence[UUID]) -> None:
    """What is kept of texts that go, and what goes with them."""
    note_outcomes(generations)
    forget_answers(generations)


KINDS = (
    DataKind(
        name="generations",
        label=_("Generations"),
        model="studio.Generation",
        what=_("What people and programs asked for, and the texts that were written: prompt, brief, settings, answer."),
        why=_("It is the service: texts can be read again, repeated and accounted for."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.CHOICE,
        erase=erase_generations,
        retention=Retention(
            least=1, most=3650, since="finished_at", only={"status__in": sorted(TERMINAL)}, leaving=before_removal
        ),
    ),
    DataKind(
        name="templates",
        label=_("Templates"),
        model="studio.Template",
        what=_("What prompts with variables are called, who sees them, and who began them."),
        why=_("Members write with them."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        retention=FOREVER,
    ),
    DataKind(
        name="template_versions",
        label=_("Versions of templates"),
        model="studio.TemplateVersion",
        what=_("The prompts themselves with their variables and settings, each as it was, and who wrote it."),
        why=_("Every text can be traced back to the words that asked for it."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        retention=FOREVER,
    ),
    DataKind(
        name="template_approvals",
        label=_("Approvals of templates"),
        model="studio.TemplateApproval",
        what=_("Who has approved which version, when, with a remark."),
        why=_("Only what was approved goes into production."),
        basis=Basis.CONTRACT,
        people=("approved_by",),
        also=("approved_by__email",),
        erasure=OnErasure.DETACH,
        retention=FOREVER,
    ),
    DataKind(
        name="template_labels",
        label=_("Labels of templates"),
        model="studio.TemplateLabel",
        what=_("Which version is called by which label, and who put it there."),
        why=_("Programs call templates by label."),
        basis=Basis.CONTRACT,
        people=("moved_by",),
        also=("moved_by__email",),
        erasure=OnErasure.DETACH,
        retention=FOREVER,
    ),
    DataKind(
        name="template_teams",
        label=_("Teams that templates are shared with"),
        model="studio.TemplateTeam",
        what=_("Which teams see which templates."),
        why=_("A template can be for chosen teams alone."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="template_settings",
        label=_("Rules for templates"),
        model="studio.TemplateSettings",
        what=_("Whether somebody else has to approve a version."),
        why=_("The organization has chosen it."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="page_texts",
        label=_("Fetched pages"),
        model="studio.PageText",
        what=_("Texts of pages on the web that were to fill in a template, as they were when they were fetched."),
        why=_("The page's own server need not be asked again within minutes."),
        basis=Basis.CONTRACT,
        retention=Retention(words=_("a day"), days=1, since="finished_at", only={"status__in": sorted(TERMINAL)}),
    ),
    DataKind(
        name="voices",
        label=_("Brand voices"),
        model="studio.BrandVoice",
        what=_("What brand voices are called, and who began them."),
        why=_("Texts are written in them."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        retention=FOREVER,
    ),
    DataKind(
        name="voice_versions",
        label=_("Versions of brand voices"),
        model="studio.BrandVoiceVersion",
        what=_("The rules and samples of a voice as they were, what the samples measure, and who wrote it."),
        why=_("Every text can be traced back to the voice that it was written in."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        retention=FOREVER,
    ),
    *CHAT_KINDS,
    *DOCUMENT_KINDS,
    *BULK_KINDS,
    DataKind(
        name="safety_policies",
        label=_("Safety rules"),
        model="studio.SafetyPolicy",
        what=_("What is looked for in prompts and outputs, in each version, and who set it."),
        why=_("Texts are checked by it, and can be traced back to what was in force."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        retention=FOREVER,
    ),
    DataKind(
        name="safety_classifiers",
        label=_("Safety classifiers"),
        model="studio.SafetyClassifier",
        what=_("What was learned from examples, as numbers, and how well it does; the examples only until then."),
        why=_("Texts are scored by it."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        retention=FOREVER,
    ),
)

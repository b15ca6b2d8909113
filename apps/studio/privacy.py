"""What the studio stores."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor, ActorKind
from apps.core import tenancy
from apps.core.datakinds import Basis, DataKind, Erasing, OnErasure, Retention, Texts
from apps.core.jobs import TERMINAL
from apps.studio.models import Generation
from apps.studio.services import cancel_generation

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
        emptied = {"messages": [], "prompt": "", "brief": None, "text": ""}
    changed = 0
    while True:
        with tenancy.scope(erasing.organization_id):
            ended = Generation.objects.filter(created_by=erasing.person_id, status__in=TERMINAL)
            batch = list(ended.order_by("id").values_list("id", flat=True)[:BATCH])
            changed += Generation.objects.filter(id__in=batch).update(created_by=None, **emptied)
        if len(batch) < BATCH:
            return changed


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
        retention=Retention(least=1, most=3650, since="finished_at", only={"status__in": sorted(TERMINAL)}),
    ),
)

"""What was learned from contacts goes with them: their examples, the rows made of these, and what was said of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.accounts import audit
from apps.accounts.models import Organization
from apps.core import events, tenancy
from apps.core.tenancy.removal import removing
from apps.support.models import Conversation, Dataset, DialogueModel, IntentExample, TrainingRun
from apps.support.services.learning.freezing import digest_of


def hold_organization() -> None:
    """So that nobody freezes a data set, nor changes who works here, while conversations go; before any of those."""
    Organization.objects.select_for_update(no_key=True).get(pk=tenancy.current_organization())


def forget_conversations(ids: Sequence[UUID]) -> None:
    """The same for conversations that are about to go because their time is over; their rows are held first."""
    hold_organization()
    held = Conversation.objects.select_for_update(of=("self",)).filter(pk__in=ids).order_by("id")
    forget_marked(held.values_list("pk", flat=True))


def forget_marked(conversations: Iterable[UUID]) -> None:
    """Removes what was learned from these conversations, which are held, in scope, behind `hold_organization`.

    Models that have learned from it stay, and say so: only training anew makes them forget.
    """
    ids = [str(each) for each in conversations]
    examples = IntentExample.objects.filter(record__conversation__in=ids)
    gone = {str(each) for each in examples.values_list("pk", flat=True)}
    for found in _holding(ids, gone):
        _shorten(found, ids, gone)
    examples.delete()


def _holding(conversations: Sequence[str], examples: Iterable[str]) -> list[Dataset]:
    """Data sets with rows from these conversations; those of before origins were recorded are known by the examples."""
    wanted = Q(origins__has_any_keys=list(conversations))
    for example in examples:
        wanted |= Q(origins__isnull=True, rows__contains=[[example]])
    return list(Dataset.objects.filter(wanted).order_by("number"))


def _shorten(found: Dataset, conversations: Sequence[str], examples: Iterable[str]) -> None:
    """The data set without those rows, under a hash of what is left: nothing that is frozen anew is taken for it.

    The application may not change a data set; it is removed by the role that may, and written anew under its id.
    """
    origins = dict(found.origins or {})
    gone = {*examples, *(id for each in conversations for id in origins.pop(each, ()))}
    kept = [row for row in found.rows if row[0] not in gone]
    erased = len(found.rows) - len(kept)
    if not erased:
        return
    before = found.sha256
    with removing(found.organization_id):
        rows = Dataset.objects.filter(pk=found.pk)
        rows._raw_delete(rows.db)
    found.rows, found.erased = kept, found.erased + erased
    found.origins = None if found.origins is None else origins
    found.test_count = sum(1 for row in kept if row[3])
    found.train_count = len(kept) - found.test_count
    found.sha256 = digest_of(kept, found.number, found.erased)
    found.save(force_insert=True)
    for run in TrainingRun.objects.select_for_update(of=("self",)).filter(dataset=found).order_by("id"):
        TrainingRun.objects.filter(pk=run.pk).update(doubts=[each for each in run.doubts if each["id"] not in gone])
    models = DialogueModel.objects.filter(run__dataset=found).order_by("number").values_list("number", flat=True)
    numbers = list(models)
    facts: dict[str, Any] = {"rows": erased, "models": ", ".join(f"m{each}" for each in numbers), "sha256": before}
    audit.record(audit.system(found.organization_id), "dataset.shortened", found, number=found.number, **facts)
    events.record("dataset.shortened", found.pk, {"number": found.number, "rows": erased, "models": len(numbers)})

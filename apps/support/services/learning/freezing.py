"""A data set: the examples as they are at a moment, under their hash, with which of them come from whom."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Max

from apps.support.errors_bot import ExamplesMissing
from apps.support.models import Dataset, IntentExample
from ml.dialogue.types import OUTSIDE

# Fewer than this on average, and nothing can be held back for the temperature.
LEAST_EACH = 4


def frozen(organization_id: UUID) -> Dataset:
    """The examples as they are now, under their hash: the same examples are the same data set. The organization's row
    is held.
    """
    names = ("id", "text", "intent", "is_test", "slots", "record__conversation")
    rows, origins = list[list[Any]](), defaultdict[str, list[str]](list)
    for id, text, intent, test, slots, conversation in IntentExample.objects.order_by("text").values_list(*names):
        # Without marks a row is as it ever was, and so is its hash.
        rows.append([str(id), text, intent, bool(test), *([slots] if slots else [])])
        if conversation is not None:
            origins[str(conversation)].append(str(id))
    learned = Counter(row[2] for row in rows if not row[3])
    tested = sum(1 for row in rows if row[3])
    inside = {intent: count for intent, count in learned.items() if intent != OUTSIDE}
    if len(inside) < 2 or sum(inside.values()) < LEAST_EACH * len(inside):
        raise ExamplesMissing("At least two intents with four examples on average are needed to learn from.")
    if not tested:
        raise ExamplesMissing("Nothing is left to measure on: add more examples.")
    number = (Dataset.objects.aggregate(most=Max("number"))["most"] or 0) + 1
    values = {"number": number, "rows": rows, "train_count": len(rows) - tested, "test_count": tested}
    found: Dataset = Dataset.objects.get_or_create(
        organization_id=organization_id, sha256=digest_of(rows, origins), defaults=values | {"origins": dict(origins)}
    )[0]
    return found


def digest_of(rows: Sequence[Sequence[Any]], *more: Any) -> str:
    """The hash of the examples, and of what else tells two data sets apart, if there is any."""
    told = [list(row[1:]) for row in rows] + [each for each in more if each]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()

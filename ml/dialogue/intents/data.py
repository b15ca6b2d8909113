"""Examples of intents: reading them, and parting them so that nothing is chosen on what it is measured on."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ml.dialogue.types import OUTSIDE, DialogueError, Example


def read_csv(path: Path) -> list[Example]:
    """Examples of a file with the columns text and category; raises DialogueError with the line that is wrong."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if not {"text", "category"} <= set(rows.fieldnames or ()):
            raise DialogueError(f"{path.name} needs the columns text and category")
        found = []
        for row in rows:
            text, label = (row["text"] or "").strip(), (row["category"] or "").strip()
            if not text or not label:
                raise DialogueError(f"{path.name}, line {rows.line_num}: a text or its category is missing")
            found.append(Example(text, label))
    return found


def few(examples: Sequence[Example], per_intent: int, seed: int = 0) -> list[Example]:
    """So many of each intent, drawn at random; what is out of scope stays."""
    drawn: list[Example] = []
    for label, group in sorted(_by_label(examples).items()):
        drawn += (
            group if label == OUTSIDE else random.Random(f"{seed} {label}").sample(group, min(per_intent, len(group)))
        )
    return drawn


def parted(examples: Sequence[Example], share: float, seed: int = 0) -> tuple[list[int], list[int]]:
    """Places of the greater part and of a share of each intent, at least one where it has more than two."""
    kept, held = list[int](), list[int]()
    places = defaultdict[str, list[int]](list)
    for place, example in enumerate(examples):
        places[example.label].append(place)
    for label, group in sorted(places.items()):
        random.Random(f"{seed} {label}").shuffle(group)
        count = max(1, round(share * len(group))) if len(group) > 2 else 0
        held += group[:count]
        kept += group[count:]
    return sorted(kept), sorted(held)


def labels_of(examples: Iterable[Example]) -> list[str]:
    """The intents, in the order of the alphabet, without what is out of scope."""
    return sorted({example.label for example in examples} - {OUTSIDE})


def _by_label(examples: Sequence[Example]) -> dict[str, list[Example]]:
    found = defaultdict[str, list[Example]](list)
    for example in examples:
        found[example.label].append(example)
    return found

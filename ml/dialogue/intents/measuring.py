"""What a model is worth: measured on questions that it has not seen, and which of its examples are doubtful."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ml.dialogue.intents.calibration import Point, calibration_error, threshold_curve
from ml.dialogue.intents.data import labels_of
from ml.dialogue.intents.encoder import SentenceEncoder
from ml.dialogue.intents.labels import Suspect, label_errors, out_of_fold
from ml.dialogue.intents.linear import fit
from ml.dialogue.intents.model import IntentModel
from ml.dialogue.types import OUTSIDE, Example

FOLDS, PENALTY = 5, 0.03


@dataclass(frozen=True, slots=True)
class Measured:
    """Shares from 0 to 1. `accuracy` and `calibration_error` are over questions in scope, whatever the threshold.

    At the model's threshold: `kept` in scope are answered, `wrong` of all are answered wrongly, and `outside_answered`
    of what is out of scope (None without such questions). `recall` is by intent, with how many questions it rests on;
    `confusions` are (meant, read, how often), the most frequent first.
    """

    questions: int
    accuracy: float
    calibration_error: float
    kept: float
    wrong: float
    outside_answered: float | None
    curve: Sequence[Point]
    recall: dict[str, tuple[float, int]]
    confusions: Sequence[tuple[str, str, int]]


def measured(model: IntentModel, examples: Sequence[Example]) -> Measured:
    """The model on examples that it was not shown; those of intents that it does not know count as read wrongly."""
    parts = model.parts([example.text for example in examples])
    probabilities = model.probabilities(parts)
    limit = model.detector.threshold if model.detector else 1.0
    far = model.outside(parts) > limit
    highest, guessed = probabilities.max(1)
    places = {label: place for place, label in enumerate(model.labels)}
    meant = torch.tensor([places.get(example.label, -1) for example in examples])
    inside = torch.tensor([example.label != OUTSIDE for example in examples])
    right = guessed == meant
    confidence = highest.masked_fill(far, 0.0)
    answered = confidence >= model.accept
    known = inside & (meant >= 0)
    outside = ~inside
    return Measured(
        questions=len(examples),
        accuracy=_share(right, inside),
        calibration_error=calibration_error(probabilities[known], meant[known]) if bool(known.any()) else 0.0,
        kept=_share(answered, inside),
        wrong=_share(answered & ~right, torch.ones_like(inside)),
        outside_answered=_share(answered, outside) if bool(outside.any()) else None,
        curve=threshold_curve(confidence, right),
        recall=_recall(examples, right),
        confusions=_confusions(examples, [model.labels[place] for place in guessed.tolist()]),
    )


def doubted(
    examples: Sequence[Example], folder: Path | None = None, told: Callable[[float], None] | None = None
) -> Sequence[tuple[Suspect, str]]:
    """Examples in scope that probably bear the wrong intent, with the one that is likelier; places are of `examples`.

    Each is judged by heads that have not seen it, on the untouched encoder. Fewer than two intents are not judged.
    """
    labels = labels_of(examples)
    kept = [place for place, example in enumerate(examples) if example.label != OUTSIDE]
    if len(labels) < 2 or len(kept) < 2 * FOLDS:
        return []
    encoder = SentenceEncoder(folder, 0)
    (sentences,) = encoder.sentences(encoder.lower([examples[place].text for place in kept]), encoder.upper)
    places = {label: place for place, label in enumerate(labels)}
    given = torch.tensor([places[examples[place].label] for place in kept])
    done = 0

    def judge(learned: list[int], judged: list[int]) -> Tensor:
        nonlocal done
        found = fit(sentences[learned], given[learned], len(labels), PENALTY).scores(sentences[judged]).softmax(1)
        done += 1
        if told:
            told(done / FOLDS)
        return found

    suspects = label_errors(out_of_fold(len(kept), FOLDS, judge), given)
    return [
        (Suspect(kept[each.place], each.given, each.suggested, each.doubt), labels[each.suggested]) for each in suspects
    ]


def _share(of: Tensor, among: Tensor) -> float:
    return float(of[among].float().mean()) if bool(among.any()) else 0.0


def _recall(examples: Sequence[Example], right: Tensor) -> dict[str, tuple[float, int]]:
    found = defaultdict[str, list[bool]](list)
    for example, is_right in zip(examples, right.tolist(), strict=True):
        if example.label != OUTSIDE:
            found[example.label].append(is_right)
    return {label: (sum(each) / len(each), len(each)) for label, each in sorted(found.items())}


def _confusions(examples: Sequence[Example], guessed: Sequence[str]) -> Sequence[tuple[str, str, int]]:
    counted = Counter(
        (example.label, guess)
        for example, guess in zip(examples, guessed, strict=True)
        if example.label not in {guess, OUTSIDE}
    )
    return [(meant, read, count) for (meant, read), count in counted.most_common(20)]

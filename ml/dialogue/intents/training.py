"""From examples to an intent model: every choice is made on a part of them that was held back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from ml.dialogue.intents import outside as outsiders
from ml.dialogue.intents.calibration import temperature_of
from ml.dialogue.intents.data import labels_of, parted
from ml.dialogue.intents.encoder import SentenceEncoder
from ml.dialogue.intents.labels import out_of_fold
from ml.dialogue.intents.lexical import Lexicon
from ml.dialogue.intents.linear import Linear, fit
from ml.dialogue.intents.model import IntentModel, Parts, both_signs, tuned_scores, tuned_signs
from ml.dialogue.intents.outside import DOUBTED, Detector, Known, Sees, View
from ml.dialogue.intents.tuning import Lessons, Recipe, tune
from ml.dialogue.types import OUTSIDE, DialogueError, Example

Told = Callable[[str, float], None]
# Up to so many examples the encoder is tuned a second time on all of them: with few, the held part is missed.
AGAIN = 3_000
# The nearest examples are looked for among so many of each intent.
KNOWN_EACH = 40
FOLDS = 5
# Margins of the words' part, so many times, are odds.
HINGE_WARMTH = 3.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model is made; the numbers were found on parts of training data that were held back.

    Penalties are those of the linear parts. `held` is the share that choices are made on. With `refit` the head is
    fitted anew on the tuned encoder, and `neighbours` weighs the nearest examples beside it: both help where examples
    are few, and do harm where they are many. A label is believed to `believed`; for the rest counts what is guessed by
    models that have not seen the example, for of many labels some are wrong. `kept` is the share of questions in scope
    that the detector lets through.
    """

    recipe: Recipe = field(default_factory=Recipe)
    tuned_layers: int = 3
    frozen_penalty: float = 0.03
    lexical_penalty: float = 0.5
    refit: bool = False
    neighbours: float = 0.0
    believed: float = 1.0
    held: float = 0.05
    kept: float = 0.86
    seed: int = 0


FULL = Plan(recipe=Recipe(epochs=5, pull=0.0, smoothing=0.0), believed=0.6)
FEW = Plan(
    recipe=Recipe(epochs=6, batch=60, rate=5e-5, pull=1.0, group=5),
    tuned_layers=6,
    refit=True,
    neighbours=0.5,
    held=0.2,
)
# The logistic head on the untouched encoder, with the nearest examples beside it: nothing is tuned, in seconds.
HEAD = Plan(recipe=Recipe(epochs=0), tuned_layers=1, neighbours=0.5, held=0.2)
# The probability from which an intent is acted on; the temperature makes it mean what it says.
ACCEPT = 0.5


def plan_for(examples: Sequence[Example]) -> Plan:
    """The plan that does well with so many examples."""
    return FEW if len(examples) <= AGAIN else FULL


@dataclass(frozen=True)
class _Rows:
    """Examples as tensors: hidden states, sentences of the untouched encoder, places of the labels."""

    texts: list[str]
    hidden: list[Tensor]
    sentences: Tensor
    labels: Tensor

    def at(self, places: Sequence[int]) -> _Rows:
        chosen = list(places)
        return _Rows(
            [self.texts[place] for place in chosen],
            [self.hidden[place] for place in chosen],
            self.sentences[chosen],
            self.labels[chosen],
        )


@dataclass(frozen=True)
class _Fitted:
    upper: nn.ModuleList
    lexicon: Lexicon
    lexical: Linear
    frozen: Linear
    tuned: Linear
    known: Known
    neighbours: float


def train(
    examples: Sequence[Example], plan: Plan | None = None, folder: Path | None = None, told: Told | None = None
) -> IntentModel:
    """A calibrated model with a detector; raises DialogueError if there is not enough to learn from.

    `folder` is that of another BERT encoder. `told` hears the stage and its share from 0 to 1, and may raise to stop.
    """
    plan = plan or plan_for(examples)
    torch.manual_seed(plan.seed)
    labels = labels_of(examples)
    inside = [example for example in examples if example.label != OUTSIDE]
    if len(labels) < 2 or len(inside) < 4 * len(labels):
        raise DialogueError("there must be at least two intents with four examples on average")
    tell = told or (lambda stage, share: None)
    encoder = SentenceEncoder(folder, plan.tuned_layers)
    tell("encode", 0.0)
    rows = _rows(inside, labels, encoder)
    kept, held = parted(inside, plan.held, plan.seed)
    learned, judged = rows.at(kept), rows.at(held)
    fitted = _fit(learned, encoder, plan, len(labels), lambda share: tell("tune", share))
    parts = _parts(judged.hidden, judged.texts, encoder, fitted)
    temperature = temperature_of(parts.tuned, judged.labels)
    far = [example.text for example in examples if example.label == OUTSIDE]
    if far:
        beyond = _parts(encoder.lower(far), far, encoder, fitted)
        detector = _detector(parts, beyond, temperature, fitted.known, plan)
    else:
        tell("detect", 0.0)
        detector = _detector_without_questions_outside(rows, plan, len(labels))
    if len(inside) <= AGAIN:
        fitted = _fit(rows, encoder, plan, len(labels), lambda share: tell("tune again", share))
    tell("done", 1.0)
    return IntentModel(
        labels=tuple(labels), encoder=encoder, upper=fitted.upper, lexicon=fitted.lexicon, tuned=fitted.tuned,
        frozen=fitted.frozen, lexical=fitted.lexical, temperature=temperature, known=fitted.known,
        neighbours=plan.neighbours, detector=detector, accept=ACCEPT,
    )  # fmt: skip


def _rows(examples: Sequence[Example], labels: Sequence[str], encoder: SentenceEncoder) -> _Rows:
    texts = [example.text for example in examples]
    hidden = encoder.lower(texts)
    (sentences,) = encoder.sentences(hidden, encoder.upper)
    places = {label: place for place, label in enumerate(labels)}
    return _Rows(texts, hidden, sentences, torch.tensor([places[example.label] for example in examples]))


def _fit(rows: _Rows, encoder: SentenceEncoder, plan: Plan, classes: int, told: Callable[[float], None]) -> _Fitted:
    """The tuned upper layers, and all linear parts."""
    upper, lexicon = encoder.upper_copy(), Lexicon.learn(rows.texts)
    frozen = fit(rows.sentences, rows.labels, classes, plan.frozen_penalty)
    lessons = Lessons(rows.hidden, rows.labels, _likely(rows, plan, classes, told))
    head = tune(lessons, upper, frozen, plan.recipe, told)
    if plan.refit:
        (sentences,) = encoder.sentences(rows.hidden, upper)
        head = fit(sentences, rows.labels, classes, plan.frozen_penalty)
    nearest = rows.at(_some_of_each(rows.labels))
    (sentences,) = encoder.sentences(nearest.hidden, upper)
    return _Fitted(
        upper,
        lexicon,
        fit(lexicon.encode(rows.texts), rows.labels, classes, plan.lexical_penalty, "hinge"),
        frozen,
        head,
        Known((sentences, nearest.sentences), nearest.labels),
        plan.neighbours,
    )


def _likely(rows: _Rows, plan: Plan, classes: int, told: Callable[[float], None]) -> Tensor | None:
    """How likely each example is of each intent: what its label says, and what is guessed of it without it."""
    if plan.believed == 1.0:
        return None

    def judge(learned: list[int], judged: list[int]) -> Tensor:
        # Nothing is tuned yet; whoever listens may want to stop.
        told(0.0)
        return _guessed(rows.at(learned), rows.at(judged), plan, classes)

    said = nn.functional.one_hot(rows.labels, classes).float()
    return plan.believed * said + (1 - plan.believed) * out_of_fold(len(rows.texts), FOLDS, judge, plan.seed)


def _guessed(learned: _Rows, judged: _Rows, plan: Plan, classes: int) -> Tensor:
    """Probabilities by what is known without tuning: the untouched encoder and the words, as if independent."""
    lexicon = Lexicon.learn(learned.texts)
    lexical = fit(lexicon.encode(learned.texts), learned.labels, classes, plan.lexical_penalty, "hinge")
    frozen = fit(learned.sentences, learned.labels, classes, plan.frozen_penalty)
    by_words = HINGE_WARMTH * lexical.scores(lexicon.encode(judged.texts))
    return (frozen.scores(judged.sentences).log_softmax(1) + by_words.log_softmax(1)).softmax(1)


def _parts(hidden: Sequence[Tensor], texts: Sequence[str], encoder: SentenceEncoder, fitted: _Fitted) -> Parts:
    tuned, frozen = encoder.sentences(hidden, fitted.upper, encoder.upper)
    return Parts(
        tuned_scores(tuned, fitted.tuned, fitted.known, fitted.neighbours),
        fitted.frozen.scores(frozen),
        fitted.lexical.scores(fitted.lexicon.encode(texts)),
        tuned,
        frozen,
    )


def _some_of_each(labels: Tensor) -> list[int]:
    return [
        place
        for label in labels.unique().tolist()
        for place in (labels == label).nonzero().flatten().tolist()[:KNOWN_EACH]
    ]


def _detector(inside: Parts, beyond: Parts, temperature: float, known: Known, plan: Plan) -> Detector:
    """A detector from questions that the model has not seen, and questions out of scope.

    Few signs: many are fitted to the kinds of questions at hand, of which there are always others.
    """
    quick = [tuned_signs(each, temperature, known) for each in (inside, beyond)]
    if plan.recipe.epochs == 0:
        # Nothing was tuned: the untouched encoder says the same.
        return outsiders.learn(quick[0], quick[1], plan.kept, Sees.TUNED)
    first = outsiders.learn(quick[0], quick[1], 1 - DOUBTED, Sees.TUNED)
    signs = [both_signs(one, each, known) for one, each in zip(quick, (inside, beyond), strict=True)]
    second = outsiders.learn(signs[0], signs[1], plan.kept, Sees.BOTH)
    return outsiders.in_two_looks(first, second, quick[0], signs[0], plan.kept)


def _detector_without_questions_outside(rows: _Rows, plan: Plan, classes: int) -> Detector:
    """A detector from intents that are left out in turn, together with those that lie near them.

    Only the untouched encoder and the words can be judged so, for the tuned part has seen them all: the detector looks
    at those two alone.
    """
    named = [Example(text, str(int(label))) for text, label in zip(rows.texts, rows.labels, strict=True)]
    kept, held = parted(named, 0.2, plan.seed)
    learned, judged = rows.at(kept), rows.at(held)
    learned = learned.at(_some_of_each(learned.labels))
    inside, beyond = [], []
    for group in outsiders.groups_of(rows.sentences, rows.labels, classes):
        out = torch.zeros(classes, dtype=torch.bool)
        out[group] = True
        rest = learned.at((~out[learned.labels]).nonzero().flatten().tolist())
        signs = _signs_without_tuning(rest, judged, plan)
        inside.append(signs[~out[judged.labels]])
        beyond.append(signs[out[judged.labels]])
    return outsiders.learn(torch.cat(inside), torch.cat(beyond), plan.kept, Sees.UNTOUCHED)


def _signs_without_tuning(learned: _Rows, judged: _Rows, plan: Plan) -> Tensor:
    present, labels = learned.labels.unique(return_inverse=True)
    lexicon = Lexicon.learn(learned.texts)
    lexical = fit(lexicon.encode(learned.texts), labels, len(present), plan.lexical_penalty, "hinge")
    frozen = fit(learned.sentences, labels, len(present), plan.frozen_penalty)
    scores = (frozen.scores(judged.sentences), lexical.scores(lexicon.encode(judged.texts)))
    return outsiders.signs_of(View(scores, (judged.sentences,)), Known((learned.sentences,), labels))

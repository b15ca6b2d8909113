"""An intent model: a tuned encoder with a calibrated head, and beside it what is known without tuning."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ml.dialogue.intents.encoder import SentenceEncoder, as_halves
from ml.dialogue.intents.lexical import Lexicon
from ml.dialogue.intents.linear import Linear
from ml.dialogue.intents.outside import Detector, Known, Sees, View, nearest_signs, quick_signs, signs_of
from ml.dialogue.types import DialogueError, Ranked, Reading

FORMAT = 2
# Whose detectors looked at the tuned part with the words, or at the untouched encoder with them.
OLD_FORMAT = 1
# So many intents are named in a reading: two to ask about, and some for whoever takes over.
NAMED = 5
# How near an example has to be to count, as a difference of cosines.
KERNEL = 0.05


@dataclass(frozen=True)
class Parts:
    """What each part of the model says of texts: scores (texts, intents), sentences (texts, width).

    The intent is the tuned part's to say; the others are what is known without tuning, and tell what is out of scope.
    """

    tuned: Tensor
    frozen: Tensor
    lexical: Tensor
    tuned_sentences: Tensor
    frozen_sentences: Tensor


@dataclass(frozen=True)
class IntentModel:
    """Reads texts. `accept` is the probability from which an intent is acted on; both it and the detector's threshold
    were chosen on questions that the model had not seen.
    """

    labels: tuple[str, ...]
    encoder: SentenceEncoder
    upper: nn.ModuleList
    lexicon: Lexicon
    tuned: Linear
    frozen: Linear
    lexical: Linear
    temperature: float
    known: Known
    neighbours: float = 0.0
    detector: Detector | None = None
    accept: float = 0.5
    version: str = ""

    def halved(self) -> IntentModel:
        """The same that multiplies in bfloat16: about twice as quick on a processor that can, and slower on one that
        cannot. It is not for saving.
        """
        return replace(self, encoder=self.encoder.halved(), upper=as_halves(self.upper))

    @torch.no_grad()
    def parts(self, texts: Sequence[str]) -> Parts:
        hidden = self.encoder.lower(texts)
        tuned, frozen = self.encoder.sentences(hidden, self.upper, self.encoder.upper)
        return self._whole(texts, tuned, frozen)

    def _whole(self, texts: Sequence[str], tuned: Tensor, frozen: Tensor) -> Parts:
        scores = tuned_scores(tuned, self.tuned, self.known, self.neighbours)
        words = self.lexical.scores(self.lexicon.encode(texts))
        return Parts(scores, self.frozen.scores(frozen), words, tuned, frozen)

    @torch.no_grad()
    def _needed_parts(self, texts: Sequence[str]) -> Parts:
        """Without words, and without the untouched upper layers, where nothing looks at what they say."""
        sees = self.detector.sees if self.detector else Sees.TUNED
        if sees is Sees.UNTOUCHED:
            return self.parts(texts)
        hidden = self.encoder.lower(texts)
        (tuned,) = self.encoder.sentences(hidden, self.upper)
        if sees is Sees.WORDS:
            return self._whole(texts, tuned, torch.zeros_like(tuned))
        scores = tuned_scores(tuned, self.tuned, self.known, self.neighbours)
        parts = Parts(scores, torch.zeros_like(scores), torch.zeros_like(scores), tuned, torch.zeros_like(tuned))
        if (doubtful := self._doubtful(parts)) is not None:
            places = doubtful.nonzero().flatten().tolist()
            (found,) = self.encoder.sentences([hidden[place] for place in places], self.encoder.upper)
            parts.frozen_sentences[places] = found
        return parts

    def _doubtful(self, parts: Parts) -> Tensor | None:
        """Of which texts the untouched encoder has to say how near the examples are; None if of none."""
        first = self.detector.first if self.detector else None
        if first is None:
            return None
        doubt = first.outside(tuned_signs(parts, self.temperature, self.known))
        found = (doubt > first.threshold) & (doubt <= first.certain)
        return found if bool(found.any()) else None

    def probabilities(self, parts: Parts) -> Tensor:
        return (parts.tuned / self.temperature).softmax(1)

    def outside(self, parts: Parts) -> Tensor:
        """How likely each text is about nothing known, from 0 to 1; 0 where nobody has taught the model to tell."""
        found = self.detector
        if found is None:
            return torch.zeros(len(parts.tuned))
        if found.sees is Sees.UNTOUCHED:
            view = View((parts.frozen, parts.lexical), (parts.frozen_sentences,))
            return found.outside(signs_of(view, Known(self.known.sentences[1:], self.known.labels)))
        if found.sees is Sees.WORDS:
            view = View((parts.tuned / self.temperature, parts.lexical), (parts.tuned_sentences,))
            return found.outside(signs_of(view, Known(self.known.sentences[:1], self.known.labels)))
        quick = tuned_signs(parts, self.temperature, self.known)
        if found.first is None:
            return found.outside(quick)
        first, limit = found.first, found.threshold
        doubt = first.outside(quick)
        # What is surely in scope stays well below what only may be.
        within = doubt / max(first.threshold, 1e-6) * limit / 2
        told = torch.where(doubt > first.certain, doubt.clamp(min=(1 + limit) / 2), within)
        doubtful = (doubt > first.threshold) & (doubt <= first.certain)
        return torch.where(doubtful, found.outside(both_signs(quick, parts, self.known)), told)

    def read(self, texts: Sequence[str]) -> Sequence[Reading]:
        """A reading of each text, in their order."""
        if not texts:
            return []
        parts = self._needed_parts(texts)
        best = self.probabilities(parts).topk(min(NAMED, len(self.labels)), 1)
        outside = self.outside(parts).tolist()
        limit = self.detector.threshold if self.detector else 1.0
        return [
            Reading(
                tuple(Ranked(self.labels[place], value) for place, value in zip(places, values, strict=True)),
                far,
                far > limit,
            )
            for places, values, far in zip(best.indices.tolist(), best.values.tolist(), outside, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Weights as safetensors, everything else as JSON; the encoder's own weights stay where they are."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"upper.{name}": value.contiguous() for name, value in self.upper.state_dict().items()}
        for name in ("tuned", "frozen", "lexical"):
            part: Linear = getattr(self, name)
            tensors |= {f"{name}.weights": part.weights.contiguous(), f"{name}.bias": part.bias}
        tensors |= {f"known.{place}": each.contiguous() for place, each in enumerate(self.known.sentences)}
        tensors["known.labels"] = self.known.labels
        for prefix, detector in (("detector", self.detector), ("first", self.detector and self.detector.first)):
            for name in ("mean", "deviation", "weights") if detector else ():
                tensors[f"{prefix}.{name}"] = getattr(detector, name).contiguous()
        save_file(tensors, folder / "intents.safetensors")
        (folder / "intents.json").write_text(json.dumps(self._facts(), ensure_ascii=False), encoding="utf-8")

    def _facts(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": self.version,
            "labels": self.labels,
            "tuned_layers": len(self.upper),
            "lexicon": {"features": self.lexicon.features, "weights": self.lexicon.weights},
            "temperature": self.temperature,
            "neighbours": self.neighbours,
            "detector": _numbers(self.detector),
            "first": _numbers(self.detector.first if self.detector else None),
            "accept": self.accept,
        }

    @classmethod
    def load(cls, folder: Path, encoder_folder: Path | None = None) -> IntentModel:
        """A model as it was saved, on the encoder that it was trained on; raises DialogueError."""
        try:
            facts = json.loads((folder / "intents.json").read_text(encoding="utf-8"))
            tensors = load_file(folder / "intents.safetensors")
            if facts["format"] not in (OLD_FORMAT, FORMAT):
                raise DialogueError(f"{folder} is of format {facts['format']}, and {FORMAT} is read here")
            return cls._of(facts, tensors, SentenceEncoder(encoder_folder, facts["tuned_layers"]))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise DialogueError(f"{folder} holds no intent model: {error}") from error

    @classmethod
    def _of(cls, facts: dict[str, Any], tensors: dict[str, Tensor], encoder: SentenceEncoder) -> IntentModel:
        upper = encoder.upper_copy()
        upper.load_state_dict({name[6:]: value for name, value in tensors.items() if name.startswith("upper.")})
        parts = {
            name: Linear(tensors[f"{name}.weights"], tensors[f"{name}.bias"]) for name in ("tuned", "frozen", "lexical")
        }
        places = sorted(name for name in tensors if name.startswith("known.") and name != "known.labels")
        detector = _detector(facts["detector"], tensors, "detector")
        if detector and facts.get("first"):
            detector = replace(detector, first=_detector(facts["first"], tensors, "first"))
        return cls(
            labels=tuple(facts["labels"]),
            encoder=encoder,
            upper=upper,
            lexicon=Lexicon(facts["lexicon"]["features"], facts["lexicon"]["weights"]),
            tuned=parts["tuned"],
            frozen=parts["frozen"],
            lexical=parts["lexical"],
            temperature=facts["temperature"],
            neighbours=facts["neighbours"],
            known=Known(tuple(tensors[name] for name in places), tensors["known.labels"]),
            detector=detector,
            accept=facts["accept"],
            version=facts["version"],
        )


def tuned_scores(sentences: Tensor, head: Linear, known: Known, neighbours: float) -> Tensor:
    """(texts, intents): the head's, and how dense examples of each intent lie around a text, so much more weighed.

    With few examples the head has hardly learned where an intent ends, and the nearest of them say it better.
    """
    scores = head.scores(sentences)
    if not neighbours:
        return scores
    nearness = ((sentences @ known.sentences[0].T - 1) / KERNEL).exp()
    density = torch.zeros_like(scores).index_add_(1, known.labels, nearness)
    return scores + neighbours * density.clamp(min=1e-12).log()


def tuned_signs(parts: Parts, temperature: float, known: Known) -> Tensor:
    """What a quick look sees: the tuned part."""
    return quick_signs(parts.tuned / temperature, parts.tuned_sentences, known.sentences[0])


def both_signs(quick: Tensor, parts: Parts, known: Known) -> Tensor:
    """The same, and the nearest examples by the untouched encoder."""
    return torch.cat([quick, nearest_signs(parts.frozen_sentences, known.sentences[1])], 1)


def _numbers(detector: Detector | None) -> list[Any]:
    return [detector.bias, detector.threshold, detector.sees, detector.certain] if detector else []


def _detector(facts: list[Any], tensors: dict[str, Tensor], prefix: str) -> Detector | None:
    if not facts:
        return None
    bias, threshold, sees, *certain = facts
    if isinstance(sees, bool):
        sees = Sees.WORDS if sees else Sees.UNTOUCHED
    mean, deviation, weights = (tensors[f"{prefix}.{name}"] for name in ("mean", "deviation", "weights"))
    return Detector(mean, deviation, weights, bias, threshold, Sees(sees), None, *certain)

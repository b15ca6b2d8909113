"""Intents: accuracy, calibration and questions out of scope, on any data set with the columns text and category.

    python -m bench.intents --train CSV --test CSV [--per-intent 10] --json FILE

Three rows: words alone, the untouched encoder with a logistic head, and the whole model with the tuned encoder. Every
choice is made on a part of the training file; the test file is read once. Questions of the category `oos` are out of
scope. Where the files have none, a split is made for them: intents are taken out in groups that lie near each other,
and a model is trained without them. Test questions of some groups are what is out of scope; training questions of the
others stand for what a bank has collected of such questions, and share no intent with the former.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench import output
from bench.speed.machine import describe
from ml.dialogue.intents.calibration import calibration_error, threshold_curve
from ml.dialogue.intents.data import few, labels_of, read_csv
from ml.dialogue.intents.encoder import SentenceEncoder
from ml.dialogue.intents.model import IntentModel, Parts
from ml.dialogue.intents.outside import groups_of
from ml.dialogue.intents.training import Plan, plan_for, train
from ml.dialogue.types import OUTSIDE, DialogueError, Example

PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "data" / "banking77"
# Of the intents, those that are taken out to test with, and those to train with.
TESTED, COLLECTED = 0.15, 0.15


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    try:
        training, test = read_csv(options.train), read_csv(options.test)
    except (OSError, DialogueError) as error:
        print(f"{error}\nName the files with --train and --test.", file=sys.stderr)
        return 2
    if options.per_intent:
        training = few(training, options.per_intent, options.seed)
    plan = replace(plan_for(training), seed=options.seed)
    started = time.monotonic()
    model = train(training, plan, options.encoder, _progress)
    seconds = time.monotonic() - started
    result: dict[str, Any] = {"machine": describe(), "training": len(training), "seconds": round(seconds)}
    result |= _accuracy(model, [example for example in test if example.label != OUTSIDE])
    if any(example.label == OUTSIDE for example in test):
        result["outside"] = _outside(model, test)
    elif options.outside:
        result["outside"] = _made_split(training, test, plan, options)
    result["tables"] = _tables(result)
    _say(result)
    options.json.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, default=PUBLISHED / "train.csv")
    parser.add_argument("--test", type=Path, default=PUBLISHED / "test.csv")
    parser.add_argument("--per-intent", type=int, default=0, help="so many examples of each intent; 0 means all")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--encoder", type=Path, default=None, help="the folder of another BERT encoder")
    parser.add_argument(
        "--seed", type=int, default=0, help="which examples are drawn, and in which order they are seen"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-outside", dest="outside", action="store_false", help="do not make a split out of scope")
    options = parser.parse_args(arguments)
    options.json = options.json or output("intents")
    return options


def _accuracy(model: IntentModel, test: Sequence[Example]) -> dict[str, Any]:
    """The three rows, and what the probabilities of the whole model are worth."""
    parts, labels = model.parts([example.text for example in test]), _places(model, test)
    probabilities = model.probabilities(parts)
    known = labels >= 0
    right = probabilities.argmax(1) == labels
    return {
        "test": len(test),
        "accuracy": {
            "lexical": _share(parts.lexical.argmax(1) == labels),
            "frozen": _share(parts.frozen.argmax(1) == labels),
            "tuned": _share(right),
        },
        "calibration_error": round(calibration_error(probabilities[known], labels[known]), 4),
        "temperature": round(model.temperature, 3),
        "curve": [
            [point.threshold, round(point.wrong, 4), round(point.handed_over, 4)]
            for point in threshold_curve(probabilities.max(1).values, right, 20)
        ],
    }


def _made_split(
    training: Sequence[Example], test: Sequence[Example], plan: Plan, options: argparse.Namespace
) -> dict[str, Any]:
    """A model that has never heard of some intents, and is asked about them."""
    tested, collected = taken_out(training, options.encoder, options.seed)
    seen = [
        replace(example, label=OUTSIDE) if example.label in collected else example
        for example in training
        if example.label not in tested
    ]
    model = train(seen, plan, options.encoder, _progress)
    asked = [
        replace(example, label=OUTSIDE) if example.label in tested else example
        for example in test
        if example.label not in collected
    ]
    return {"tested": sorted(tested), "collected": sorted(collected), **_outside(model, asked)}


def taken_out(training: Sequence[Example], encoder: Path | None, seed: int) -> tuple[set[str], set[str]]:
    """Two sets of whole groups of intents, in an order that the seed draws."""
    labels = labels_of(training)
    reader = SentenceEncoder(encoder)
    (sentences,) = reader.sentences(reader.lower([example.text for example in training]), reader.upper)
    places = torch.tensor([labels.index(example.label) for example in training])
    groups = groups_of(sentences, places, len(labels), count=max(4, len(labels) // 4))
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed)).tolist()
    tested, collected = set[str](), set[str]()
    for group in order:
        names = {labels[place] for place in groups[group]}
        if len(tested) < TESTED * len(labels):
            tested |= names
        elif len(collected) < COLLECTED * len(labels):
            collected |= names
    return tested, collected


def _outside(model: IntentModel, test: Sequence[Example]) -> dict[str, Any]:
    """At the model's own thresholds: what is answered of questions out of scope, and kept of those in scope."""
    far = [example for example in test if example.label == OUTSIDE]
    near = [example for example in test if example.label != OUTSIDE]
    answered, _ = _answered(model, far)
    kept, parts = _answered(model, near)
    right = model.probabilities(parts).argmax(1) == _places(model, near)
    return {
        "out_of_scope": len(far),
        "in_scope": len(near),
        "out_of_scope_answered": _share(answered),
        "in_scope_kept": _share(kept),
        "kept_and_right": _share(right[kept]),
        "accept": round(model.accept, 3),
        "threshold": round(model.detector.threshold, 3) if model.detector else None,
    }


def _answered(model: IntentModel, examples: Sequence[Example]) -> tuple[Tensor, Parts]:
    parts = model.parts([example.text for example in examples])
    limit = model.detector.threshold if model.detector else 1.0
    confident = model.probabilities(parts).max(1).values >= model.accept
    return confident & (model.outside(parts) <= limit), parts


def _places(model: IntentModel, examples: Sequence[Example]) -> Tensor:
    places = {label: place for place, label in enumerate(model.labels)}
    return torch.tensor([places.get(example.label, -1) for example in examples])


def _share(which: Tensor) -> float:
    return round(100 * float(which.float().mean()), 2)


def _tables(result: dict[str, Any]) -> list[dict[str, Any]]:
    names = {
        "lexical": "words alone",
        "frozen": "encoder as it is, logistic head",
        "tuned": "tuned encoder, whole model",
    }
    rows = [[names[name], f"{value:.1f} %"] for name, value in result["accuracy"].items()]
    rows.append(["calibration error of the whole model", f"{result['calibration_error']:.3f}"])
    if outside := result.get("outside"):
        rows.append(["out of scope, answered", f"{outside['out_of_scope_answered']:.1f} %"])
        rows.append(["in scope, kept", f"{outside['in_scope_kept']:.1f} %"])
    columns = [f"intents: {result['training']} training and {result['test']} test questions", ""]
    return [{"columns": columns, "rows": rows}]


def _say(result: dict[str, Any]) -> None:
    for table in result["tables"]:
        print(table["columns"][0])
        for name, value in table["rows"]:
            print(f"  {name:40}{value:>10}")


def _progress(stage: str, share: float) -> None:
    if sys.stderr.isatty():
        print(f"\r{stage}: {share:.0%}  ", end="" if share < 1 else "\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())

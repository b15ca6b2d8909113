"""Intents read in batches for many callers, against one by one through the plain pipeline of transformers.

The plain pipeline is `pipeline("text-classification")` over the same encoder with a linear head for as many intents,
one text a call, as a service without batching would use it, on one thread: more only make it slower, since one
text is too little to share. The server has the whole model of the product: the tuned encoder, calibration, and the
check for what is out of scope, for which 15 texts of 100 are read by the untouched encoder as well; in bfloat16 where
the processor multiplies it, on `--threads` threads that each read batches of their own. `--concurrent` callers each
wait for their answer before they ask again. All texts differ.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, pipeline

from bench import output
from bench.speed.machine import describe
from ml.dialogue.intents.encoder import multiplies_halves
from ml.dialogue.intents.model import IntentModel, tuned_signs
from ml.dialogue.intents.outside import CERTAIN, DOUBTED
from ml.dialogue.intents.server import IntentServer
from ml.dialogue.intents.training import FULL, train
from ml.dialogue.types import OUTSIDE, Example
from ml.embeddings import weights_folder

INTENTS, OWN_TEXTS = 77, 12
_VERBS = "lose find block order change top up close check verify cancel move split raise lower print read".split()
_THINGS = "card account pin transfer refund fee rate cheque limit statement balance app passcode loan wallet".split()
_WHEN = "today yesterday abroad online again twice by mistake last week in a shop at night".split()


def question(number: int, shift: int = 0) -> str:
    """A question of some dozen words as a customer of a bank puts it, no two alike.

    What is to be done with what is one of INTENTS pairs; with a `shift` of 7 it is none of them.
    """
    intent = number % INTENTS
    verb, thing = _VERBS[intent % len(_VERBS)], _THINGS[(intent // len(_VERBS) + intent + shift) % len(_THINGS)]
    when = _WHEN[number // 7 % len(_WHEN)]
    return f"{number}: how do I {verb} my {thing} that I used {when} and what happens then?"


def texts(count: int) -> list[str]:
    """Questions in scope that nobody has learned from."""
    return [question(number) for number in range(OWN_TEXTS * INTENTS, OWN_TEXTS * INTENTS + count)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--concurrent", type=int, default=64)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--plain", type=int, default=200, help="calls of the plain pipeline")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    model = small_model()
    plain = plain_pipeline()
    torch.set_num_threads(1)
    # In turns, so that what else the machine does is shared fairly.
    rates: dict[str, list[float]] = {"plain": [], "server": []}
    delays: list[float] = []
    for _ in range(3):
        rates["plain"].append(one_by_one(plain, texts(options.plain)))
        rate, waited = asyncio.run(together(model, texts(options.requests), options.concurrent, options.threads))
        rates["server"].append(rate)
        delays += waited
    result = _result(rates, delays, options) | {"doubted": doubted(model, texts(500))}
    print(json.dumps({key: value for key, value in result.items() if key not in {"tables", "machine"}}, indent=1))
    (options.json or output("intent_server")).write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0


def small_model() -> IntentModel:
    """A model with as many intents as a bank has and all that the product's has, trained quickly.

    How well it reads does not matter, but for the share of questions that leave a doubt, which is made a bank's.
    """
    examples = [Example(question(number), f"intent_{number % INTENTS:02}") for number in range(OWN_TEXTS * INTENTS)]
    examples += [Example(question(number, shift=7), OUTSIDE) for number in range(2 * INTENTS)]
    made = train(examples, replace(FULL, recipe=replace(FULL.recipe, epochs=1)))
    made = made.halved() if multiplies_halves() else made
    assert made.detector is not None and made.detector.first is not None
    first = made.detector.first
    doubts = first.outside(tuned_signs(made.parts(texts(500)), made.temperature, made.known))
    low, high = (float(doubts.quantile(1 - share)) for share in (DOUBTED, CERTAIN))
    first = replace(first, threshold=low, certain=high)
    return replace(made, detector=replace(made.detector, first=first))


def doubted(model: IntentModel, asked: Sequence[str]) -> float:
    """The share of texts of which the untouched encoder was asked as well."""
    found = model._needed_parts(asked)
    return round(float((found.frozen_sentences != 0).any(1).float().mean()), 3)


def plain_pipeline() -> Any:
    folder = weights_folder()
    config = BertConfig.from_pretrained(folder, num_labels=INTENTS)
    classifier = BertForSequenceClassification.from_pretrained(folder, config=config).eval()
    return pipeline(
        "text-classification", model=classifier, tokenizer=AutoTokenizer.from_pretrained(folder), device="cpu"
    )


def one_by_one(plain: Any, asked: Sequence[str]) -> float:
    """Texts a second."""
    plain(asked[0])
    started = time.perf_counter()
    for text in asked:
        plain(text)
    return len(asked) / (time.perf_counter() - started)


async def together(
    model: IntentModel, asked: Sequence[str], concurrent: int, threads: int
) -> tuple[float, list[float]]:
    """Texts a second with so many callers and threads of the server, and how long each waited in seconds."""
    server, waiting, delays = IntentServer(model, threads=threads), list(asked), list[float]()
    await asyncio.gather(*(server.read(f"warm up {number}") for number in range(concurrent)))

    async def caller() -> None:
        while waiting:
            text, began = waiting.pop(), time.perf_counter()
            await server.read(text)
            delays.append(time.perf_counter() - began)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(concurrent)))
    seconds = time.perf_counter() - started
    server.close()
    return len(asked) / seconds, delays


def _result(rates: dict[str, list[float]], delays: list[float], options: argparse.Namespace) -> dict[str, Any]:
    plain, server = (statistics.median(rates[name]) for name in ("plain", "server"))
    p95 = sorted(delays)[int(0.95 * len(delays))]
    rows = [
        ["plain pipeline, one by one", f"{plain:.0f} texts/s"],
        [f"server, {options.concurrent} at once", f"{server:.0f} texts/s"],
        ["the server against the pipeline", f"{server / plain:.1f} ×"],
        ["answer of the server, 95th percentile", f"{1000 * p95:.0f} ms"],
    ]
    return {
        "machine": describe(),
        "rates": {name: [round(rate, 1) for rate in found] for name, found in rates.items()},
        "times": round(server / plain, 2),
        "p95_ms": round(1000 * p95, 1),
        "tables": [{"columns": ["reading intents", ""], "rows": rows}],
    }


if __name__ == "__main__":
    sys.exit(main())

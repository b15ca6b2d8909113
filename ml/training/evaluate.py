"""Measure the house model on held-out briefs: `python -m ml.training.evaluate --model FOLDER --json FILE`.

Held-out briefs use product names, and combinations of facts, that training never saw. Texts are sampled with the
model's own generation defaults. Runs in a minute or two on a CPU.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from ml.training.classifier import TypeClassifier
from ml.training.corpus.generate import Example, examples
from ml.training.data import IGNORED, Batch, FinetuneData
from ml.training.house import FINETUNE
from ml.training.loop import batch_loss
from ml.training.metrics import (
    Trigram,
    bigram_count,
    distinct_2,
    mentions,
    most_repeated_ngram,
    names_product,
)
from ml.training.tokenizer import PAD, load_tokenizer, token_id

HELD_OUT_SEED = 4_000
CLASSIFIER_SEED = 5_000
_CLASSIFIER_TEXTS = 6_000
_TRIGRAM_TEXTS = 30_000
_LOSS_TEXTS = 600
_GENERATION_BATCH = 50


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one evaluation. Shares are between 0 and 1, losses in nats per token of the answer.

    `corpus_*` figures are those of the corpus's own texts for the same briefs.
    """

    briefs: int
    seed: int
    names_product: float
    right_content_type: float
    classifier_accuracy: float
    free_of_repetition: float
    corpus_free_of_repetition: float
    distinct_2: float
    corpus_distinct_2: float
    distinct_2_ratio: float
    held_out_loss: float
    trigram_loss: float
    mentions_key_points: float
    corpus_mentions_key_points: float
    mentions_audience: float
    corpus_mentions_audience: float
    finished: float
    words_per_text: float
    corpus_words_per_text: float

    def passes(self) -> dict[str, bool]:
        """Tell for each requirement whether it is met."""
        return {
            "names the product in at least 90 %": self.names_product >= 0.90,
            "right content type in at least 95 %": self.right_content_type >= 0.95,
            "no 4-gram more than three times in at least 98 %": self.free_of_repetition >= 0.98,
            "distinct-2 within 15 % of the corpus": abs(self.distinct_2_ratio - 1) <= 0.15,
            "held-out loss below the trigram baseline": self.held_out_loss < self.trigram_loss,
        }


def write_texts(folder: Path, briefs: Sequence[Example], seed: int) -> tuple[list[str], float]:
    """Sample one text per brief with the model's generation defaults; also return the share that ended by itself."""
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    torch.manual_seed(seed)
    texts: list[str] = []
    ended = 0
    for start in range(0, len(briefs), _GENERATION_BATCH):
        chats = [[{"role": "user", "content": brief.prompt}] for brief in briefs[start : start + _GENERATION_BATCH]]
        inputs = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, return_tensors="pt", padding=True, return_dict=True
        )
        with torch.inference_mode():
            output = model.generate(**inputs)[:, inputs["input_ids"].shape[1] :]
        ended += int((output == tokenizer.eos_token_id).any(dim=1).sum())
        texts.extend(tokenizer.batch_decode(output, skip_special_tokens=True))
    return [text.strip() for text in texts], ended / len(briefs)


def held_out_loss(folder: Path, tokenizer: Tokenizer, count: int) -> float:
    """Return the model's mean loss over the answers of held-out examples."""
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    assert isinstance(model, LlamaForCausalLM)  # noqa: S101 narrows the type; the house model is a Llama
    encoder = FinetuneData(tokenizer, 0, 1, model.config.max_position_embeddings)
    bos, pad = model.config.bos_token_id, token_id(tokenizer, PAD)
    total, tokens = 0.0, 0
    pairs = [encoder.encode_example(example) for example in examples(HELD_OUT_SEED + 1, count, held_out=True)]
    for start in range(0, len(pairs), _GENERATION_BATCH):
        chunk = pairs[start : start + _GENERATION_BATCH]
        rows = [([bos, *prompt, *answer], len(prompt) + 1) for prompt, answer in chunk]
        longest = max(len(ids) for ids, _ in rows)
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row, _ in rows])
        labels = torch.tensor([[IGNORED] * skip + row[skip:] + [IGNORED] * (longest - len(row)) for row, skip in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row, _ in rows])
        size = int((labels != IGNORED).sum())
        with torch.inference_mode():
            total += float(batch_loss(model, Batch(ids, mask, labels))) * size
        tokens += size
    return total / tokens


def trigram_loss(tokenizer: Tokenizer, count: int) -> float:
    """Return the loss of a Kneser-Ney trigram on the same tokens, trained on briefs and texts of the corpus."""
    encoder = FinetuneData(tokenizer, 0, 1, 1 << 20)
    corpus = (encoder.encode_example(example) for example in examples(FINETUNE.seed, _TRIGRAM_TEXTS))
    model = Trigram(tokenizer.get_vocab_size()).fit([*prompt, *answer] for prompt, answer in corpus)
    held_out = (encoder.encode_example(e) for e in examples(HELD_OUT_SEED + 1, count, held_out=True))
    return model.loss(([*prompt, *answer], len(prompt)) for prompt, answer in held_out)


def train_classifier() -> tuple[TypeClassifier, float]:
    """Train the content-type classifier on corpus texts; also return its accuracy on held-out corpus texts."""
    classifier = TypeClassifier(_labelled(examples(CLASSIFIER_SEED, _CLASSIFIER_TEXTS)))
    tests = list(_labelled(examples(CLASSIFIER_SEED, 1_000, held_out=True)))
    right = sum(classifier.predict(text, product) == label for text, product, label in tests)
    return classifier, right / len(tests)


def _labelled(found: Iterable[Example]) -> list[tuple[str, str, str]]:
    return [(example.text, example.brief.product, example.brief.content_type) for example in found]


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / max(1, len(flags))


def _mention_shares(briefs: Sequence[Example], texts: Sequence[str]) -> tuple[float, float]:
    pairs = list(zip(briefs, texts, strict=True))
    points = [mentions(text, point) for brief, text in pairs for point in brief.brief.key_points]
    audiences = [mentions(text, brief.brief.audience) for brief, text in pairs if brief.brief.audience]
    return _share(points), _share(audiences)


def evaluate(folder: Path, count: int = 200, seed: int = 0) -> tuple[Report, list[str], list[Example]]:
    """Measure a model folder; return the report, the texts and their briefs."""
    briefs = list(examples(HELD_OUT_SEED, count, held_out=True))
    texts, finished = write_texts(folder, briefs, seed)
    own = [brief.text for brief in briefs]
    classifier, accuracy = train_classifier()
    tokenizer = load_tokenizer(folder)
    limit = min(bigram_count(texts), bigram_count(own))
    variety, own_variety = distinct_2(texts, limit), distinct_2(own, limit)
    points, audience = _mention_shares(briefs, texts)
    own_points, own_audience = _mention_shares(briefs, own)
    pairs = list(zip(briefs, texts, strict=True))
    report = Report(
        briefs=count,
        seed=seed,
        names_product=_share([names_product(text, brief.brief.product) for brief, text in pairs]),
        right_content_type=_share(
            [classifier.predict(text, brief.brief.product) == brief.brief.content_type for brief, text in pairs]
        ),
        classifier_accuracy=accuracy,
        free_of_repetition=_share([most_repeated_ngram(text) <= 3 for text in texts]),
        corpus_free_of_repetition=_share([most_repeated_ngram(text) <= 3 for text in own]),
        distinct_2=variety,
        corpus_distinct_2=own_variety,
        distinct_2_ratio=variety / own_variety,
        held_out_loss=held_out_loss(folder, tokenizer, _LOSS_TEXTS),
        trigram_loss=trigram_loss(tokenizer, _LOSS_TEXTS),
        mentions_key_points=points,
        corpus_mentions_key_points=own_points,
        mentions_audience=audience,
        corpus_mentions_audience=own_audience,
        finished=finished,
        words_per_text=sum(len(text.split()) for text in texts) / count,
        corpus_words_per_text=sum(len(text.split()) for text in own) / count,
    )
    return report, texts, briefs


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate and write the report; exit with 1 when a requirement is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--json", type=Path, required=True, help="where the report goes")
    parser.add_argument("--briefs", type=int, default=200, help="held-out briefs to answer")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sampling")
    options = parser.parse_args(arguments)
    report, texts, briefs = evaluate(options.model, options.briefs, options.seed)
    passes = report.passes()
    samples = [{"prompt": brief.prompt, "text": text} for brief, text in zip(briefs, texts, strict=True)]
    body = {"figures": asdict(report), "passes": passes, "samples": samples}
    options.json.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, value in asdict(report).items():
        print(f"{name:28} {value:.4f}")
    for name, met in passes.items():
        print(f"{'met   ' if met else 'MISSED'} {name}")
    raise SystemExit(0 if all(passes.values()) else 1)


if __name__ == "__main__":
    main()

"""Make the house model from nothing: tokenizer, pre-training, three cycles of fine-tuning, export.

`python -m ml.training.house --out FOLDER` repeats the recipe of the model card; a second call resumes.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

from ml.training.config import ModelShape, StageConfig
from ml.training.corpus.generate import examples
from ml.training.data import FinetuneData, PretrainData
from ml.training.export import export_model
from ml.training.loop import build_model, train_stage
from ml.training.tokenizer import load_tokenizer, save_tokenizer, train_tokenizer

SEED = 20
TOKENIZER_SEED = 7
PRETRAIN = StageConfig(steps=400, batch=4, peak_lr=1.6e-3, warmup=40, decay=0.0, seed=SEED)
FINETUNE = StageConfig(
    steps=1650, batch=28, peak_lr=1.3e-3, warmup=30, decay=0.45, final_lr_share=0.02, seed=SEED + 1, save_every=100
)
REFINE = StageConfig(
    steps=450, batch=28, peak_lr=1.0e-3, warmup=20, decay=0.78, final_lr_share=0.02, seed=SEED + 2, save_every=100
)
POLISH = StageConfig(
    steps=1200, batch=28, peak_lr=1.0e-3, warmup=20, decay=0.7, final_lr_share=0.02, seed=SEED + 3, save_every=100
)
DRILL_STEPS = 350


def make_tokenizer(folder: Path, shape: ModelShape, texts: int = 12_000) -> Tokenizer:
    """Load the tokenizer of `folder`, or train it on `texts` examples and save it there."""
    if not (folder / "tokenizer.json").exists():
        corpus = (f"{example.prompt}\n{example.text}" for example in examples(TOKENIZER_SEED, texts))
        save_tokenizer(train_tokenizer(corpus, shape.vocab_size), folder, shape.context)
    return load_tokenizer(folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the whole recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="work folder: checkpoints, logs and the model")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads, 0 for all")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    shape = ModelShape()
    tokenizer = make_tokenizer(options.out / "tokenizer", shape)
    model = build_model(shape, SEED)
    pretrain = PretrainData(tokenizer, PRETRAIN.seed, PRETRAIN.batch, shape.context, DRILL_STEPS)
    train_stage(model, pretrain, PRETRAIN, options.out, "pretrain")
    finetune = FinetuneData(tokenizer, FINETUNE.seed, FINETUNE.batch, shape.context)
    train_stage(model, finetune, FINETUNE, options.out, "finetune")
    refine = FinetuneData(tokenizer, REFINE.seed, REFINE.batch, shape.context)
    train_stage(model, refine, REFINE, options.out, "refine")
    polish = FinetuneData(tokenizer, POLISH.seed, POLISH.batch, shape.context)
    train_stage(model, polish, POLISH, options.out, "polish")
    export_model(model.cpu(), tokenizer, options.out / "model")


if __name__ == "__main__":
    main()

"""all-MiniLM-L6-v2 by transformers: mean pooling over the tokens, then length 1.

Reimers and Gurevych 2019 (Sentence-BERT, arXiv 1908.10084); pooling and bound are those of the model's own card.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel
from transformers.utils import logging as transformers_logging

from ml.embeddings.tokens import tokenizer as plain_tokenizer
from ml.embeddings.types import DIMENSIONS, MAX_TOKENS, EmbeddingFailed, Embeddings
from ml.embeddings.weights import NAME, WeightsRefused, verified_folder, weights_folder
from ml.panics import panics_as_errors

# Tokens of a batch, padding included: beyond that a CPU gains nothing, and whoever waits behind it waits longer.
BATCH_TOKENS = 4096
MOST_TEXTS = 64


class Encoder:
    """Texts of any number, batched by length; a batch never waits for padding of a much longer neighbour."""

    name = NAME

    def __init__(self, folder: Path | None = None) -> None:
        """Raises EmbeddingFailed when the weights are not those that were reviewed."""
        try:
            checked = verified_folder(folder or weights_folder())
        except WeightsRefused as error:
            raise EmbeddingFailed(str(error)) from error
        self._model = _model(checked)
        self._tokenizer = Tokenizer.from_str(plain_tokenizer().to_str())
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def embed(self, texts: Sequence[str]) -> Embeddings:
        with panics_as_errors():
            ids = [found.ids for found in self._tokenizer.encode_batch(list(texts))]
        vectors: list[tuple[float, ...]] = [()] * len(ids)
        for batch in batches([len(each) for each in ids]):
            for place, vector in zip(batch, self._forward([ids[place] for place in batch]), strict=True):
                vectors[place] = tuple(vector)
        return Embeddings(tuple(vectors), sum(map(len, ids)))

    @torch.inference_mode()
    def _forward(self, ids: list[list[int]]) -> list[list[float]]:
        longest = max(map(len, ids))
        tokens = torch.zeros((len(ids), longest), dtype=torch.long)
        mask = torch.zeros((len(ids), longest), dtype=torch.long)
        for row, each in enumerate(ids):
            tokens[row, : len(each)] = torch.tensor(each)
            mask[row, : len(each)] = 1
        hidden = self._model(input_ids=tokens, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weight).sum(1) / weight.sum(1)
        found: list[list[float]] = torch.nn.functional.normalize(mean, dim=1).tolist()
        return found


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places in order of length, so many to a batch that it stays within BATCH_TOKENS when padded."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        # The last one of a batch is its longest.
        if batch and (len(batch) == MOST_TEXTS or (len(batch) + 1) * lengths[place] > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _model(folder: Path) -> BertModel:
    config = BertConfig.from_pretrained(folder, local_files_only=True)
    if config.hidden_size != DIMENSIONS:
        raise EmbeddingFailed(f"the encoder makes vectors of {config.hidden_size} numbers, not {DIMENSIONS}")
    # The pooler's weights are there and not used, which it would tell at length.
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    model = BertModel.from_pretrained(
        folder, config=config, use_safetensors=True, local_files_only=True, add_pooling_layer=False
    )
    model.eval()
    return model

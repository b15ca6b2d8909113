"""A BERT encoder as features of sentences, in two halves: lower layers that stay, upper layers that may be tuned.

Any folder with a BERT model's `config.json`, `tokenizer.json` and `model.safetensors` will do; the one that ships with
the project is all-MiniLM-L6-v2. Sentences are the mean over the tokens of the last layer, brought to length 1.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel
from transformers.utils import logging as transformers_logging

from ml.dialogue.intents.fused import FusedLayer, can_be_fused
from ml.embeddings import WeightsRefused, weights_folder
from ml.embeddings.weights import verified_folder
from ml.panics import panics_as_errors
from ml.types import ModelUnavailable

# A question to a bank has some dozen tokens; what is longer than this is a letter, and its beginning says what about.
MAX_TOKENS = 96
# What lies between two layers of so many texts still fits a processor's second cache.
BATCH = 32


class SentenceEncoder:
    """`lower` turns tokens into hidden states, `upper` hidden states into sentences; each text is padded in its batch
    only.
    """

    def __init__(self, folder: Path | None = None, tuned_layers: int = 3) -> None:
        """Raises ModelUnavailable for a folder without a BERT model, and for shipped weights that were changed."""
        try:
            self.folder = verified_folder(weights_folder()) if folder is None else folder
            self._tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
            model = _bert(self.folder)
        except (WeightsRefused, OSError, ValueError) as error:
            raise ModelUnavailable(f"no encoder in {folder or 'the package of weights'}: {error}") from error
        except Exception as error:
            # The tokenizers library raises plain exceptions for a file that it cannot read.
            raise ModelUnavailable(f"the encoder's files cannot be read: {error}") from error
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        layers = list(model.encoder.layer)
        tuned_layers = min(tuned_layers, len(layers))
        self._embeddings = model.embeddings.requires_grad_(False)
        self._lower = nn.ModuleList(layers[: len(layers) - tuned_layers]).requires_grad_(False)
        self.upper = nn.ModuleList(layers[len(layers) - tuned_layers :]).requires_grad_(False)
        self.width = int(model.config.hidden_size)
        self._kind = torch.float32

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        with panics_as_errors():
            return [found.ids for found in self._tokenizer.encode_batch(list(texts))]

    def halved(self) -> SentenceEncoder:
        """The same that multiplies in bfloat16."""
        made = copy.copy(self)
        made._lower, made.upper = as_halves(self._lower), as_halves(self.upper)
        made._kind = torch.bfloat16
        return made

    def upper_copy(self) -> nn.ModuleList:
        """The upper layers as they are now, for tuning beside them."""
        return copy.deepcopy(self.upper)

    @torch.no_grad()
    def lower(self, texts: Sequence[str]) -> list[Tensor]:
        """Hidden states (tokens, width) of each text after the lower layers."""
        tokens = self.tokens(texts)
        found: list[Tensor] = [torch.empty(0)] * len(tokens)
        for batch in by_length([len(each) for each in tokens], BATCH):
            ids, mask = _padded([torch.tensor(tokens[place]) for place in batch])
            hidden = self._embeddings(input_ids=ids).to(self._kind)
            for layer in self._lower:
                hidden = layer(hidden, mask)
            for row, place in enumerate(batch):
                found[place] = hidden[row, : len(tokens[place])].clone()
        return found

    @torch.no_grad()
    def sentences(self, hidden: Sequence[Tensor], *uppers: nn.ModuleList) -> list[Tensor]:
        """One matrix (texts, width) for each of the `uppers`, of rows of length 1."""
        found = [torch.zeros(len(hidden), self.width) for _ in uppers]
        for batch in by_length([len(each) for each in hidden], BATCH):
            rows = [hidden[place] for place in batch]
            for matrix, upper in zip(found, uppers, strict=True):
                matrix[batch] = pooled(rows, upper)
        return found


def pooled(hidden: Sequence[Tensor], upper: nn.ModuleList) -> Tensor:
    """Sentences (texts, width) of hidden states, through the upper layers; gradients flow where they are wanted."""
    states, mask = _padded(hidden)
    for layer in upper:
        states = layer(states, mask)
    lengths = torch.tensor([len(each) for each in hidden])
    weight = (torch.arange(states.shape[1]) < lengths[:, None]).unsqueeze(-1).float()
    return nn.functional.normalize((states.float() * weight).sum(1) / weight.sum(1), dim=1)


def as_halves(layers: nn.ModuleList) -> nn.ModuleList:
    """The layers in bfloat16, once: autocast would convert all weights anew with every batch."""
    if all(can_be_fused(layer) for layer in layers):
        return nn.ModuleList([FusedLayer(layer) for layer in layers])
    return copy.deepcopy(layers).to(torch.bfloat16)


@functools.cache
def multiplies_halves() -> bool:
    """Whether the processor multiplies bfloat16 by itself."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def by_length(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Places in batches of texts of like length, so that little is padded."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    yield from (order[start : start + size] for start in range(0, len(order), size))


def _padded(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """Rows of unequal length as one tensor, and which places attention may look at; None if none is padding."""
    lengths = torch.tensor([len(row) for row in rows])
    longest = int(lengths.max())
    stacked = nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
    if int(lengths.min()) == longest:
        return stacked, None
    mask = torch.arange(longest)[None, :] < lengths[:, None]
    return stacked, mask[:, None, None, :].expand(-1, 1, longest, -1)


def _bert(folder: Path) -> Any:
    config = BertConfig.from_pretrained(folder, local_files_only=True)
    # The pooler's weights are there and not used, which it would tell at length.
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    model = BertModel.from_pretrained(
        folder, config=config, use_safetensors=True, local_files_only=True, add_pooling_layer=False
    )
    model.eval()
    return model

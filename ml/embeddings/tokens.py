"""Counting tokens as the encoder reads them, without torch."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from tokenizers import Tokenizer

from ml.embeddings.types import MAX_TOKENS
from ml.embeddings.weights import weights_folder
from ml.panics import panics_as_errors

# [CLS] and [SEP].
SPECIAL_TOKENS = 2


@functools.cache
def tokenizer() -> Tokenizer:
    """The encoder's tokenizer, which neither cuts nor fills up."""
    found = Tokenizer.from_file(str(weights_folder() / "tokenizer.json"))
    found.no_truncation()
    found.no_padding()
    return found


def lengths(texts: Sequence[str]) -> list[int]:
    """How many tokens each text has by itself, without the two that frame it."""
    with panics_as_errors():
        return [len(found.ids) for found in tokenizer().encode_batch(list(texts), add_special_tokens=False)]


def read_tokens(texts: Sequence[str]) -> int:
    """How many tokens the encoder reads of all the texts together: what is beyond its bound it does not see."""
    return sum(min(length + SPECIAL_TOKENS, MAX_TOKENS) for length in lengths(texts))

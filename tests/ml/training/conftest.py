"""A tiny tokenizer, trained once for all training tests."""

import pytest
from tokenizers import Tokenizer

from ml.training.corpus.generate import examples
from ml.training.tokenizer import train_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train_tokenizer([f"{example.prompt}\n{example.text}" for example in examples(1, 200)], vocab_size=600)

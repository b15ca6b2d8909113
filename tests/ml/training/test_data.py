"""Batches depend on seed and step, and only the assistant's words carry loss."""

import torch
from tokenizers import Tokenizer

from ml.training.corpus.generate import make_example
from ml.training.data import IGNORED, FinetuneData, PretrainData
from ml.training.tokenizer import ASSISTANT, END


def test_the_same_step_gives_the_same_batch_in_any_order(tokenizer: Tokenizer) -> None:
    first, second = FinetuneData(tokenizer, 1, 4, 512), FinetuneData(tokenizer, 1, 4, 512)
    later = first.batch(9)

    assert not torch.equal(first.batch(0).labels, later.labels)
    assert torch.equal(second.batch(9).input_ids, later.input_ids)


def test_rows_of_pretraining_are_full(tokenizer: Tokenizer) -> None:
    batch = PretrainData(tokenizer, 1, 3, 128, drill_steps=1).batch(0)

    assert batch.input_ids.shape == (3, 128)
    assert bool(batch.attention_mask.all())


def test_only_what_the_assistant_says_carries_loss(tokenizer: Tokenizer) -> None:
    prompt, answer = FinetuneData(tokenizer, 1, 4, 512).encode_example(make_example(1, 0))

    assert prompt[-1] == tokenizer.token_to_id(ASSISTANT)
    assert answer[-1] == tokenizer.token_to_id(END)
    assert tokenizer.decode(answer) == make_example(1, 0).text


def test_padding_carries_no_loss(tokenizer: Tokenizer) -> None:
    batch = FinetuneData(tokenizer, 1, 8, 512).batch(0)

    assert bool((batch.labels[batch.attention_mask == 0] == IGNORED).all())
    labelled = batch.labels != IGNORED
    assert torch.equal(batch.labels[labelled], batch.input_ids[labelled])
    assert bool(labelled.any(dim=1).all())

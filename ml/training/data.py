"""Batches as a pure function of seed and step, so that a resumed run sees the same data as an unbroken one."""

import random
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from ml.training.corpus.catalogue import categories
from ml.training.corpus.generate import Example, make_example
from ml.training.corpus.names import is_held_out, product_name
from ml.training.tokenizer import ASSISTANT, BOS, END, PAD, SPECIAL_TOKENS, SYSTEM, USER, token_id

IGNORED = -100
_POOL_BATCHES = 8
_SYSTEM_PROMPTS = (
    "You are a copywriter.",
    "You are a helpful assistant.",
    "You write marketing copy.",
    "You are a marketing copywriter. Write clear, original copy.",
    "You help a small company with its advertising.",
    "Write in plain English.",
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids, attention mask and labels, each of shape (sequences, tokens); label -100 carries no loss."""

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor


class PretrainData:
    """Packed rows of plain text: briefs with their copy, copy alone, and copying drills.

    Drills are lists of names and of random tokens, repeated. They are what makes a small model learn early to copy a
    word that it has never seen (induction, Olsson et al. 2022, arXiv 2209.11895).
    """

    def __init__(self, tokenizer: Tokenizer, seed: int, batch: int, length: int, drill_steps: int) -> None:
        self._tokenizer = tokenizer
        self._seed, self._batch, self._length, self._drill_steps = seed, batch, length, drill_steps
        self._bos, self._end = token_id(tokenizer, BOS), token_id(tokenizer, END)

    def batch(self, step: int) -> Batch:
        """Return the rows of one step."""
        drills = 0.5 if step < self._drill_steps else 0.03
        rows = torch.tensor([self._row(step * self._batch + row, drills) for row in range(self._batch)])
        return Batch(rows, torch.ones_like(rows), rows)

    def _row(self, index: int, drills: float) -> list[int]:
        rng = random.Random(f"{self._seed}/row/{index}")
        ids: list[int] = []
        while len(ids) < self._length:
            ids.append(self._bos)
            if rng.random() < drills:
                ids.extend(self._drill(rng))
            else:
                example = make_example(self._seed, rng.randrange(1 << 40))
                text = example.text if rng.random() < 0.15 else f"{example.prompt}\n\n{example.text}"
                ids.extend(self._tokenizer.encode(text, add_special_tokens=False).ids)
            ids.append(self._end)
        return ids[: self._length]

    def _drill(self, rng: random.Random) -> list[int]:
        if rng.random() < 0.5:
            size = self._tokenizer.get_vocab_size()
            chunk = [rng.randrange(len(SPECIAL_TOKENS), size) for _ in range(rng.randint(6, 24))]
            return chunk * rng.randint(2, 3)
        names = [_training_name(rng) for _ in range(rng.randint(2, 5))]
        text = ", ".join(names) + ".\n" + ", ".join(rng.sample(names, len(names))) + ".\n" + " ".join(names)
        return self._tokenizer.encode(text, add_special_tokens=False).ids


def _training_name(rng: random.Random) -> str:
    while True:
        category = rng.choice(categories())
        name = product_name(rng, category.noun, category.plural)
        if not is_held_out(name):
            return name


class FinetuneData:
    """Conversations in the chat format, padded on the right; only what the assistant says carries loss."""

    def __init__(self, tokenizer: Tokenizer, seed: int, batch: int, max_length: int) -> None:
        self._tokenizer = tokenizer
        self._seed, self._batch, self._max_length = seed, batch, max_length
        self._ids = {token: token_id(tokenizer, token) for token in SPECIAL_TOKENS}
        self._pool: tuple[int, list[list[tuple[list[int], list[int]]]]] = (-1, [])

    def batch(self, step: int) -> Batch:
        """Return the conversations of one step; those of similar length share a batch."""
        pool, position = divmod(step, _POOL_BATCHES)
        if self._pool[0] != pool:
            self._pool = (pool, self._make_pool(pool))
        return self._pad(self._pool[1][position])

    def _make_pool(self, pool: int) -> list[list[tuple[list[int], list[int]]]]:
        rng = random.Random(f"{self._seed}/pool/{pool}")
        rows = [self._conversation(rng) for _ in range(self._batch * _POOL_BATCHES)]
        rows.sort(key=lambda row: len(row[0]))
        batches = [rows[start : start + self._batch] for start in range(0, len(rows), self._batch)]
        rng.shuffle(batches)
        return batches

    def _conversation(self, rng: random.Random) -> tuple[list[int], list[int]]:
        ids, labels = [self._ids[BOS]], [IGNORED]
        if rng.random() < 0.12:
            turn = self._turn(SYSTEM, rng.choice(_SYSTEM_PROMPTS))
            ids, labels = ids + turn, labels + [IGNORED] * len(turn)
        for _ in range(2 if rng.random() < 0.04 else 1):
            example = make_example(self._seed, rng.randrange(1 << 40))
            prompt, answer = self.encode_example(example)
            ids, labels = ids + prompt + answer, labels + [IGNORED] * len(prompt) + answer
        return ids[: self._max_length], labels[: self._max_length]

    def encode_example(self, example: Example) -> tuple[list[int], list[int]]:
        """Return the tokens up to where the assistant begins, and the assistant's own with the final end."""
        answer = self._tokenizer.encode(example.text, add_special_tokens=False).ids
        return [*self._turn(USER, example.prompt), self._ids[ASSISTANT]], [*answer, self._ids[END]]

    def _turn(self, role: str, text: str) -> list[int]:
        return [self._ids[role], *self._tokenizer.encode(text, add_special_tokens=False).ids, self._ids[END]]

    def _pad(self, rows: list[tuple[list[int], list[int]]]) -> Batch:
        longest = max(len(ids) for ids, _ in rows)
        pad = self._ids[PAD]
        return Batch(
            torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in rows]),
            torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in rows]),
            torch.tensor([labels + [IGNORED] * (longest - len(labels)) for _, labels in rows]),
        )

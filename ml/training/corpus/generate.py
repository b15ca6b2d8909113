"""The corpus as a function of a seed: example i of a seed is always the same."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from ml.text.brief import Brief
from ml.training.corpus.briefs import sample_request
from ml.training.corpus.documents import write_document


@dataclass(frozen=True, slots=True)
class Example:
    """One brief, the message that carries it, and the text that answers it."""

    brief: Brief
    prompt: str
    text: str


def make_example(seed: int, index: int, held_out: bool = False) -> Example:
    """Write example `index` of a seed. Held-out examples share no product name with the others."""
    rng = random.Random(f"{seed}/{'held-out' if held_out else 'train'}/{index}")
    request = sample_request(rng, held_out)
    return Example(request.brief, request.prompt, write_document(request.brief.content_type, request.facts, rng))


def examples(seed: int, count: int, held_out: bool = False) -> Iterator[Example]:
    """Write the first `count` examples of a seed."""
    return (make_example(seed, index, held_out) for index in range(count))

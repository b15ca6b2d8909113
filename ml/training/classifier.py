"""Tell the content type of a text from its form and wording."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.training.metrics import words

_EPOCHS = 6
_BATCH = 64
_MIN_TEXTS = 3  # a feature seen in fewer texts teaches nothing that generalises


class TypeClassifier:
    """Logistic regression over words, bigrams and structure.

    The product's name and the words of hashtags are masked, so that only form and wording count.
    """

    def __init__(self, texts: Iterable[tuple[str, str, str]], seed: int = 0) -> None:
        """Learn from (text, product, content type)."""
        rows = [(features(text, product), label) for text, product, label in texts]
        counts = Counter(feature for found, _ in rows for feature in found)
        kept = sorted(feature for feature, count in counts.items() if count >= _MIN_TEXTS)
        self._index = {feature: position for position, feature in enumerate(kept)}
        self._labels = sorted({label for _, label in rows})
        torch.manual_seed(seed)
        self._weights = nn.EmbeddingBag(len(kept), len(self._labels), mode="sum")
        nn.init.zeros_(self._weights.weight)
        self._fit([self._encode(found) for found, _ in rows], [self._labels.index(label) for _, label in rows])

    def _encode(self, found: set[str]) -> list[int]:
        return sorted(self._index[feature] for feature in found if feature in self._index)

    def _logits(self, rows: Sequence[list[int]]) -> Tensor:
        offsets = torch.tensor([0, *(len(row) for row in rows[:-1])]).cumsum(0)
        flat = torch.tensor([position for row in rows for position in row], dtype=torch.long)
        logits: Tensor = self._weights(flat, offsets)
        return logits

    def _fit(self, rows: list[list[int]], labels: list[int]) -> None:
        optimizer = torch.optim.Adam(self._weights.parameters(), lr=0.02)
        for _ in range(_EPOCHS):
            for chosen in torch.randperm(len(rows)).split(_BATCH):
                picked = chosen.tolist()
                logits = self._logits([rows[index] for index in picked])
                loss = functional.cross_entropy(logits, torch.tensor([labels[index] for index in picked]))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    def predict(self, text: str, product: str) -> str:
        """Return the likeliest content type."""
        with torch.inference_mode():
            return self._labels[int(self._logits([self._encode(features(text, product))]).argmax())]


def features(text: str, product: str) -> set[str]:
    """Return the words, bigrams and structural marks of a text, the product masked."""
    masked = re.sub(re.escape(product), "PRODUCT", text, flags=re.IGNORECASE)
    tokens = ["#" if word.startswith("#") else word for word in words(masked)]
    lines = [line for line in masked.splitlines() if line.strip()]
    marks = {
        f"<{min(len(tokens) // 12, 12)} dozen words>",
        f"<{min(masked.strip().count(chr(10) * 2) + 1, 7)} paragraphs>",
        f"<{min(len(lines), 9)} lines>",
        f"<subject {masked.lower().startswith('subject:')}>",
        f"<hashtag {'#' in tokens}>",
        f"<first line ends with a stop {bool(lines) and lines[0].rstrip()[-1] in '.!?'}>",
        f"<second line ends with a comma {len(lines) > 1 and lines[1].rstrip().endswith(',')}>",
    }
    return {*tokens, *(f"{first} {second}" for first, second in pairwise(tokens)), *marks}

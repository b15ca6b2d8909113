"""The encoder that ships with the project: its weights are checked, and its vectors say what they should."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest

from ml.embeddings import DIMENSIONS, MAX_TOKENS, EmbeddingFailed, WeightsRefused, weights_folder
from ml.embeddings.encoder import BATCH_TOKENS, MOST_TEXTS, Encoder, batches
from ml.embeddings.remote import RemoteEmbedder
from ml.embeddings.tokens import read_tokens
from ml.embeddings.weights import DIGESTS, verified_folder


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


def alike(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def test_what_means_the_same_lies_together(encoder: Encoder) -> None:
    cat, kitten, money = encoder.embed(["A cat sits.", "A kitten is sitting.", "Revenue grew in spring."]).vectors
    assert alike(cat, kitten) > 0.7 > 0.3 > alike(cat, money)
    assert alike(cat, cat) == pytest.approx(1.0, abs=1e-5)
    assert len(cat) == DIMENSIONS


def test_a_batch_says_the_same_as_one_text_after_the_other(encoder: Encoder) -> None:
    texts = ["Tea.", "A much longer sentence about tea and cake. " * 8, "茶在四点供应。", "x" * 3000, "Tea."]
    together = encoder.embed(texts)
    for text, vector in zip(texts, together.vectors, strict=True):
        assert vector == pytest.approx(encoder.embed([text]).vectors[0], abs=1e-5)
    assert together.tokens == read_tokens(texts)
    assert encoder.embed([]).vectors == ()


def test_what_is_beyond_the_bound_is_not_read(encoder: Encoder) -> None:
    whole, more = "tea " * (MAX_TOKENS - 2), "tea " * (MAX_TOKENS - 2) + "and something else entirely"
    assert encoder.embed([whole]).vectors[0] == pytest.approx(encoder.embed([more]).vectors[0], abs=1e-6)
    assert encoder.embed([more]).tokens == MAX_TOKENS


def test_batches_hold_like_lengths_and_every_text_once() -> None:
    lengths = [200, 3, 250, 5, 4] * 30
    found = list(batches(lengths))
    assert sorted(place for batch in found for place in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) <= MOST_TEXTS
        assert len(batch) * max(lengths[place] for place in batch) <= BATCH_TOKENS


def test_weights_that_were_not_reviewed_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in DIGESTS:
        shutil.copy(weights_folder() / name, folder / name)
    config = folder / "config.json"
    config.write_text(config.read_text().replace("gelu", "relu"))
    with pytest.raises(WeightsRefused, match=r"config\.json"):
        verified_folder(folder)
    with pytest.raises(EmbeddingFailed):
        Encoder(folder)
    config.unlink()
    with pytest.raises(WeightsRefused, match="missing"):
        verified_folder(folder)


def remote(answer: httpx.Response) -> RemoteEmbedder:
    return RemoteEmbedder("https://x.example/v1", "m", "key", httpx.MockTransport(lambda request: answer))


def test_a_servers_vectors_come_in_order_and_with_length_one() -> None:
    seen: list[dict[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        assert request.headers["authorization"] == "Bearer key"
        rows = [{"index": place, "embedding": [2.0 + place] + [0.0] * (DIMENSIONS - 1)} for place in (1, 0)]
        return httpx.Response(200, json={"data": rows, "usage": {"prompt_tokens": 7}})

    found = RemoteEmbedder("https://x.example/v1", "m", "key", httpx.MockTransport(answer)).embed(["a", "b"])
    assert [vector[0] for vector in found.vectors] == [1.0, 1.0]
    assert found.tokens == 7
    assert seen == [{"model": "m", "input": ["a", "b"], "encoding_format": "float", "dimensions": DIMENSIONS}]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(200, text="no JSON"),
        httpx.Response(200, json={"data": []}),
        httpx.Response(200, json={"data": [{"index": 0, "embedding": [1.0] * 3}]}),
        httpx.Response(200, json={"data": [{"index": 0, "embedding": [0.0] * DIMENSIONS}]}),
    ],
)
def test_a_server_that_gives_no_usable_vectors_is_told(answer: httpx.Response) -> None:
    with pytest.raises(EmbeddingFailed):
        remote(answer).embed(["a"])

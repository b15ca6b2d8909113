"""The GPU's backend on the processor's device: what surrounds FlashAttention and CUDA graphs.

Neither runs without a GPU. Paged attention is stood in for by the same in plain torch, a recorded graph by computing
anew what would have been recorded; the benchmark on a GPU compares the real ones with transformers.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ml.engine.architecture import Architecture, describe
from ml.engine.batch import Piece
from ml.engine.gpu import backend as gpu
from ml.engine.gpu import paged
from ml.engine.gpu.backend import GpuBackend
from tests.ml.conftest import CONFIGS
from tests.ml.engine.building import Built, built, difference, expected_logits, needs_bfloat16, reference, text_of

EXACT = 2e-5
CUTS = [0, 33, 34, 35, 67, 130, 131, 146, 147, 200]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GpuBackend, "block", 16)


def plain_paged(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, starts: torch.Tensor, lengths: torch.Tensor,
    tables: torch.Tensor, *, most: int, longest: int, scale: float, window: int,
) -> torch.Tensor:  # fmt: skip
    """What `paged_attention` promises, one sequence after the other; the dtypes and bounds are those it needs."""
    assert {starts.dtype, lengths.dtype, tables.dtype} == {torch.int32}
    assert len(starts) == len(lengths) + 1 == len(tables) + 1
    assert int(starts[0]) == 0
    assert int(starts[-1]) == len(queries)
    assert int(lengths.max()) <= longest
    results = []
    for first, stop, length, table in zip(starts.tolist(), starts[1:].tolist(), lengths.tolist(), tables, strict=False):
        count = stop - first
        assert 0 < count <= min(most, length)
        seen, weights = (cache[table.long()].flatten(0, 1)[:length].transpose(0, 1) for cache in (keys, values))
        asked = queries[first:stop].transpose(0, 1)
        group = len(asked) // len(seen)
        scores = asked @ seen.repeat_interleave(group, 0).transpose(1, 2) * scale
        distance = torch.arange(length - count, length)[:, None] - torch.arange(length)[None]
        hidden = (distance < 0) | (distance >= (window or length))
        shares = scores.masked_fill(hidden, float("-inf")).softmax(-1)
        results.append((shares @ weights.repeat_interleave(group, 0)).transpose(0, 1))
    return torch.cat(results)


def as_paged(decoder: Built, patch: pytest.MonkeyPatch) -> Built:
    patch.setattr(gpu, "paged_attention", plain_paged)
    decoder.backend._paged = True
    return decoder


GATHERED = [(name, "gathered") for name in sorted(CONFIGS)]
PAGED = [(name, "paged") for name in sorted(CONFIGS) if name != "gemma2"]  # whose scores are capped


@pytest.mark.parametrize(("name", "way"), GATHERED + PAGED)
def test_it_computes_what_the_processors_backend_computes(monkeypatch: pytest.MonkeyPatch, name: str, way: str) -> None:
    model = reference(CONFIGS[name]())
    ours, theirs, tokens = built(model), built(model, gpu=True), text_of(200, 480)
    if way == "paged":
        as_paged(theirs, monkeypatch)
    for decoder in (ours, theirs):
        decoder.give(0, 200)
    found = theirs.logits(tokens, CUTS)
    assert difference(found, ours.logits(tokens, CUTS)) < EXACT
    assert difference(found, expected_logits(model, tokens)[[cut - 1 for cut in CUTS[1:]]]) < EXACT


@pytest.mark.parametrize("way", ["gathered", "paged"])
@pytest.mark.parametrize("name", ["llama", "mistral", "gemma3", "gpt2"])
def test_sequences_of_every_kind_in_one_pass(monkeypatch: pytest.MonkeyPatch, name: str, way: str) -> None:
    model = reference(CONFIGS[name]())
    decoder = built(model, gpu=True)
    if way == "paged":
        as_paged(decoder, monkeypatch)
    parts = [(0, 70), (40, 41), (50, 60), (64, 128)]
    texts = [text_of(stop, 480, seed) for seed, (_, stop) in enumerate(parts)]
    for slot, (start, stop) in enumerate(parts):
        decoder.give(slot, stop)
        if start:
            decoder.forward(Piece(texts[slot][:start], slot, 0, False), Piece([0], 4, 0, True))
    found = decoder.forward(*(Piece(texts[slot][start:], slot, start, True) for slot, (start, _) in enumerate(parts)))
    for slot, text in enumerate(texts):
        assert difference(found[slot], expected_logits(model, text)[-1]) < EXACT, parts[slot]


@needs_bfloat16
@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_half_precision_is_near_the_processors(name: str) -> None:
    model = reference(CONFIGS[name](), torch.bfloat16)
    ours, theirs, tokens = built(model), built(model, gpu=True), text_of(200, 480)
    for decoder in (ours, theirs):
        decoder.give(0, 200)
    assert difference(theirs.logits(tokens, CUTS), ours.logits(tokens, CUTS)) < 0.05


# ------------------------------------------------------------ graphs


class Recorded:
    """Stands in for a CUDA graph: replaying computes the recorded step from whatever the fixed tensors hold."""

    def __init__(self, decoder: Built, size: int) -> None:
        self.decoder, self.size, self.replayed = decoder, size, 0
        self.logits = torch.zeros(size, decoder.shape.vocabulary)

    def replay(self) -> None:
        backend = self.decoder.backend
        kept = backend._spans, backend._count, backend._longest, backend._wanted
        backend._spans, backend._count, backend._longest, backend._wanted = (), self.size, backend._context, None
        self.logits.copy_(self.decoder.decoder.compute())
        backend._spans, backend._count, backend._longest, backend._wanted = kept
        self.replayed += 1


def with_graphs(monkeypatch: pytest.MonkeyPatch, *sizes: int) -> tuple[Built, dict[int, Recorded], Any]:
    model = reference(CONFIGS["mistral"]())
    decoder = as_paged(built(model, slots=4, gpu=True), monkeypatch)
    graphs = {size: Recorded(decoder, size) for size in sizes}
    decoder.backend._graphs = {size: (graph, graph.logits) for size, graph in graphs.items()}
    return decoder, graphs, model


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_decoding_replays_the_smallest_graph_that_is_large_enough(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    decoder, graphs, model = with_graphs(monkeypatch, 1, 2, 4)
    texts = [text_of(30 + 9 * slot, 480, slot) for slot in range(count)]
    for slot, text in enumerate(texts):
        decoder.give(slot, len(text))
        decoder.forward(Piece(text[:-4], slot, 0, True))
    before = [graph.replayed for graph in graphs.values()]
    kept = decoder.backend.keys.clone()
    for back in (4, 3, 2, 1):
        found = decoder.forward(
            *(Piece([text[-back]], slot, len(text) - back, True) for slot, text in enumerate(texts))
        )
        for slot, text in enumerate(texts):
            assert difference(found[slot], expected_logits(model, text)[-back]) < EXACT
    size = next(size for size in graphs if size >= count)
    after = [graph.replayed for graph in graphs.values()]
    assert [now - then for now, then in zip(after, before, strict=True)] == [4 * (each == size) for each in graphs]
    changed = ~((decoder.backend.keys == kept) | (decoder.backend.keys.isnan() & kept.isnan()))
    touched = set(changed.any(dim=(0, 2, 3, 4)).nonzero().flatten().tolist()) - {0}
    mine = {block for slot in range(count) for block in decoder.tables[slot].tolist()}
    assert touched <= mine, "padding wrote into somebody's block"


def test_after_a_large_batch_a_small_one_is_padded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder, _, model = with_graphs(monkeypatch, 4)
    texts = [text_of(40, 480, slot) for slot in range(4)]
    for slot, text in enumerate(texts):
        decoder.give(slot, 40)
        decoder.forward(Piece(text[:30], slot, 0, True))
    decoder.forward(*(Piece([text[30]], slot, 30, True) for slot, text in enumerate(texts)))
    for slot in range(4):
        decoder.forward(Piece([texts[slot][31]], slot, 31, True))
    found = decoder.forward(*(Piece([text[32]], slot, 32, True) for slot, text in enumerate(texts)))
    for slot, text in enumerate(texts):
        assert difference(found[slot], expected_logits(model, text)[32]) < EXACT


def test_single_tokens_of_which_not_all_are_wanted_need_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of a pass's room for prompts may be one token of a prompt that is not complete."""
    decoder, graphs, model = with_graphs(monkeypatch, 4)
    texts = [text_of(20, 480, slot) for slot in range(2)]
    for slot in range(2):
        decoder.give(slot, 20)
    decoder.forward(Piece(texts[0][:19], 0, 0, True))
    before = graphs[4].replayed
    found = decoder.forward(Piece([texts[0][19]], 0, 19, True), Piece([texts[1][0]], 1, 0, False))
    assert graphs[4].replayed == before
    assert found.shape == (1, 480)
    assert difference(found[0], expected_logits(model, texts[0])[-1]) < EXACT
    found = decoder.forward(Piece(texts[1][1:], 1, 1, True))
    assert difference(found[0], expected_logits(model, texts[1])[-1]) < EXACT


def test_without_a_gpu_nothing_is_recorded() -> None:
    decoder = built(reference(CONFIGS["llama"]()), gpu=True)
    decoder.backend.ready(decoder.decoder)
    assert decoder.backend._graphs == {}


# ------------------------------------------------------------ why paged attention is not used

SHAPE = describe(CONFIGS["llama"](), "tiny")


@pytest.mark.parametrize(
    ("dtype", "device", "name", "reason"),
    [
        (torch.bfloat16, "cpu", "llama", "not a CUDA device"),
        (torch.float32, "cuda", "llama", "float32"),
        (torch.bfloat16, "cuda", "gemma2", "capped scores"),
    ],
)
def test_there_is_a_reason_for_not_paging(dtype: torch.dtype, device: str, name: str, reason: str) -> None:
    shape = describe(CONFIGS[name](), "tiny")
    assert paged.why_not_paged(dtype, torch.device(device), shape, 256) == reason


def test_the_reason_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    built(reference(CONFIGS["llama"]()), gpu=True)
    assert "no paged attention on cpu (not a CUDA device)" in caplog.text


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that gives the outcome of the trial with an attention of one's own, on this device."""
    for name in ("randn", "tensor"):
        true = getattr(torch, name)
        monkeypatch.setattr(torch, name, lambda *given, true=true, device=None, **named: true(*given, **named))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)

    def outcome(attention: Any, shape: Architecture = SHAPE) -> str:
        monkeypatch.setattr(paged, "paged_attention", attention)
        return paged.why_not_paged(torch.bfloat16, torch.device("cuda"), shape, 16)

    return outcome


def test_a_trial_decides(trial: Any) -> None:
    def refusing(*_: Any, **__: Any) -> torch.Tensor:
        raise RuntimeError("varlen_attn needs compute capability 9\nand a second line")

    def missing(*_: Any, **__: Any) -> torch.Tensor:
        raise ImportError("no varlen here")

    assert trial(plain_paged) == ""
    assert trial(lambda *given, **named: plain_paged(*given, **named) + 0.5) == "a trial gave wrong results"
    assert trial(lambda *given, **named: plain_paged(*given, **named) * float("nan")) == "a trial gave wrong results"
    assert trial(refusing) == "varlen_attn needs compute capability 9"
    assert trial(missing) == "no varlen here"

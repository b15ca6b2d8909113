"""`/v1/embeddings`, as OpenAI's unmodified client and as the ledger see it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import openai
import pytest
from django.utils import timezone

from apps.billing.models import LedgerEntry, UsagePeriod
from apps.core import tenancy
from apps.knowledge.api import embeddings as api
from apps.knowledge.models import EmbeddingCall
from apps.knowledge.services import calls
from ml.embeddings import DIMENSIONS
from tests.helpers.knowledge import WordEncoder
from tests.helpers.live import live_server
from tests.helpers.people import Tenant

pytestmark = pytest.mark.django_db(transaction=True)
MODEL = "all-MiniLM-L6-v2"


@pytest.fixture
def server(transactional_db: None) -> Iterator[str]:
    with live_server() as url:
        yield url


@pytest.fixture
def client(server: str, org_a: Tenant) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server}/v1", api_key=org_a.key, max_retries=0, timeout=30) as client:
        yield client


def entries(tenant: Tenant) -> list[tuple[str, int]]:
    with tenancy.scope(tenant.id):
        return list(LedgerEntry.objects.order_by("id").values_list("kind", "prompt_tokens"))


def test_texts_become_vectors_and_are_charged(client: openai.OpenAI, org_a: Tenant, answers: None) -> None:
    """The client asks for base64 unless told otherwise, and turns it into numbers itself."""
    texts = ["tea at four", "coffee", "cake and tea"]
    found = client.embeddings.create(model=MODEL, input=texts)
    expected = WordEncoder().embed(texts).vectors
    assert [row.index for row in found.data] == [0, 1, 2]
    assert [row.embedding for row in found.data] == [pytest.approx(vector, abs=1e-6) for vector in expected]
    # 3 + 1 + 3 words, each text in its frame of two.
    assert found.usage.prompt_tokens == found.usage.total_tokens == 13
    assert (found.object, found.model) == ("list", MODEL)
    assert entries(org_a) == [("hold", 13), ("settle", 13)]
    with tenancy.scope(org_a.id):
        assert EmbeddingCall.objects.get().state == "settled"
        assert UsagePeriod.objects.get().held_tokens == 0


def test_numbers_and_base64_say_the_same(client: openai.OpenAI, answers: None) -> None:
    plain = client.embeddings.create(model=MODEL, input="tea", encoding_format="float").data[0].embedding
    packed = client.embeddings.create(model=MODEL, input="tea").data[0].embedding
    assert plain == pytest.approx(packed, abs=1e-6)
    assert len(plain) == DIMENSIONS


def test_fewer_dimensions_have_length_one_again(client: openai.OpenAI, answers: None) -> None:
    whole = client.embeddings.create(model=MODEL, input="tea and cake at four").data[0].embedding
    part = client.embeddings.create(model=MODEL, input="tea and cake at four", dimensions=300).data[0].embedding
    assert len(part) == 300
    assert sum(number * number for number in part) == pytest.approx(1.0, abs=1e-5)
    scale = next(b / a for a, b in zip(whole, part, strict=False) if a)
    assert part == pytest.approx([number * scale for number in whole[:300]], abs=1e-5)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"input": [1, 2, 3]}, "input", "unsupported_parameter"),
        ({"input": [[1, 2], [3]]}, "input", "unsupported_parameter"),
        ({"input": []}, "input", "invalid_request"),
        ({"input": ["tea", " "]}, "input", "invalid_request"),
        ({"input": ["tea"] * 2049}, "input", "invalid_request"),
        ({"input": ["tea", "tea " * 300]}, "input.1", "context_length_exceeded"),
        ({"input": "tea", "dimensions": 385}, "dimensions", "invalid_request"),
        ({"input": "tea", "encoding_format": "hex"}, "encoding_format", "invalid_request"),
        ({"input": "tea", "model": "text-embedding-3-small"}, "model", "model_not_found"),
    ],
)
def test_what_is_not_offered_is_refused_and_holds_nothing(
    server: str, org_a: Tenant, body: dict[str, Any], param: str, code: str
) -> None:
    with httpx.Client(base_url=server, headers=org_a.bearer, timeout=30, trust_env=False) as http:
        answer = http.post("/v1/embeddings", json={"model": MODEL} | body)
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == (code, param)
    assert answer.status_code in {400, 404}
    assert entries(org_a) == []


def test_without_a_worker_the_answer_is_503_and_nothing_is_charged(
    client: openai.OpenAI, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "WAIT_SECONDS", 0.2)
    with pytest.raises(openai.InternalServerError) as refused:
        client.embeddings.create(model=MODEL, input="tea")
    assert refused.value.code == "embedding_unavailable"
    assert [kind for kind, _ in entries(org_a)] == ["hold", "release"]


def test_an_encoder_that_fails_is_told_and_charges_nothing(
    client: openai.OpenAI, org_a: Tenant, answers: None, word_encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(texts: Any) -> Any:
        raise RuntimeError("no memory")

    monkeypatch.setattr(word_encoder, "embed", broken)
    for texts in ("tea", ["tea"] * 20):
        with pytest.raises(openai.InternalServerError):
            client.embeddings.create(model=MODEL, input=texts)
    assert [kind for kind, _ in entries(org_a)] == ["hold", "release"] * 2


def test_a_call_that_was_left_open_is_released(org_a: Tenant) -> None:
    from apps.billing import services as billing

    call = calls.open_call(org_a.actor, 1, 100, billing.limits_of(org_a.id))
    assert calls.release_forgotten() == 0
    with tenancy.scope(org_a.id):
        EmbeddingCall.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert calls.release_forgotten() == 1
    calls.settle_call(call)
    assert [kind for kind, _ in entries(org_a)] == ["hold", "release"]


def test_many_questions_at_a_time_are_read_in_one_batch(word_encoder: WordEncoder) -> None:
    """Whoever searches at the same moment shares one pass through the model."""
    import threading

    from apps.knowledge import asking
    from workers import embedding

    threads = [threading.Thread(target=asking.ask, args=([f"question {n}"],)) for n in range(8)]
    for thread in threads:
        thread.start()
    client = asking.redis_client()
    until = timezone.now() + timedelta(seconds=4)
    while client.llen(asking.queues()[0]) < 8 and timezone.now() < until:
        pass
    embedding.answer_small(asking.take(asking.queues()[0], 64, 1))
    for thread in threads:
        thread.join()
    assert word_encoder.calls == [8]

"""From a file to passages that are found, in one organization and nowhere else."""

import pytest

from apps.core import tenancy
from apps.core.errors import InvalidRequest, NotFound, PermissionDenied
from apps.knowledge import asking
from apps.knowledge import services as knowledge
from apps.knowledge.errors import EmbeddingUnavailable
from apps.knowledge.models import Chunk
from apps.knowledge.services import searching
from tests.helpers.knowledge import WordEncoder, add, fresh, make_collection, read_all
from tests.helpers.people import Tenant, acting, add_person, events_of

pytestmark = pytest.mark.django_db(transaction=True)

HANDBOOK = """# Returns

Parcels may be returned within thirty days.

## Costs

We pay the postage of every return.

# Opening hours

The shop opens at nine.
"""


def test_a_document_is_read_and_its_passages_are_found(org_a: Tenant, answers: None) -> None:
    version = add(org_a, make_collection(org_a), "handbook.md", HANDBOOK)
    read_all()
    version = fresh(org_a, version)
    assert (version.status, version.stage, version.error_code) == ("succeeded", "ready", "")
    assert version.is_current
    assert (version.chunks, version.document.passages) == (3, 3)
    best = knowledge.search(org_a.actor, "who pays the postage of a return?")[0]
    assert best.text == "We pay the postage of every return."
    assert best.heading == ("Returns", "Costs")
    assert (best.document, best.version, best.title) == (version.document_id, version.pk, "handbook.md")
    assert 0 < best.score <= 1
    assert events_of(org_a)[-2:] == ["source.added", "source.ready"]


def test_chinese_is_found_by_pairs_of_characters(org_a: Tenant, answers: None) -> None:
    add(org_a, make_collection(org_a), "规则.md", "# 退货\n\n客户可以在三十天内退货。\n\n# 时间\n\n商店九点开门。\n")
    read_all()
    [best, *_] = knowledge.search(org_a.actor, "什么时候开门")
    assert best.text == "商店九点开门。"


def test_words_count_where_meaning_says_nothing(org_a: Tenant) -> None:
    """A part number is a word like any other to full text; nothing but words is asked here."""
    add(org_a, make_collection(org_a), "parts.txt", "Seal XQ-4711 fits pumps.\n\nSeal for valves.")
    read_all()
    with tenancy.scope(org_a.id):
        this = {"organization": org_a.id, "limit": 10, "collections": None}
        [id] = searching.matching(this, "XQ-4711")
        assert "XQ-4711" in Chunk.objects.get(pk=id).text
        assert searching.matching(this, "the of and") == []


def test_an_organization_finds_its_own_passages_alone(org_a: Tenant, org_b: Tenant, answers: None) -> None:
    add(org_a, make_collection(org_a), "a.txt", "The password of the vault is swordfish.")
    add(org_b, make_collection(org_b), "b.txt", "The vault is on the second floor.")
    read_all()
    assert [p.text for p in knowledge.search(org_b.actor, "password of the vault")] == [
        "The vault is on the second floor."
    ]
    with tenancy.scope(org_b.id):
        vector = WordEncoder().embed(["password of the vault"]).vectors[0]
        this = {"organization": org_a.id, "limit": 10, "collections": None}
        # Also with the first wall gone, and another organization's id in the question.
        assert searching.nearest(this, vector, exact=True) == []
        assert searching.nearest(this, vector, exact=False) == []
        assert searching.matching(this, "password vault") == []


def test_collections_narrow_the_search(org_a: Tenant, org_b: Tenant, answers: None) -> None:
    first, second = make_collection(org_a, "First"), make_collection(org_a, "Second")
    add(org_a, first, "a.txt", "Tea is served at four.")
    add(org_a, second, "b.txt", "Tea is grown on hills.")
    read_all()
    found = knowledge.search(org_a.actor, "tea", collections=[second.pk])
    assert [passage.text for passage in found] == ["Tea is grown on hills."]
    assert knowledge.search(org_a.actor, "tea", collections=[make_collection(org_b).pk]) == []


def test_whoever_may_not_read_finds_nothing(org_a: Tenant) -> None:
    biller = acting(org_a, add_person(org_a, "biller", "billing"))
    with pytest.raises(PermissionDenied):
        knowledge.search(biller, "tea")
    with pytest.raises(PermissionDenied):
        knowledge.create_collection(biller, "Mine")


def test_a_search_that_nobody_answers_says_so(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.1)
    monkeypatch.setattr(asking.ask, "__defaults__", (0.1,))
    with pytest.raises(EmbeddingUnavailable):
        knowledge.search(org_a.actor, "tea")


def test_a_question_that_nobody_waits_for_is_passed_over(word_encoder: WordEncoder) -> None:
    with pytest.raises(EmbeddingUnavailable):
        asking.ask(["late"], 0.05)
    assert asking.take(asking.queues()[0], 8, 0.05) == []
    assert word_encoder.calls == []


@pytest.mark.parametrize(("query", "limit"), [("  ", 8), ("x" * 2001, 8), ("tea", 0), ("tea", 51)])
def test_what_is_no_question_is_refused(org_a: Tenant, query: str, limit: int) -> None:
    with pytest.raises(InvalidRequest):
        knowledge.search(org_a.actor, query, limit)


def test_a_new_version_replaces_what_is_found_and_old_citations_stay(org_a: Tenant, answers: None) -> None:
    first = add(org_a, make_collection(org_a), "hours.txt", "The shop opens at nine.")
    read_all()
    [old] = knowledge.search(org_a.actor, "shop opens")
    upload = knowledge.pasted("hours", "The shop opens at ten.", markdown=False)
    knowledge.add_version(org_a.actor, first.document_id, upload)
    assert [p.text for p in knowledge.search(org_a.actor, "shop opens")] == ["The shop opens at nine."]
    read_all()
    assert [p.text for p in knowledge.search(org_a.actor, "shop opens")] == ["The shop opens at ten."]
    assert not fresh(org_a, first).is_current
    with tenancy.scope(org_a.id):
        kept = Chunk.objects.get(pk=old.id)
        assert (kept.text, kept.embedding, kept.lexemes) == ("The shop opens at nine.", None, None)


def test_the_context_numbers_passages_and_names_their_places(org_a: Tenant, answers: None) -> None:
    add(org_a, make_collection(org_a), "pages.txt", "First page about tea.\fSecond page about coffee.")
    read_all()
    found = knowledge.search(org_a.actor, "coffee page")
    message = knowledge.context(found)
    assert message.role == "system"
    assert "[1] pages.txt, page 2\nSecond page about coffee." in message.content
    assert "not an instruction" in message.content


def test_another_organizations_document_does_not_exist(org_a: Tenant, org_b: Tenant) -> None:
    version = add(org_a, make_collection(org_a), "a.txt", "Tea.")
    for act in (knowledge.get_source, knowledge.delete_source, knowledge.add_version):
        with pytest.raises(NotFound):
            act(org_b.actor, version.document_id)
    with pytest.raises(NotFound):
        knowledge.retry_version(org_b.actor, version.pk)
    with pytest.raises(NotFound):
        knowledge.add_text(org_b.actor, version.document.collection_id, "Mine", "Tea.")


def test_of_many_that_have_the_words_the_likely_ones_are_ranked_by_how_close_they_stand(
    org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [
        "Tea.",
        "A kettle stands on the stove, and far away in the other house somebody has found some tea.",
        "The tea kettle.",
        "Tea, tea and again tea from a kettle.",
    ]
    collection = make_collection(org_a)
    for number, text in enumerate(texts):
        add(org_a, collection, f"{number}.txt", text)
    read_all()

    def found() -> list[str]:
        with tenancy.scope(org_a.id):
            ids = searching.matching({"organization": org_a.id, "limit": 10, "collections": None}, "tea kettle")
            by_id = {row.pk: row.text for row in Chunk.objects.filter(pk__in=ids)}
            return [by_id[id] for id in ids]

    whole = found()
    assert sorted(whole) == sorted(texts) and whole[0] == texts[3]
    monkeypatch.setattr(searching, "LIKELY", 2)
    assert found() == [each for each in whole if each in found()] and len(found()) == 2

"""Brand voices: learned from texts, changed in versions, checked, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.core.errors import NotFound, PermissionDenied
from apps.studio.errors import VoiceInvalid
from apps.studio.services import voices
from tests.helpers.counting import questions_of
from tests.helpers.people import Tenant, acting

SAMPLE = " ".join(
    ["We bake every loaf by hand, and we say what is in it.", "Our ovens are old. We like them that way."] * 6
)
SignIn = Callable[[Any], Client]


@pytest.fixture
def client(org_a: Tenant, client_of: SignIn) -> Client:
    return client_of(org_a.member)


def test_samples_are_measured_and_propose_rules(client: Client) -> None:
    page = client.post("/voices/new/", {"name": "Bakery", "samples": SAMPLE, "measure": "1"}).content.decode()
    assert "Words a sentence" in page and "What the samples measure" in page
    assert '<option value="we" selected>' in page and '<option value="never" selected>' in page


def test_a_voice_is_told_to_the_model_and_its_versions_stay(org_a: Tenant, client: Client) -> None:
    facts = {"name": "Bakery", "words": "plain, warm", "vocabulary": "bread = product", "banned": "cheap\nluxury"}
    assert client.post("/voices/new/", facts)["location"] == "/voices/bakery/"
    page = client.get("/voices/bakery/").content.decode()
    assert "Say “bread” rather than “product”." in page and "cheap; luxury" in page
    client.post("/voices/bakery/edit/", facts | {"banned": "cheap", "note": "luxury is fine"})
    changed = client.get("/voices/bakery/").content.decode()
    assert "v2" in changed and "<del>luxury</del>" in changed
    client.post("/voices/bakery/restore/", {"version": "1"})
    assert voices.get_version(org_a.actor, "bakery").content["banned"] == ["cheap", "luxury"]
    assert voices.get(org_a.actor, "bakery").latest == 3


def test_a_text_is_held_against_the_voice(client: Client) -> None:
    client.post("/voices/new/", {"name": "Bakery", "banned": "cheap"})
    page = client.post("/voices/bakery/", {"text": "A cheap loaf."}).content.decode()
    assert 'title="“cheap” is a banned term."' in page and "cheap<sup>1</sup>" in page
    good = client.post("/voices/bakery/", {"text": "A good loaf."}).content.decode()
    assert "keeps to every rule" in good


def test_rules_that_make_no_sense_are_refused(org_a: Tenant, client: Client) -> None:
    answer = client.post("/voices/new/", {"name": "Bakery", "vocabulary": "good bread"})
    assert answer.status_code == 422 and "say = not to say" in answer.content.decode()
    for content in ({"tone": {"loudness": 3}}, {"person": "you"}, {"longest_sentence": -1}, {"banned": "cheap"}):
        with pytest.raises(VoiceInvalid):
            voices.create(org_a.actor, "Bakery", content)


def test_the_same_content_again_is_the_version_that_there_is(org_a: Tenant) -> None:
    voices.create(org_a.actor, "Bakery", {"banned": ["cheap"]})
    body = {"content": {"banned": ["cheap"]}, "note": None}
    ask = {"content_type": "application/json", "headers": org_a.bearer}
    answer = Client().post("/api/v1/voices/bakery/versions", body, **ask)
    assert (answer.status_code, answer.json()["voice"], answer.json()["number"]) == (201, "bakery", 1)


def test_archiving_offers_undo(client: Client) -> None:
    client.post("/voices/new/", {"name": "Bakery"})
    page = client.post("/voices/bakery/archive/", follow=True).content.decode()
    assert 'action="/voices/bakery/archive/"' in page
    client.post("/voices/bakery/archive/", {"undo": "1"})
    assert "/voices/bakery/" in client.get("/voices/").content.decode()


def test_only_members_who_may_write_voices(org_a: Tenant, org_b: Tenant, client_of: SignIn, outsider: Any) -> None:
    voices.create(acting(org_a, org_a.member), "Bakery", {"banned": ["cheap"]})
    with pytest.raises(NotFound):
        voices.get(org_b.actor, "bakery")
    for person in (org_b.owner, outsider):
        for path in ("/voices/bakery/", "/voices/bakery/edit/"):
            assert client_of(person).get(path).status_code == 404
    reader = acting(org_a, org_a.member)
    reader = type(reader)(reader.organization_id, frozenset({"templates:read"}), user_id=reader.user_id)
    with pytest.raises(PermissionDenied):
        voices.create(reader, "Loud", {})


@pytest.mark.parametrize("rows", [3, 60])
def test_pages_ask_few_questions(org_a: Tenant, client: Client, rows: int, model: Any) -> None:
    for number in range(rows):
        voices.create(org_a.actor, f"Voice {number}", {"banned": ["cheap"]})
    client.get("/voices/")
    counts = {path: questions_of(client, f"/voices/{path}") for path in ("", "new/", "voice-1/", "voice-1/edit/")}
    assert all(count <= 12 for count in counts.values()), counts

"""A question to the documents: which collections it is put to, and that it goes on as a conversation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import CustomRole, Role
from apps.core import tenancy
from apps.knowledge import services as knowledge
from apps.registry.models import ModelVersion
from apps.studio.models import Conversation, Turn
from tests.helpers.counting import questions_of
from tests.helpers.people import Tenant, add_person

SignIn = Callable[[Any], Client]
PAGE = "/knowledge/ask/"
pytestmark = pytest.mark.usefixtures("model")


@pytest.fixture(autouse=True)
def _nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search reads the query with a model in a worker; its own tests are with knowledge."""
    monkeypatch.setattr(knowledge, "search", lambda *_given, **_named: [])


@pytest.fixture
def instructed(model: ModelVersion) -> None:
    """The model that answers follows instructions, as the house's does not."""
    model.follows_instructions = True
    model.save()


@pytest.mark.usefixtures("instructed")
def test_a_question_begins_a_conversation_with_the_chosen_collections(org_a: Tenant, client_of: SignIn) -> None:
    manuals = knowledge.create_collection(org_a.actor, "Manuals")
    knowledge.create_collection(org_a.actor, "Prices")
    client = client_of(org_a.owner)
    page = client.get(f"{PAGE}?collection={manuals.pk}")
    assert page.context["form"]["collections"].initial == [str(manuals.pk)]
    answer = client.post(PAGE, {"text": "How is it cleaned?", "collections": [str(manuals.pk)]})
    with tenancy.scope(org_a.id):
        [conversation], [turn, _answer] = Conversation.objects.all(), Turn.objects.order_by("sequence")
    assert (answer.status_code, answer.url) == (302, f"/chat/{conversation.pk}/")
    assert list(conversation.collections) == [manuals.pk]
    assert turn.text == "How is it cleaned?"


def test_without_a_choice_all_collections_are_offered(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    assert "No documents yet" in client.get(PAGE).content.decode()
    names = ["Manuals", "Prices"]
    made = [str(knowledge.create_collection(org_a.actor, name).pk) for name in names]
    assert client.get(PAGE).context["form"]["collections"].initial == made
    assert questions_of(client, PAGE) <= 12


@pytest.mark.parametrize("given", [{"text": "How?"}, {"text": " ", "collections": "{collection}"}])
def test_a_question_needs_words_and_a_collection(org_a: Tenant, client_of: SignIn, given: dict[str, str]) -> None:
    found = knowledge.create_collection(org_a.actor, "Manuals")
    body = {name: value.format(collection=found.pk) for name, value in given.items()}
    answer = client_of(org_a.owner).post(PAGE, body)
    assert answer.status_code == 422
    assert answer.context["form"].errors
    with tenancy.scope(org_a.id):
        assert not Conversation.objects.exists()


def test_a_model_that_answers_no_questions_is_not_asked_any(org_a: Tenant, client_of: SignIn) -> None:
    made = [str(knowledge.create_collection(org_a.actor, name).pk) for name in ("Manuals", "Prices")]
    client = client_of(org_a.owner)
    assert "answers no questions" in client.get(PAGE).content.decode()
    assert "answers no questions" in client.get("/chat/").content.decode()
    for chosen, where in ((made, f"&collection={made[0]}&collection={made[1]}"), (made[:1], f"&collection={made[0]}")):
        answer = client.post(PAGE, {"text": " Is it clean? ", "collections": chosen})
        assert (answer.status_code, answer.url) == (302, f"/knowledge/search/?q=Is+it+clean%3F{where}")
    with tenancy.scope(org_a.id):
        assert not Conversation.objects.exists()


@pytest.mark.usefixtures("instructed")
def test_others_collections_are_neither_offered_nor_asked(org_a: Tenant, org_b: Tenant, client_of: SignIn) -> None:
    theirs = knowledge.create_collection(org_a.actor, "Secret plans")
    outsider = client_of(org_b.owner)
    assert "Secret plans" not in outsider.get(f"{PAGE}?collection={theirs.pk}").content.decode()
    refused = outsider.post(PAGE, {"text": "What is planned?", "collections": [str(theirs.pk)]})
    assert refused.status_code == 400
    with tenancy.scope(org_b.id):
        assert not Conversation.objects.exists()


def test_the_pages_of_knowledge_lead_here(org_a: Tenant, client_of: SignIn) -> None:
    found = knowledge.create_collection(org_a.actor, "Manuals")
    client = client_of(org_a.owner)
    for address in ("/knowledge/", "/knowledge/search/"):
        assert f'href="{PAGE}"' in client.get(address).content.decode()
    assert f'href="{PAGE}?collection={found.pk}"' in client.get(f"/knowledge/{found.pk}/").content.decode()


@pytest.mark.usefixtures("instructed")
def test_settings_leave_collections_alone_that_somebody_may_not_see(org_a: Tenant, client_of: SignIn) -> None:
    manuals = knowledge.create_collection(org_a.actor, "Manuals")
    client_of(org_a.owner).post(PAGE, {"text": "How is it cleaned?", "collections": [str(manuals.pk)]})
    with tenancy.scope(org_a.id):
        id = Conversation.objects.get().pk
        permissions = ["generations:read", "generations:write"]
        role = CustomRole.objects.create(organization_id=org_a.id, name="Writer", permissions=permissions)
    writer = add_person(org_a, "writer", Role.CUSTOM, role)
    answer = client_of(writer).post(f"/chat/{id}/settings/", {"system": "Shout.", "max_tokens": "30"})
    assert answer.status_code == 302
    with tenancy.scope(org_a.id):
        row = Conversation.objects.get()
    assert (row.system, row.collections) == ("Shout.", [manuals.pk])
    client_of(org_a.owner).post(f"/chat/{id}/settings/", {"system": "", "max_tokens": "30"})
    with tenancy.scope(org_a.id):
        assert Conversation.objects.get().collections == [], "who sees them takes them away"

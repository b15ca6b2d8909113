"""The command palette's endpoint: what it finds, for whom, at what cost; and what people choose for themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts import services
from apps.accounts.models import Role, User
from apps.studio.models import Template, Visibility
from apps.studio.services import bulk, schedules, templates, voices
from ml.text.tables import Row
from tests.helpers.people import Tenant, add_person, member_of
from tests.helpers.studio import ask
from tests.helpers.templates import FACTS

SignIn = Callable[[Any], Client]


def found(client: Client, query: str) -> dict[str, list[str]]:
    answer = client.get("/search/", {"q": query})
    assert answer.status_code == 200
    return {group["label"]: [item["label"] for item in group["items"]] for group in answer.json()["groups"]}


@pytest.fixture
def owner_a(org_a: Tenant, client_of: SignIn) -> Client:
    return client_of(org_a.owner)


def test_members_teams_keys_and_texts_are_found_by_the_beginnings_of_words(
    org_a: Tenant, model: Any, owner_a: Client
) -> None:
    add_person(org_a, "kingfisher")
    services.create_team(org_a.actor, "Kingfisher watchers", "")
    services.create_api_key(org_a.actor, "kingfisher feed")
    ask(org_a, "Write a line about a kingfisher.")
    assert found(owner_a, "kingf") == {
        "Texts": ["Write a line about a kingfisher."],
        "Members": ["kingfisher@org-a.example"],
        "Teams": ["Kingfisher watchers"],
        "API keys": ["kingfisher feed"],
    }
    assert found(owner_a, "kingf watch") == {"Teams": ["Kingfisher watchers"]}
    assert found(owner_a, "%") == found(owner_a, "") == found(owner_a, "nothing like it") == {}


def _named(tenant: Tenant, name: str) -> Template:
    """A template, a voice, a bulk run and a schedule of this name."""
    voices.create(tenant.actor, name, {})
    bulk.create_run(tenant.actor, f"{name}.csv", ["name"], [Row({"name": "Tea"})])
    schedules.create_schedule(tenant.actor, schedules.Plan(name=name, at=time(8), prompt="Tea."))
    return templates.create(tenant.actor, name, FACTS).template


def test_the_studios_things_are_found_by_their_names(
    org_a: Tenant, org_b: Tenant, model: Any, client_of: SignIn
) -> None:
    template = _named(org_a, "Kingfisher")
    _named(org_b, "Kingfisher of others")
    everything = {
        "Templates": ["Kingfisher"],
        "Brand voices": ["Kingfisher"],
        "Bulk runs": ["Kingfisher.csv"],
        "Schedules": ["Kingfisher"],
    }
    client = client_of(org_a.member)
    assert found(client, "kingf") == everything
    for group in client.get("/search/", {"q": "kingf"}).json()["groups"]:
        assert client.get(group["items"][0]["url"]).status_code == 200
    team = services.create_team(org_a.actor, "Watchers", "")
    templates.share(org_a.actor, template.slug, Visibility.TEAMS, [team.pk])
    assert set(found(client, "kingf")) == set(everything) - {"Templates"}
    templates.archive(org_a.actor, template.slug)
    assert set(found(client_of(org_a.owner), "kingf")) == set(everything) - {"Templates"}


def test_nothing_of_another_organization_is_found(org_a: Tenant, org_b: Tenant, owner_a: Client) -> None:
    services.create_team(org_b.actor, "Kingfisher watchers", "")
    assert found(owner_a, "kingfisher") == {}


def test_a_kind_is_found_by_who_may_see_it(org_a: Tenant, client_of: SignIn) -> None:
    services.create_team(org_a.actor, "Kingfisher watchers", "")
    services.create_api_key(org_a.actor, "kingfisher feed")
    assert found(client_of(org_a.member), "kingfisher") == {}
    auditor = add_person(org_a, "auditor", Role.AUDITOR)
    assert found(client_of(auditor), "kingfisher") == {"Teams": ["Kingfisher watchers"]}


def test_it_costs_as_much_however_much_there_is(org_a: Tenant, owner_a: Client) -> None:
    asked = []
    for number in range(7):
        services.create_team(org_a.actor, f"Kingfisher {number}", "")
        if number in (0, 6):
            with CaptureQueriesContext(connection) as questions:
                assert len(found(owner_a, "kingfisher")["Teams"]) == min(number + 1, 5)
            asked.append(len(questions))
    assert asked[0] == asked[1]


def test_single_keys_are_a_persons_own_choice(org_a: Tenant, owner_a: Client) -> None:
    assert 'data-single-keys="on"' in owner_a.get("/dashboard/").text
    assert owner_a.post("/preferences/", {"single_keys": "off"}).status_code == 204
    assert 'data-single-keys="off"' in owner_a.get("/dashboard/").text
    owner_a.post("/preferences/", {"single_keys": "perhaps"})
    assert not User.objects.get(pk=org_a.owner.pk).single_keys


def test_an_act_that_can_be_taken_back_is_told_with_undo(org_a: Tenant, owner_a: Client) -> None:
    id = member_of(org_a, org_a.member).pk
    page = owner_a.post(f"/settings/members/{id}/", {"role": "auditor"}, follow=True)
    assert f'<form method="post" action="/settings/members/{id}/">' in page.text
    assert '<input type="hidden" name="role" value="member">' in page.text
    owner_a.post(f"/settings/members/{id}/", {"role": "member"})
    assert member_of(org_a, org_a.member).role == Role.MEMBER


def test_who_was_taken_out_of_a_team_can_be_put_back(org_a: Tenant, owner_a: Client) -> None:
    team = services.create_team(org_a.actor, "Watchers", "")
    address, id = f"/settings/teams/{team.pk}/members/", member_of(org_a, org_a.member).pk
    owner_a.post(address, {"email": org_a.member.email})
    page = owner_a.post(address, {"remove": str(id)}, follow=True)
    assert f'<input type="hidden" name="email" value="{org_a.member.email}">' in page.text

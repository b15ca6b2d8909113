"""The first steps: read off the rows, taken in one click, put away and brought back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts import services as accounts
from apps.accounts.models import Role
from apps.core import tenancy
from apps.core.jobs import Status
from apps.studio.examples import EXAMPLES
from apps.studio.guide import guide_for
from apps.studio.models import Generation
from apps.studio.pages import at_a_glance
from apps.studio.services import Outcome
from tests.helpers.people import Tenant, acting, add_person, make_user
from tests.helpers.studio import ask, finish, start

SignIn = Callable[[Any], Client]


def done(tenant: Tenant, person: Any = None) -> dict[str, bool]:
    actor = acting(tenant, person or tenant.owner)
    with tenancy.scope(tenant.id):
        guide = guide_for(actor, at_a_glance(actor, timezone.now()))
    return {step.name: step.done for step in guide.steps}


@pytest.fixture
def owner_a(org_a: Tenant, model: Any, client_of: SignIn) -> Client:
    return client_of(org_a.owner)


def test_each_step_is_read_off_its_rows(model: Any, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = settings.STRIPE_API_BASE = ""
    person = make_user("new@example.com")
    organization = accounts.create_organization(person, "New")
    from tests.helpers.people import actor_of

    actor = actor_of(person)
    tenant = Tenant(organization, person, person, person, actor, "", None)  # type: ignore[arg-type]
    assert done(tenant) == {"text": False, "invite": False, "key": False}
    ask(tenant)
    assert not done(tenant)["text"], "a text that waits is none yet"
    finish(start(), Outcome(Status.SUCCEEDED, "Hello.", "stop", 10, 5))
    assert done(tenant) == {"text": True, "invite": False, "key": False}
    accounts.invite(actor, "friend@example.com", Role.MEMBER)
    accounts.create_api_key(actor, "first")
    assert done(tenant) == {"text": True, "invite": True, "key": True}


def test_only_steps_that_one_may_take_are_shown(org_a: Tenant, model: Any) -> None:
    assert set(done(org_a, org_a.member)) == {"text", "key"}
    assert set(done(org_a, add_person(org_a, "auditor", Role.AUDITOR))) == {"key"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_asked_for_in_one_click(org_a: Tenant, owner_a: Client, name: str) -> None:
    page = owner_a.get("/dashboard/").text
    assert f'action="/studio/examples/{name}/"' in page
    answer = owner_a.post(f"/studio/examples/{name}/")
    with tenancy.scope(org_a.id):
        text = Generation.objects.get()
    assert answer.url == f"/studio/{text.pk}/"
    assert text.title == EXAMPLES[name]["product"]


def test_it_is_put_away_with_undo_and_comes_back(owner_a: Client) -> None:
    assert 'id="guide-title"' in owner_a.get("/dashboard/").text
    page = owner_a.post("/dashboard/guide/", follow=True).text
    assert 'id="guide-title"' not in page
    assert '<form method="post" action="/dashboard/guide/">' in page
    assert 'id="guide-title"' in owner_a.post("/dashboard/guide/", {"show": "on"}, follow=True).text


def test_whoever_may_not_write_gets_no_examples(org_a: Tenant, model: Any, client_of: SignIn) -> None:
    auditor = client_of(add_person(org_a, "auditor", Role.AUDITOR))
    assert "/studio/examples/" not in auditor.get("/dashboard/").text
    assert auditor.post("/studio/examples/product/").status_code == 403

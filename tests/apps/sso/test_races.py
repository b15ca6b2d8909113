"""Two who do the same at the same moment: one does it, the other is told."""

from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core import tenancy
from apps.core.errors import Conflict
from apps.sso.models import GroupRule
from apps.sso.services import rules
from apps.sso.services.admission import find_or_create_person
from tests.helpers.people import Tenant
from tests.helpers.threads import together


@pytest.mark.django_db(transaction=True)
def test_a_person_let_in_twice_at_once_is_one_account(org_a: Tenant) -> None:
    found = together([partial(find_or_create_person, "new@example.com", "New")] * 8)
    assert len({getattr(person, "pk", person) for person in found}) == 1, found
    assert User.objects.filter(email="new@example.com").count() == 1


@pytest.mark.django_db(transaction=True)
def test_rules_at_once_do_not_exceed_their_number(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_RULES", 3)

    found = together([partial(rules.create_rule, org_a.actor, f"group {n}", "member") for n in range(8)])
    refused = [each for each in found if isinstance(each, Conflict)]
    with tenancy.scope(org_a.id):
        assert GroupRule.objects.count() == 3
    assert len(refused) == 5, found


@pytest.mark.django_db
def test_an_answer_for_no_connection_is_not_kept(client: Client, redis: Any) -> None:
    answer = client.post(reverse("sso-saml-acs", args=[uuid4()]), {"SAMLResponse": "x" * 1000})
    assert answer.status_code == 404
    assert not list(redis.scan_iter(match="*sso:ticket*"))

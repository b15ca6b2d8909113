"""Several lists by one question: each is what its query gives alone."""

from typing import Any

import pytest
from django.db import connection, models
from django.db.models import Count, Exists, OuterRef
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import Membership, Role, User
from apps.core import tenancy
from apps.core.together import counted, fetch_together
from apps.support.models import Agent, BusinessHours, Inbox, Label
from apps.support.services import inboxes, setup
from tests.helpers.counting import questions_in
from tests.helpers.people import Tenant, add_person, member_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def filled(org_a: Tenant) -> Tenant:
    """With rows of all sorts of columns, and texts that must not be mistaken for JSON or SQL."""
    for title in ("Cards", 'Quotes " and \\ %s', "卡"):
        setup.create(org_a.actor, "label", {"title": title})
    week = [{"day": 0, "from": "09:00", "until": "12:00"}]
    setup.create(org_a.actor, "hours", {"name": "Day", "time_zone": "Asia/Shanghai", "weekly": week})
    inboxes.create(org_a.actor, "Web", origins=["https://www.example.com"])
    user = add_person(org_a, "ann", Role.AGENT)
    with tenancy.scope(org_a.id):
        values = {"skills": ["a,b", "{c}"], "seen_at": timezone.now()}
        Agent.objects.create(organization_id=org_a.id, membership=member_of(org_a, user), **values)
    return org_a


def queries_of() -> dict[str, Any]:
    """In scope."""
    has_agent = Exists(Agent.objects.filter(membership=OuterRef("pk")))
    return {
        "labels": Label.objects.order_by("-title"),
        "some": Label.objects.order_by("title")[1:2],
        "hours": BusinessHours.objects.all(),
        "agents": Agent.objects.all(),
        "inboxes": Inbox.objects.select_related("hours").defer("greeting"),
        "members": Membership.objects.select_related("user", "custom_role").order_by("pk").annotate(answers=has_agent),
        "roles": Membership.objects.order_by("role").values_list("role", flat=True).distinct(),
        "counts": Membership.objects.order_by("role").values("role").annotate(count=Count("pk")),
        "labelled": counted(Label.objects.order_by("title")),
        "unlabelled": counted(Label.objects.filter(title="not there")),
        "moments": Agent.objects.values_list("pk", "seen_at", "skills"),
        "nobody": Agent.objects.none(),
        "nothing": Label.objects.filter(title="not there"),
    }


def told(row: Any) -> Any:
    """All that is known of a row without asking again."""
    if not isinstance(row, models.Model):
        return row
    return {
        name: told(value) if name != "_state" else {key: told(each) for key, each in value.fields_cache.items()}
        for name, value in vars(row).items()
    }


def test_each_list_is_what_its_query_gives_alone(filled: Tenant) -> None:
    with tenancy.scope(filled.id):
        queries = queries_of()
        with CaptureQueriesContext(connection) as asked:
            found = fetch_together(**queries)
        assert questions_in(asked) == 1
        alone = {name: list(rows) for name, rows in queries_of().items()}
    assert list(found) == list(queries)
    for name, rows in alone.items():
        assert [told(each) for each in found[name]] == [told(each) for each in rows], name
    assert (found["labelled"], found["unlabelled"]) == ([3], [])
    assert [len(found[name]) for name in ("labels", "some", "hours", "nobody", "nothing")] == [3, 1, 1, 0, 0]


def test_what_was_fetched_asks_nothing_more(filled: Tenant) -> None:
    with tenancy.scope(filled.id):
        found = fetch_together(**queries_of())
        with CaptureQueriesContext(connection) as asked:
            assert {each.user.email.partition("@")[0] for each in found["members"] if each.answers} == {"ann"}
            assert all(each.permissions for each in found["members"])
        assert not asked.captured_queries


def test_the_walls_stand_for_each_list(filled: Tenant, org_b: Tenant) -> None:
    with tenancy.scope(org_b.id):
        found = fetch_together(**queries_of())
        assert {each.organization_id for each in found["members"]} == {org_b.id}
        assert not [name for name in ("labels", "hours", "agents", "inboxes") if found[name]]
    with pytest.raises(tenancy.ScopeMissing):
        queries_of()


def test_queries_that_give_nothing_are_not_asked(filled: Tenant) -> None:
    with tenancy.scope(filled.id), CaptureQueriesContext(connection) as asked:
        assert fetch_together(one=Label.objects.none(), other=Label.objects.filter(pk__in=[])) == {
            "one": [],
            "other": [],
        }
    assert questions_in(asked) == 0


def test_a_column_that_json_would_change_is_refused(filled: Tenant) -> None:
    rows = User.objects.annotate(share=models.Value(1, output_field=models.DecimalField()))
    with pytest.raises(TypeError, match="DecimalField"):
        fetch_together(people=rows)

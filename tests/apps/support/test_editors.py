"""Editors of the desk's settings: rows instead of JSON, errors beside their field, and rules that are only tried."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.core import tenancy
from apps.support.models import AutomationRule, BusinessHours, Macro, SlaPolicy
from apps.support.services import setup
from tests.helpers.desk import Desk

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(desk: Desk, client_of: Callable[[Any], Client]) -> Client:
    return client_of(desk.tenant.owner)


def rows(prefix: str, *given: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """Rows as a browser sends them."""
    values: dict[str, Any] = {f"{prefix}-TOTAL_FORMS": len(given), f"{prefix}-INITIAL_FORMS": initial}
    return values | {
        f"{prefix}-{place}-{name}": value for place, row in enumerate(given) for name, value in row.items()
    }


def rule(*conditions: dict[str, Any], actions: Any = ({"action": "set_priority", "choice": "priority:4"},)) -> Any:
    named = {"name": "Stolen", "event": "message_created", "active": "on", "position": "2"}
    return named | rows("conditions", *conditions) | rows("actions", *actions)


def week(**days: list[tuple[str, str]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for day in range(7):
        spans = days.get(f"day{day}", [])
        values |= rows(f"day{day}", *({"start": start, "end": end} for start, end in spans))
    return values


def posted(client: Client, kind: str, values: dict[str, Any]) -> Any:
    return client.post(reverse("desk-settings", args=[kind]), values)


def test_a_rule_is_written_in_rows(desk: Desk, owner: Client) -> None:
    setup.create(desk.tenant.actor, "label", {"title": "Cards"})
    conditions: list[dict[str, Any]] = [
        {"field": "content", "operator": "contains", "text": "stolen"},
        {"field": "inbox", "operator": "is", "choice": f"inbox:{desk.inbox.pk}"},
        {"field": "labels", "operator": "contains", "text": "cards"},
        {"field": "attribute", "attribute": "tier", "operator": "is", "text": "gold"},
        {"field": "in_hours", "operator": "is", "choice": "truth:no"},
        {},
    ]
    actions = [
        {"action": "add_label", "choice": "label:Cards", "ORDER": "2"},
        {"action": "snooze_hours", "text": "4", "ORDER": "1"},
    ]
    assert posted(owner, "rule", rule(*conditions, actions=actions)).status_code == 302
    with tenancy.scope(desk.tenant.id):
        row = AutomationRule.objects.get()
    assert row.conditions == [
        {"field": "content", "operator": "contains", "value": "stolen"},
        {"field": "inbox", "operator": "is", "value": str(desk.inbox.pk)},
        {"field": "labels", "operator": "contains", "value": "Cards"},
        {"field": "attribute.tier", "operator": "is", "value": "gold"},
        {"field": "in_hours", "operator": "is", "value": False},
    ]
    assert row.actions == [{"action": "snooze_hours", "value": 4}, {"action": "add_label", "value": "Cards"}]
    page = owner.get(reverse("desk-setting", args=["rule", row.pk])).content.decode()
    assert 'value="tier"' in page
    assert f'value="inbox:{desk.inbox.pk}" selected' in page
    assert 'value="truth:no" selected' in page


@pytest.mark.parametrize(
    ("condition", "beside"),
    [
        ({"field": "content", "operator": "at_least", "text": "x"}, "conditions-0-operator"),
        ({"field": "priority", "operator": "at_least", "choice": "status:open"}, "conditions-0-choice"),
        ({"field": "content", "operator": "contains"}, "conditions-0-text"),
        ({"field": "attribute", "operator": "is", "text": "x"}, "conditions-0-attribute"),
        ({"operator": "is", "text": "kept words"}, "conditions-0-field"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field_and_nothing_is_lost(
    desk: Desk, owner: Client, condition: dict[str, str], beside: str
) -> None:
    page = posted(owner, "rule", rule(condition))
    assert page.status_code == 422
    shown = page.content.decode()
    error = shown.partition(f'data-error-for="{beside}"')[2].partition("</div>")[0]
    assert "hidden" not in error.partition(">")[0]
    assert error.partition(">")[2].strip()
    assert "Stolen" in shown
    assert not condition.get("text") or f'value="{condition["text"]}"' in shown
    with tenancy.scope(desk.tenant.id):
        assert not AutomationRule.objects.exists()


def test_a_rule_needs_an_action_and_a_macro_too(desk: Desk, owner: Client) -> None:
    assert posted(owner, "rule", rule(actions=[{}])).status_code == 422
    assert posted(owner, "macro", {"name": "M"} | rows("actions", {})).status_code == 422
    too_long = {"action": "snooze_hours", "text": "9999"}
    assert "8760" in posted(owner, "macro", {"name": "M"} | rows("actions", too_long)).content.decode()


def test_rows_are_removed_and_what_is_gone_elsewhere_stays_as_it_is(desk: Desk, owner: Client) -> None:
    label = setup.create(desk.tenant.actor, "label", {"title": "Old"})
    actions = [{"action": "add_label", "value": "Old"}, {"action": "set_priority", "value": 1}]
    macro = setup.create(desk.tenant.actor, "macro", {"name": "M", "actions": actions})
    setup.delete(desk.tenant.actor, "label", label.pk)
    place = reverse("desk-setting", args=["macro", macro.pk])
    assert 'value="label:Old" selected' in owner.get(place).content.decode()
    sent = [
        {"action": "add_label", "choice": "label:Old", "ORDER": "1"},
        {"action": "set_priority", "choice": "priority:1", "ORDER": "2", "DELETE": "on"},
    ]
    assert owner.post(place, {"name": "M"} | rows("actions", *sent, initial=2)).status_code == 302
    with tenancy.scope(desk.tenant.id):
        assert Macro.objects.get().actions == [{"action": "add_label", "value": "Old"}]


def test_a_rule_is_tried_on_a_conversation_and_changes_nothing(desk: Desk, other_desk: Desk, owner: Client) -> None:
    conversation = desk.begin(text="My card was stolen")
    before = desk.again(conversation).last_sequence
    conditions = [
        {"field": "content", "operator": "contains", "text": "stolen"},
        {"field": "priority", "operator": "at_least", "choice": "priority:3"},
    ]
    values = rule(*conditions) | {"try": "1", "conversation": str(conversation.pk)}
    page = posted(owner, "rule", values)
    assert page.status_code == 200
    assert [each.holds for each in page.context["tried"].conditions] == [True, False]
    assert page.context["tried"].conditions[0].known is None
    assert "The rule would not act." in page.content.decode()
    page = posted(owner, "rule", rule(conditions[0]) | {"try": "1", "conversation": str(conversation.pk)})
    assert "set the priority: urgent" in page.content.decode()
    found = desk.again(conversation)
    assert (found.priority, found.last_sequence) == (0, before)
    with tenancy.scope(desk.tenant.id):
        assert not AutomationRule.objects.exists()
    strange = other_desk.begin()
    assert posted(owner, "rule", values | {"conversation": str(strange.pk)}).status_code == 422


def test_business_hours_are_a_grid_of_spans(desk: Desk, owner: Client) -> None:
    values = {"name": "Days", "time_zone": "europe/berlin"}
    values |= week(day0=[("13:00", "17:00"), ("09:00", "12:00"), ("", "")], day5=[("20:00", "00:00")])
    values |= rows("holidays", {"date": "2026-12-25", "name": "Christmas"}, {"date": "2026-01-01", "name": ""}, {})
    assert posted(owner, "hours", values).status_code == 302
    with tenancy.scope(desk.tenant.id):
        row = BusinessHours.objects.get()
    assert row.time_zone == "Europe/Berlin"
    assert [(each["day"], each["from"], each["until"]) for each in row.weekly] == [
        (0, "13:00", "17:00"),
        (0, "09:00", "12:00"),
        (5, "20:00", "24:00"),
    ]
    assert [each["date"] for each in row.holidays] == ["2026-01-01", "2026-12-25"]
    page = owner.get(reverse("desk-setting", args=["hours", row.pk])).content.decode()
    assert 'value="20:00"' in page
    assert 'value="2026-12-25"' in page


@pytest.mark.parametrize(
    ("spans", "zone", "beside"),
    [
        ([("09:00", "12:00"), ("11:00", "13:00")], "UTC", "day0-1-start"),
        ([("12:00", "09:00")], "UTC", "day0-0-end"),
        ([("12:00", "")], "UTC", "day0-0-end"),
        ([], "Nowhere", "time_zone"),
    ],
)
def test_hours_that_cannot_be_are_told_beside_them(
    owner: Client, spans: list[tuple[str, str]], zone: str, beside: str
) -> None:
    values = {"name": "Days", "time_zone": zone} | week(day0=spans) | rows("holidays")
    page = posted(owner, "hours", values)
    assert page.status_code == 422
    error = page.content.decode().partition(f'data-error-for="{beside}"')[2].partition("</div>")[0]
    assert error.partition(">")[2].strip()


def test_promises_are_said_in_hours_and_days(desk: Desk, owner: Client) -> None:
    values = {"name": "Gold", "first_reply_0": "1.5", "first_reply_1": "3600", "next_reply_0": "", "next_reply_1": "60"}
    values |= {"resolution_0": "2", "resolution_1": "86400", "in_hours": "on"}
    assert posted(owner, "sla", values).status_code == 302
    with tenancy.scope(desk.tenant.id):
        row = SlaPolicy.objects.get()
    assert (row.first_reply, row.next_reply, row.resolution) == (5_400, None, 172_800)
    page = posted(owner, "sla", values | {"name": "Two", "resolution_0": "900"})
    assert page.status_code == 422
    assert "A promise is from a minute to a year." in page.content.decode()

"""Definitions of custom attributes as Chatwoot's programs set them up, and values that are checked against them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import AuditEntry
from apps.core import tenancy
from apps.core.errors import InvalidRequest
from apps.support.models import AttributeDefinition, Contact, Conversation
from apps.support.services import contacts, setup
from tests.helpers.account_api import Program
from tests.helpers.desk import Browser, Desk

pytestmark = pytest.mark.django_db

PLAN = {
    "attribute_display_name": "Plan",
    "attribute_display_type": "list",
    "attribute_key": "plan",
    "attribute_values": ["gold", "blue"],
    "attribute_model": "contact_attribute",
}


def define(desk: Desk, of: str, key: str, kind: str, choices: tuple[str, ...] = ()) -> Any:
    facts = {"of": of, "key": key, "name": key.title(), "kind": kind, "choices": list(choices)}
    return setup.create(desk.tenant.actor, "attribute", facts)


def test_definitions_are_set_up_by_names_or_numbers(desk: Desk) -> None:
    program = Program(desk)
    made = program.said("POST", "/custom_attribute_definitions", {"custom_attribute_definition": PLAN})
    assert made | PLAN == made
    assert made["created_at"]
    # As Chatwoot's documentation has it: numbers, and not under a name.
    told = {
        "attribute_display_name": "Done",
        "attribute_display_type": 7,
        "attribute_key": "done",
        "attribute_model": 0,
    }
    done = program.said("POST", "/custom_attribute_definitions", told)
    assert (done["attribute_display_type"], done["attribute_model"]) == ("checkbox", "conversation_attribute")
    place = f"/custom_attribute_definitions/{made['id']}"
    assert program.said("GET", place) == made
    assert program.said("PATCH", place, {"attribute_values": ["gold"]})["attribute_values"] == ["gold"]
    ids = [[each["id"] for each in program.said("GET", "/custom_attribute_definitions", query)] for query in (
        {}, {"attribute_model": "contact_attribute"}, {"attribute_model": "0"},
    )]  # fmt: skip
    assert ids == [[done["id"], made["id"]], [made["id"]], [done["id"]]]
    # They are a setting of the desk as well.
    own = Client().get("/api/v1/support/settings/attribute", headers={"authorization": f"Bearer {program.key}"})
    assert [each["values"]["key"] for each in own.json()["data"]] == ["done", "plan"]
    gone = program("DELETE", place)
    assert (gone.status_code, gone.content) == (204, b"")
    assert program("GET", place).status_code == 404
    with tenancy.scope(desk.tenant.id):
        kept = AuditEntry.objects.filter(action__startswith="support_setting.").values_list("action", flat=True)
        assert sorted(kept) == sorted(f"support_setting.{act}" for act in ("created", "created", "changed", "deleted"))


@pytest.mark.parametrize(
    ("wrong", "attribute"),
    [
        ({"attribute_key": "a key"}, "attribute_key"),
        ({"attribute_key": "email"}, "attribute_key"),
        ({"attribute_values": []}, "attribute_values"),
        ({"attribute_display_type": "colour"}, "attribute_display_type"),
        ({"attribute_display_name": ""}, "attribute_display_name"),
    ],
)
def test_what_is_no_definition_is_refused(desk: Desk, wrong: dict[str, Any], attribute: str) -> None:
    refused = Program(desk)("POST", "/custom_attribute_definitions", PLAN | wrong)
    assert (refused.status_code, refused.json()["attributes"]) == (422, [attribute])


def test_a_key_is_there_once_for_contacts_and_once_for_conversations(desk: Desk, other_desk: Desk) -> None:
    program = Program(desk)
    program.said("POST", "/custom_attribute_definitions", PLAN)
    refused = program("POST", "/custom_attribute_definitions", PLAN)
    assert (refused.status_code, refused.json()["attributes"]) == (422, ["attribute_key"])
    program.said("POST", "/custom_attribute_definitions", PLAN | {"attribute_model": "conversation_attribute"})
    elsewhere = Program(other_desk)
    made = elsewhere.said("POST", "/custom_attribute_definitions", PLAN)
    # A number is an organization's own: the first of the other one's is this one's first.
    assert made["id"] == 1
    assert len(elsewhere.said("GET", "/custom_attribute_definitions")) == 1


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("number", [(3, 3), (2.5, 2.5), ("17", 17), ("-1.5", -1.5)], ["many", True, "1e5", ""]),
        ("currency", [("9.90", 9.9)], ["$9"]),
        ("percent", [(12, 12)], ["12 %"]),
        (
            "link",
            [("https://shop.example/o/1", "https://shop.example/o/1")],
            ["shop.example", "javascript:alert(1)", 3],
        ),
        ("date", [("2026-01-31", "2026-01-31"), ("2026-01-31T10:00:00.000Z",) * 2], ["31.1.2026", "2026-02-31", 7]),
        ("list", [("gold", "gold")], ["silver", "Gold", 1]),
        ("checkbox", [(True, True), ("false", False)], ["perhaps", 2]),
        ("text", [("any", "any"), (3, 3)], []),
    ],
)
def test_values_are_what_their_definition_says(desk: Desk, kind: str, right: list[Any], wrong: list[Any]) -> None:
    define(desk, "contact", "fact", kind, ("gold", "blue"))
    for given, kept in right:
        made = contacts.create(desk.tenant.actor, {"name": "Ada", "attributes": {"fact": given, "free": "x"}})
        assert made.attributes == {"fact": kept, "free": "x"}
    for given in wrong:
        with pytest.raises(InvalidRequest, match="Fact must be"):
            contacts.create(desk.tenant.actor, {"name": "Ada", "attributes": {"fact": given}})
    # Null takes a value away, whatever its kind.
    assert contacts.create(desk.tenant.actor, {"attributes": {"fact": None}}).attributes == {"fact": None}


def test_a_conversations_values_are_checked_and_what_is_older_stays(desk: Desk) -> None:
    program, talk = Program(desk), desk.begin()
    place = f"/conversations/{talk.number}/custom_attributes"
    program.said("POST", place, {"custom_attributes": {"order": "o-1", "size": "large"}})
    define(desk, "conversation", "size", "number")
    refused = program("POST", place, {"custom_attributes": {"order": "o-2", "size": "small"}})
    assert (refused.status_code, refused.json()["message"]) == (422, "Size must be a number.")
    told = program.said("POST", place, {"custom_attributes": {"order": "o-2", "size": "large"}})
    assert told["custom_attributes"] == {"order": "o-2", "size": "large"}
    told = program.said("POST", place, {"custom_attributes": {"order": "o-2", "size": "3"}})
    assert told["custom_attributes"]["size"] == 3
    # A contact's attribute of that name is another one.
    contact = program.said("POST", "/contacts", {"name": "Ada", "custom_attributes": {"size": "small"}})
    assert contact["payload"]["contact"]["custom_attributes"] == {"size": "small"}


def test_a_visitors_window_opens_also_where_their_site_says_something_wrong(desk: Desk) -> None:
    define(desk, "contact", "plan", "list", ("gold",))
    define(desk, "conversation", "size", "number")
    browser = Browser(desk)
    came = browser.come_in(name="Ada", custom_attributes={"plan": "silver", "city": "Bonn"})
    assert came["custom_attributes"] == {"city": "Bonn"}
    changed = browser("PATCH", "/contacts/me", {"custom_attributes": {"plan": "gold"}}).json()
    assert changed["custom_attributes"] == {"city": "Bonn", "plan": "gold"}
    begun = browser("POST", "/contacts/me/conversations", {"custom_attributes": {"size": "big", "order": 1}}).json()
    assert begun["custom_attributes"] == {"order": 1}
    place = f"/contacts/me/conversations/{begun['id']}"
    told = {"custom_attributes": {"size": "big", "more": True}}
    assert browser("POST", f"{place}/set_custom_attributes", told).status_code == 204
    with tenancy.scope(desk.tenant.id):
        assert Conversation.objects.get().attributes == {"order": 1, "more": True}
        assert Contact.objects.get().attributes == {"city": "Bonn", "plan": "gold"}


def test_the_desk_has_a_page_for_them(desk: Desk, client_of: Callable[[Any], Client]) -> None:
    client = client_of(desk.tenant.owner)
    form = {"name": "Plan", "of": "contact", "key": "plan", "kind": "list", "choices": "gold\nblue\n", "about": ""}
    wrong = client.post("/desk/settings/attribute/", form | {"choices": ""})
    assert (wrong.status_code, "A list has 1 to 200 values." in wrong.content.decode()) == (422, True)
    assert client.post("/desk/settings/attribute/", form).status_code == 302
    page = client.get("/desk/settings/attribute/").content.decode()
    assert "contact · plan · one of a list" in page
    with tenancy.scope(desk.tenant.id):
        row = AttributeDefinition.objects.get()
    assert (row.choices, row.created_by_id) == (["gold", "blue"], desk.tenant.owner.pk)
    assert "gold\nblue" in client.get(f"/desk/settings/attribute/{row.pk}/").content.decode()
    assert client.post(f"/desk/settings/attribute/{row.pk}/", {"delete": ""}).status_code == 302
    assert "plan" not in client.get("/desk/settings/attribute/").content.decode()

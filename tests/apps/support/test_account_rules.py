"""Automation rules and macros as programs written for Chatwoot know them: the desk's own, in their words."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import AuditEntry, Role, Team
from apps.core import tenancy
from apps.support.models import AutomationRule, Macro
from apps.support.services import setup
from tests.helpers.account_api import Program
from tests.helpers.desk import Desk
from tests.helpers.people import add_person

pytestmark = pytest.mark.django_db


def condition(key: str, operator: str, *values: Any, tie: str | None = "and", **more: Any) -> dict[str, Any]:
    body = {"attribute_key": key, "filter_operator": operator, "values": list(values), "query_operator": tie}
    return body | more


def action(name: str, *params: Any) -> dict[str, Any]:
    return {"action_name": name, "action_params": list(params)}


INCOMING = condition("message_type", "equal_to", "incoming")


def names(program: Program, desk: Desk) -> dict[str, int]:
    """Of what there is by number: an inbox, a team and an agent."""
    add_person(desk.tenant, "ann", Role.AGENT)
    with tenancy.scope(desk.tenant.id):
        Team.objects.create(organization_id=desk.tenant.id, name="Returns")
    [ann] = [each["id"] for each in program.said("GET", "/agents") if each["name"] == "ann"]
    [team] = program.said("GET", "/teams")
    [inbox] = program.said("GET", "/inboxes")["payload"]
    return {"agent": ann, "team": team["id"], "inbox": inbox["id"]}


def test_a_rule_of_chatwoots_acts_here_and_is_told_as_it_was_sent(desk: Desk) -> None:
    program = Program(desk)
    ids = names(program, desk)
    for title in ("late", "paid"):
        setup.create(desk.tenant.actor, "label", {"title": title})
    sent = {
        "name": "Stolen cards",
        "description": "Whoever has lost one is helped first",
        "event_name": "message_created",
        "conditions": [
            INCOMING,
            condition("content", "contains", "stolen"),
            condition("inbox_id", "equal_to", ids["inbox"]),
            condition("team_id", "is_not_present"),
            condition("labels", "not_equal_to", "paid"),
            condition("priority", "is_not_present"),
            condition("assignee_id", "is_not_present"),
            condition("plan", "is_not_present", custom_attribute_type="contact_attribute"),
            condition("in_hours", "is", True, tie=None),
        ],
        "actions": [
            action("change_priority", "urgent"),
            action("add_label", "late", "paid"),
            action("assign_team", ids["team"]),
            action("assign_agent", ids["agent"]),
            action("add_private_note", "Look"),
            action("send_message", "Dear {{contact.name}}"),
            action("snooze_hours", 5),
        ],
        "active": True,
    }
    made = program.said("POST", "/automation_rules", sent)
    assert made.pop("created_on") > 0
    assert made == {"id": 1, "account_id": program.number} | sent
    assert program.said("GET", "/automation_rules/1")["payload"].items() >= sent.items()
    program.said("PATCH", "/automation_rules/1", {"actions": sent["actions"][:-1]})
    talk = desk.again(desk.begin(text="My card was stolen"))
    assert (talk.priority, talk.labels, talk.status) == (4, ["late", "paid"], "open")
    told = program.said("GET", f"/conversations/{talk.number}")
    assert (told["meta"]["team"]["id"], told["meta"]["assignee"]["id"]) == (ids["team"], ids["agent"])
    assert {"Look", "Dear Ada"} <= {row.content for row in desk.history(talk)}
    copied = program.said("POST", "/automation_rules/1/clone")["payload"]
    assert (copied["id"], copied["name"], copied["conditions"]) == (2, "Stolen cards 2", sent["conditions"])
    # What is not named stays.
    assert program.said("PATCH", "/automation_rules/2", {"active": False})["payload"]["active"] is False
    assert [each["active"] for each in program.said("GET", "/automation_rules")["payload"]] == [True, False]
    assert program.said("DELETE", "/automation_rules/2") == {}
    assert program("GET", "/automation_rules/2").status_code == 404
    assert Program(desk, ("support:read",))("POST", "/automation_rules", sent).status_code == 403
    with tenancy.scope(desk.tenant.id):
        acts = AuditEntry.objects.filter(action__startswith="support_setting.", detail__kind="rule")
        assert sorted(each.action.partition(".")[2] for each in acts) == [
            "changed", "changed", "created", "created", "deleted",
        ]  # fmt: skip


def test_none_of_several_values_is_as_many_conditions(desk: Desk) -> None:
    program = Program(desk)
    body = {
        "name": "Others",
        "event_name": "conversation_opened",
        "conditions": [condition("email", "does_not_contain", "@a.example", "@b.example", tie=None)],
        "actions": [action("open_conversation"), action("resolve_conversation"), action("change_priority", "nil")],
    }
    made = program.said("POST", "/automation_rules", body)
    assert made["conditions"] == [
        condition("email", "does_not_contain", "@a.example"),
        condition("email", "does_not_contain", "@b.example", tie=None),
    ]
    assert made["actions"] == [
        action("change_status", "open"), action("resolve_conversation"), action("change_priority", "nil")
    ]  # fmt: skip


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"event_name": "conversation_updated"}, "no_counterpart", "event_name"),
    ({"conditions": [condition("email", "is_present", tie="OR"), INCOMING]}, "no_counterpart", "conditions"),
    ({"conditions": [condition("email", "equal_to", "a", "b")]}, "no_counterpart", "conditions"),
    ({"conditions": [condition("message_type", "equal_to", "outgoing")]}, "no_counterpart", "conditions"),
    ({"conditions": [condition("assignee_id", "equal_to", 1)]}, "no_counterpart", "conditions"),
    ({"conditions": [condition("country_code", "equal_to", "NL")]}, "no_counterpart", "conditions"),
    ({"conditions": [condition("labels", "is_present")]}, "no_counterpart", "conditions"),
    ({"conditions": [condition("inbox_id", "equal_to", 999_999)]}, "invalid_request", "conditions"),
    ({"conditions": [condition("content", "contains")]}, "invalid_request", "conditions"),
    ({"actions": [action("send_webhook_event", "https://a.example")]}, "no_counterpart", "actions"),
    ({"actions": [action("assign_team", "nil")]}, "no_counterpart", "actions"),
    ({"actions": [action("assign_agent", "self")]}, "no_counterpart", "actions"),
    ({"actions": [action("change_status", "pending")]}, "no_counterpart", "actions"),
    ({"actions": [action("assign_agent", 999_999)]}, "invalid_request", "actions"),
    ({"actions": [action("send_message")]}, "invalid_request", "actions"),
    ({"name": " "}, "invalid_request", "name"),
]


def test_what_has_no_counterpart_is_refused_by_name_and_nothing_is_stored(desk: Desk) -> None:
    program = Program(desk)
    right = {"name": "R", "event_name": "message_created", "actions": [action("resolve_conversation")]}
    for wrong, code, name in WRONG:
        refused = program("POST", "/automation_rules", right | wrong)
        told = refused.json()
        assert (refused.status_code, told["error"]["code"], told["attributes"]) == (422, code, [name]), wrong
    with tenancy.scope(desk.tenant.id):
        assert not AutomationRule.objects.exists()


def test_rules_that_only_the_desk_knows_are_told_in_its_own_words_and_taken_again(desk: Desk) -> None:
    program = Program(desk)
    conditions = [
        {"field": "priority", "operator": "at_least", "value": 3},
        {"field": "verified", "operator": "is", "value": False},
        {"field": "subject", "operator": "is_not", "value": ""},
    ]
    actions = [{"action": "require_skill", "value": "French"}, {"action": "set_status", "value": "resolved"}]
    rule = {"name": "R", "event": "conversation_created", "conditions": conditions, "actions": actions}
    setup.create(desk.tenant.actor, "rule", rule)
    [told] = program.said("GET", "/automation_rules")["payload"]
    assert [(each["attribute_key"], each["filter_operator"], each["values"]) for each in told["conditions"]] == [
        ("priority", "at_least", ["high"]), ("verified", "is", [False]), ("mail_subject", "is_present", []),
    ]  # fmt: skip
    program.said("PATCH", f"/automation_rules/{told['id']}", {each: told[each] for each in ("conditions", "actions")})
    with tenancy.scope(desk.tenant.id):
        row = AutomationRule.objects.get()
        assert (row.conditions, row.actions) == (conditions, actions)


def test_macros_are_ones_own_or_everybodys_and_run_in_several_conversations(desk: Desk, other_desk: Desk) -> None:
    program, talks = Program(desk), [desk.begin(), desk.begin()]
    body = {"name": "Done", "actions": [action("send_message", "Bye"), action("resolve_conversation")]}
    mine = program.said("POST", "/macros", body)["payload"]
    assert (mine["visibility"], mine["created_by"]["name"], mine["actions"]) == ("personal", "owner", body["actions"])
    everybodys = program.said("POST", "/macros", body | {"name": "All", "visibility": "global"})["payload"]
    assert (everybodys["visibility"], "created_by" in everybodys) == ("global", False)
    assert [each["name"] for each in program.said("GET", "/macros")["payload"]] == ["All", "Done"]
    place = f"/macros/{mine['id']}"
    assert program.said("PUT", place, {"name": "Over"})["payload"]["name"] == "Over"
    moved = program("PATCH", place, {"visibility": "global"})
    assert (moved.status_code, moved.json()["error"]["code"]) == (422, "no_counterpart")
    numbers = [talk.number for talk in talks]
    answer = program.said("POST", f"{place}/execute", {"conversation_ids": [*numbers, 99]})
    assert answer == {"done": numbers, "failed": []}
    assert [desk.again(talk).status for talk in talks] == ["resolved", "resolved"]
    elsewhere = Program(other_desk)
    assert elsewhere("POST", f"/macros/{mine['id']}/execute", {"conversation_ids": [1]}).status_code == 404
    agents = Program(desk, ("support:read", "support:write"))
    assert agents("POST", "/macros", body | {"visibility": "global"}).status_code == 403
    assert program.said("DELETE", place) == {}
    with tenancy.scope(desk.tenant.id):
        assert list(Macro.objects.values_list("name", flat=True)) == ["All"]

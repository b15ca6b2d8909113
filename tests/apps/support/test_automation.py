"""Rules, ready texts and turns: pure functions, without database."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.support import automation, canned
from apps.support.assigning import Candidate, Waiting, choose, give_out
from apps.support.automation import Rule, RuleInvalid, evaluate

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
FACTS: dict[str, Any] = {
    "content": "My card was STOLEN yesterday",
    "subject": "",
    "labels": ["Cards"],
    "priority": 2,
    "assigned": False,
    "in_hours": True,
    "language": "en",
    "attributes": {"tier": "gold"},
}


def rule(*conditions: dict[str, Any], event: str = "message_created") -> Rule:
    return Rule("r", event, conditions, ({"action": "set_priority", "value": 4},))


@pytest.mark.parametrize(
    ("field", "operator", "value", "holds"),
    [
        ("content", "contains", "stolen", True),
        ("content", "contains", "lost", False),
        ("content", "contains_not", "lost", True),
        ("content", "begins_with", "my card", True),
        ("language", "is", "EN", True),
        ("language", "is_not", "zh-hans", True),
        ("subject", "is_empty", "", True),
        ("content", "is_empty", "", False),
        ("labels", "contains", "cards", True),
        ("labels", "contains", "loans", False),
        ("labels", "contains_not", "loans", True),
        ("labels", "is_empty", "", False),
        ("priority", "at_least", 2, True),
        ("priority", "at_most", 1, False),
        ("priority", "is", 2, True),
        ("assigned", "is", False, True),
        ("in_hours", "is", False, False),
        ("attribute.tier", "is", "Gold", True),
        ("attribute.none", "is_empty", "", True),
    ],
)
def test_a_condition_holds_or_not(field: str, operator: str, value: Any, holds: bool) -> None:
    condition = {"field": field, "operator": operator, "value": value}
    assert automation.checked_conditions([condition]) == [condition]
    assert bool(evaluate([rule(condition)], "message_created", FACTS)) is holds


def test_all_conditions_must_hold_and_the_event_be_the_rules() -> None:
    right = {"field": "content", "operator": "contains", "value": "stolen"}
    wrong = {"field": "language", "operator": "is", "value": "fr"}
    assert not evaluate([rule(right, wrong)], "message_created", FACTS)
    assert not evaluate([rule(right)], "conversation_created", FACTS)
    assert [found.rule for found in evaluate([rule(right)], "message_created", FACTS)] == ["r"]


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "unknown", "operator": "is", "value": "x"},
        {"field": "content", "operator": "at_least", "value": "x"},
        {"field": "content", "operator": "contains", "value": ""},
        {"field": "content", "operator": "contains", "value": 3},
        {"field": "priority", "operator": "is", "value": "2"},
        {"field": "priority", "operator": "is", "value": True},
        {"field": "assigned", "operator": "is", "value": "yes"},
        {"field": "content", "operator": "contains", "value": "x", "else": 1},
        "content",
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(condition: Any) -> None:
    with pytest.raises(RuleInvalid):
        automation.checked_conditions([condition])


@pytest.mark.parametrize(
    "action",
    [
        {"action": "delete_everything", "value": ""},
        {"action": "set_priority", "value": 5},
        {"action": "set_priority", "value": True},
        {"action": "assign_team", "value": "support"},
        {"action": "set_status", "value": "pending"},
        {"action": "snooze_hours", "value": 0},
        {"action": "reply", "value": " "},
        {"action": ["reply"], "value": "x"},
    ],
)
def test_an_action_that_makes_no_sense_is_refused(action: Any) -> None:
    with pytest.raises(RuleInvalid):
        automation.checked_actions([action])


def test_a_rule_has_something_to_do_and_not_too_much() -> None:
    with pytest.raises(RuleInvalid):
        automation.checked_actions([])
    with pytest.raises(RuleInvalid):
        automation.checked_actions([{"action": "set_priority", "value": 1}] * 11)


# ---------------------------------------------------------------- ready texts


def test_places_are_filled_in_and_what_has_nothing_stays_to_be_seen() -> None:
    found = canned.fill("Dear {{ contact.name }}, {{agent.name}} ({{contact.phone}})", {"contact.name": "Ada"})
    assert found.text == "Dear Ada, {{agent.name}} ({{contact.phone}})"
    assert found.missing == ("agent.name", "contact.phone")


def test_what_is_filled_in_is_not_filled_in_again() -> None:
    found = canned.fill("{{contact.name}}", {"contact.name": "{{agent.email}}", "agent.email": "secret@x.example"})
    assert found.text == "{{agent.email}}"


def test_unknown_names_are_found() -> None:
    assert canned.unknown_names("{{contact.name}} {{contact.shoe_size}}") == ["contact.shoe_size"]


# ---------------------------------------------------------------- turns


def candidate(number: int, **values: Any) -> Candidate:
    facts: dict[str, Any] = {
        "id": UUID(int=number),
        "is_there": True,
        "load": 0,
        "capacity": 3,
        "skills": frozenset(),
        "teams": frozenset(),
        "inboxes": frozenset(),
        "given_at": None,
    }
    return Candidate(**(facts | values))


def waiting(**values: Any) -> Waiting:
    facts: dict[str, Any] = {
        "id": uuid4(),
        "inbox": UUID(int=900),
        "inbox_is_open": True,
        "team": None,
        "skills": frozenset(),
    }
    return Waiting(**(facts | values))


def test_whoever_was_given_nothing_for_longest_is_next() -> None:
    early = candidate(2, given_at=NOW - timedelta(hours=2))
    late = candidate(1, given_at=NOW - timedelta(hours=1))
    assert choose([late, early], waiting()) == early
    assert choose([late, early, candidate(3)], waiting()) == candidate(3)


@pytest.mark.parametrize(
    ("agent", "row"),
    [
        (candidate(1, is_there=False), waiting()),
        (candidate(1, load=3), waiting()),
        (candidate(1), waiting(team=UUID(int=7))),
        (candidate(1, skills=frozenset({"loans"})), waiting(skills=frozenset({"loans", "german"}))),
        (candidate(1), waiting(inbox_is_open=False)),
    ],
)
def test_nobody_is_given_what_they_cannot_take(agent: Candidate, row: Waiting) -> None:
    assert choose([agent], row) is None


def test_turns_go_round_until_everybody_is_full() -> None:
    agents = [candidate(1, capacity=2), candidate(2, capacity=1)]
    queue = [waiting() for _ in range(5)]
    given = give_out(agents, queue, NOW)
    assert [each.id for each, _ in given] == [row.id for row in queue[:3]]
    assert [agent.int for _, agent in given] == [1, 2, 1]


def test_what_nobody_can_take_holds_up_nothing_behind_it() -> None:
    hard, easy = waiting(skills=frozenset({"latin"})), waiting()
    assert [row for row, _ in give_out([candidate(1)], [hard, easy], NOW)] == [easy]

"""Every action that the product records is a sentence that a reviewer can read."""

import ast

import pytest

from apps.accounts.audit.sentences import SENTENCES, sentence
from apps.accounts.models import AuditEntry
from tests.helpers.sources import called, calls, files, name_of


def recorded_actions() -> dict[str, str]:
    """Action → file of every literal action that is handed to `audit.record`."""
    found = {}
    for path in files("*.py", "apps", "workers"):
        for _, call in calls(path):
            owner = ast.unparse(call.func).rpartition(".")[0]
            if called(call) in {"record", "record_installation"} and owner == "audit" and len(call.args) > 1:
                for action in _literals(call.args[1]):
                    found[action] = name_of(path)
    return found


def _literals(node: ast.expr) -> list[str]:
    """The action itself, or both of `a if b else c`."""
    if isinstance(node, ast.IfExp):
        return _literals(node.body) + _literals(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def test_every_action_has_a_sentence() -> None:
    actions = recorded_actions()
    assert "api_key.created" in actions
    missing = {action: path for action, path in actions.items() if action not in SENTENCES}
    assert not missing, "add them to apps/accounts/audit/sentences.py"


@pytest.mark.parametrize("action", sorted(SENTENCES))
def test_a_sentence_reads_whole_with_nothing_known(action: str) -> None:
    entry = AuditEntry(action=action, actor_name="Ada", object_name="Thing", object_type="accounts.apikey", detail={})
    text = sentence(entry)
    assert "%(" not in text
    assert text.endswith(".")


def test_a_sentence_says_what_changed() -> None:
    entry = AuditEntry(
        action="api_key.created", actor_name="Ada", object_name="Robot", detail={"scopes": ["a:read", "b:read"]}
    )
    assert sentence(entry) == "Ada created the API key “Robot” with the scopes a:read, b:read."


def test_staff_who_act_as_somebody_are_named() -> None:
    entry = AuditEntry(
        action="api_key.revoked", actor_name="Ada", impersonator_id="0" * 32, impersonator_name="Sam", object_name="Key"
    )
    assert sentence(entry) == "Sam, acting as Ada, revoked the API key “Key”."


def test_an_action_of_an_older_release_is_still_readable() -> None:
    entry = AuditEntry(action="old.thing", actor_name="Ada", object_name="Robot")
    assert sentence(entry) == "Ada did old.thing to “Robot”."

"""Twenty ways to change the past, by whoever owns the tables, and each of them found and named."""

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.audit import anchors, erasure, recording, retention
from apps.accounts.audit.verification import verify
from apps.accounts.models import AuditAnchor, AuditEntry, AuditStream, AuditVerification
from apps.core import tenancy
from apps.core.tenancy import AsOwner, as_owner
from tests.helpers.people import Tenant

ENTRIES = 12
RESEAL_FROM = """
DO $$
DECLARE entry accounts_auditentry; last text;
BEGIN
    FOR entry IN SELECT * FROM accounts_auditentry ORDER BY sequence LOOP
        entry.content_digest := audit_digest(entry.salt || jsonb_build_array(entry.actor_name, entry.impersonator_name,
            entry.object_name, entry.address, entry.agent, entry.before, entry.after, entry.detail)::text);
        entry.previous_hash := coalesce(last, repeat('0', 64));
        entry.hash := audit_digest(jsonb_build_array(1, entry.id, entry.organization_id, entry.sequence,
            to_char(entry.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), entry.transaction_id,
            entry.actor_kind, entry.user_id, entry.api_key_id, entry.impersonator_id, entry.action, entry.object_type,
            entry.object_id, entry.request_id, entry.content_digest, entry.previous_hash)::text);
        UPDATE accounts_auditentry SET content_digest = entry.content_digest, hash = entry.hash,
            previous_hash = entry.previous_hash WHERE id = entry.id;
        last := entry.hash;
    END LOOP;
    UPDATE accounts_audithead SET hash = last, sequence = (SELECT max(sequence) FROM accounts_auditentry);
END $$
"""
UNSEALED = "ALTER TABLE accounts_auditentry DISABLE TRIGGER audit_seal"
COPY = """
INSERT INTO accounts_auditentry (id, organization_id, actor_kind, actor_name, impersonator_name, object_name, address,
    agent, action, object_type, object_id, request_id, detail, created_at, sequence, transaction_id, salt,
    content_digest, previous_hash, hash)
SELECT gen_random_uuid(), organization_id, actor_kind, 'mallory', impersonator_name, object_name, address, agent,
    action, object_type, object_id, request_id, detail, created_at, {sequence}, transaction_id, salt, content_digest,
    previous_hash, hash FROM accounts_auditentry WHERE sequence = 5
"""
# What is done, and what the report must say: a number that it must name, and a word.
TAMPERED: dict[str, tuple[list[str], str]] = {
    "another actor": (
        ["UPDATE accounts_auditentry SET actor_name = 'mallory' WHERE sequence = 5"],
        "Entry 5 was edited",
    ),
    "another person": (["UPDATE accounts_auditentry SET user_id = NULL WHERE sequence = 5"], "Entry 5 was edited"),
    "another action": (["UPDATE accounts_auditentry SET action = 'x.y' WHERE sequence = 1"], "Entry 1 was edited"),
    "another object": (["UPDATE accounts_auditentry SET object_name = 'x' WHERE sequence = 7"], "Entry 7 was edited"),
    "another detail": (["UPDATE accounts_auditentry SET detail = '{}' WHERE sequence = 6"], "Entry 6 was edited"),
    "another before": (
        ["UPDATE accounts_auditentry SET before = '{\"a\": 2}' WHERE sequence = 6"],
        "Entry 6 was edited",
    ),
    "another time": (
        ["UPDATE accounts_auditentry SET created_at = created_at + interval '1 microsecond' WHERE sequence = 8"],
        "Entry 8 was edited",
    ),
    "another address": (
        ["UPDATE accounts_auditentry SET address = '192.0.2.9' WHERE sequence = 9"],
        "Entry 9 was edited",
    ),
    "a name erased by nobody": (
        ["UPDATE accounts_auditentry SET actor_name = 'x', salt = '', erasure = 99 WHERE sequence = 4"],
        "Entry 4 was edited: its names are gone",
    ),
    "one deleted in the middle": (["DELETE FROM accounts_auditentry WHERE sequence = 5"], "Entry 5 was deleted"),
    "several deleted": (
        ["DELETE FROM accounts_auditentry WHERE sequence BETWEEN 5 AND 7"],
        "Entries 5 to 7 were deleted",
    ),
    "the first deleted": (["DELETE FROM accounts_auditentry WHERE sequence <= 2"], "Entries 1 to 2 were deleted"),
    "the last cut off": (["DELETE FROM accounts_auditentry WHERE sequence > 11"], "cut off"),
    "the end cut off and the head set back": (
        [
            "DELETE FROM accounts_auditentry WHERE sequence > 9",
            "UPDATE accounts_audithead SET sequence = 9,"
            " hash = (SELECT hash FROM accounts_auditentry WHERE sequence = 9)",
        ],
        "Entries 10 to 12 were cut off: the last of them was anchored",
    ),
    "everything gone": (
        ["DELETE FROM accounts_auditentry", "DELETE FROM accounts_audithead", "DELETE FROM accounts_auditanchor"],
        "Entries 1 to 12 were cut off",
    ),
    "one inserted behind the end": ([UNSEALED, COPY.format(sequence=99)], "Entries 13 to 98 were deleted"),
    "one inserted before the beginning": ([UNSEALED, COPY.format(sequence=0)], "Entry 0 was inserted"),
    "one put in another's place": (
        [UNSEALED, "DELETE FROM accounts_auditentry WHERE sequence = 6", COPY.format(sequence=6)],
        "Entry 6 was edited, or inserted",
    ),
    "one edited and resealed": (
        [
            "UPDATE accounts_auditentry SET content_digest = audit_digest('x'), hash = audit_digest('y')"
            " WHERE sequence = 5"
        ],
        "Entry 5 was replaced",
    ),
    "everything rewritten consistently": (
        ["UPDATE accounts_auditentry SET actor_name = 'mallory' WHERE sequence = 5", RESEAL_FROM],
        "Entry 12 or one before it was replaced: it is not what was anchored",
    ),
    "everything rewritten, and the table's anchors too": (
        [
            "UPDATE accounts_auditentry SET action = 'x.y' WHERE sequence = 5",
            RESEAL_FROM,
            "UPDATE accounts_auditanchor SET hash = (SELECT hash FROM accounts_auditentry WHERE sequence = 12)",
        ],
        "The anchor of entry 12 in the table was edited",
    ),
    "everything rewritten, and the table's anchors deleted": (
        [
            "UPDATE accounts_auditentry SET action = 'x.y' WHERE sequence = 5",
            RESEAL_FROM,
            "DELETE FROM accounts_auditanchor",
        ],
        "Entry 12 or one before it was replaced: it is not what was anchored",
    ),
    "the oldest deleted with a checkpoint made up": (
        [
            "UPDATE accounts_auditentry SET action = 'audit.pruned', detail = jsonb_build_object('through', 3, 'hash',"
            " (SELECT hash FROM accounts_auditentry WHERE sequence = 3), 'signature', 'local:00') WHERE sequence = 11",
            "DELETE FROM accounts_auditentry WHERE sequence <= 3",
        ],
        "Entries 1 to 3 were deleted, and not by retention",
    ),
    "two exchanged": (
        [
            "UPDATE accounts_auditentry SET sequence = -1 WHERE sequence = 5",
            "UPDATE accounts_auditentry SET sequence = 5 WHERE sequence = 6",
            "UPDATE accounts_auditentry SET sequence = 6 WHERE sequence = -1",
        ],
        "Entry 5 was edited",
    ),
    "the head moved": (["UPDATE accounts_audithead SET sequence = 40"], "Entries 13 to 40 were cut off"),
}


def findings(tenant: Tenant) -> str:
    return "\n".join(verify(tenant.id).findings)


@pytest.fixture
def anchored(org_a: Tenant, settings: Any, tmp_path: Path) -> Tenant:
    """org_a with 12 entries, the last of them anchored."""
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "anchors.jsonl")
    settle()
    with tenancy.scope(org_a.id):
        while (number := AuditEntry.objects.count()) < ENTRIES:
            audit.record(
                org_a.actor, "x.done", org_a.organization, before={"a": 1}, after={"b": 'é\n"\\\x7f'}, n=number
            )
    assert anchors.anchor(org_a.id)
    return org_a


def settle() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def tamper(tenant: Tenant, *statements: str) -> None:
    settle()
    with tenancy.scope(tenant.id), as_owner(AsOwner.ERASURE), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_an_untouched_chain_is_whole(anchored: Tenant) -> None:
    result = verify(anchored.id)
    assert (result.findings, result.first_sequence, result.last_sequence) == ([], 1, ENTRIES)


@pytest.mark.parametrize("case", TAMPERED)
def test_tampering_is_found_and_named(anchored: Tenant, case: str) -> None:
    statements, named = TAMPERED[case]
    tamper(anchored, *statements)
    assert named in findings(anchored)


def test_an_entry_handed_to_another_organization_is_missed(anchored: Tenant, org_b: Tenant) -> None:
    settle()
    with tenancy.across_tenants(tenancy.Across.OPERATE), as_owner(AsOwner.ERASURE), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_auditentry DROP CONSTRAINT audit_sequence")
        cursor.execute(
            "UPDATE accounts_auditentry SET organization_id = %s, api_key_id = NULL WHERE sequence = 5"
            " AND organization_id = %s",
            [org_b.id, anchored.id],
        )
    assert "Entry 5 was deleted" in findings(anchored)
    assert findings(org_b)


def test_only_what_was_touched_is_named(anchored: Tenant) -> None:
    tamper(anchored, "UPDATE accounts_auditentry SET action = 'x.y' WHERE sequence = 5")
    assert len(verify(anchored.id).findings) == 1


def test_an_anchor_that_anybody_could_add_proves_nothing(anchored: Tenant) -> None:
    with tenancy.scope(anchored.id):
        AuditAnchor.objects.create(organization_id=anchored.id, sequence=99, hash="f" * 64, signature="gone:00")
    assert findings(anchored) == ""


def test_a_spoilt_line_of_the_anchor_file_is_told(anchored: Tenant, settings: Any) -> None:
    with Path(settings.AUDIT_ANCHOR_FILE).open("a") as file:
        file.write(json.dumps({"organization": str(anchored.id)}) + "\n")
    assert "a line of it cannot be read" in findings(anchored)


def test_a_chain_is_anchored_once_until_it_grows(anchored: Tenant, settings: Any) -> None:
    assert anchors.anchor_everything() == 0
    with tenancy.scope(anchored.id):
        audit.record(anchored.actor, "x.done", anchored.organization)
    assert anchors.anchor_everything() == 1
    lines = [json.loads(line) for line in Path(settings.AUDIT_ANCHOR_FILE).read_text().splitlines()]
    assert [line["sequence"] for line in lines] == [ENTRIES, ENTRIES + 1]


def test_the_command_names_what_is_wrong_and_fails(anchored: Tenant, org_b: Tenant) -> None:
    call_command("audit_verify", stdout=(out := StringIO()))
    assert out.getvalue().count("whole") == 3
    tamper(anchored, "DELETE FROM accounts_auditentry WHERE sequence = 5")
    with pytest.raises(CommandError, match="1 audit chain"):
        call_command("audit_verify", "--organization", "org-a", stdout=(out := StringIO()))
    assert "Entry 5 was deleted" in out.getvalue()
    assert "org-b" not in out.getvalue()
    call_command("audit_verify", "--organization", "org-b", stdout=StringIO())


def test_the_nightly_look_is_stored_for_each_organization(anchored: Tenant, org_b: Tenant) -> None:
    from apps.accounts.audit.verification import verify_everything

    assert verify_everything() == 0
    for tenant in (anchored, org_b):
        with tenancy.scope(tenant.id):
            assert AuditVerification.objects.count() == 1


def in_the_future(days: int = 400) -> Any:
    return timezone.now() + timedelta(days=days)


def test_retention_removes_the_old_and_the_rest_still_verifies(anchored: Tenant) -> None:
    assert retention.prune(anchored.id, in_the_future()) == ENTRIES
    with tenancy.scope(anchored.id):
        audit.record(anchored.actor, "x.done", anchored.organization)
        left = list(AuditEntry.objects.order_by("sequence"))
    assert [(entry.sequence, entry.action) for entry in left] == [(13, "audit.pruned"), (14, "x.done")]
    assert findings(anchored) == ""
    assert retention.prune(anchored.id, in_the_future()) == 2
    assert findings(anchored) == ""
    tamper(anchored, "UPDATE accounts_auditentry SET detail = detail || '{\"through\": 3}' WHERE sequence = 15")
    assert "deleted, and not by retention" in findings(anchored)


def test_retention_keeps_the_young(anchored: Tenant) -> None:
    assert retention.prune(anchored.id, timezone.now() - timedelta(days=1)) == 0


def test_retention_keeps_what_no_stream_has_taken(anchored: Tenant) -> None:
    with tenancy.scope(anchored.id):
        AuditStream.objects.create(organization_id=anchored.id, url="https://siem.example/", cursor=4)
    assert retention.prune(anchored.id, in_the_future()) == 4


def test_a_broken_chain_is_evidence_and_stays(anchored: Tenant) -> None:
    tamper(anchored, "DELETE FROM accounts_auditentry WHERE sequence = 5")
    assert retention.prune(anchored.id, in_the_future()) == 0


def test_the_application_itself_cannot_remove(anchored: Tenant) -> None:
    from django.db import ProgrammingError

    with pytest.raises(ProgrammingError, match="permission denied"), tenancy.scope(anchored.id):
        AuditEntry.objects.all().delete()


def test_a_person_is_erased_and_the_chain_still_holds(anchored: Tenant, org_b: Tenant) -> None:
    owner = anchored.owner
    assert erasure.erase_person(anchored.actor, owner.pk, [owner.email], "Person 17") > 5
    with tenancy.scope(anchored.id), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_auditentry e WHERE e::text ILIKE %s", [f"%{owner.email}%"])
        # The one who erased is this very person, so the entry about it names them.
        assert cursor.fetchone() == (1,)
    assert findings(anchored) == ""
    tamper(anchored, "UPDATE accounts_auditentry SET actor_name = 'Person 18' WHERE sequence = 5")
    assert "Entry 5 was edited: it is not what the erasure" in findings(anchored)


def test_a_second_erasure_of_the_same_entries_holds_as_well(anchored: Tenant) -> None:
    actor = recording.system(anchored.id)
    erasure.erase_person(actor, anchored.owner.pk, [anchored.owner.email], "Person 17")
    erasure.erase_person(actor, anchored.owner.pk, ["Person 17"], "Person 18")
    assert erasure.erase_person(actor, anchored.owner.pk, [anchored.owner.email], "Person 17") == 0
    assert findings(anchored) == ""

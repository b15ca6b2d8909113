"""Licences from the vendor's order to the licensee's verification."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.accounts.audit.sentences import sentence
from apps.core import jobs, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from apps.core.jobs import Status as JobStatus
from apps.licensing import services as licensing
from apps.licensing.errors import InvalidLicenceKey, LicenceNotServed
from apps.licensing.models import Licence, Machine, Policy, Product, Revocations, SigningJob
from apps.licensing.services.signing import KeyMismatch, database_now
from ml.licensing import SigningKeys, Status, Surroundings
from tests.helpers.licensing import KEYS, MACHINE, fresh, issue, make_policy, sign, verdict_of
from tests.helpers.people import Tenant, acting, audit_of, events_of

pytestmark = pytest.mark.django_db
HERE = Surroundings(fingerprint=lambda vendor: MACHINE)


def shift(licence: Licence, days: int) -> None:
    """As if the licence had been issued that much earlier."""
    with tenancy.scope(licence.organization_id):
        Licence.objects.filter(pk=licence.pk).update(expires_at=licence.expires_at - timedelta(days=days))


def revocations(tenant: Tenant) -> str:
    with tenancy.scope(tenant.id):
        return str(Revocations.objects.get().file)


def test_an_issued_licence_is_signed_and_verifies_offline(org_a: Tenant) -> None:
    licence, key = issue(org_a, make_policy(org_a, machine_bound=False))
    assert fresh(licence).file == ""
    [job] = sign()
    assert job.purpose == "licence"
    verdict = verdict_of(org_a, licence, product="writer-7b")
    assert verdict.status is Status.VALID
    assert verdict.licence is not None
    assert (verdict.licence.seats, verdict.licence.licensee) == (25, "Contoso")
    assert verdict.allows("fine_tuning")
    # The key is kept nowhere.
    with tenancy.scope(org_a.id):
        row = Licence.objects.values().get()
    assert not any(key in str(value) for value in row.values())
    for action in ("licence.issued", "licence.signed"):
        [entry] = audit_of(org_a, action)
        assert "Contoso" in sentence(entry)


def test_the_file_lasts_thirty_days_and_no_longer_than_the_grace(org_a: Tenant) -> None:
    long, _ = issue(org_a)
    policy = fresh(long).policy
    short, _ = licensing.issue_licence(org_a.actor, policy.pk, "Fabrikam", "it@fabrikam.example", {"days": 1})
    sign()
    assert fresh(long).file_expires_at - fresh(long).file_issued_at == timedelta(days=30)
    assert abs(fresh(short).file_expires_at - fresh(short).expires_at - timedelta(days=14)) < timedelta(seconds=1)


def test_what_is_signed_is_what_the_policy_said_then(org_a: Tenant) -> None:
    policy = make_policy(org_a)
    licence, _ = issue(org_a, policy)
    licensing.change_policy(org_a.actor, policy.pk, {"seats": 5, "days": None})
    sign()
    assert fresh(licence).seats == 25


def test_a_revoked_licence_is_on_the_list_until_it_is_reinstated(org_a: Tenant) -> None:
    licence, _ = issue(org_a, make_policy(org_a, machine_bound=False))
    sign()
    licensing.revoke(org_a.actor, licence.pk, "Not paid.")
    sign()
    assert verdict_of(org_a, licence, revocations(org_a)).status is Status.REVOKED
    assert fresh(licence).state == "revoked"
    with pytest.raises(LicenceNotServed):
        licensing.request_file(org_a.actor, licence.pk)
    licensing.reinstate(org_a.actor, licence.pk)
    sign()
    assert verdict_of(org_a, licence, revocations(org_a)).status is Status.VALID
    with tenancy.scope(org_a.id):
        assert Revocations.objects.get().signed_sequence == 2
    assert {"licence.issued", "licence.revoked", "licence.reinstated"} <= set(events_of(org_a))


def test_to_revoke_needs_a_reason_and_happens_once(org_a: Tenant) -> None:
    licence, _ = issue(org_a)
    with pytest.raises(InvalidRequest):
        licensing.revoke(org_a.actor, licence.pk, " ")
    for _ in range(2):
        licensing.revoke(org_a.actor, licence.pk, "Not paid.")
    with tenancy.scope(org_a.id):
        assert Revocations.objects.get().sequence == 1


def test_a_licence_is_renewed_from_its_end_or_from_now(org_a: Tenant) -> None:
    licence, _ = issue(org_a)
    ends = licence.expires_at
    assert licensing.renew(org_a.actor, licence.pk, 30).expires_at == ends + timedelta(days=30)
    shift(fresh(licence), 500)
    assert fresh(licence).state == "expired"
    with pytest.raises(LicenceNotServed):
        licensing.request_file(org_a.actor, licence.pk)
    renewed = licensing.renew(org_a.actor, licence.pk, 30)
    assert abs(renewed.expires_at - database_now() - timedelta(days=30)) < timedelta(minutes=1)
    assert fresh(licence).state == "active"


def test_a_licence_in_grace_is_served(org_a: Tenant) -> None:
    licence, _ = issue(org_a, make_policy(org_a, machine_bound=False))
    shift(licence, 370)
    assert fresh(licence).state == "grace"
    sign()
    assert verdict_of(org_a, licence).status is Status.GRACE


def test_a_suspended_licence_is_served_no_more(org_a: Tenant) -> None:
    licence, _ = issue(org_a)
    licensing.suspend(org_a.actor, licence.pk, "Under review")
    sign()
    assert fresh(licence).file == ""
    with pytest.raises(LicenceNotServed):
        licensing.activate(org_a.actor, licence.pk, MACHINE)
    licensing.reinstate(org_a.actor, licence.pk)
    with pytest.raises(Conflict):
        licensing.reinstate(org_a.actor, licence.pk)


def test_a_transferred_licence_has_a_new_key_and_no_machine(org_a: Tenant) -> None:
    licence, key = issue(org_a)
    licensing.activate(org_a.actor, licence.pk, MACHINE, "build-01")
    _, new = licensing.transfer(org_a.actor, licence.pk, "Fabrikam", "it@fabrikam.example")
    assert new != key
    with pytest.raises(InvalidLicenceKey):
        licensing.admit(key, "192.0.2.1")
    assert licensing.admit(new, "192.0.2.1").licence_id == licence.pk
    with tenancy.scope(org_a.id):
        assert not Machine.objects.filter(released_at__isnull=True).exists()
    sign()
    assert verdict_of(org_a, licence, surroundings=HERE).status is Status.OTHER_MACHINE


@pytest.mark.parametrize(
    ("terms", "param"),
    [
        ({"seats": 0}, "seats"),
        ({"floating": True, "seats": None}, "seats"),
        ({"entitlements": ["Not A Word"]}, "entitlements"),
        ({"artefacts": [{"path": "../secret", "sha256": "0" * 64}]}, "artefacts"),
        ({"artefacts": [{"path": "a", "sha256": "0" * 63}]}, "artefacts"),
        ({"field_of_use": "x" * 5001}, "field_of_use"),
        ({"is_published": True}, "price_minor"),
        ({"price_minor": 5}, "currency"),
    ],
)
def test_terms_that_no_program_could_read_are_refused(org_a: Tenant, terms: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        make_policy(org_a, **terms)
    assert refused.value.param == param


def test_codes_and_names_are_there_once(org_a: Tenant, org_b: Tenant) -> None:
    policy = make_policy(org_a)
    with pytest.raises(Conflict):
        licensing.create_product(org_a.actor, "Another", "writer-7b")
    with pytest.raises(Conflict):
        licensing.create_policy(org_a.actor, policy.product_id, "Team", licensing.Grant(), licensing.Sale(), days=None)
    make_policy(org_b)


def test_other_organizations_and_roles_are_refused(org_a: Tenant, org_b: Tenant) -> None:
    licence, _ = issue(org_a)
    member = acting(org_a, org_a.member)
    for act in (
        lambda actor: licensing.revoke(actor, licence.pk, "x"),
        lambda actor: licensing.renew(actor, licence.pk, 3),
        lambda actor: licensing.transfer(actor, licence.pk, "x", "x@example.com"),
        lambda actor: licensing.suspend(actor, licence.pk),
        lambda actor: licensing.reinstate(actor, licence.pk),
        lambda actor: licensing.replace_key(actor, licence.pk),
        lambda actor: licensing.get_licence(actor, licence.pk),
    ):
        with pytest.raises(PermissionDenied):
            act(member)
        with pytest.raises(NotFound):
            act(org_b.actor)
    with tenancy.scope(org_b.id):
        for model in (Licence, Policy, Product, SigningJob):
            assert not model.objects.exists()


# ---------------------------------------------------------------- the signer


def test_one_that_waits_is_enough(org_a: Tenant) -> None:
    licence, _ = issue(org_a)
    for _ in range(5):
        licensing.request_file(org_a.actor, licence.pk)
    assert len(sign()) == 1


def test_a_signer_that_lost_its_job_changes_nothing(org_a: Tenant) -> None:
    licence, _ = issue(org_a)
    [job] = jobs.claim(SigningJob, "slow signer", 1)
    job.attempt += 1
    assert licensing.carry_out(job, KEYS) is False
    assert fresh(licence).file == ""


def test_keys_rotate_and_old_files_stay_valid(org_a: Tenant) -> None:
    licence, _ = issue(org_a, make_policy(org_a, machine_bound=False))
    sign()
    old = fresh(licence).file
    rotated = SigningKeys("2027", {"2027": bytes(range(9, 41)), "2026": KEYS.seeds["2026"]})
    licensing.request_file(org_a.actor, licence.pk)
    sign(rotated)
    assert fresh(licence).file != old
    assert verdict_of(org_a, licence).status is Status.VALID
    with tenancy.scope(org_a.id):
        Licence.objects.update(file=old)
    assert verdict_of(org_a, licence).status is Status.VALID
    # The old key is gone from the signer: it vouches for what it has signed, and for nothing that is issued later.
    sign(SigningKeys("2027", {"2027": rotated.seeds["2027"]}))
    assert verdict_of(org_a, licence).status is Status.VALID
    with pytest.raises(KeyMismatch):
        licensing.announce({"2027": bytes(range(32))})


def test_a_job_that_fails_says_so(org_a: Tenant) -> None:
    issue(org_a)
    [job] = jobs.claim(SigningJob, "signer", 1)
    assert licensing.fail(job, "signing_failed", "No.")
    assert licensing.job_state(org_a.id, job.pk).status == JobStatus.FAILED

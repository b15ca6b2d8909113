"""The policy that counts, and a new version of it."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from django.db.models import Max
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Organization
from apps.core import events, tenancy
from apps.core.jobs import Status
from apps.core.statements import prepared_cursor
from apps.studio.errors import SafetyRulesInvalid
from apps.studio.models import SafetyClassifier, SafetyPolicy
from apps.studio.services.safety.rules import Rules, checked, policy_of
from ml.safety import Policy

# Asked with every prompt.
_NEWEST = "SELECT id FROM studio_safetypolicy WHERE organization_id = %s ORDER BY number DESC LIMIT 1"
MANAGE = "safety:manage"
# A version's id and what it checks.
InForce = tuple[UUID, Policy]
NO_CLASSIFIER = gettext_noop("There is no trained classifier with this id.")


def current_policy() -> SafetyPolicy | None:
    """The newest version; in the scope of the organization."""
    found: SafetyPolicy | None = SafetyPolicy.objects.newest_first().first()
    return found


def policy_in_force(organization_id: UUID) -> InForce | None:
    """The newest version's id and what it checks; read once, since no version changes."""
    with tenancy.reading(organization_id), prepared_cursor() as cursor:
        cursor.execute(_NEWEST, [organization_id])
        found = cursor.fetchone()
        return (found[0], policy_with(found[0])) if found else None


@lru_cache(maxsize=512)
def policy_with(policy_id: UUID) -> Policy:
    """What a version checks; in the scope of the organization, whose id nobody else's has."""
    return policy_of(Rules.read(SafetyPolicy.objects.values_list("rules", flat=True).get(pk=policy_id)))


def change_policy(actor: Actor, rules: Rules) -> SafetyPolicy:
    """Puts new rules in force for every prompt from now on; the same rules again make no version."""
    actor.require(MANAGE)
    rules = checked(rules)
    with tenancy.scope(actor.organization_id):
        # Whoever changes them at the same time waits here, and makes the next number.
        organization = Organization.objects.select_for_update(no_key=True).get(pk=actor.organization_id)
        before = current_policy()
        if before is not None and before.rules == rules.stored():
            return before
        classifier_id = rules.classifier_id
        trained = SafetyClassifier.objects.filter(pk=classifier_id, status=Status.SUCCEEDED)
        if classifier_id and not trained.exists():
            raise SafetyRulesInvalid(NO_CLASSIFIER, param="classifier.id")
        number = SafetyPolicy.objects.aggregate(most=Max("number"))["most"] or 0
        row: SafetyPolicy = SafetyPolicy.objects.create(
            organization_id=organization.pk,
            number=number + 1,
            rules=rules.stored(),
            classifier_id=classifier_id,
            created_by_id=actor.user_id,
        )
        facts = rules.facts()
        old = Rules.read(before.rules).facts() if before else {}
        audit.record(actor, "safety.policy_changed", row, before=old, after=facts)
        events.record("safety.policy_changed", row.pk, {"number": row.number, **facts})
    return row

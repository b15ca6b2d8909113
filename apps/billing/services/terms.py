"""What the plan of an organization gives it at this moment: computed from its subscription, never stored."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from django.utils import timezone

from apps.billing.entitlements import ACCESS, FEATURES, Access, Limits, Term, Terms, access_of, micros_of
from apps.billing.models import FREE_PLAN
from apps.billing.statements import PLAN
from apps.core import tenancy
from apps.core.errors import FeatureNotIncluded
from apps.core.statements import prepared_cursor

log = structlog.get_logger(__name__)


def limits_of(organization_id: UUID) -> Limits:
    """The limits of the organization's plan."""
    with tenancy.reading(organization_id), prepared_cursor() as cursor:
        cursor.execute(PLAN, {"organization": organization_id, "free": FREE_PLAN})
        [found] = cursor.fetchall()
    name, requests, tokens, queued, weight, running, passages, features, status, since, currency, meters = found
    if status is not None and status not in ACCESS:
        log.error("subscription with an unknown status", organization=str(organization_id), status=status)
    return Limits(
        plan=name,
        terms=_terms(currency, meters),
        requests_per_minute=requests,
        tokens_per_minute=tokens,
        max_queued=queued,
        weight=weight,
        max_running=running,
        max_passages=passages,
        access=access_of(status, since, timezone.now()) if status else Access.FREE,
        features=frozenset(features),
    )


def require_feature(organization_id: UUID, code: str) -> None:
    """Raises FeatureNotIncluded unless the organization's plan brings the feature."""
    limits = limits_of(organization_id)
    if code not in limits.features:
        raise FeatureNotIncluded(
            "The plan %(plan)s does not bring this: %(feature)s. Choose another plan under Billing.",
            values={"plan": limits.plan, "feature": FEATURES[code]},
        )


def _terms(currency: str, meters: Any) -> Terms:
    def term(included: int, price: str | None, per: int | None, charged: bool) -> Term:
        rate = micros_of(Decimal(price), currency) / per if price is not None and per else None
        return Term(included, rate, charged and rate is not None)

    return Terms(currency, {name: term(*facts) for name, facts in json.loads(meters or "{}").items()})

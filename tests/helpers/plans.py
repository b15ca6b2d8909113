"""Plans for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apps.billing.entitlements import Limits, Term, Terms
from apps.billing.models import Meter, Overage, Plan, PlanAllowance

TOKENS = (Meter.TOKENS_IN, Meter.TOKENS_OUT)


def limits(tokens: int, **values: Any) -> Limits:
    """Limits with so many tokens in, and as many out, and nothing beyond them."""
    terms = Terms("USD", {meter: Term(tokens) for meter in TOKENS})
    given: dict[str, Any] = {"requests_per_minute": 60, "tokens_per_minute": 1000, "max_queued": 10}
    return Limits("Test", terms, **(given | values))


def include(tokens: int, code: str = "free") -> None:
    """Lets a plan include so many tokens in, and as many out."""
    PlanAllowance.objects.filter(plan__code=code, meter__in=TOKENS).update(included=tokens)


def make_plan(code: str, tokens: int, **values: Any) -> Plan:
    """A plan of its own with so many tokens in, and as many out."""
    given: dict[str, Any] = {"name": "Test", "requests_per_minute": 100, "tokens_per_minute": 10**6, "max_queued": 50}
    plan = Plan.objects.create(code=code, **(given | values))
    for meter in TOKENS:
        PlanAllowance.objects.create(plan=plan, meter=meter, included=tokens, overage=Overage.STOP)
    return plan


@contextmanager
def plan_without(*meters: str, code: str = "free") -> Iterator[None]:
    """A plan that includes nothing of these meters for a while; plans outlive the tests that commit."""
    rows = PlanAllowance.objects.filter(plan__code=code, meter__in=meters)
    before = dict(rows.values_list("pk", "included"))
    rows.update(included=0)
    try:
        yield
    finally:
        for id, included in before.items():
            PlanAllowance.objects.filter(pk=id).update(included=included)


@contextmanager
def plan_without_feature(feature: str, code: str = "free") -> Iterator[None]:
    """A plan that does not bring a feature for a while."""
    plan = Plan.objects.get(code=code)
    features = list(plan.features)
    Plan.objects.filter(pk=plan.pk).update(features=[each for each in features if each != feature])
    try:
        yield
    finally:
        Plan.objects.filter(pk=plan.pk).update(features=features)

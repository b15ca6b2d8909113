"""What a person reads of plans, states, meters and amounts are words, in both languages; the entry keeps its codes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import translation

from apps.accounts.audit.presentation import as_json
from apps.accounts.audit.sentences import SENTENCES, _in_words, sentence
from apps.accounts.models import AuditEntry

TOLD: dict[str, tuple[dict[str, Any], str, str]] = {
    "subscription.updated": (
        {"after": {"plan": "pro", "seats": 3, "status": "past_due"}},
        "The subscription is now Pro with 3 seats; its state is payment failed.",
        "付款失败",
    ),
    "subscription.change_confirmed": (
        {"after": {"plan": "enterprise", "seats": 30, "when": "period_end"}},
        "Ada confirmed the change to Enterprise with 30 seats (at the end of what is paid for).",
        "企业版",
    ),
    "subscription.cancelled": (
        {"after": {"when": "at_once"}},
        "Ada cancelled the subscription (at once).",
        "立即",
    ),
    "allowance.reached": (
        {
            "detail": {
                "percent": 80,
                "month": "2026-11",
                "meter": "training_seconds",
                "used": 28_800,
                "included": 36_000,
            }
        },
        "80 percent of the allowance of “Training time” for 2026-11 are used: 8 h of 10 h.",
        "训练时长",
    ),
    "order.reversed": (
        {"after": {"reversed_minor": 1_050, "currency": "EUR"}},
        "Of Thing, €10.50 is refunded or disputed.",
        "€10.50",
    ),
    "usage.month_closed": (
        {"detail": {"month": "2026-11", "billed_minor": 1_050, "currency": "JPY"}},
        "The month 2026-11 was closed; ¥1,050 were billed beyond the plan.",
        "1,050",
    ),
    "billing.operation_unknown": (
        {"detail": {"kind": "change_items"}},
        "Nobody can tell whether Stripe has done what it was asked for (a change of the plan or its seats); it is not "
        "asked for again.",
        "更改套餐或席位",
    ),
    "billing.drift_mended": (
        {"detail": {"count": 1, "kind": "creditnote", "places": "cn_1 (status)"}},
        "1 copies (credit notes) were not what Stripe has, and were written anew: cn_1 (status).",
        "贷记单",
    ),
    "licence_policy.changed": (
        {"detail": {"what": ["days", "most_machines"]}},
        "Ada changed the policy “Thing”: number of days, machines.",
        "天数",
    ),
    "purchase.moved": (
        {"detail": {"state": "in_work"}},
        "The work on “Thing” is now: in work (Ada).",
        "进行中",
    ),
}


def entry_of(action: str, **values: Any) -> AuditEntry:
    held = {"detail": {}, "before": None, "after": None} | values
    return AuditEntry(action=action, actor_name="Ada", object_name="Thing", object_type="billing.subscription", **held)


@pytest.mark.parametrize("action", sorted(TOLD))
def test_codes_are_said_in_words(action: str) -> None:
    values, english, chinese = TOLD[action]
    assert sentence(entry_of(action, **values)) == english
    with translation.override("zh-hans"):
        assert chinese in sentence(entry_of(action, **values))


def test_what_an_older_release_wrote_is_said_as_it_stands() -> None:
    found = sentence(entry_of("subscription.updated", after={"plan": "gold", "seats": 1, "status": "odd"}))
    assert found == "The subscription is now gold with 1 seats; its state is odd."


def test_programs_still_get_the_codes() -> None:
    entry = entry_of("subscription.cancelled", after={"when": "at_once"})
    entry.created_at = datetime(2026, 11, 1, tzinfo=UTC)
    assert as_json(entry)["after"] == {"when": "at_once"}


def test_every_action_with_words_is_one_that_is_recorded() -> None:
    assert set(_in_words()) <= set(SENTENCES)


def test_a_reason_that_is_a_sentence_ends_with_one_full_stop() -> None:
    entry = AuditEntry(
        action="licence.revoked", actor_name="Ada", object_name="Harbour", detail={"reason": "Paid back."}
    )
    assert sentence(entry).endswith("Paid back.") and not sentence(entry).endswith("..")

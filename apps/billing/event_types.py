"""What happens to plans, orders, credit, caps and budgets, as events.

Names that end in `_minor` are minor units, those in `_micros` millionths of a unit of `currency`.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.eventtypes import MONTH, NUMBER, TEXT, WHOLE, types_of

ORDER = {"kind": TEXT, "name": TEXT}
PERCENT = {"percent": NUMBER}

EVENT_TYPES = (
    *types_of(_("the subscription"), "subscription.changed", {"plan": TEXT}, {"status": TEXT, "seats": WHOLE}),
    *types_of(
        _("the invoice"),
        "invoice.paid invoice.payment_failed",
        {"number": TEXT, "total_minor": WHOLE, "currency": TEXT},
    ),
    *types_of(_("the order"), "order.paid", {**ORDER, "amount_minor": WHOLE, "currency": TEXT}),
    *types_of(_("the order"), "order.delivered", ORDER),
    *types_of(_("the order"), "order.reversed", {**ORDER, "reversed_minor": WHOLE, "currency": TEXT}),
    *types_of(
        _("the credit's entry"),
        "credits.bought credits.given credits.used credits.taken_back credits.expired",
        {"amount_micros": WHOLE, "currency": TEXT, "reference": TEXT},
    ),
    *types_of(_("the cap"), "spending_cap.created spending_cap.changed", {"cap_micros": WHOLE, "currency": TEXT}),
    *types_of(_("the cap"), "spending_cap.removed", {"currency": TEXT}),
    *types_of(_("the budget"), "budget.created budget.changed budget.deleted", {"kind": TEXT, "monthly_tokens": WHOLE}),
    *types_of(
        _("the spender or the team"),
        "budget.nearly_used budget.used_up",
        {"month": MONTH, "used": WHOLE, "monthly_tokens": WHOLE},
    ),
    *types_of(
        _("the alert"),
        "allowance.reached",
        {**PERCENT, "meter": TEXT, "used": NUMBER, "included": NUMBER},
        {"month": MONTH},
    ),
    *types_of(
        _("the alert"),
        "spending_cap.reached",
        {**PERCENT, "charged": TEXT, "cap": TEXT, "currency": TEXT},
        {"month": MONTH},
    ),
    *types_of(_("the alert"), "credits.low", {**PERCENT, "left": TEXT, "currency": TEXT}, {"month": MONTH}),
    *types_of(_("the month"), "usage.month_closed", {"month": MONTH, "billed_minor": WHOLE, "currency": TEXT}),
)

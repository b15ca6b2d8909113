"""Every write to the ledger, to budgets, and to what organizations pay."""

from apps.billing.services.accounts import TaxDetails, account_of, change_tax_details, ensure_customer, open_portal
from apps.billing.services.alerts import tell_of_budgets
from apps.billing.services.budgets import (
    BudgetFor,
    change_budget,
    create_budget,
    get_budget,
    note_refusal,
    remove_budget,
)
from apps.billing.services.caps import get_cap, remove_cap, set_cap
from apps.billing.services.changes import ChangePreview, confirm_change, preview_change, take_back_change
from apps.billing.services.checkouts import settle_checkout, start_checkout
from apps.billing.services.closing import close_months
from apps.billing.services.expiry import Credit, credits_left, expire_credits
from apps.billing.services.figures import Figures, figures_of
from apps.billing.services.forecasts import Forecast, MeterForecast, forecast_of, window_before
from apps.billing.services.idle_credit import is_going_back
from apps.billing.services.ingest import Written, report_usage, write_usage
from apps.billing.services.ledger import Charge, Purpose, has_room, hold, release, settle, tokens
from apps.billing.services.mirrors import live_subscription, refresh, refresh_subscription
from apps.billing.services.orders import buy_credits, checkout_url, get_order, settle_order, start_order
from apps.billing.services.plans import change_plan
from apps.billing.services.revenue import record_months
from apps.billing.services.rollups import check_rollups
from apps.billing.services.seats import Seats, require_seat, seats_of, seats_with
from apps.billing.services.subscriptions import (
    cancel_subscription,
    keep_subscription,
    pause_subscription,
    resume_subscription,
)
from apps.billing.services.summary import MeterUse, UsageSummary, usage_summary
from apps.billing.services.terms import limits_of, require_feature
from apps.billing.services.usage_alerts import tell_of_usage

__all__ = [
    "BudgetFor",
    "ChangePreview",
    "Charge",
    "Credit",
    "Figures",
    "Forecast",
    "MeterForecast",
    "MeterUse",
    "Purpose",
    "Seats",
    "TaxDetails",
    "UsageSummary",
    "Written",
    "account_of",
    "buy_credits",
    "cancel_subscription",
    "change_budget",
    "change_plan",
    "change_tax_details",
    "check_rollups",
    "checkout_url",
    "close_months",
    "confirm_change",
    "create_budget",
    "credits_left",
    "ensure_customer",
    "expire_credits",
    "figures_of",
    "forecast_of",
    "get_budget",
    "get_cap",
    "get_order",
    "has_room",
    "hold",
    "is_going_back",
    "keep_subscription",
    "limits_of",
    "live_subscription",
    "note_refusal",
    "open_portal",
    "pause_subscription",
    "preview_change",
    "record_months",
    "refresh",
    "refresh_subscription",
    "release",
    "remove_budget",
    "remove_cap",
    "report_usage",
    "require_feature",
    "require_seat",
    "resume_subscription",
    "seats_of",
    "seats_with",
    "set_cap",
    "settle",
    "settle_checkout",
    "settle_order",
    "start_checkout",
    "start_order",
    "take_back_change",
    "tell_of_budgets",
    "tell_of_usage",
    "tokens",
    "usage_summary",
    "window_before",
    "write_usage",
]

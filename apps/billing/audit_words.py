"""What sentences of the audit log say in place of the codes, and of the minor units, that entries of billing hold.

The entries keep their codes: `apps.accounts.audit` asks for these words whenever it says one to a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.billing import texts, units
from apps.billing.models import Meter, Status
from apps.core.templatetags.ui import minor

Words = Mapping[str, Any]
Says = Callable[[Words], dict[str, str]]
_PLANS: Final = {"free": "Free", "pro": "Pro", "enterprise": "Enterprise"}
_WHEN: Final = {
    "now": gettext_lazy("at once"),
    "at_once": gettext_lazy("at once"),
    "period_end": gettext_lazy("at the end of what is paid for"),
}
_ASKED: Final = {
    "create_customer": gettext_lazy("the customer"),
    "change_customer": gettext_lazy("what stands on invoices"),
    "set_tax_id": gettext_lazy("the tax number"),
    "create_invoice_item": gettext_lazy("a line of an invoice"),
    "create_invoice": gettext_lazy("an invoice"),
    "change_items": gettext_lazy("a change of the plan or its seats"),
    "cancel_at_end": gettext_lazy("a cancellation"),
    "cancel_now": gettext_lazy("an end at once"),
    "keep": gettext_lazy("taking a cancellation back"),
    "pause": gettext_lazy("a pause"),
    "unpause": gettext_lazy("the end of a pause"),
    "end_second": gettext_lazy("the end of a second subscription"),
    "give_back": gettext_lazy("giving back what was paid for credit in another currency"),
}
_COPIES: Final = {
    "subscription": gettext_lazy("the subscription"),
    "invoice": gettext_lazy("invoices"),
    "creditnote": gettext_lazy("credit notes"),
    "payment": gettext_lazy("payments"),
    "customer": gettext_lazy("the customer"),
}
_SUMS: Final = {
    "hours": gettext_lazy("by hour"),
    "months": gettext_lazy("by month"),
    "meters": gettext_lazy("by meter"),
    "charges": gettext_lazy("of charges"),
}


def _one_of(words: Mapping[str, str | Promise], code: Any) -> str:
    """The words of a code; what an older release wrote stays as it is."""
    return str(words.get(str(code), code))


def _subscription(values: Words) -> dict[str, str]:
    found = {}
    for side in ("before", "after"):
        if code := str(values.get(f"{side}_plan") or ""):
            found[f"{side}_plan"] = texts.shown(_PLANS.get(code, code))
    for name, words in (("after_status", dict(Status.choices)), ("after_when", _WHEN)):
        if values.get(name):
            found[name] = _one_of(words, values[name])
    return found


def _asked(values: Words) -> dict[str, str]:
    return {"kind": _one_of(_ASKED, values.get("kind", ""))}


def _copies(values: Words) -> dict[str, str]:
    return {name: _one_of(_COPIES, values[name]) for name in ("kind", "object") if name in values}


def _amounts(*names: str, currency: str = "currency") -> Says:
    """Minor units as amounts of the currency that stands beside them."""

    def says(values: Words) -> dict[str, str]:
        known = values.get(currency)
        return {name: minor(values[name], known) for name in names if known and isinstance(values.get(name), int)}

    return says


def _allowance(values: Words) -> dict[str, str]:
    meter = values.get("meter", "")
    if meter not in Meter.values:
        return {}
    amounts = {name: units.quantity(meter, values[name]) for name in ("used", "included") if name in values}
    return {"meter": _("“%(meter)s”") % {"meter": Meter(meter).label}, **amounts}


def _sums(values: Words) -> dict[str, str]:
    return {"sums": _one_of(_SUMS, values.get("sums", ""))}


SAYS: Final[dict[str, Says]] = {
    "allowance.reached": _allowance,
    "billing.drift_mended": _copies,
    "billing.finding_acknowledged": _copies,
    "billing.operation_closed": _asked,
    "billing.operation_found": _asked,
    "billing.operation_unknown": _asked,
    "order.reversed": _amounts("after_reversed_minor", currency="after_currency"),
    "payout.recorded": _amounts("amount_minor"),
    "sale.made": _amounts("amount_minor", "fee_minor"),
    "sale.restored": _amounts("amount_minor", "fee_minor"),
    "sale.reversed": _amounts("amount_minor"),
    "subscription.cancelled": _subscription,
    "subscription.change_confirmed": _subscription,
    "subscription.changed": _subscription,
    "subscription.checkout_started": _subscription,
    "subscription.second_refunded": _amounts("amount_minor"),
    "subscription.updated": _subscription,
    "usage.drift_found": _sums,
    "usage.month_closed": _amounts("billed_minor"),
}

"""What happens to offers, purchases and sales of data, as events."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.eventtypes import ID, TEXT, WHOLE, types_of

AMOUNTS = {"amount_minor": WHOLE, "fee_minor": WHOLE, "currency": TEXT}

EVENT_TYPES = (
    *types_of(
        _("the offer of data"),
        "offer.created offer.changed offer.deleted offer.submitted offer.published offer.declined offer.withdrawn",
        {"kind": TEXT, "state": TEXT, "version": WHOLE},
    ),
    *types_of(
        _("the purchase"),
        "purchase.opened",
        {"kind": TEXT, "order": ID, "licence": TEXT, "version": {"type": ["integer", "string"]}, "digest": TEXT},
    ),
    *types_of(
        _("the purchase"),
        "purchase.delivered purchase.taken_back purchase.given_back",
        {"kind": TEXT, "state": TEXT},
    ),
    *types_of(_("the purchase"), "purchase.moved", {"state": TEXT}),
    *types_of(_("the purchase"), "purchase.noted", {"note": ID, "file": TEXT}),
    *types_of(_("the sale"), "sale.moved", {"state": TEXT}),
    *types_of(_("the sale"), "sale.noted", {"note": ID, "file": TEXT}),
    *types_of(_("the sale"), "sale.made", {"kind": TEXT, **AMOUNTS}),
    *types_of(_("the sale"), "sale.reversed sale.restored", AMOUNTS),
    *types_of(_("the payout"), "payout.recorded", {"amount_minor": WHOLE, "currency": TEXT, "reference": TEXT}),
)

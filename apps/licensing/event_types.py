"""What happens to products, licences and their machines, as events."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.eventtypes import ID, MOMENT, TEXT, TEXTS, WHOLE, types_of

EVENT_TYPES = (
    *types_of(_("the licensed product"), "licence_product.created", {"name": TEXT, "code": TEXT, "description": TEXT}),
    *types_of(_("the licence policy"), "licence_policy.created", {"name": TEXT, "product": ID}),
    *types_of(_("the licence policy"), "licence_policy.changed", {"name": TEXT, "changed": TEXTS}),
    *types_of(_("the licence"), "licence.issued", {"licensee": TEXT, "product": TEXT, "policy": TEXT}),
    *types_of(_("the licence"), "licence.signed", {"version": WHOLE, "key": TEXT}),
    *types_of(_("the licence"), "licence.renewed", {"expires_at": MOMENT}),
    *types_of(_("the licence"), "licence.suspended licence.revoked", {"reason": TEXT}),
    *types_of(_("the licence"), "licence.reinstated licence.transferred licence.key_replaced", {"licensee": TEXT}),
    *types_of(_("the licence"), "licence.activated licence.deactivated", {"machine": ID, "fingerprint": TEXT}),
    *types_of(
        _("the licence that was bought"),
        "held_licence.received",
        {"vendor_name": TEXT, "product_name": TEXT, "policy_name": TEXT},
    ),
)

"""How the console looks: unfold's settings, with the product's name and the pages in their order."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _list(label: Any, model: str, icon: str) -> dict[str, Any]:
    return {"title": label, "icon": icon, "link": reverse_lazy(f"staff:{model}_changelist")}


def _page(label: Any, name: str, icon: str) -> dict[str, Any]:
    return {"title": label, "icon": icon, "link": reverse_lazy(f"staff:{name}")}


NAVIGATION: list[dict[str, Any]] = [
    {
        "title": _("Customers"),
        "separator": True,
        "items": [
            _list(_("Organizations"), "accounts_organization", "domain"),
            _list(_("Memberships"), "accounts_membership", "group"),
            _list(_("People"), "accounts_user", "person"),
            _list(_("API keys"), "accounts_apikey", "key"),
        ],
    },
    {
        "title": _("Work"),
        "separator": True,
        "items": [
            _page(_("Queues and workers"), "queues", "stacks"),
            _list(_("Generations"), "studio_generation", "edit_note"),
            _page(_("System health"), "health", "monitor_heart"),
        ],
    },
    {
        "title": _("Money"),
        "separator": True,
        "items": [
            _page(_("Revenue"), "revenue", "monitoring"),
            _list(_("Subscriptions"), "billing_subscription", "autorenew"),
            _list(_("Invoices"), "billing_invoice", "receipt_long"),
            _list(_("Payments"), "billing_payment", "payments"),
            _list(_("Purchases"), "billing_order", "shopping_cart"),
            _list(_("Events from Stripe"), "billing_stripeevent", "call_received"),
            _list(_("Requests to Stripe"), "billing_stripeoperation", "call_made"),
            _list(_("Differences from Stripe"), "billing_stripefinding", "difference"),
        ],
    },
    {
        "title": _("Offer"),
        "separator": True,
        "items": [
            _list(_("Plans"), "billing_plan", "sell"),
            _list(_("Models"), "registry_modelversion", "deployed_code"),
            _list(_("Aliases"), "registry_modelalias", "alt_route"),
            _page(_("Feature switches"), "switches", "toggle_on"),
        ],
    },
    {
        "title": _("Market"),
        "separator": True,
        "items": [
            _list(_("Offers"), "market_offer", "storefront"),
            _list(_("Sales"), "market_sale", "receipt"),
            _list(_("Earnings"), "market_earning", "payments"),
            _list(_("Sponsored notices"), "market_sponsor", "campaign"),
        ],
    },
]
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Millrace",
    "SITE_HEADER": _("Millrace staff"),
    "SITE_SYMBOL": "water",
    "SITE_URL": "/",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/favicon.svg")},
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": NAVIGATION},
}

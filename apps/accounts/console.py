"""The organization's console: its pages, in the order of their tabs, and who sees which."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.core import switches


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the console; `also` are the URL names below it. Without a permission it is everybody's.

    Where a feature switch is named, there is no page while it is off for the organization. `group` is one of GROUPS.
    """

    url_name: str
    label: str | Promise
    permission: str
    icon: str
    also: tuple[str, ...] = ()
    switch: str = ""
    group: str = "organization"

    def is_for(self, url_name: str) -> bool:
        return url_name == self.url_name or url_name in self.also


# How the console's list is divided, in this order.
GROUPS: dict[str, str | Promise] = {
    "people": _("People"),
    "access": _("Access"),
    "money": _("Plan and usage"),
    "organization": _("Organization"),
}

# A page that an app adds gets its line here; the app's view asks for the same permission.
PAGES = (
    Page("membership", _("You"), "", "user", ("leave",), group="people"),
    Page("members", _("Members"), "members:read", "team", ("member", "member-remove"), group="people"),
    Page("invitations", _("Invitations"), "members:read", "plus", group="people"),
    Page("teams", _("Teams"), "members:read", "layers", ("team",), group="people"),
    Page("roles", _("Roles"), "members:read", "shield", ("role", "role-new"), group="people"),
    Page("api-keys", _("API keys"), "usage:read", "key", ("api-key-revoke", "api-key-rotate"), group="access"),
    Page("service-accounts", _("Service accounts"), "keys:manage", "key", ("service-account",), group="access"),
    Page("member-sessions", _("Sessions"), "sessions:manage", "user", group="access"),
    Page(
        "billing",
        _("Billing"),
        "billing:read",
        "coins",
        (
            "billing-plan",
            "billing-seats",
            "billing-change",
            "billing-cancel",
            "billing-cap",
            "billing-checkout",
            "billing-invoices",
            "billing-invoice",
            "billing-credits",
            "billing-order",
            "billing-details",
        ),
        group="money",
    ),
    Page("usage", _("Usage"), "usage:read", "gauge", ("usage-ledger",), group="money"),
    Page("budgets", _("Budgets"), "budgets:manage", "coins", ("budget",), group="money"),
    Page(
        "licences",
        _("Licences"),
        "licences:read",
        "key",
        (
            "licence",
            "licence-new",
            "licence-revoke",
            "licence-requests",
            "licence-products",
            "licence-policy",
            "licence-policy-new",
            "held-licences",
            "held-licence",
        ),
        group="money",
    ),
    Page(
        "market",
        _("Data services"),
        "billing:read",
        "layers",
        (
            "market-listing",
            "market-buy",
            "market-purchases",
            "market-purchase",
            "market-offers",
            "market-offer-new",
            "market-offer",
            "market-sales",
            "market-sale",
        ),
        switch="data_offers",
        group="money",
    ),
    Page("integrations", _("Integrations"), "webhooks:manage", "stream", group="access"),
    Page("events", _("Events"), "events:read", "stream", ("event-catalogue",), group="access"),
    Page(
        "webhooks",
        _("Webhooks"),
        "webhooks:manage",
        "stream",
        ("webhook", "webhook-delivery", "webhook-callbacks"),
        group="access",
    ),
    Page("inbound-hooks", _("Calls in"), "webhooks:manage", "stream", ("inbound-hook",), group="access"),
    Page("audit-log", _("Audit log"), "audit:read", "book", ("audit-settings",)),
    Page(
        "organization-settings",
        _("Settings"),
        "organization:manage",
        "sliders",
        ("ownership-transfer", "organization-delete"),
    ),
    Page("safety", _("Safety rules"), "safety:manage", "shield", ("safety-test", "safety-classifiers")),
    Page("privacy", _("Privacy"), "privacy:read", "shield", ("privacy-requests", "privacy-erase")),
    Page(
        "sso-overview",
        _("Single sign-on"),
        "sso:manage",
        "shield",
        ("sso-new", "sso-connection", "sso-remove"),
        group="access",
    ),
    Page("sso-directory", _("Directory"), "sso:manage", "layers", group="access"),
    Page("security-policy", _("Sign-in rules"), "security:manage", "sliders", ("owner-codes",), group="access"),
)


# These have an entry of their own in the main navigation.
NAMED_APART = {"api-keys"}


def pages_for(actor: Actor) -> list[Page]:
    """The pages that the actor may open."""
    return [
        page
        for page in PAGES
        if (not page.permission or page.permission in actor.permissions)
        and (not page.switch or switches.is_on(page.switch, actor.organization_id))
    ]

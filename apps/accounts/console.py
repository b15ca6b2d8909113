"""The organization's console: its pages, in the order of their tabs, and who sees which."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the console; `also` are the URL names below it. Without a permission it is everybody's."""

    url_name: str
    label: str | Promise
    permission: str
    icon: str
    also: tuple[str, ...] = ()

    def is_for(self, url_name: str) -> bool:
        return url_name == self.url_name or url_name in self.also


# A page that an app adds gets its line here; the app's view asks for the same permission.
PAGES = (
    Page("membership", _("You"), "", "user", ("leave",)),
    Page("members", _("Members"), "members:read", "team", ("member", "member-remove")),
    Page("invitations", _("Invitations"), "members:read", "plus"),
    Page("teams", _("Teams"), "members:read", "layers", ("team",)),
    Page("roles", _("Roles"), "members:read", "shield", ("role", "role-new")),
    Page("api-keys", _("API keys"), "usage:read", "key", ("api-key-revoke", "api-key-rotate")),
    Page("service-accounts", _("Service accounts"), "keys:manage", "key", ("service-account",)),
    Page("member-sessions", _("Sessions"), "sessions:manage", "user"),
    Page("usage", _("Usage"), "usage:read", "gauge", ("usage-ledger",)),
    Page("budgets", _("Budgets"), "budgets:manage", "coins", ("budget",)),
    Page("audit-log", _("Audit log"), "audit:read", "book", ("audit-settings",)),
    Page(
        "organization-settings",
        _("Settings"),
        "organization:manage",
        "sliders",
        ("ownership-transfer", "organization-delete"),
    ),
    Page("privacy", _("Privacy"), "privacy:read", "shield", ("privacy-requests", "privacy-erase")),
    Page("sso-overview", _("Single sign-on"), "sso:manage", "shield", ("sso-new", "sso-connection", "sso-remove")),
    Page("sso-directory", _("Directory"), "sso:manage", "layers"),
    Page("security-policy", _("Sign-in rules"), "security:manage", "sliders", ("owner-codes",)),
)


# These have an entry of their own in the main navigation.
NAMED_APART = {"api-keys"}


def pages_for(actor: Actor) -> list[Page]:
    """The pages that the actor may open."""
    return [page for page in PAGES if not page.permission or page.permission in actor.permissions]

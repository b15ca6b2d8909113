"""Every permission, and which roles hold which: plain data, so that the console can show what a role can do."""

from __future__ import annotations

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    BILLING = "billing", _("Billing")
    AUDITOR = "auditor", _("Auditor")
    AGENT = "agent", _("Agent")
    MEMBER = "member", _("Member")
    CUSTOM = "custom", _("Custom role")


# What each permission lets its holder do, as the console and the documentation say it.
PERMISSIONS: dict[str, str | Promise] = {
    "generations:read": _("Read generations and their streams"),
    "generations:write": _("Create and stop generations"),
    "templates:read": _("Read templates and brand voices, and write with them"),
    "templates:write": _("Create and change templates and brand voices"),
    "templates:approve": _("Approve versions of templates and put them into production"),
    "documents:read": _("Read documents, their versions and comments"),
    "documents:write": _("Write, share and delete documents"),
    "models:read": _("List models"),
    "usage:read": _("Read usage and spend"),
    "usage:write": _("Report usage of meters"),
    "keys:manage": _("Create, rotate and revoke API keys and service accounts"),
    "members:read": _("See members, teams and roles"),
    "members:manage": _("Invite, change and remove members; manage teams"),
    "roles:manage": _("Create and change custom roles"),
    "sessions:manage": _("See members' sessions and end them"),
    "budgets:manage": _("Set token budgets of members and teams"),
    "organization:manage": _("Change the organization's settings"),
    "organization:delete": _("Delete the organization"),
    "ownership:transfer": _("Hand the organization to another owner"),
    "safety:manage": _("Set the safety rules of texts and train classifiers"),
    "security:manage": _("Require single sign-on or two factors, and limit addresses"),
    "sso:manage": _("Manage single sign-on, domains and directory sync"),
    "billing:read": _("See the plan, invoices and the ledger"),
    "billing:manage": _("Change the plan and how it is paid"),
    "knowledge:read": _("Search documents and read their passages"),
    "knowledge:write": _("Add, renew and delete documents"),
    "licences:read": _("See products, licences and their machines"),
    "licences:manage": _("Issue, renew, suspend, revoke and transfer licences"),
    "events:read": _("Read and follow the organization's events"),
    "webhooks:manage": _("Set where events are sent and who may call in"),
    "support:read": _("Read the support desk's conversations and reports"),
    "support:write": _("Answer at the support desk"),
    "support:manage": _("Set up the support desk: inboxes, hours, rules and ready texts"),
    "support:unmask": _("See what was masked in messages of the support desk, with a reason"),
    "bots:read": _("Read articles, flows, examples and models of the bot, and how it has answered"),
    "bots:write": _("Write articles, flows and examples, run stories and train models"),
    "bots:approve": _("Approve flows, put flows and models live, and set up the bot"),
    "audit:read": _("Read and export the audit log"),
    "audit:manage": _("Set the audit log's retention and where it is sent"),
    "privacy:read": _("See what is stored, where and for how long"),
    "privacy:manage": _("Export and erase personal data; set retention"),
}

_MEMBER = frozenset(
    {"generations:read", "generations:write", "models:read", "usage:read"}
    | {"templates:read", "templates:write"}
    | {"knowledge:read", "knowledge:write"}
    | {"documents:read", "documents:write"}
)
_ONLY_OWNERS = frozenset({"organization:delete", "ownership:transfer"})
ROLE_PERMISSIONS: dict[str, frozenset[str]] = {
    Role.OWNER: frozenset(PERMISSIONS),
    Role.ADMIN: frozenset(PERMISSIONS) - _ONLY_OWNERS,
    Role.BILLING: frozenset(
        {"billing:read", "billing:manage", "budgets:manage", "usage:read", "models:read", "members:read"}
        | {"licences:read"}
    ),
    Role.AUDITOR: frozenset(
        {"audit:read", "billing:read", "generations:read", "members:read", "models:read", "privacy:read", "usage:read"}
        | {"licences:read", "templates:read", "documents:read", "events:read", "support:read", "bots:read"}
    ),
    Role.AGENT: _MEMBER | {"support:read", "support:write", "bots:read", "bots:write"},
    Role.MEMBER: _MEMBER,
    # What a custom role holds stands in its own row.
    Role.CUSTOM: frozenset(),
}
# A custom role may hold anything but what makes an owner.
CUSTOM_ROLE_PERMISSIONS = tuple(name for name in PERMISSIONS if name not in _ONLY_OWNERS)
# What a key is for, unless somebody says otherwise.
MEMBER_SCOPES = tuple(sorted(_MEMBER))
# What makes sense for programs. A key that could make keys, or roles and rules, would outlive its own revocation.
KEY_SCOPES = tuple(
    sorted(
        _MEMBER
        | {"audit:read", "billing:read", "budgets:manage", "members:manage", "members:read", "usage:write"}
        | {"billing:manage", "licences:read", "licences:manage", "templates:approve", "safety:manage"}
        | {"events:read", "webhooks:manage"}
        | {"support:read", "support:write", "support:manage"}
        | {"bots:read", "bots:write", "bots:approve"}
    )
)

"""What happens to people, organizations and their rules, as events."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.eventtypes import ID, MOMENT, MOMENT_OR_NULL, TEXT, TEXTS, WHOLE, types_of

ROLE = {"role": TEXT}
CUSTOM = {"custom_role": ID, "custom_role_name": TEXT}
NAMED = {"name": TEXT, "description": TEXT}

EVENT_TYPES = (
    *types_of(_("the organization"), "organization.created", {"name": TEXT, "slug": TEXT}),
    *types_of(_("the organization"), "organization.changed", {}, {"name": TEXT, "slug": TEXT, "language": TEXT}),
    *types_of(_("the organization"), "organization.deletion_scheduled", {"deletes_at": MOMENT}),
    *types_of(_("the organization"), "organization.deletion_cancelled"),
    *types_of(_("the invitation"), "invitation.created", {"email": TEXT, **ROLE}, CUSTOM),
    *types_of(_("the invitation"), "invitation.revoked", {"email": TEXT}),
    *types_of(_("the membership"), "membership.created membership.role_changed", {"user": ID, **ROLE}, CUSTOM),
    *types_of(_("the membership"), "membership.removed membership.left", {"user": ID}),
    *types_of(_("the offer"), "ownership.offered ownership.declined ownership.cancelled", {"to": ID}),
    *types_of(_("the offer"), "ownership.transferred", {"from": TEXT, "to": ID}),
    *types_of(_("the role"), "role.created role.changed", {**NAMED, "permissions": TEXTS}),
    *types_of(_("the role"), "role.deleted", {"name": TEXT}),
    *types_of(_("the team"), "team.created team.changed", NAMED),
    *types_of(_("the team"), "team.deleted", {"name": TEXT}),
    *types_of(_("the team"), "team.member_added team.member_removed", {"name": TEXT, "user": ID}),
    *types_of(_("the service account"), "service_account.created", {"name": TEXT, **ROLE}, CUSTOM),
    *types_of(_("the service account"), "service_account.changed", {**NAMED, **ROLE}, CUSTOM),
    *types_of(_("the service account"), "service_account.enabled service_account.disabled", {"name": TEXT}),
    *types_of(_("the key"), "api_key.created", {"name": TEXT, "prefix": TEXT, "scopes": TEXTS}),
    *types_of(_("the key"), "api_key.rotated", {"name": TEXT, "prefix": TEXT, "replaces": ID}),
    *types_of(_("the key"), "api_key.revoked", {"name": TEXT, "prefix": TEXT}),
    *types_of(
        _("the sign-in rules"),
        "security.policy_changed",
        {
            "sso_required_from": MOMENT_OR_NULL,
            "mfa_required_from": MOMENT_OR_NULL,
            "sso_session_hours": {"type": ["integer", "null"]},
            "keys_need_sso_days": {"type": ["integer", "null"]},
        },
    ),
    *types_of(_("the code"), "security.owner_code_used", {"user": ID, "left": WHOLE}),
    *types_of(_("the permission for support"), "support.allowed", {"until": MOMENT}),
    *types_of(_("the permission for support"), "support.forbidden"),
)

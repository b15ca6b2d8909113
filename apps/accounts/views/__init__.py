"""Pages of accounts."""

from apps.accounts.views.audit import (
    audit_log,
    audit_settings,
    export_audit_log,
    remove_audit_stream,
    switch_audit_stream,
)
from apps.accounts.views.invitations import invitation, invitations, resend_invitation, revoke_invitation
from apps.accounts.views.keys import api_keys, revoke_api_key, rotate_api_key
from apps.accounts.views.member_sessions import member_sessions
from apps.accounts.views.members import member, members, remove_member
from apps.accounts.views.organizations import new_organization, switch_organization
from apps.accounts.views.palette import preferences, search
from apps.accounts.views.roles import delete_role, new_role, role, roles
from apps.accounts.views.service_accounts import service_account, service_accounts, switch_service_account
from apps.accounts.views.sessions import sessions
from apps.accounts.views.settings import (
    answer_transfer,
    cancel_deletion,
    cancel_transfer,
    delete_organization,
    leave_organization,
    membership,
    organization_settings,
    transfer_ownership,
)
from apps.accounts.views.support import end_support, support_access
from apps.accounts.views.teams import change_team_members, delete_team, team, teams

__all__ = [
    "answer_transfer",
    "api_keys",
    "audit_log",
    "audit_settings",
    "cancel_deletion",
    "cancel_transfer",
    "change_team_members",
    "delete_organization",
    "delete_role",
    "delete_team",
    "end_support",
    "export_audit_log",
    "invitation",
    "invitations",
    "leave_organization",
    "member",
    "member_sessions",
    "members",
    "membership",
    "new_organization",
    "new_role",
    "organization_settings",
    "preferences",
    "remove_audit_stream",
    "remove_member",
    "resend_invitation",
    "revoke_api_key",
    "revoke_invitation",
    "role",
    "roles",
    "rotate_api_key",
    "search",
    "service_account",
    "service_accounts",
    "sessions",
    "support_access",
    "switch_audit_stream",
    "switch_organization",
    "switch_service_account",
    "team",
    "teams",
    "transfer_ownership",
]

"""Every write to accounts."""

from apps.accounts.services.audit import (
    add_audit_stream,
    remove_audit_stream,
    set_audit_retention,
    switch_audit_stream,
)
from apps.accounts.services.deletion import cancel_deletion, remove_again, remove_due, schedule_deletion
from apps.accounts.services.factors import forget_loose_secrets, keep_secret, secret_of
from apps.accounts.services.invitations import (
    accept_invitation,
    find_invitation,
    get_invitation,
    invite,
    open_invitations,
    owns_address,
    resend_invitation,
    revoke_invitation,
)
from apps.accounts.services.keys import (
    KeyLimits,
    actor_of_key,
    admit_api_key,
    create_api_key,
    digest,
    find_api_key,
    get_api_key,
    revoke_api_key,
    rotate_api_key,
)
from apps.accounts.services.member_sessions import (
    closed_among,
    end_all_sessions,
    end_member_session,
    end_member_sessions,
    member_sessions,
)
from apps.accounts.services.members import change_role, get_member, leave, remove_member
from apps.accounts.services.organizations import (
    change_organization,
    create_organization,
    get_organization,
    start_organization,
)
from apps.accounts.services.people import is_taken
from apps.accounts.services.preferences import choose_single_keys, hide_guide
from apps.accounts.services.roles import change_role_permissions, create_role, delete_role, get_role
from apps.accounts.services.service_accounts import (
    change_service_account,
    create_service_account,
    get_service_account,
    switch_service_account,
)
from apps.accounts.services.sessions import end_session, end_sessions, sessions_of
from apps.accounts.services.support import (
    allow_support,
    begin_impersonation,
    end_impersonation,
    end_overdue_impersonations,
    forbid_support,
    support_grant,
)
from apps.accounts.services.teams import (
    add_to_team,
    change_team,
    create_team,
    delete_team,
    get_team,
    remove_from_team,
)
from apps.accounts.services.transfers import (
    accept_ownership,
    cancel_transfer,
    decline_ownership,
    offer_ownership,
    pending_transfer,
)
from apps.accounts.sessions import session_handle

__all__ = [
    "KeyLimits",
    "accept_invitation",
    "accept_ownership",
    "actor_of_key",
    "add_audit_stream",
    "add_to_team",
    "admit_api_key",
    "allow_support",
    "begin_impersonation",
    "cancel_deletion",
    "cancel_transfer",
    "change_organization",
    "change_role",
    "change_role_permissions",
    "change_service_account",
    "change_team",
    "choose_single_keys",
    "closed_among",
    "create_api_key",
    "create_organization",
    "create_role",
    "create_service_account",
    "create_team",
    "decline_ownership",
    "delete_role",
    "delete_team",
    "digest",
    "end_all_sessions",
    "end_impersonation",
    "end_member_session",
    "end_member_sessions",
    "end_overdue_impersonations",
    "end_session",
    "end_sessions",
    "find_api_key",
    "find_invitation",
    "forbid_support",
    "forget_loose_secrets",
    "get_api_key",
    "get_invitation",
    "get_member",
    "get_organization",
    "get_role",
    "get_service_account",
    "get_team",
    "hide_guide",
    "invite",
    "is_taken",
    "keep_secret",
    "leave",
    "member_sessions",
    "offer_ownership",
    "open_invitations",
    "owns_address",
    "pending_transfer",
    "remove_again",
    "remove_audit_stream",
    "remove_due",
    "remove_from_team",
    "remove_member",
    "resend_invitation",
    "revoke_api_key",
    "revoke_invitation",
    "rotate_api_key",
    "schedule_deletion",
    "secret_of",
    "session_handle",
    "sessions_of",
    "set_audit_retention",
    "start_organization",
    "support_grant",
    "switch_audit_stream",
    "switch_service_account",
]

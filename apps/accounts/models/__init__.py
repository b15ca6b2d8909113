"""People, organizations, who belongs where and as what, invitations, API keys, and the audit trail."""

from apps.accounts.models.audit import (
    AuditAnchor,
    AuditEntry,
    AuditHead,
    AuditSettings,
    AuditStream,
    AuditVerification,
    InstallationEntry,
)
from apps.accounts.models.factors import FactorSecret
from apps.accounts.models.invitations import Invitation
from apps.accounts.models.keys import ApiKey, ServiceAccount
from apps.accounts.models.organizations import Membership, Organization
from apps.accounts.models.people import User
from apps.accounts.models.roles import CustomRole
from apps.accounts.models.security import OwnerCode, SecurityPolicy, SingleSignOn
from apps.accounts.models.sessions import BrowserSession, ClosedSession
from apps.accounts.models.support import Impersonation, SupportGrant
from apps.accounts.models.teams import Team, TeamMembership
from apps.accounts.models.transfers import OwnershipTransfer
from apps.accounts.permissions import Role

__all__ = [
    "ApiKey",
    "AuditAnchor",
    "AuditEntry",
    "AuditHead",
    "AuditSettings",
    "AuditStream",
    "AuditVerification",
    "BrowserSession",
    "ClosedSession",
    "CustomRole",
    "FactorSecret",
    "Impersonation",
    "InstallationEntry",
    "Invitation",
    "Membership",
    "Organization",
    "OwnerCode",
    "OwnershipTransfer",
    "Role",
    "SecurityPolicy",
    "ServiceAccount",
    "SingleSignOn",
    "SupportGrant",
    "Team",
    "TeamMembership",
    "User",
]

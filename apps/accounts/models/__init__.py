"""People, organizations, who belongs where, API keys, and the audit trail."""

from apps.accounts.models.audit import AuditEntry, AuditHead
from apps.accounts.models.keys import ApiKey
from apps.accounts.models.organizations import Membership, Organization
from apps.accounts.models.people import User
from apps.accounts.permissions import Role

__all__ = ["ApiKey", "AuditEntry", "AuditHead", "Membership", "Organization", "Role", "User"]

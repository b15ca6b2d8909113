"""What accounts store."""

from apps.accounts.privacy import audit, organizations, people, security

KINDS = (*people.KINDS, *organizations.KINDS, *audit.KINDS, *security.KINDS)

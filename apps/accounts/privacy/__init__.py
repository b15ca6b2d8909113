"""What accounts store."""

from apps.accounts.privacy import audit, organizations, people

KINDS = (*people.KINDS, *organizations.KINDS, *audit.KINDS)

"""Pages of accounts."""

from apps.accounts.views.keys import api_keys, revoke_api_key
from apps.accounts.views.organizations import switch_organization

__all__ = ["api_keys", "revoke_api_key", "switch_organization"]

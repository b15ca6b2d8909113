"""Every write to accounts."""

from apps.accounts.services.keys import actor_of_key, create_api_key, digest, find_api_key, revoke_api_key
from apps.accounts.services.organizations import create_organization

__all__ = [
    "actor_of_key",
    "create_api_key",
    "create_organization",
    "digest",
    "find_api_key",
    "revoke_api_key",
]

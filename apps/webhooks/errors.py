"""Why an address for calls in does not act any more."""

from __future__ import annotations

from apps.core.errors import PermissionDenied


class HookOwnerLeft(PermissionDenied):
    """Whoever has set up the address is no member any more."""

    code = "hook_owner_left"


class HookOwnerAway(PermissionDenied):
    """The organization ties programs to single sign-on, and whoever has set up the address stays away."""

    code = "hook_owner_away"


class HookKeyEnded(PermissionDenied):
    """The key through which the address was set up is revoked, has expired, or is nobody's any more."""

    code = "hook_key_ended"


class HookRightLost(PermissionDenied):
    """Whoever has set up the address, or the key that they used, may not do any more what it does."""

    code = "hook_right_lost"

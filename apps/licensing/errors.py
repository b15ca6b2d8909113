"""What licences refuse."""

from __future__ import annotations

from apps.core.errors import Conflict, NotAuthenticated, PermissionDenied


class InvalidLicenceKey(NotAuthenticated):
    """Mistyped, replaced by a new key, or of no licence that there is."""

    code = "invalid_licence_key"


class LicenceNotServed(PermissionDenied):
    """The licence is suspended, revoked or expired: nothing new begins under it. What runs goes on."""

    code = "licence_not_served"


class NoMachineLeft(Conflict):
    """The licence is active on as many machines as it may be: release one first."""

    code = "no_machine_left"


class NoSeatLeft(Conflict):
    """All floating seats of the licence are in use: return one, or wait until one lapses."""

    code = "no_seat_left"

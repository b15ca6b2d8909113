"""Feature switches: what an operator turns on and off without a deployment, for all, for some, or for one organization.

The names stand here, with what each does and what it is without a row. Rows are read from the database at most every
few seconds by each process and kept in its memory, so that asking costs nothing and Redis has no part in it; a database
that is away leaves the last known answer.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.core.models import FeatureSwitch, SwitchScope

# How old an answer may be, in seconds.
KEPT_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch as the code knows it; `scopes` are those for which it is ever asked."""

    what: str | Promise
    default: bool
    scopes: tuple[SwitchScope, ...] = (SwitchScope.ALL,)


SWITCHES: dict[str, Switch] = {
    "sign_up": Switch(_("Strangers may create accounts, where the setting SIGN_UP allows it."), default=True),
    "live_demo": Switch(
        _("Strangers may try the model on the landing page, where LIVE_DEMO_ORGANIZATION is set."),
        default=True,
    ),
    "maintenance_notice": Switch(
        _("Every page says that maintenance is under way and answers may take longer."),
        default=False,
        scopes=(SwitchScope.ALL, SwitchScope.PERCENTAGE, SwitchScope.ORGANIZATION),
    ),
    "data_offers": Switch(
        _("Organizations publish data sets and annotation services, and buy them from each other."),
        default=False,
        scopes=(SwitchScope.ALL, SwitchScope.PERCENTAGE, SwitchScope.ORGANIZATION),
    ),
    "sponsored_slots": Switch(
        _("Organizations whose plan does not spare them see sponsored notices on their dashboard."),
        default=False,
        scopes=(SwitchScope.ALL, SwitchScope.PERCENTAGE, SwitchScope.ORGANIZATION),
    ),
}

_Rows = Mapping[tuple[str, str, UUID | None], FeatureSwitch]
_kept: tuple[float, _Rows] | None = None


def is_on(name: str, organization_id: UUID | None = None) -> bool:
    """Whether a switch is on: an organization's own row decides, then the percentage, then the row for all."""
    rows, switch = _rows(), SWITCHES[name]
    own = rows.get((name, SwitchScope.ORGANIZATION, organization_id)) if organization_id else None
    if own is not None:
        return own.on
    for_all = rows.get((name, SwitchScope.ALL, None))
    some = rows.get((name, SwitchScope.PERCENTAGE, None))
    if some is not None and organization_id and _share(name, organization_id) < some.percentage:
        return some.on
    return for_all.on if for_all is not None else switch.default


def _share(name: str, organization_id: UUID) -> int:
    """Where an organization lies between 0 and 99 for this switch: always the same, and different for each switch."""
    return int.from_bytes(hashlib.sha256(f"{name}:{organization_id}".encode()).digest()[:4]) % 100


def _rows() -> _Rows:
    global _kept
    if _kept is not None and time.monotonic() - _kept[0] < KEPT_SECONDS:
        return _kept[1]
    try:
        # A savepoint where the caller is in a transaction: its own work goes on though this question failed.
        with transaction.atomic(using=FeatureSwitch.objects.db):
            rows = {(row.name, row.scope, row.target): row for row in FeatureSwitch.objects.all()}
    except DatabaseError as error:
        log.warning("switches not read: %s", error)
        rows = dict(_kept[1]) if _kept is not None else {}
    _kept = (time.monotonic(), rows)
    return rows


def forget() -> None:
    """Makes the next question read the rows: in the process that has just changed one, and in tests."""
    global _kept
    _kept = None

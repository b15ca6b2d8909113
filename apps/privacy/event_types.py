"""What happens to exports and erasures, as events."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.eventtypes import TEXT, types_of

EVENT_TYPES = (
    *types_of(_("the export"), "privacy.export_ready", {"scope": TEXT}),
    *types_of(_("the erasure"), "privacy.person_erased", {"scope": TEXT}),
)

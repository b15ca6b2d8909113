"""What happens to collections and documents that are searched, as events."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.eventtypes import TEXT, WHOLE, types_of

EVENT_TYPES = (
    *types_of(_("the collection"), "collection.created collection.changed collection.deleted", {"name": TEXT}),
    *types_of(
        _("the document that is searched"), "source.added source.version_added", {"title": TEXT, "version": WHOLE}
    ),
    *types_of(_("the document that is searched"), "source.ready", {"version": WHOLE, "passages": WHOLE}),
    *types_of(_("the document that is searched"), "source.failed", {"version": WHOLE, "reason": TEXT}),
    *types_of(_("the document that is searched"), "source.deleted", {"title": TEXT}),
)

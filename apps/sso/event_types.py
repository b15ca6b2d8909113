"""What happens to single sign-on and the directory, as events."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.eventtypes import ID, TEXT, WHOLE, types_of

EVENT_TYPES = (
    *types_of(_("the connection"), "sso.connection_created", {"name": TEXT, "kind": TEXT}),
    *types_of(
        _("the connection"),
        "sso.connection_changed sso.connection_enabled sso.connection_disabled sso.connection_deleted",
        {"name": TEXT},
    ),
    *types_of(_("the domain"), "sso.domain_verified sso.domain_removed", {"name": TEXT}),
    *types_of(_("the directory's token"), "directory.token_created directory.token_ended", {"prefix": TEXT}),
    *types_of(
        _("the directory's entry"),
        "directory.user_created directory.user_changed directory.user_deleted",
        {"user": ID},
    ),
    *types_of(_("the directory's group"), "directory.group_created directory.group_deleted", {"name": TEXT}),
    *types_of(_("the directory's group"), "directory.group_members_changed", {"added": WHOLE, "removed": WHOLE}),
)

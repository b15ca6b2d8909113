"""Templates: written in versions, labelled with approval, shared, and rendered into what a model is given."""

from apps.studio.services.templates.copying import duplicate, entry_of, facts_of_entry, use
from apps.studio.services.templates.finding import find, get, get_version, newest, numbered, seen, seen_by, version_of
from apps.studio.services.templates.labels import (
    approve,
    change_settings,
    move_label,
    remove_label,
    roll_back,
    settings_of,
)
from apps.studio.services.templates.rendering import Rendered, render, render_version, voice_of
from apps.studio.services.templates.writing import (
    TemplateFacts,
    add_version,
    archive,
    change,
    checked,
    create,
    facts_of,
    restore,
    restore_version,
    share,
)

__all__ = [
    "Rendered",
    "TemplateFacts",
    "add_version",
    "approve",
    "archive",
    "change",
    "change_settings",
    "checked",
    "create",
    "duplicate",
    "entry_of",
    "facts_of",
    "facts_of_entry",
    "find",
    "get",
    "get_version",
    "move_label",
    "newest",
    "numbered",
    "remove_label",
    "render",
    "render_version",
    "restore",
    "restore_version",
    "roll_back",
    "seen",
    "seen_by",
    "settings_of",
    "share",
    "use",
    "version_of",
    "voice_of",
]

"""Every write to privacy: exports, erasures, retention, consents."""

from apps.privacy.services.consents import accept, choose_mail, pending, require_accepted, required, wants_mail
from apps.privacy.services.erasures import (
    Fate,
    StillRunning,
    carry_out,
    erase_account,
    fail_erasure,
    finish_erasure,
    get_erasure,
    preview,
    reapply,
    reapply_removals,
    request_erasure,
)
from apps.privacy.services.exports import (
    MANAGE,
    WAKE,
    fail_export,
    file_of,
    finish_export,
    get_export,
    note_download,
    part_path,
    remove_expired_exports,
    request_export,
)
from apps.privacy.services.register import note_removal
from apps.privacy.services.retention import Term, apply, set_term, terms
from apps.privacy.services.retention import preview as preview_term

__all__ = [
    "MANAGE",
    "WAKE",
    "Fate",
    "StillRunning",
    "Term",
    "accept",
    "apply",
    "carry_out",
    "choose_mail",
    "erase_account",
    "fail_erasure",
    "fail_export",
    "file_of",
    "finish_erasure",
    "finish_export",
    "get_erasure",
    "get_export",
    "note_download",
    "note_removal",
    "part_path",
    "pending",
    "preview",
    "preview_term",
    "reapply",
    "reapply_removals",
    "remove_expired_exports",
    "request_erasure",
    "request_export",
    "require_accepted",
    "required",
    "set_term",
    "terms",
    "wants_mail",
]

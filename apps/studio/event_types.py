"""What happens to texts and all that they are made from, as events; never a text itself."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.eventtypes import (
    ID,
    MOMENT,
    MOMENT_OR_NULL,
    NUMBER,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    WHOLE,
    YES_OR_NO,
    types_of,
)

SLUG = {"slug": TEXT}
VERSION = {"slug": TEXT, "version": WHOLE}
SUMS = {"rows": WHOLE, "succeeded": WHOLE, "failed": WHOLE}
USAGE = {
    "type": "object",
    "properties": {"prompt_tokens": WHOLE, "completion_tokens": WHOLE},
    "required": ["prompt_tokens", "completion_tokens"],
}

EVENT_TYPES = (
    *types_of(_("the generation"), "generation.queued", {"model": TEXT, "kind": TEXT}),
    *types_of(
        _("the generation"),
        "generation.succeeded generation.failed generation.cancelled",
        {"model": TEXT, "finish_reason": TEXT_OR_NULL, "usage": USAGE},
    ),
    *types_of(_("the template"), "template.created template.version_added template.approved", VERSION),
    *types_of(_("the template"), "template.changed", {"slug": TEXT, "name": TEXT}),
    *types_of(_("the template"), "template.archived template.restored", SLUG),
    *types_of(_("the template"), "template.shared", {"slug": TEXT, "visibility": TEXT}),
    *types_of(_("the template"), "template.label_moved", {**VERSION, "label": TEXT}),
    *types_of(_("the template"), "template.label_removed", {"slug": TEXT, "label": TEXT}),
    *types_of(_("the rules for templates"), "template.settings_changed", {"four_eyes": YES_OR_NO}),
    *types_of(_("the brand voice"), "voice.created voice.version_added", VERSION),
    *types_of(_("the brand voice"), "voice.changed", {"slug": TEXT, "name": TEXT}),
    *types_of(_("the brand voice"), "voice.archived voice.restored", SLUG),
    *types_of(
        _("the version of the safety rules"),
        "safety.policy_changed",
        {"number": WHOLE, "lists": WHOLE, "terms": WHOLE, "personal": TEXT, "classifier": TEXT_OR_NULL},
    ),
    *types_of(_("the version of the safety rules"), "safety.prompt_refused", {"rule": TEXT, "name": TEXT}),
    *types_of(_("the generation"), "safety.output_withheld", {"rules": TEXT, "policy": ID}),
    *types_of(_("the classifier"), "safety.classifier_asked", {"name": TEXT, "number": WHOLE}),
    *types_of(_("the classifier"), "safety.classifier_failed", {"number": WHOLE, "reason": TEXT}),
    *types_of(_("the classifier"), "safety.classifier_trained", {"number": WHOLE, "average_precision": NUMBER}),
    *types_of(
        _("the document"),
        "document.created document.changed document.moved document.tagged document.restored document.deleted"
        " document.undeleted",
        {"title": TEXT, "revision": WHOLE},
    ),
    *types_of(_("the folder"), "folder.created folder.renamed folder.deleted", {"name": TEXT}),
    *types_of(
        _("the comment"),
        "comment.created comment.resolved comment.reopened comment.deleted",
        {"document": ID, "mentions": TEXTS},
    ),
    *types_of(
        _("the suggestion"),
        "suggestion.requested suggestion.accepted suggestion.rejected",
        {"document": ID, "generation": TEXT, "action": TEXT},
    ),
    *types_of(_("the link"), "share.created share.revoked", {"document": ID}),
    *types_of(_("the bulk run"), "bulk_run.created", {"name": TEXT, "rows": WHOLE}),
    *types_of(_("the bulk run"), "bulk_run.started bulk_run.retried", {"name": TEXT, "state": TEXT, "rows": WHOLE}),
    *types_of(_("the bulk run"), "bulk_run.resumed bulk_run.stopped", {"name": TEXT, "state": TEXT}),
    *types_of(_("the bulk run"), "bulk_run.paused bulk_run.exhausted", {"name": TEXT}, {"state": TEXT, "code": TEXT}),
    *types_of(_("the bulk run"), "bulk_run.completed bulk_run.cancelled bulk_run.expired", {"name": TEXT, **SUMS}),
    *types_of(_("the bulk run"), "bulk_run.deleted", {"name": TEXT}),
    *types_of(_("the batch"), "batch.created", {"endpoint": TEXT}),
    *types_of(_("the batch"), "batch.in_progress", {"requests": WHOLE}),
    *types_of(_("the batch"), "batch.failed", {"errors": WHOLE}),
    *types_of(_("the batch"), "batch.completed batch.cancelled batch.expired", {"endpoint": TEXT}),
    *types_of(_("the file"), "file.created", {"filename": TEXT, "purpose": TEXT, "bytes": WHOLE}),
    *types_of(_("the file"), "file.deleted", {"filename": TEXT}),
    *types_of(
        _("the schedule"),
        "schedule.created schedule.changed schedule.paused schedule.resumed schedule.deleted",
        {"name": TEXT, "next_at": MOMENT_OR_NULL},
    ),
    *types_of(_("the schedule"), "schedule.due", {"name": TEXT, "due_at": MOMENT}),
    *types_of(
        _("the schedule"), "schedule.done", {"name": TEXT, "recipients": WHOLE}, {"generation": ID, "bulk_run": ID}
    ),
    *types_of(_("the schedule"), "schedule.failed", {"name": TEXT, "code": TEXT}),
    *types_of(_("the conversation"), "conversation.created", {"model": TEXT}),
    *types_of(_("the conversation"), "conversation.deleted conversation.restored"),
    *types_of(_("the run"), "run.created", {"kind": TEXT, "variants": WHOLE}),
    *types_of(_("the run"), "run.voted", {"verdict": TEXT}),
)

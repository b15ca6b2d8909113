"""What happens to articles, flows and models, as events."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.eventtypes import NUMBER, TEXT, TEXTS, WHOLE, YES_OR_NO, types_of

_ARTICLE, _FLOWS, _EXAMPLE, _RUN = _("the article"), _("the flows"), _("the example"), _("the training run")

BOT_EVENT_TYPES = (
    *types_of(
        _ARTICLE,
        "article.written article.published article.retired",
        {"slug": TEXT, "version": WHOLE, "locale": TEXT},
    ),
    *types_of(_ARTICLE, "article.archived article.restored", {"slug": TEXT}),
    *types_of(_("the help centre"), "help_centre.changed", {"slug": TEXT, "is_open": YES_OR_NO}),
    *types_of(_FLOWS, "flows.written flows.approved flows.live", {"number": WHOLE}),
    *types_of(_FLOWS, "flows.tested", {"number": WHOLE, "passed": WHOLE, "failed": WHOLE}),
    *types_of(_("the bot's settings"), "bot.changed", {"what": TEXTS}),
    *types_of(_("the action"), "bot_action.saved bot_action.deleted", {"name": TEXT}),
    *types_of(_("the organization"), "examples.added", {"count": WHOLE, "changed": WHOLE}),
    *types_of(_EXAMPLE, "example.changed example.removed", {"intent": TEXT}),
    *types_of(_EXAMPLE, "example.slots_marked", {"slots": WHOLE}),
    *types_of(_EXAMPLE, "example.marked", {"read": TEXT, "meant": TEXT}),
    *types_of(_("the data set"), "dataset.shortened", {"number": WHOLE, "rows": WHOLE, "models": WHOLE}),
    *types_of(_RUN, "training.asked", {"dataset": WHOLE, "method": TEXT}),
    *types_of(_RUN, "training.finished", {"number": WHOLE, "accuracy": NUMBER}),
    *types_of(_RUN, "training.failed", {"reason": TEXT}),
    *types_of(_("the model"), "dialogue_model.promoted", {"number": WHOLE, "before": WHOLE}),
)

"""Words of the studio's pages that are not in a template: choices, errors by code, and what scripts show."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.studio.examples import EXAMPLES

CONTENT_TYPES: dict[str, Promise] = {
    "product_description": _("Product description"),
    "email": _("E-mail"),
    "social_post": _("Social post"),
    "ad_headline": _("Ad headline"),
    "blog_opening": _("Blog opening"),
}
TONES: dict[str, Promise] = {
    "friendly": _("Friendly"),
    "professional": _("Professional"),
    "playful": _("Playful"),
    "luxurious": _("Luxurious"),
    "bold": _("Bold"),
    "warm": _("Warm"),
    "informative": _("Informative"),
    "minimalist": _("Minimalist"),
}

STATUSES: dict[str, Promise] = {
    "queued": _("Queued"),
    "running": _("Writing"),
    "succeeded": _("Done"),
    "cancelled": _("Stopped"),
    "failed": _("Failed"),
}
# By the error's stable code; a code that is missing here is shown with the service's own words.
ERRORS: dict[str, Promise] = {
    "insufficient_quota": _(
        "This month's allowance does not cover the request. Ask for fewer tokens, or wait for it to renew."
    ),
    "queue_full": _(
        "Your organization has as many generations waiting as its plan allows. Let some finish, then try again."
    ),
    "overloaded": _("More work is waiting here than can be served right now. Try again in a few minutes."),
    "rate_limit_exceeded": _("That was too many requests in a minute. Wait a little, then try again."),
    "context_length_exceeded": _("The prompt is longer than this model can read. Shorten it, or choose another model."),
    "model_not_found": _("This model is no longer offered. Choose another one."),
    "model_unavailable": _("The model could not be loaded or its server did not answer. Try again in a moment."),
    "permission_denied": _("Your role in this organization does not allow this."),
    "worker_lost": _(
        "The worker was lost twice while it wrote this. You are not charged for what is missing; try again."
    ),
    "engine_error": _("The model failed while it wrote this. Try again."),
    "deadline_exceeded": _("The text took longer than the time limit and ends here."),
    "text_not_stored": _("The text could not be stored, and nothing was charged. Try again."),
    "upstream_timeout": _("The model's server did not answer in time. Try again in a moment."),
    "upstream_error": _("The connection to the model's server broke. Try again in a moment."),
    "upstream_incomplete": _("The model's server broke off in the middle of the text. Try again."),
    "upstream_rate_limited": _("The model's server is busy. Try again in a moment."),
    "upstream_rejected": _("The model's server refused the request. Whoever runs this installation can see why."),
    "upstream_invalid": _("The model's server answered with something that is not text. Try again."),
    "out_of_memory": _("The model ran out of memory on this request. Shorten it, or try again in a moment."),
    "invalid_logits": _("The model failed on this request. Change the prompt or the sampling, and try again."),
    "content_filtered": _("The model's server ended the text because of its content filter."),
}
REASONS: dict[str, Promise] = {
    "length": _("The text reached the largest length you allowed. Raise “Most tokens” for a longer one."),
    "cancelled": _("Stopped. You are charged for what was written."),
    "content_filter": _("Your organization's safety rules withhold this text. You are charged for what was written."),
    "unstarted": _("Stopped before it began. Nothing is charged."),
}


def script_texts() -> dict[str, Any]:
    """What output.js and studio.js show, in the language of the request."""
    return {
        "status": {code: str(words) for code, words in STATUSES.items()},
        "errors": {code: str(words) for code, words in ERRORS.items()},
        "reasons": {code: str(words) for code, words in REASONS.items()},
        "place": str(_("Place {place} in the queue")),
        "waiting": str(_("Waiting in the queue")),
        "starting": str(_("The model is reading your prompt")),
        "perSecond": str(_("{rate} tokens/s")),
        "seconds": str(_("{seconds} s")),
        "reconnecting": str(_("Connection lost. Reconnecting; nothing is lost.")),
        "lost": str(_("This generation can no longer be followed. Reload the page.")),
        "finished": {
            "succeeded": str(_("Done. {tokens} tokens written.")),
            "cancelled": str(_("Stopped after {tokens} tokens.")),
            "failed": str(_("The generation failed.")),
        },
        "failed": str(_("That did not work. Try again.")),
        "offline": str(_("The server cannot be reached. Check your connection and try again.")),
        "atMost": str(_("at most {amount}")),
        "free": str(_("free of charge")),
    }


def reason_of(finish_reason: str, tokens: int) -> Promise | str:
    """Why a text ends where it does, when that needs saying; `tokens` is how many were written."""
    unstarted = finish_reason == "cancelled" and not tokens
    return REASONS.get("unstarted" if unstarted else finish_reason, "")


def error_text(code: str, message: str) -> Promise | str:
    return ERRORS.get(code, message)


def example_cards() -> list[dict[str, Any]]:
    """The examples as cards: which kind of text about what, for whom."""
    return [
        {
            "name": name,
            "kind": CONTENT_TYPES[example["content_type"]],
            "product": example["product"],
            "audience": example["audience"],
        }
        for name, example in EXAMPLES.items()
    ]

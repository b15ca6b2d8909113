"""What acts on the bot and the help centre read like; `sentences.py` has them with all others."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

BOT_SENTENCES: dict[str, Promise] = {
    "article.written": gettext_lazy("%(actor)s wrote version %(version)s of the article “%(title)s” (%(locale)s)."),
    "article.published": gettext_lazy(
        "%(actor)s published version %(version)s of the article “%(title)s” (%(locale)s)."
    ),
    "article.retired": gettext_lazy("%(actor)s took the article “%(title)s” out of the help centre (%(locale)s)."),
    "article.archived": gettext_lazy("%(actor)s put the article “%(object)s” away."),
    "article.restored": gettext_lazy("%(actor)s took the article “%(object)s” out again."),
    "help_centre.changed": gettext_lazy("%(actor)s set up the help centre “%(object)s” (%(slug)s, open: %(is_open)s)."),
    "flows.written": gettext_lazy("%(actor)s wrote the flows %(object)s."),
    "flows.tested": gettext_lazy("%(actor)s had the stories of the flows %(object)s run (real calls: %(calls)s)."),
    "flows.approved": gettext_lazy("%(actor)s approved the flows %(object)s."),
    "flows.live": gettext_lazy("%(actor)s put the flows %(object)s live in place of v%(before)s."),
    "bot.changed": gettext_lazy("%(actor)s changed the bot: %(what)s."),
    "bot_action.saved": gettext_lazy("%(actor)s set up the action “%(object)s” of the bot."),
    "bot_action.deleted": gettext_lazy("%(actor)s removed the action “%(object)s” of the bot."),
    "examples.added": gettext_lazy("%(actor)s added %(count)s examples of intents and changed %(changed)s."),
    "example.changed": gettext_lazy(
        "%(actor)s gave the example “%(object)s” the intent %(after_intent)s in place of %(before_intent)s."
    ),
    "example.slots_marked": gettext_lazy("%(actor)s marked %(count)s slots in the example “%(object)s”."),
    "example.removed": gettext_lazy("%(actor)s removed the example “%(object)s” of the intent %(intent)s."),
    "example.marked": gettext_lazy("%(actor)s marked “%(object)s” as %(meant)s, which the bot had read as %(read)s."),
    "dataset.shortened": gettext_lazy(
        "%(actor)s took %(rows)s examples of what was erased out of data set %(number)s (SHA-256 before: %(sha256)s)."
        " Models that had learned from them: %(models)s."
    ),
    "training.asked": gettext_lazy("%(actor)s had a model trained from data set %(dataset)s (SHA-256 %(sha256)s)."),
    "training.cancelled": gettext_lazy("%(actor)s stopped the training of a model."),
    "dialogue_model.promoted": gettext_lazy(
        "%(actor)s had the model %(object)s read in place of m%(replaced)s (accuracy %(accuracy)s)."
    ),
}

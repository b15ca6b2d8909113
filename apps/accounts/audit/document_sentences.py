"""What the acts on documents read like; `sentences.py` has them with all others."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

DOCUMENT_SENTENCES: dict[str, Promise] = {
    "document.created": gettext_lazy("%(actor)s wrote the document “%(object)s”."),
    "document.changed": gettext_lazy("%(actor)s changed the document “%(object)s” (revision %(revision)s)."),
    "document.moved": gettext_lazy("%(actor)s moved the document “%(object)s” to the folder “%(folder)s”."),
    "document.tagged": gettext_lazy("%(actor)s gave the document “%(object)s” the tags %(tags)s."),
    "document.restored": gettext_lazy("%(actor)s restored version %(number)s of the document “%(object)s”."),
    "document.version_named": gettext_lazy(
        "%(actor)s called version %(number)s of the document “%(object)s” “%(name)s”."
    ),
    "document.deleted": gettext_lazy("%(actor)s moved the document “%(object)s” to the trash."),
    "document.undeleted": gettext_lazy("%(actor)s took the document “%(object)s” out of the trash."),
    "document.removed": gettext_lazy("The document “%(object)s” was removed, as its time in the trash was over."),
    "document.exported": gettext_lazy("%(actor)s exported the document “%(object)s” (%(format)s)."),
    "folder.created": gettext_lazy("%(actor)s made the folder “%(object)s”."),
    "folder.renamed": gettext_lazy("%(actor)s renamed a folder to “%(object)s”."),
    "folder.deleted": gettext_lazy("%(actor)s deleted the folder “%(object)s”."),
    "suggestion.requested": gettext_lazy("%(actor)s asked for other words (%(what)s) in “%(title)s”."),
    "suggestion.accepted": gettext_lazy("%(actor)s accepted suggested words (%(what)s) in “%(title)s”."),
    "suggestion.rejected": gettext_lazy("%(actor)s rejected suggested words (%(what)s) in “%(title)s”."),
    "comment.created": gettext_lazy("%(actor)s commented on the document “%(title)s”."),
    "comment.resolved": gettext_lazy("%(actor)s resolved a comment on the document “%(title)s”."),
    "comment.reopened": gettext_lazy("%(actor)s reopened a comment on the document “%(title)s”."),
    "comment.deleted": gettext_lazy("%(actor)s deleted a comment on the document “%(title)s”."),
    "share.created": gettext_lazy(
        "%(actor)s made a link to the document “%(title)s” that anybody may open until %(until)s "
        "(password: %(with_password)s)."
    ),
    "share.revoked": gettext_lazy("%(actor)s revoked a link to the document “%(title)s”."),
}

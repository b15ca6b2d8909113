"""What the acts on webhooks read like; `sentences.py` has them with all others."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

WEBHOOK_SENTENCES: dict[str, Promise] = {
    "webhook_endpoint.created": gettext_lazy("%(actor)s had events sent to %(object)s."),
    "webhook_endpoint.changed": gettext_lazy("%(actor)s changed what is sent to %(object)s."),
    "webhook_endpoint.deleted": gettext_lazy("%(actor)s ended the sending of events to %(object)s."),
    "webhook_endpoint.resumed": gettext_lazy("%(actor)s had events sent to %(object)s again."),
    "webhook_endpoint.stopped": gettext_lazy("%(actor)s stopped the sending of events to %(object)s: %(reason)s."),
    "webhook_endpoint.replayed": gettext_lazy("%(actor)s had %(count)s messages sent to %(object)s once more."),
    "webhook_endpoint.tested": gettext_lazy("%(actor)s had a test sent to %(object)s."),
    "webhook_endpoint.secret_added": gettext_lazy(
        "%(actor)s added the secret …%(hint)s (%(scheme)s) to the endpoint %(object)s."
    ),
    "webhook_endpoint.secret_removed": gettext_lazy(
        "%(actor)s removed the secret …%(hint)s (%(scheme)s) from the endpoint %(object)s."
    ),
    "webhook_callbacks.secret_added": gettext_lazy(
        "%(actor)s added the secret …%(hint)s (%(scheme)s) that signs results of jobs."
    ),
    "webhook_callbacks.secret_removed": gettext_lazy(
        "%(actor)s removed the secret …%(hint)s (%(scheme)s) that signed results of jobs."
    ),
    "inbound_hook.created": gettext_lazy("%(actor)s opened the address “%(object)s” for calls in (%(what)s)."),
    "inbound_hook.changed": gettext_lazy("%(actor)s changed the address “%(object)s” for calls in."),
    "inbound_hook.secret_changed": gettext_lazy(
        "%(actor)s changed the secret of the address “%(object)s” for calls in; it ends in %(hint)s."
    ),
    "inbound_hook.deleted": gettext_lazy("%(actor)s closed the address “%(object)s” for calls in."),
}

"""What a request for a job may say about where its result is sent."""

from __future__ import annotations

from apps.core.fields import Id, StrictSerializer, Text
from apps.webhooks.models.endpoints import LONGEST_URL


class CallbackFields(StrictSerializer):
    """Mixed into the bodies of requests for jobs."""

    callback_url = Text(
        required=False, max_length=LONGEST_URL, help_text="A public https address that the signed result is sent to."
    )
    callback_endpoint = Id(required=False, help_text="An endpoint's id, in the place of `callback_url`.")

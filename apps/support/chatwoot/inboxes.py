"""Inboxes as Chatwoot tells of them."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from apps.support.chatwoot.names import CHANNELS
from apps.support.models import Inbox, InboxKind, Numbered
from apps.support.services.numbers import Numbers


def inbox_body(row: Inbox, numbers: Numbers) -> dict[str, Any]:
    number = numbers(Numbered.INBOX, row.pk)
    body: dict[str, Any] = {
        "id": number,
        "name": row.name,
        "channel_id": number,
        "channel_type": CHANNELS[InboxKind(row.kind)],
        "avatar_url": "",
        "greeting_enabled": bool(row.greeting),
        "greeting_message": row.greeting,
        "out_of_office_message": row.away_message,
        "working_hours_enabled": row.hours_id is not None,
        "timezone": row.hours.time_zone if row.hours else "UTC",
        "enable_auto_assignment": row.auto_assignment,
        "csat_survey_enabled": row.csat_enabled,
        "hmac_mandatory": row.hmac_required,
    }
    if row.kind == InboxKind.WIDGET:
        body |= {"website_token": row.token, "web_widget_script": _script(row.token)}
    return body | ({"inbox_identifier": row.token} if row.kind == InboxKind.API else {})


def _script(token: str) -> str:
    base = settings.BASE_URL
    run = f"chatwootSDK.run({{ websiteToken: '{token}', baseUrl: '{base}' }})"
    return f'<script src="{base}/packs/js/sdk.js"></script>\n<script>{run}</script>'

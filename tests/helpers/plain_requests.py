"""A plain request for each address that wants one: what whoever may do it is answered with success."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from tests.helpers import bots
from tests.helpers.world import NOBODYS, Side

Body = dict[str, Any]

_SCIM = "urn:ietf:params:scim:schemas:core:2.0"
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_RENAME = {"op": "replace", "path": "displayName", "value": "Renamed"}
_ACCOUNT = {"name": "New robot", "role": "member"}
_TOKENS = {"monthly_tokens": 9_000_000}
_EVENT = {"specversion": "1.0", "id": "1", "source": "/plain", "type": "images", "data": {"quantity": 1}}
_PAPER = {"title": "New", "text": "Tea."}
_TEAM = {"name": "New team"}
_LICENSEE = {"licensee": "New licensee", "email": "licensee@example.com"}
_PRODUCT = {"name": "New product", "code": "new-product"}
_ROLE = {"name": "New role", "permissions": ["models:read"]}
_INVITATION = {"email": "somebody.new@example.com", "role": "member"}
_BRIEF = {
    "kind": "brief",
    "content_type": "product_description",
    "product": "Kettle",
    "model": "default",
    "max_tokens": "60",
    "temperature": "0.8",
    "top_p": "0.95",
    "top_k": "0",
    "repetition_penalty": "1",
}
# By method and the address's name; what is not here is sent empty.
_REQUESTS: dict[str, Callable[[Side], Body]] = {
    "POST studio": lambda side: _BRIEF,
    "POST bulk-run": lambda side: {"prompt": "Tea.", "model": "default", "max_tokens": "20", "temperature": "0.8"},
    "POST api-schedules": lambda side: {"name": "New", "prompt": "Tea.", "at": "08:00"},
    "PUT api-schedule": lambda side: {"name": "New", "prompt": "Tea.", "at": "08:00"},
    "POST api-knowledge-collections": lambda side: {"name": "New"},
    "PUT api-knowledge-collection": lambda side: {"name": "New"},
    "POST api-knowledge-documents": lambda side: _PAPER | {"collection": str(side.ids["collection"])},
    "POST articles": lambda side: {"title": "New", "body": "Tea.", "locale": "en"},
    "POST article": lambda side: {"title": "New", "body": "Tea.", "locale": "en"},
    "POST help-centre-settings": lambda side: {"name": "Help", "slug": f"{side.mark.lower()}-help", "locale": "en"},
    "POST article-act": lambda side: {"number": "1"},
    "POST bot": lambda side: {
        "accept": 0.5,
        "margin": 0.1,
        "quiet_seconds": 1,
        "least_likeness": 0.5,
        "answer_seconds": 20,
        "idle_hours": 24,
    },
    "POST flows": lambda side: {"text": bots.FLOWS},
    "POST flow-steps": lambda side: {"path": "transfer/0", "act": "save", "kind": "say", "value": "Tea."},
    "POST bot-actions": lambda side: {"name": "new_action", "url": "https://new.example/"},
    "POST intent-examples": lambda side: {"intent": "tea", "texts": "A cup of tea"},
    "POST dialogue-models": lambda side: {"method": "head"},
    "POST bot-turn-mark": lambda side: {"intent": "tea"},
    "POST api-articles": lambda side: {"title": "New", "body": "Tea."},
    "POST api-article-versions": lambda side: {"title": "New", "body": "Tea."},
    "POST api-article-publish": lambda side: {"number": 1},
    "POST api-article-retire": lambda side: {"locale": "en"},
    "POST api-article-archive": lambda side: {"archived": True},
    "PUT api-help-centre": lambda side: {"name": "Help", "slug": f"{side.mark.lower()}-help"},
    "POST api-flows": lambda side: {"text": bots.FLOWS},
    "POST api-flows-check": lambda side: {"text": bots.FLOWS},
    "PATCH api-bot": lambda side: {"accept": 0.6},
    "POST api-bot-actions": lambda side: {"name": "new_action", "url": "https://new.example/"},
    "PUT api-bot-action": lambda side: {"name": "new_action", "url": "https://new.example/"},
    "POST api-intent-examples": lambda side: {"examples": [{"text": "A cup of tea", "intent": "tea"}]},
    "PUT api-intent-example": lambda side: {"intent": "tea"},
    "POST api-bot-turn-intent": lambda side: {"intent": "tea"},
    "POST api-safety-check": lambda side: {"text": "Tea."},
    "POST openai-batches": lambda side: {
        "input_file_id": side.ids["file"],
        "endpoint": "/v1/completions",
        "completion_window": "24h",
    },
    "POST api-bulk-runs": lambda side: {"name": "New", "rows": [{"name": "Tea"}], "prompt": "About {{ name }}."},
    "POST api-generations": lambda side: {"prompt": "Tea."},
    "POST run-new": lambda side: _BRIEF | {"differ": "seeds", "count": "2"},
    "POST run-vote": lambda side: {"verdict": "tie"},
    "POST studio-feedback": lambda side: {"rating": "1"},
    "POST studio-favourite": lambda side: {"favourite": "1"},
    "POST api-runs": lambda side: {"prompt": "Tea.", "variants": 2},
    "POST api-run-vote": lambda side: {"verdict": "tie"},
    "PUT api-feedback": lambda side: {"rating": 1},
    "POST chat": lambda side: {"text": "Tea."},
    "POST chat-send": lambda side: {"text": "Tea."},
    "POST api-messages": lambda side: {"text": "Tea."},
    "PATCH api-conversation": lambda side: {"pinned": True},
    "POST member": lambda side: {"role": "member"},
    "POST member-remove": lambda side: {"name": side.target.email},
    "POST invitations": lambda side: _INVITATION,
    "POST teams": lambda side: _TEAM,
    "POST team": lambda side: _TEAM,
    "POST team-members": lambda side: {"email": side.target.email},
    "POST role-new": lambda side: _ROLE,
    "POST role": lambda side: _ROLE,
    "POST api-keys": lambda side: {"name": "New key", "scopes": ["models:read"]},
    "POST api-key-revoke": lambda side: {"name": f"{side.mark} key"},
    "POST api-key-rotate": lambda side: {"overlap": "24"},
    "POST service-accounts": lambda side: _ACCOUNT,
    "POST service-account": lambda side: _ACCOUNT,
    "POST api-organization-keys": lambda side: {"name": "New key", "scopes": ["models:read"]},
    "POST api-organization-service-accounts": lambda side: _ACCOUNT,
    "PATCH api-organization-service-account": lambda side: _ACCOUNT,
    "POST organization-settings": lambda side: {"name": side.mark, "slug": side.mark.lower(), "language": "en"},
    "POST ownership-transfer": lambda side: {"email": side.target.email, "name": side.tenant.organization.name},
    "POST organization-delete": lambda side: {"name": side.tenant.organization.name},
    "POST organization-new": lambda side: {"name": "Another"},
    "POST support-access": lambda side: {"days": "1"},
    "POST api-invitation-accept": lambda side: {"token": NOBODYS["a secret"]},
    "POST api-subscription-preview": lambda side: {"seats": 5},
    "POST api-subscription-checkout": lambda side: {"plan": "pro", "interval": "month"},
    "PATCH api-subscription": lambda side: {"token": "x"},
    "POST api-subscription-pause": lambda side: {"months": 1},
    "POST api-orders": lambda side: {"pack": "credit-usd-1"},
    "POST budgets": lambda side: {"kind": "member", "email": side.target.email, **_TOKENS},
    "POST budget": lambda side: _TOKENS,
    "POST api-usage-events": lambda side: _EVENT | {"time": timezone.now().isoformat()},
    "POST api-budgets": lambda side: {"kind": "member", "owner": str(side.ids["member"]), **_TOKENS},
    "PUT api-cap": lambda side: {"amount": "100"},
    "PATCH api-budget": lambda side: _TOKENS,
    "POST leave": lambda side: {"name": side.tenant.organization.name},
    "PATCH api-organization": lambda side: {"language": "en"},
    "PATCH api-organization-member": lambda side: {"role": "member"},
    "POST api-organization-invitations": lambda side: _INVITATION,
    "POST api-organization-teams": lambda side: _TEAM,
    "PATCH api-organization-team": lambda side: _TEAM,
    "POST api-organization-roles": lambda side: _ROLE,
    "PATCH api-organization-role": lambda side: _ROLE,
    "POST sso-remove": lambda side: {"name": side.mark},
    "POST sso-connection": lambda side: {"name": side.mark, "default_role": "member"},
    "POST sso-domain-add": lambda side: {"name": "another.example"},
    "POST sso-rule-add": lambda side: {"group": "Staff", "role": "member"},
    "POST security-policy": lambda side: {"grace_days": "0", "sso_session_hours": "12"},
    "POST audit-export": lambda side: {"format": "csv"},
    "POST privacy-term": lambda side: {"kind": "generations", "days": "30"},
    "POST privacy-erase": lambda side: {"email": side.target.email, "texts": "keep"},
    "POST api-privacy-erasures": lambda side: {"scope": "member", "person": str(side.target.pk)},
    "POST scim-users": lambda side: {"schemas": [_SCIM + ":User"], "userName": f"new@{side.mark}.example".lower()},
    "PUT scim-person": lambda side: {"schemas": [_SCIM + ":User"], "userName": side.target.email},
    "PATCH scim-person": lambda side: {"schemas": [_PATCH], "Operations": [_RENAME]},
    "POST scim-groups": lambda side: {"schemas": [_SCIM + ":Group"], "displayName": "New group"},
    "PUT scim-group": lambda side: {"schemas": [_SCIM + ":Group"], "displayName": "Renamed"},
    "PATCH scim-group": lambda side: {"schemas": [_PATCH], "Operations": [_RENAME]},
    "POST licence-new": lambda side: _LICENSEE | {"policy": str(side.ids["licence policy"])},
    "POST licence-revoke": lambda side: {"name": f"{side.mark} licensee", "reason": "Plain."},
    "POST licence-products": lambda side: _PRODUCT,
    "POST licence-policy-new": lambda side: {"name": "New policy"},
    "POST licence-policy": lambda side: {"name": "New policy"},
    "POST api-licence-products": lambda side: _PRODUCT,
    "POST api-licence-policies": lambda side: {"product": str(side.ids["licensed product"]), "name": "New policy"},
    "PATCH api-licence-policy": lambda side: {"seats": 3},
    "POST api-licences": lambda side: _LICENSEE | {"policy": str(side.ids["licence policy"])},
    "POST api-licence-renew": lambda side: {"days": 30},
    "POST api-licence-revoke": lambda side: {"reason": "Plain."},
    "POST api-licence-transfer": lambda side: _LICENSEE,
    "PUT api-privacy-term": lambda side: {"days": 30},
}
_OFFER = {
    "kind": "annotation",
    "title": "Labels",
    "description": "By hand",
    "licence": "commercial",
    "price_minor": 4_900,
    "currency": "USD",
}
_REQUESTS |= {
    "POST market-offer-new": lambda side: _OFFER | {"price": "49"},
    "POST market-offer": lambda side: _OFFER | {"price": "49"},
    "POST api-market-offers": lambda side: _OFFER,
    "PUT api-market-offer": lambda side: _OFFER,
}
_REQUESTS |= {
    "POST documents": lambda side: {"title": "New document"},
    "POST document-preview": lambda side: {"text": "Plain."},
    "POST document-folder-act": lambda side: {"name": "New folder"},
    "POST document-save": lambda side: {"base": "1", "title": f"{side.mark} document", "text": "Plain."},
    "POST document-suggest": lambda side: {"action": "shorten", **_selection(side)},
    "POST document-comment": lambda side: {"text": "Plain.", **_selection(side)},
    "POST api-documents": lambda side: {"title": "New document"},
    "PATCH api-document": lambda side: {"text": "Plain.", "base_revision": 1},
    "PATCH api-document-version": lambda side: {"name": "Plain"},
    "POST api-suggestions": lambda side: {"action": "shorten", **_selection(side)},
    "POST api-comments": lambda side: {"text": "Plain.", **_selection(side)},
    "POST api-comment-answers": lambda side: {"text": "Plain."},
    "POST api-document-shares": lambda side: {"days": 7},
    "POST api-document-folders": lambda side: {"name": "New folder"},
    "PATCH api-document-folder": lambda side: {"name": "Renamed"},
}


_HOOK = {"name": "New hook", "sender": "standard", "action": "usage_event"}
_PATHS = {"meter": "images", "quantity": "$.count"}
_ENDPOINT = {
    "url": "https://new.example/hook",
    "types": "team.*",
    "payload": "thin",
    "version": "2026-11",
    "at_once": "4",
    "format": "standard",
}
_REQUESTS |= {
    "POST webhooks": lambda side: _ENDPOINT,
    "POST webhook-act": lambda side: _ENDPOINT,
    "POST inbound-hooks": lambda side: _HOOK | {"mapping": "meter = images\nquantity = $.count"},
    "POST inbound-hook-act": lambda side: _HOOK | {"mapping": "meter = images\nquantity = $.count", "enabled": "on"},
    "POST api-inbound-hooks": lambda side: _HOOK | {"mapping": _PATHS},
    "PATCH api-inbound-hook": lambda side: {"name": "Renamed"},
    "POST api-inbound-try": lambda side: {"body": "{}"},
    "POST webhook-callbacks": lambda side: {"scheme": "v1"},
    "POST api-webhook-endpoints": lambda side: {"url": "https://new.example/hook"},
    "PATCH api-webhook-endpoint": lambda side: {"payload": "thin"},
    "POST api-webhook-replay": lambda side: {"since": (timezone.now() - timedelta(days=1)).isoformat()},
}
_CONDITIONS = {
    "payload": [{"attribute_key": "created_at", "filter_operator": "is_less_than", "values": ["2000-01-01"]}]
}
_REQUESTS |= {
    "POST desk-inboxes": lambda side: {"name": "New inbox", "kind": "api"},
    "POST desk-inbox": lambda side: {"name": "New name", "colour": "#112233"},
    "POST desk-bots": lambda side: {"name": "New bot", "url": "https://new.example/bot", "patience_seconds": "30"},
    "POST desk-bot": lambda side: {"name": "New name", "url": "https://new.example/bot", "patience_seconds": "30"},
    "POST api-support-agent-bots": lambda side: {"name": "New bot", "url": "https://new.example/bot"},
    "PATCH api-support-agent-bot": lambda side: {"name": "New name"},
    "POST desk-routing": lambda side: {"member": str(side.ids["member"]), "capacity": "5"},
    "POST desk-settings": lambda side: {"title": "New label", "colour": "1"},
    "POST desk-setting": lambda side: {"title": "New label", "colour": "1"},
    "POST desk-contact": lambda side: {"name": "New name"},
    "POST desk-draft": lambda side: {"kind": "summary"},
    "POST desk-draft-stop": lambda side: {"draft": str(side.ids["support draft"])},
    "POST api-support-drafts": lambda side: {"kind": "summary"},
    "POST desk-act": lambda side: {"text": "Tea."},
    "POST api-support-conversations": lambda side: {
        "inbox": str(side.ids["support inbox"]),
        "contact": str(side.ids["support contact"]),
    },
    "PATCH api-support-conversation": lambda side: {"priority": 1},
    "POST api-support-messages": lambda side: {"content": "Tea."},
    "POST api-support-notes": lambda side: {"content": "Tea."},
    "POST api-support-unmask": lambda side: {"reason": "Because of a test"},
    "POST api-support-status": lambda side: {"status": "resolved"},
    "POST api-support-merge": lambda side: {"into": str(side.ids["other support conversation"])},
    "POST api-support-macro": lambda side: {"macro": str(side.ids["support macro"])},
    "POST api-support-bulk": lambda side: {
        "ids": [str(side.ids["support conversation"])],
        "actions": [{"action": "set_priority", "value": 1}],
    },
    "PATCH api-support-agent": lambda side: {"capacity": 3},
    "POST public-contacts": lambda side: {"name": "New"},
    "POST api-support-contacts": lambda side: {"name": "New"},
    "PATCH api-support-contact": lambda side: {"name": "New"},
    "POST api-support-contact-merge": lambda side: {"into": str(side.ids["other support contact"])},
    "POST account-inboxes": lambda side: {"name": "New inbox", "channel": {"type": "api"}},
    "PATCH account-inbox": lambda side: {"greeting_message": "Good day"},
    "POST account-labels": lambda side: {"title": "New label", "color": "#1f93ff"},
    "PATCH account-label": lambda side: {"description": "About it"},
    "POST account-canned-responses": lambda side: {"short_code": "new", "content": "New words"},
    "PATCH account-canned-response": lambda side: {"content": "New words"},
    "POST account-webhooks": lambda side: {
        "url": "https://new.example/hook",
        "subscriptions": ["message_created", "conversation_typing_on"],
    },
    "PATCH account-webhook": lambda side: {"name": "New name"},
    "POST account-members": lambda side: {"inbox_id": str(side.ids["support inbox"]), "user_ids": []},
    "PATCH account-members": lambda side: {"inbox_id": str(side.ids["support inbox"]), "user_ids": []},
    "DELETE account-members": lambda side: {"inbox_id": str(side.ids["support inbox"]), "user_ids": []},
    "POST account-bots": lambda side: {"name": "New bot", "outgoing_url": "https://new.example/bot"},
    "PATCH account-bot": lambda side: {"name": "New name"},
    "POST account-contact-notes": lambda side: {"content": "Rings back"},
    "PATCH account-contact-note": lambda side: {"content": "Rings back at noon"},
    "POST account-rules": lambda side: {
        "name": "New rule",
        "event_name": "conversation_opened",
        "actions": [{"action_name": "change_priority", "action_params": ["low"]}],
    },
    "PATCH account-rule": lambda side: {"description": "About it"},
    "POST account-macros": lambda side: {
        "name": "New macro",
        "actions": [{"action_name": "resolve_conversation", "action_params": []}],
    },
    "PUT account-macro": lambda side: {"name": "New name"},
    "PATCH account-macro": lambda side: {"name": "New name"},
    "POST account-macro-execute": lambda side: {"conversation_ids": [str(side.ids["support conversation"])]},
    "POST api-support-contact-notes": lambda side: {"content": "Rings back"},
    "PATCH api-support-contact-note": lambda side: {"content": "Rings back at noon"},
    "PATCH api-support-participants": lambda side: {"add": []},
    "POST account-bulk": lambda side: {"type": "Conversation", "ids": [str(side.ids["support conversation"])]},
    "POST account-participants": lambda side: {"user_ids": []},
    "PATCH account-participants": lambda side: {"user_ids": []},
    "DELETE account-participants": lambda side: {"user_ids": []},
    "POST account-attributes": lambda side: {"attribute_display_name": "New", "attribute_key": "new"},
    "PATCH account-attribute": lambda side: {"attribute_description": "About it"},
    "PATCH public-message": lambda side: {"submitted_values": {"name": "one", "value": "two"}},
    "POST account-contacts": lambda side: {"name": "New"},
    "POST account-contact-filter": lambda side: _CONDITIONS,
    "POST account-contact-merge": lambda side: {
        "base_contact_id": str(side.ids["support contact"]),
        "mergee_contact_id": str(side.ids["other support contact"]),
    },
    "PUT account-contact": lambda side: {"name": "New"},
    "PATCH account-contact": lambda side: {"name": "New"},
    "POST account-contact-labels": lambda side: {"labels": []},
    "POST account-contact-inboxes": lambda side: {"inbox_id": str(side.ids["support inbox"])},
    "POST account-contact-attributes": lambda side: {"custom_attributes": ["one"]},
    "POST account-conversations": lambda side: {
        "inbox_id": str(side.ids["support inbox"]),
        "contact_id": str(side.ids["support contact"]),
    },
    "POST account-conversations-filter": lambda side: _CONDITIONS,
    "PATCH account-conversation": lambda side: {"priority": "high"},
    "POST account-messages": lambda side: {"content": "Tea."},
    "POST account-conversation-labels": lambda side: {"labels": []},
    "POST public-events": lambda side: {"name": "webwidget.triggered"},
    "POST api-support-inboxes": lambda side: {"name": "New inbox"},
    "PATCH api-support-inbox": lambda side: {"name": "New name"},
    "PUT api-support-inbox-agents": lambda side: {"agents": []},
    "PATCH api-support-desk": lambda side: {"original_days": 1},
    "POST api-support-settings": lambda side: {"values": {"title": "New label"}},
    "PATCH api-support-setting": lambda side: {"values": {"title": "New label"}},
}


def _selection(side: Side) -> Body:
    text = f"The document of {side.mark}."
    return {"revision": 1, "start": 0, "end": len(text), "quote": text}


_VERSION = {"prompt": "New words."}
_ROWS = {"vars-TOTAL_FORMS": "0", "vars-INITIAL_FORMS": "0"}
_REQUESTS |= {
    "POST template-new": lambda side: {"name": "New template", **_VERSION, **_ROWS},
    "POST template-edit": lambda side: {"name": "New name", **_VERSION, **_ROWS},
    "POST template-act": lambda side: {"act": "approve", "version": "1"},
    "POST template-share": lambda side: {"visibility": "organization"},
    "POST voice-new": lambda side: {"name": "New voice"},
    "POST voice-edit": lambda side: {"name": "New name"},
    "POST voice-restore-version": lambda side: {"version": "1"},
    "POST api-templates": lambda side: {"name": "New template", **_VERSION},
    "PATCH api-template": lambda side: {"name": "New name"},
    "PATCH api-template-settings": lambda side: {"four_eyes": True},
    "POST api-template-versions": lambda side: _VERSION,
    "PUT api-template-label": lambda side: {"version": 1},
    "POST api-voices": lambda side: {"name": "New voice", "content": {}},
    "POST api-voice-versions": lambda side: {"content": {"banned": ["cheap"]}},
    "PATCH api-voice": lambda side: {"name": "New name"},
    "POST api-voice-check": lambda side: {"text": "Tea."},
    "POST api-voice-measurements": lambda side: {"texts": ["Tea."]},
}
_QUERIES: dict[str, Callable[[Side], str]] = {
    "GET account-reports": lambda side: "?metric=conversations_count",
    "GET account-report-live": lambda side: "?type=agent",
    "GET account-contact-search": lambda side: "?q=new",
    "GET account-conversations-search": lambda side: "?q=new",
    "GET api-privacy-preview": lambda side: f"?person={side.target.pk}",
    "GET api-privacy-term": lambda side: "?days=30",
}


def body_of(method: str, name: str, side: Side) -> Body:
    return _REQUESTS.get(f"{method} {name}", lambda _side: {})(side)


def query_of(method: str, name: str, side: Side) -> str:
    return _QUERIES.get(f"{method} {name}", lambda _side: "")(side)

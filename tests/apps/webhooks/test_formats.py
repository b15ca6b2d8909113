"""Messages as Slack, Microsoft Teams and mailboxes take them, of which nothing mentions or links by itself."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.core import mail as sent
from django.db import OperationalError
from django.urls import reverse

from apps.accounts.models import Membership
from apps.core import mail, tenancy
from apps.core.datakinds import Erasing, Texts
from apps.core.errors import InvalidRequest
from apps.core.mail import MOST_A_MINUTE, deliver_due
from apps.core.models import Mail
from apps.webhooks import services as webhooks
from apps.webhooks.models import Endpoint, Format
from apps.webhooks.privacy import erase_endpoints
from apps.webhooks.services.sending import MAILED
from tests.helpers.people import Tenant
from tests.helpers.webhooks import deliveries, happen, receiving, work

pytestmark = pytest.mark.django_db(transaction=True)

SHOUTED = "<!channel> [win](https://x.example) & co"


def sent_as(tenant: Tenant, format: Format, name: str = SHOUTED) -> Any:
    """What a receiver of the format got for one event."""
    with receiving() as there:
        webhooks.create_endpoint(tenant.actor, there.url, types=["team.deleted"], format=format)
        happen(tenant, name)
        work()
    [got] = there.got
    assert "webhook-signature" in got.headers
    return got.message


def test_slack_is_sent_blocks_of_plain_text(org_a: Tenant) -> None:
    message = sent_as(org_a, Format.SLACK)
    heading, facts, _foot = message["blocks"]
    assert heading["text"] == {"type": "plain_text", "text": "team.deleted · Org-A", "emoji": False}
    assert {"type": "plain_text", "text": f"name\n{SHOUTED}", "emoji": False} in facts["fields"]
    assert "&lt;!channel&gt;" in message["text"]
    assert "<!channel>" not in message["text"]


def test_a_long_heading_and_many_facts_fit_what_slack_takes(org_a: Tenant) -> None:
    message = sent_as(org_a, Format.SLACK, "x" * 5_000)
    assert len(message["blocks"][0]["text"]["text"]) <= 150
    assert all(len(field["text"]) <= 2_000 for field in message["blocks"][1]["fields"])
    assert len(message["blocks"][1]["fields"]) <= 10


def test_teams_is_sent_a_card_in_which_nothing_links_but_its_button(org_a: Tenant) -> None:
    message = sent_as(org_a, Format.TEAMS)
    [attachment] = message["attachments"]
    card = attachment["content"]
    assert (message["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    facts = {fact["title"]: fact["value"] for fact in card["body"][1]["facts"]}
    assert facts["name"] == "<!channel> \\[win\\](https://x.example) & co"
    assert [action["type"] for action in card["actions"]] == ["Action.OpenUrl"]


def test_a_member_gets_mails_for_as_long_as_they_are_one(org_a: Tenant) -> None:
    address = org_a.member.email
    webhooks.create_endpoint(org_a.actor, address, types=["team.deleted"], format=Format.EMAIL)
    happen(org_a, "Writers")
    work()
    assert deliver_due() >= 1
    [message] = [each for each in sent.outbox if each.subject.startswith("team.deleted")]
    assert message.to == [address]
    assert "name: Writers" in message.body
    with tenancy.scope(org_a.id):
        assert [(each.state, each.last_status) for each in deliveries(org_a)] == [("delivered", MAILED)]
        Membership.objects.filter(user=org_a.member).delete()
    happen(org_a, "Readers")
    work(rounds=1)
    assert [each.last_error for each in deliveries(org_a) if each.state != "delivered"] == ["recipient_left"]
    assert deliver_due() == 0


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        ({"url": "outsider@nowhere.example", "types": ["team.*"]}, "url"),
        ({"url": "{member}", "types": []}, "types"),
        ({"url": "https://x.example", "types": ["team.*"]}, "url"),
    ],
    ids=["no member", "everything", "no mailbox"],
)
def test_mails_go_to_members_and_for_what_is_named(org_a: Tenant, outsider: Any, wanted: Any, param: str) -> None:
    url = wanted["url"].format(member=org_a.member.email)
    with pytest.raises(InvalidRequest) as refused:
        webhooks.create_endpoint(org_a.actor, url, types=wanted["types"], format=Format.EMAIL)
    assert refused.value.param == param
    with tenancy.scope(org_a.id):
        assert not Endpoint.objects.exists()


def test_who_has_had_enough_mails_gets_the_rest_later(org_a: Tenant, org_b: Tenant) -> None:
    webhooks.create_endpoint(org_a.actor, org_a.member.email, types=["team.deleted"], format=Format.EMAIL)
    happen(org_a, *map(str, range(10)))
    with receiving() as there:
        webhooks.create_endpoint(org_b.actor, there.url, types=["team.deleted"])
        happen(org_b, "theirs")
        work(rounds=3)
    assert there.names == ["theirs"]
    states = Counter((each.state, each.last_status) for each in deliveries(org_a))
    assert states[("delivered", MAILED)] == MOST_A_MINUTE
    assert Mail.objects.count() == MOST_A_MINUTE
    assert sum(states.values()) == 10


def test_a_mail_that_cannot_be_written_holds_up_nobody(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(mail, "send_in_turn", refuse)
    webhooks.create_endpoint(org_a.actor, org_a.member.email, types=["team.deleted"], format=Format.EMAIL)
    with receiving() as there:
        webhooks.create_endpoint(org_a.actor, there.url, types=["team.deleted"])
        happen(org_a, "one")
        work(rounds=1)
    assert there.names == ["one"]
    assert sorted(each.last_error for each in deliveries(org_a)) == ["", "mail_not_written"]


def test_an_erased_person_is_mailed_nothing_and_named_nowhere(org_a: Tenant) -> None:
    webhooks.create_endpoint(org_a.actor, org_a.member.email.upper(), types=["team.*"], format=Format.EMAIL)
    with tenancy.scope(org_a.id):
        assert Endpoint.objects.get().url == org_a.member.email
    erasing = Erasing(org_a.member.pk, org_a.id, "nobody", Texts.KEEP, whole_account=False)
    assert erase_endpoints(erasing) > 0
    with tenancy.scope(org_a.id):
        assert not Endpoint.objects.exists()


def test_an_endpoint_of_a_web_address_becomes_no_mailbox_of_others(org_a: Tenant) -> None:
    with receiving() as there:
        endpoint, _secret = webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
    with pytest.raises(InvalidRequest):
        webhooks.change_endpoint(org_a.actor, endpoint.pk, {"format": Format.EMAIL, "url": "x@nowhere.example"})
    changed = webhooks.change_endpoint(org_a.actor, endpoint.pk, {"format": Format.EMAIL, "url": org_a.member.email})
    assert changed.url == org_a.member.email


def test_the_page_counts_what_is_set_up(org_a: Tenant, client_of: Any) -> None:
    with receiving() as there:
        for _ in range(2):
            endpoint, _secret = webhooks.create_endpoint(org_a.actor, there.url, format=Format.SLACK)
    webhooks.pause_endpoint(org_a.actor, endpoint.pk)
    page = client_of(org_a.owner).get(reverse("integrations")).content.decode()
    card = page[page.index("?format=slack") : page.index("?format=teams")]
    assert "2 set up" in card
    assert "1 stopped" in card
    assert "Not set up" in page[page.index("?format=teams") :]

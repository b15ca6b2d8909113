"""A support desk for tests: an inbox, agents who are there, and visitors who write."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.test import Client
from django.utils import timezone

from apps.accounts.access import Actor
from apps.accounts.models import Role
from apps.core import tenancy
from apps.support.models import Agent, Contact, Conversation, DeskDraft, Inbox, Message, ReceivedMail
from apps.support.services import contact_notes, contacts, conversations, cursors, inboxes, messages, setup, visitors
from apps.support.services.agent_bots import setting as agent_bots
from apps.support.services.mail import accounts
from apps.support.services.storing import Draft, by_contact
from apps.support.services.visitors import Visitor
from apps.webhooks import services as webhooks
from tests.helpers.people import Tenant, acting, add_person, member_of

# What may stand in the desk's addresses and belongs to no organization.
PLACES = {
    "an act of a support conversation": "note",
    "an act of a support inbox": "agents",
    "a kind of support setting": "label",
    "an act of a visitor": "update_last_seen",
    "an act of an agent bot": "renew",
    "an act of a bot": "toggle_status",
    "a kind of summary": "agent",
    "a masked message": 2,
    "an answer by mail": 2,
}


@dataclass
class Desk:
    tenant: Tenant
    inbox: Inbox

    def agent(self, name: str, *, online: bool = True, **values: Any) -> Actor:
        """A member with the role of an agent; online means that their console is open."""
        user = add_person(self.tenant, name, Role.AGENT)
        facts: dict[str, Any] = {"availability": "online", "seen_at": timezone.now()} if online else {}
        with tenancy.scope(self.tenant.id):
            Agent.objects.create(
                organization=self.tenant.organization, membership=member_of(self.tenant, user), **facts, **values
            )
        return acting(self.tenant, user)

    def visitor(self, **profile: Any) -> Visitor:
        return visitors.arrive(self.inbox.token, "203.0.113.9", profile)[0]

    def begin(self, visitor: Visitor | None = None, text: str = "Hello") -> Conversation:
        """A visitor's conversation with a first message."""
        who = visitor or self.visitor(name="Ada")
        with tenancy.scope(self.tenant.id):
            inbox = Inbox.objects.get(pk=self.inbox.pk)
            made = conversations.begin(inbox, who.contact, by_contact(who.contact), session=who.session)
            if text:
                messages.receive(made.pk, who.contact, Draft(text))
        return self.again(made)

    def says(self, conversation: Conversation, text: str, client_id: str | None = None) -> Message:
        """The contact writes."""
        with tenancy.scope(self.tenant.id):
            contact = Contact.objects.get(pk=conversation.contact_id)
            return messages.receive(conversation.pk, contact, Draft(text, client_id))

    def again(self, conversation: Conversation) -> Conversation:
        with tenancy.scope(self.tenant.id):
            found: Conversation = Conversation.objects.get(pk=conversation.pk)
            return found

    def history(self, conversation: Conversation) -> list[Message]:
        with tenancy.scope(self.tenant.id):
            return list(Message.objects.filter(conversation=conversation).order_by("sequence"))

    def bot_says(self, conversation: Conversation, text: str, **more: Any) -> Message | None:
        with tenancy.scope(self.tenant.id):
            return messages.post_by_bot(conversation.pk, text, **more)

    def hand_over(self, conversation: Conversation, reason: str = "unsure", **more: Any) -> bool:
        with tenancy.scope(self.tenant.id):
            return conversations.hand_over(conversation, reason, **more)


class Browser:
    """A visitor's browser, which keeps its secret out of addresses."""

    def __init__(self, desk: Desk) -> None:
        self.client, self.at, self.secret = Client(), f"/public/api/v1/inboxes/{desk.inbox.token}", ""

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        call = getattr(self.client, method.lower())
        headers = {"x-visitor-secret": self.secret}
        if method == "GET":
            return call(self.at + path, headers=headers)
        return call(self.at + path, body or {}, content_type="application/json", headers=headers)

    def come_in(self, **body: Any) -> Any:
        answer = self("POST", "/contacts", body)
        assert answer.status_code == 200, answer.content
        self.secret = answer.json()["source_id"]
        return answer.json()

    @classmethod
    def talking(cls, desk: Desk) -> tuple["Browser", str]:
        """One with a conversation, and the conversation's place."""
        browser = cls(desk)
        browser.come_in(name="Ada")
        talk = browser("POST", "/contacts/me/conversations").json()
        return browser, f"/contacts/me/conversations/{talk['id']}"


def open_desk(tenant: Tenant, name: str = "Chat", **wanted: Any) -> Desk:
    values = {"csat_enabled": False} | wanted
    return Desk(tenant, inboxes.create(tenant.actor, f"{name} {uuid4().hex[:4]}", **values))


def mail(tenant: Tenant, mark: str, visitor: Visitor) -> tuple[Inbox, Conversation, ReceivedMail]:
    """An inbox with mail servers, an answer there that waits to leave, and a mail that was set aside."""
    inbox = inboxes.create(tenant.actor, f"{mark} mail", kind="email")
    servers = {"imap_host": "localhost", "imap_user": mark, "imap_password": mark, "smtp_host": "localhost"}
    account = accounts.set_up(tenant.actor, inbox.pk, {"address": f"{mark}@desk.example", **servers})
    with tenancy.scope(tenant.id):
        made = conversations.begin(inbox, visitor.contact, by_contact(visitor.contact))
        messages.post_by_system(made, Draft(f"An answer of {mark}"))
        aside = ReceivedMail.objects.create(
            organization=tenant.organization, account=account, uid_validity=1, uid=1, key=mark, outcome="aside",
            reason="malformed", sender=f"{mark}@writer.example", subject=mark,
        )  # fmt: skip
    return inbox, made, aside


def support(tenant: Tenant, mark: str) -> dict[str, Any]:
    """An inbox, a contact with two conversations, and settings, each by the name that addresses have for it."""
    actor = tenant.actor
    label = setup.create(actor, "label", {"title": mark})
    actions = [{"action": "set_priority", "value": 1}]
    macro = setup.create(actor, "macro", {"name": mark, "actions": actions})
    rule = {"name": mark, "event": "conversation_resolved", "actions": [{"action": "add_label", "value": mark}]}
    desk = Desk(tenant, inboxes.create(actor, mark, csat_enabled=False))
    visitor = desk.visitor(name=mark, email=f"{mark}@visitor.example")
    conversation = desk.begin(visitor, f"The secret of {mark}: 4111 1111 1111 1111")
    other = desk.begin(visitor, f"Another secret of {mark}")
    contact = contacts.create(actor, {"name": f"{mark} contact"})
    cursors.acknowledge(actor, conversation.pk, seen=1)
    # Whoever is named here answers there alone; in the other inbox everybody does.
    named = inboxes.create(actor, f"{mark} named")
    with tenancy.scope(tenant.id):
        draft = DeskDraft.objects.create(
            organization_id=tenant.id, conversation=conversation, kind="summary", state="done", since=1, through=2,
            generation=uuid4(), writer="writes", text=f"A summary of {mark}",
        )  # fmt: skip
        inboxes.set_agents(actor, named.pk, [member_of(tenant, tenant.owner).pk])
    facts = {"of": "contact", "key": f"of_{mark}".lower(), "name": mark}
    attribute = setup.create(actor, "attribute", facts)
    canned = setup.create(actor, "canned", {"code": mark, "content": f"Words of {mark}"})
    hook, _secret = webhooks.create_endpoint(actor, f"https://{mark}.example/chatwoot".lower(), format="chatwoot")
    bot = agent_bots.create(actor, {"name": mark, "url": f"https://{mark}.example/bot".lower()}).bot
    mail_inbox, answered, aside = mail(tenant, mark, visitor)
    return {
        "support agent bot": bot.pk,
        "support mail inbox": mail_inbox.pk,
        "support mail conversation": answered.pk,
        "support mail": aside.pk,
        "organization": tenant.id,
        "support canned reply": canned.pk,
        "support webhook": hook.pk,
        "support label": label.pk,
        "support attribute": attribute.pk,
        "support note": contact_notes.add(actor, visitor.contact.pk, "Rings back").pk,
        "support macro": macro.pk,
        "support rule": setup.create(actor, "rule", rule).pk,
        "support inbox": desk.inbox.pk,
        "support contact": visitor.contact.pk,
        "other support contact": contact.pk,
        "support conversation": conversation.pk,
        "other support conversation": other.pk,
        "support draft": draft.pk,
    }

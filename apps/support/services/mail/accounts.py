"""The mail servers of an inbox: set up, tried out, and taken away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import F
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, outbound, ratelimit, tenancy
from apps.core.crypto import seal_into
from apps.core.errors import InvalidRequest, NotFound, OutboundRefused
from apps.core.ratelimit import Bucket
from apps.support.access import MANAGE, READ
from apps.support.errors_mail import MailError, MailNotSetUp
from apps.support.mail import imap, smtp
from apps.support.models import Inbox, InboxKind, MailAccount, MailAuth, Received, ReceivedMail, Tls
from apps.support.services.inboxes import NO_INBOX
from apps.support.services.mail import access, rotated

NOT_SET_UP = gettext_noop("This inbox has no mail servers yet.")
NO_MAIL = gettext_noop("There is no mail with this id that was set aside.")
PLAIN = (
    "address", "name", "plus", "imap_host", "imap_port", "imap_tls", "imap_user", "folder",
    "smtp_host", "smtp_port", "smtp_tls", "smtp_user", "active",
    "auth", "oauth_token_url", "oauth_client_id", "oauth_scope",
)  # fmt: skip
SECRET = ("imap_password", "smtp_password", "oauth_client_secret", "oauth_refresh_token")
# Whoever changes one of these has tokens sent somewhere else, or for somebody else.
TOLD = (
    "imap_host", "imap_port", "imap_user", "smtp_host", "smtp_port", "smtp_user", "oauth_token_url", "oauth_client_id",
)  # fmt: skip
REQUIRED = ("address", "imap_host", "imap_user", "smtp_host")
FLAGS = ("plus", "active")
TRIES_A_MINUTE, MOST_ASIDE = 20, 100


def find(inbox_id: UUID, lock: bool = False) -> MailAccount | None:
    """In scope."""
    rows = MailAccount.objects.select_for_update(of=("self",), no_key=True) if lock else MailAccount.objects.all()
    found: MailAccount | None = rows.filter(inbox=inbox_id).first()
    return found


def get(actor: Actor, inbox_id: UUID) -> MailAccount:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        _inbox(inbox_id)
        found = find(inbox_id)
        if found is None:
            raise NotFound(NOT_SET_UP)
        return found


def set_up(actor: Actor, inbox_id: UUID, values: Mapping[str, Any]) -> MailAccount:
    """Sets what is named. A password that is not named stays, unless another server or user would be told it."""
    actor.require(MANAGE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        inbox = _inbox(inbox_id)
        row = find(inbox_id, lock=True)
        made = row is None
        row = row or MailAccount(organization_id=actor.organization_id, inbox=inbox)
        before = {name: getattr(row, name) for name in PLAIN}
        _fill(row, values, made=made)
        _keep_apart(row)
        after = {name: getattr(row, name) for name in PLAIN}
        changed = [name for name in PLAIN if made or after[name] != before[name]]
        changed += [name for name in SECRET if values.get(name)]
        if not made and any(before[name] != after[name] for name in ("imap_host", "imap_port", "imap_user", "folder")):
            # Numbers of another server mean other mails; those that are known are passed over.
            row.uid_validity, row.last_uid, row.tries = None, 0, 0
        if not made and any(before[name] != after[name] for name in ("imap_user", "folder")):
            # Another mailbox, whose mails from before now are none of the desk's.
            row.begins_at = Now()
        row.failures, row.problem, row.look_at, row.taken_by = 0, "", Now(), None
        row.save()
        row.refresh_from_db()
        if changed:
            audit.record(
                actor,
                "support_inbox.changed",
                inbox,
                before={} if made else {f"mail_{name}": before.get(name, "") for name in changed if name in before},
                after={f"mail_{name}": after.get(name, "set") for name in changed},
            )
            events.record("support_inbox.changed", inbox.pk, {"name": inbox.name, "changed": ["mail"]})
    return row


def remove(actor: Actor, inbox_id: UUID) -> None:
    """Nothing is read and sent any more; what is there stays."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        inbox = _inbox(inbox_id)
        row = find(inbox_id, lock=True)
        if row is None:
            raise NotFound(NOT_SET_UP)
        row.delete()
        audit.record(actor, "support_inbox.changed", inbox, before={"mail_address": row.address}, after={})
        events.record("support_inbox.changed", inbox.pk, {"name": inbox.name, "changed": ["mail"]})


def try_out(actor: Actor, inbox_id: UUID, values: Mapping[str, Any] | None = None) -> None:
    """Signs in to both servers, with `values` as they would be set, and sends nothing; raises MailError, whose `param`
    says with which of the two it happened.
    """
    row = prepared(actor, inbox_id, values)
    try:
        with access.servers(row, keeps=not values) as (incoming, outgoing):
            _tried("imap_host", partial(imap.try_out, incoming, row.folder))
            _tried("smtp_host", partial(smtp.try_out, outgoing, row.address))
    except MailError as error:
        # What the token address has said concerns none of the two servers.
        error.param = error.param or "oauth_token_url"
        raise


def prepared(actor: Actor, inbox_id: UUID, values: Mapping[str, Any] | None, *, is_try: bool = True) -> MailAccount:
    """The row as it would be with `values`, checked and not saved; a try counts among those of a minute."""
    actor.require(MANAGE)
    if is_try:
        ratelimit.charge(f"support:mail-try:{actor.organization_id}", [Bucket("requests", TRIES_A_MINUTE, 1)])
    with tenancy.scope(actor.organization_id):
        inbox = _inbox(inbox_id)
        row = find(inbox_id)
        if row is None and not values:
            raise MailNotSetUp(NOT_SET_UP)
        made = row is None
        row = row or MailAccount(organization_id=actor.organization_id, inbox=inbox)
        if values:
            _fill(row, values, made=made)
            _keep_apart(row)
    return row


def _tried(name: str, ask: Callable[[], None]) -> None:
    try:
        ask()
    except MailError as error:
        error.param = name
        raise


# ---------------------------------------------------------------- mails that were set aside
def set_aside(actor: Actor, inbox_id: UUID) -> list[ReceivedMail]:
    """The latest mails that could not be taken, each with its reason."""
    account = get(actor, inbox_id)
    with tenancy.scope(actor.organization_id):
        rows = ReceivedMail.objects.filter(account=account, outcome=Received.ASIDE)
        return list(rows.order_by("-received_at", "-id")[:MOST_ASIDE])


def look_again(actor: Actor, inbox_id: UUID, id: UUID) -> None:
    """Takes a mail that was set aside anew, with the next look at the mailbox."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row = find(inbox_id, lock=True)
        rows = ReceivedMail.objects.filter(pk=id, account=row, outcome=Received.ASIDE)
        found: ReceivedMail | None = rows.first() if row else None
        if row is None or found is None:
            raise NotFound(NO_MAIL)
        # The mails in between are known by their keys, and passed over.
        last = found.uid - 1 if found.uid_validity == row.uid_validity else 0
        found.delete()
        MailAccount.objects.filter(pk=row.pk).update(
            last_uid=min(last, row.last_uid), tries=0, look_at=Now(), taken_by=None
        )


def forget(addresses: list[str]) -> None:
    """Who wrote mails that were set aside, when their writer is erased; in scope."""
    rows = ReceivedMail.objects.annotate(lowered=Lower(F("sender"))).filter(
        lowered__in=[a.lower() for a in addresses if a]
    )
    rows.update(sender="", subject="")


# ---------------------------------------------------------------- what values must be like
def _inbox(id: UUID) -> Inbox:
    found: Inbox | None = Inbox.objects.filter(pk=id).first()
    if found is None:
        raise NotFound(NO_INBOX)
    if found.kind != InboxKind.EMAIL:
        raise MailNotSetUp("Only an inbox of the kind e-mail has mail servers.")
    return found


def _keep_apart(row: MailAccount) -> None:
    """Two inboxes on one mailbox would share out its mails by chance."""
    others = MailAccount.objects.exclude(pk=row.pk).filter(
        imap_host=row.imap_host, imap_user=row.imap_user, folder=row.folder, inbox__archived_at=None
    )
    if others.exists():
        raise InvalidRequest("Another inbox reads this mailbox already.", param="imap_user")


def _fill(row: MailAccount, values: Mapping[str, Any], *, made: bool) -> None:
    if unknown := sorted(set(values) - {*PLAIN, *SECRET}):
        raise InvalidRequest("There is no field %(name)s.", values={"name": unknown[0]}, param=unknown[0])
    before = {name: getattr(row, name) for name in PLAIN}
    for name in PLAIN:
        if name in values:
            value = values[name]
            setattr(row, name, value if isinstance(value, bool | int) else " ".join(str(value).split()))
    for name in REQUIRED:
        if not getattr(row, name):
            raise InvalidRequest("This is needed.", param=name)
    try:
        validate_email(row.address)
    except ValidationError:
        raise InvalidRequest("This is no e-mail address.", param="address") from None
    if not row.address.isascii():
        raise InvalidRequest("The desk's own address is in ASCII.", param="address")
    if row.auth not in MailAuth.values:
        raise InvalidRequest("A mailbox is opened by password or oauth.", param="auth")
    for kind in ("imap", "smtp"):
        _check_server(row, kind)
        if row.auth == MailAuth.PASSWORD:
            _seal(row, kind, values, before, made=made)
        else:
            setattr(row, f"{kind}_password", "")
    _seal_consent(row, values, before)
    row.folder = row.folder or "INBOX"


def _check_server(row: MailAccount, kind: str) -> None:
    host, port, tls = (getattr(row, f"{kind}_{name}") for name in ("host", "port", "tls"))
    host = host.lower().rstrip(".")
    setattr(row, f"{kind}_host", host)
    if tls not in Tls.values:
        raise InvalidRequest("TLS is tls, starttls or none.", param=f"{kind}_tls")
    if not isinstance(port, int) or not 0 < port < 65_536:
        raise InvalidRequest("A port is from 1 to 65535.", param=f"{kind}_port")
    if tls == Tls.NONE and not outbound.may_name(host, port):
        raise InvalidRequest("Without TLS only a server can be named that the operator trusts.", param=f"{kind}_tls")
    try:
        outbound.target_of(f"https://{host}:{port}/")
    except OutboundRefused:
        raise InvalidRequest("This is no name of a server.", param=f"{kind}_host") from None


def _seal_consent(row: MailAccount, values: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Client secret and refresh token, which go to no other address than they were typed for."""
    typed = any(values.get(name) for name in ("oauth_client_secret", "oauth_refresh_token"))
    moved = any(getattr(row, name) != before[name] for name in TOLD)
    if typed or moved or row.auth == MailAuth.PASSWORD:
        row.oauth_access_token, row.oauth_expires_at = "", None
    if row.auth == MailAuth.PASSWORD:
        row.oauth_client_secret = row.oauth_refresh_token = ""
        return
    for name in ("oauth_token_url", "oauth_client_id"):
        if not getattr(row, name):
            raise InvalidRequest("This is needed.", param=name)
    try:
        outbound.target_of(row.oauth_token_url)
    except OutboundRefused as error:
        raise InvalidRequest(str(error), param="oauth_token_url") from None
    if moved and not values.get("oauth_client_secret"):
        row.oauth_client_secret = ""
    for name in ("oauth_client_secret", "oauth_refresh_token"):
        if values.get(name):
            given = str(values[name])
            # One that was spent by a try is worth nothing any more.
            seal_into(row, name, rotated.latest(row, given) if name == "oauth_refresh_token" else given)
    if not row.oauth_refresh_token or (moved and not values.get("oauth_refresh_token")):
        raise InvalidRequest("Type the refresh token for these servers.", param="oauth_refresh_token")


def _seal(row: MailAccount, kind: str, values: Mapping[str, Any], before: Mapping[str, Any], *, made: bool) -> None:
    """A password goes to no other server, and for no other user, than it was typed for."""
    name = f"{kind}_password"
    password = str(values.get(name) or "")
    moved = any(getattr(row, field) != before[field] for field in (f"{kind}_host", f"{kind}_port", f"{kind}_user"))
    user = getattr(row, f"{kind}_user")
    if password:
        seal_into(row, name, password)
    elif not user:
        setattr(row, name, "")
    elif made or moved or not getattr(row, name):
        raise InvalidRequest("Type the password for this server.", param=name)

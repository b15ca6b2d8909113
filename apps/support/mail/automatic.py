"""Which mails no person wrote (RFC 3834): no program may answer them, or two programs would never stop."""

from __future__ import annotations

from email.message import Message

_BULK = frozenset(("bulk", "junk", "list", "auto_reply", "auto-reply"))
_MARKS = ("List-Id", "List-Unsubscribe", "X-Autoreply", "X-Autorespond", "X-Auto-Reply")
_DAEMONS = ("mailer-daemon", "postmaster", "no-reply", "noreply", "do-not-reply", "donotreply", "bounce", "bounces")


def why_automatic(mail: Message, answer_to: str) -> str:
    """A short code for what gives the mail away, or nothing."""
    said = {name.lower(): str(value).strip() for name, value in reversed(list(mail.raw_items()))}
    kind = mail.get_content_type()
    if kind == "multipart/report" or said.get("return-path", "-").replace(" ", "") == "<>":
        return "bounce"
    if said.get("auto-submitted", "no").partition(";")[0].strip().lower() not in ("no", ""):
        return "auto_submitted"
    if said.get("precedence", "").lower() in _BULK:
        return "bulk"
    if any(name.lower() in said for name in _MARKS):
        return "list"
    local = answer_to.partition("@")[0].lower()
    return "daemon" if local in _DAEMONS else ""

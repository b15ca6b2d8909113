"""Errors of mail servers that customers name: what is wrong, in words that say what to do."""

from __future__ import annotations

from django.utils.translation import gettext_noop

from apps.core.errors import MillraceError, Unprocessable


class MailError(MillraceError):
    """A mail server did not do what it was asked. `lasting` says that trying again by itself is of no use."""

    code, status, type, should_retry = "mail_failed", 502, "server_error", True
    lasting = False
    words = gettext_noop("The mail server did not do what it was asked.")

    def __init__(self, message: str = "", **more: object) -> None:
        super().__init__(message or self.words, **more)  # type: ignore[arg-type]


class MailServerUnreachable(MailError):
    """Nothing answers there, or not in time."""

    code = "mail_server_unreachable"
    words = gettext_noop("The mail server cannot be reached. Check its name and port, and whether it is up.")


class MailServerRefused(MailError):
    """The address is one that nobody may have this server ask."""

    code, status, type, should_retry = "mail_server_refused", 422, "invalid_request_error", False
    words = gettext_noop("This mail server is not on the public internet. Only the operator can open it to you.")


class MailNotEncrypted(MailError):
    """TLS failed: the certificate is not of that name or not valid, or the server offers none."""

    code = "mail_not_encrypted"
    words = gettext_noop(
        "No encrypted connection comes about. Check the port and the kind of TLS, and that the server's certificate "
        "is valid for its name."
    )


class MailSignInRefused(MailError):
    """User or password are wrong, or the server wants another way to sign in."""

    code = "mail_sign_in_refused"
    words = gettext_noop("The mail server refuses the user or the password. Some providers want an app password here.")


class MailAccessRefused(MailError):
    """The server does not take the access token."""

    code = "mail_access_refused"
    words = gettext_noop(
        "The mail server does not take the access token. The client needs the right to use IMAP and SMTP, and the "
        "mailbox must be the user's who has given the consent."
    )


class MailTokenRefused(MailError):
    """The token address refuses the client or the refresh token."""

    code = "mail_token_refused"
    words = gettext_noop(
        "The token address refuses the client or the refresh token. Check both, or have the consent given anew and "
        "type the new refresh token."
    )


class MailTokenUnreachable(MailError):
    """The token address does not answer, or not with a token."""

    code = "mail_token_unreachable"
    words = gettext_noop("The token address does not answer, or answers with something that is no token.")


class MailFolderMissing(MailError):
    """The mailbox has no such folder."""

    code = "mail_folder_missing"
    words = gettext_noop("The mailbox has no folder of this name that can be opened.")


class MailServerConfused(MailError):
    """The server answers something that is no mail server's answer, or more than it was asked for."""

    code = "mail_server_confused"
    words = gettext_noop("What answers there does not speak as a mail server does. Check the port.")


class MailDeferred(MailError):
    """The server takes nothing at the moment (4xx)."""

    code = "mail_deferred"
    words = gettext_noop("The mail server does not take the mail at the moment.")


class MailRecipientDeferred(MailDeferred):
    """The server takes nothing for this recipient at the moment; for others it may."""


class MailFilesWaiting(MailRecipientDeferred):
    """A file of the answer waits for the virus scanner; other mails leave meanwhile."""

    code = "mail_files_waiting"
    words = gettext_noop("A file of this answer is still being checked for viruses.")


class MailFileInfected(MailError):
    """A virus was found in a file of the answer."""

    code = "mail_file_infected"
    lasting = True
    words = gettext_noop("A virus was found in a file of this answer. It does not leave.")


class MailFileUnchecked(MailError):
    """The virus scanner could not judge a file of the answer."""

    code = "mail_file_unchecked"
    lasting = True
    words = gettext_noop("A file of this answer could not be checked for viruses. It does not leave.")


class MailSenderRefused(MailError):
    """The server does not let this account send from this address."""

    code = "mail_sender_refused"
    lasting = True
    words = gettext_noop("The mail server does not let this account send from this address.")


class MailRecipientRefused(MailError):
    """The server says that there is no such recipient, or that it may not be written to."""

    code = "mail_recipient_refused"
    lasting = True
    words = gettext_noop("The mail server refuses the recipient's address.")


class MailRefused(MailError):
    """The server does not take this mail, and says that it never will (5xx)."""

    code = "mail_refused"
    lasting = True
    words = gettext_noop("The mail server refuses this mail.")


class MailNotPossible(MailError):
    """There is nobody to send it to, or no server to send it by."""

    code = "mail_not_possible"
    lasting = True
    words = gettext_noop("There is no address to send it to, or the inbox has no mail server any more.")


class MailTooMany(MailError):
    """A program has written to this address so often that two programs probably answer each other."""

    code = "mail_too_many"
    lasting = True
    words = gettext_noop("So many automatic answers have gone to this address that this one was held back.")


class MailBounced(MailError):
    """The mail left and came back."""

    code = "mail_bounced"
    lasting = True
    words = gettext_noop("The mail came back: it could not be delivered to this address.")


class MailNotSetUp(Unprocessable):
    """The inbox has no mail servers, or is no e-mail inbox."""

    code = "mail_not_set_up"


ERRORS: dict[str, type[MailError]] = {
    each.code: each
    for each in (
        MailServerUnreachable, MailServerRefused, MailNotEncrypted, MailSignInRefused, MailAccessRefused,
        MailTokenRefused, MailTokenUnreachable, MailFolderMissing,
        MailServerConfused, MailDeferred, MailSenderRefused, MailRecipientRefused, MailRefused, MailNotPossible,
        MailTooMany, MailBounced, MailFilesWaiting, MailFileInfected, MailFileUnchecked,
        MailError,
    )
}  # fmt: skip

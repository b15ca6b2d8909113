"""Mail of inboxes over REST: servers, mails that were set aside, and answers that are sent again."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import ID, checked
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.core.schema import problems
from apps.support.access import MANAGE, READ, WRITE
from apps.support.api import bodies, mail_bodies
from apps.support.api.base import SEQUENCE, TAGS, conversation_id, inbox_id, number_of
from apps.support.bodies import mail_body
from apps.support.models import MailAccount
from apps.support.services.mail import accounts, outbox

MAIL = OpenApiParameter("mail", OpenApiTypes.UUID, OpenApiParameter.PATH)


class SupportMailView(AsyncAPIView):
    """The mail servers of an e-mail inbox."""

    @extend_schema(
        operation_id="get_support_mail",
        summary="Get the mail servers of an inbox",
        description="Without the passwords, which nobody is shown.",
        tags=TAGS,
        parameters=[ID],
        responses={200: mail_bodies.SupportMailBody, **problems(*READ_PROBLEMS, 404, 422)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(account_body(accounts.get(api_actor(request), inbox_id(request, id, READ))))

    @extend_schema(
        operation_id="set_support_mail",
        summary="Set the mail servers of an inbox",
        description="What is not named stays. With another server or user its password must be named again. Mails "
        "that arrive from now on are taken.",
        tags=TAGS,
        parameters=[ID],
        request=mail_bodies.WriteSupportMail,
        responses={200: mail_bodies.SupportMailBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def put(self, request: Request, id: str) -> Response:
        place = inbox_id(request, id, MANAGE)
        values = checked(mail_bodies.WriteSupportMail, request, MANAGE)
        return Response(account_body(accounts.set_up(api_actor(request), place, values)))

    @extend_schema(
        operation_id="remove_support_mail",
        summary="Take the mail servers of an inbox away",
        description="Nothing is read and sent any more; what is there stays.",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ_PROBLEMS, 404, 422)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        accounts.remove(api_actor(request), inbox_id(request, id, MANAGE))
        return Response(status=204)


class SupportMailTryView(AsyncAPIView):
    """Whether the servers answer."""

    @extend_schema(
        operation_id="try_support_mail",
        summary="Sign in to the mail servers of an inbox, without sending anything",
        description="With the values of the body, as they would be set, or with those that are. An error's `param` "
        "says with which of the two servers it happened: `imap_host` or `smtp_host`.",
        tags=TAGS,
        parameters=[ID],
        request=mail_bodies.WriteSupportMail,
        responses={200: mail_bodies.SupportMailTriedBody, **problems(*WRITE_PROBLEMS, 404, 502)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = inbox_id(request, id, MANAGE)
        accounts.try_out(api_actor(request), place, checked(mail_bodies.WriteSupportMail, request, MANAGE))
        return Response({"object": "support_mail_tried"})


class SupportMailAsideView(AsyncAPIView):
    """Mails that could not be taken."""

    @extend_schema(
        operation_id="list_support_mails_set_aside",
        summary="List mails that were set aside, with the reason",
        tags=TAGS,
        parameters=[ID],
        responses={200: mail_bodies.SupportMailsAsideBody, **problems(*READ_PROBLEMS, 404, 422)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        rows = accounts.set_aside(api_actor(request), inbox_id(request, id, READ))
        fields = ("sender", "subject", "reason", "size")
        data = [
            {"id": str(row.pk), **{name: getattr(row, name) for name in fields}, "received_at": row.received_at}
            for row in rows
        ]
        return Response({"object": "list", "data": data})


class SupportMailTakeView(AsyncAPIView):
    """One of them."""

    @extend_schema(
        operation_id="take_support_mail_set_aside",
        summary="Take a mail that was set aside anew",
        description="With the next look at the mailbox, if it is still there.",
        tags=TAGS,
        parameters=[ID, MAIL],
        request=None,
        responses={204: NOTHING, **problems(*READ_PROBLEMS, 404, 422)},
    )
    @in_thread
    def post(self, request: Request, id: str, mail: str) -> Response:
        place = inbox_id(request, id, MANAGE)
        accounts.look_again(api_actor(request), place, parse_id(mail, accounts.NO_MAIL))
        return Response(status=204)


class SupportSendAgainView(AsyncAPIView):
    """An answer that did not leave."""

    @extend_schema(
        operation_id="send_support_message_again",
        summary="Send an answer by mail again",
        description="One that failed, or waits to be tried again; to the address that the contact has now, under the "
        "same Message-ID.",
        tags=TAGS,
        parameters=[ID, SEQUENCE],
        request=None,
        responses={200: bodies.SupportMailStateBody, **problems(*READ_PROBLEMS, 404, 502)},
    )
    @in_thread
    def post(self, request: Request, id: str, sequence: str) -> Response:
        place = conversation_id(request, id, WRITE)
        return Response(mail_body(outbox.send_again(api_actor(request), place, number_of(sequence))))


def account_body(row: MailAccount) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in (*accounts.PLAIN, "failures")}
    times = {name: getattr(row, name) for name in ("looked_at", "look_at")}
    return {"object": "support_mail", "inbox": str(row.inbox_id), **plain, **times, "problem": row.problem or None}

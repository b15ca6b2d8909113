"""Fetching pages of strangers: every step of a redirection is checked like the first address."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urljoin

if TYPE_CHECKING:
    from apps.core.outbound import Response

REDIRECTS = 3
FETCH_SECONDS = 20.0


def get(url: str, accepts: Iterable[str], limit_bytes: int) -> tuple[Response, str]:
    """The answer and the address that it came from at last; OutboundRefused or OutboundFailed where there is none."""
    from django.conf import settings

    from apps.core import outbound
    from apps.core.errors import OutboundFailed

    for _ in range(REDIRECTS + 1):
        answer = outbound.fetch(
            "GET",
            url,
            headers={"accept": ", ".join(accepts)},
            allow_private=settings.OUTBOUND_ALLOW_PRIVATE,
            limit_bytes=limit_bytes,
            timeout=FETCH_SECONDS,
        )
        if answer.status == 200:
            return answer, url
        if answer.status not in {301, 302, 303, 307, 308} or "location" not in answer.headers:
            raise OutboundFailed("The page answered with the status %(status)s.", values={"status": answer.status})
        url = urljoin(url, answer.headers["location"])
    raise OutboundFailed("The page leads from one address to the next without end.")

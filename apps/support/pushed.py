"""Images that calls from outside bring: in base64, as a data URL, or by an address that they are fetched from."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from apps.core import outbound
from apps.core.errors import InvalidRequest, OutboundFailed
from apps.support.errors import FileNotTaken
from apps.support.services.files import LONGEST_NAME, MOST_BYTES, Upload, inspected
from apps.support.sniffing import is_what_it_says

ENDINGS = (".png", ".jpg", ".gif", ".webp")
# Other calls wait meanwhile.
FETCH_SECONDS = 5.0


def images_of(inputs: Mapping[str, Any]) -> tuple[Upload, ...]:
    """The image of a call, as a file that a message may have; none where the call brings none.

    Raises InvalidRequest for what is neither base64 nor an address, FileNotTaken for what is no PNG, JPEG, GIF or WebP
    or is too large, and OutboundRefused or OutboundFailed where it cannot be fetched. Call it outside of transactions.
    """
    given = inputs.get("image")
    if given is None or given == "":
        return ()
    text = str(given).strip()
    data = _fetched(text) if text[:8].lower().startswith(("https://", "http://")) else _decoded(text)
    ending = next((each for each in ENDINGS if is_what_it_says(each, data)), None)
    if ending is None:
        raise FileNotTaken("This is no image: PNG, JPEG, GIF and WebP are taken.", param="image")
    return tuple(inspected([Upload(_name(inputs, text) + ending, data)]))


def _decoded(text: str) -> bytes:
    if text.startswith("data:"):
        kind, _, text = text.partition(",")
        if not kind.endswith(";base64"):
            text = ""
    try:
        found = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found:
        raise InvalidRequest("An image is base64, a data URL, or an address that begins with https.", param="image")
    return found


def _fetched(url: str) -> bytes:
    """Redirections are not followed: whoever pushes an image knows where it is."""
    answer = outbound.fetch(
        "GET",
        url,
        headers={"accept": "image/*"},
        allow_private=settings.OUTBOUND_ALLOW_PRIVATE,
        limit_bytes=MOST_BYTES,
        timeout=FETCH_SECONDS,
    )
    if answer.status != 200:
        raise OutboundFailed("The image's address answered %(status)s.", values={"status": answer.status})
    return answer.body


def _name(inputs: Mapping[str, Any], text: str) -> str:
    """Without an ending, which its bytes say."""
    place = urlsplit(text).path if text[:4].lower() == "http" else ""
    wanted = PurePath(str(inputs.get("image_name") or place).replace("\\", "/")).stem
    return "".join(each for each in wanted if each.isprintable()).strip(" .")[: LONGEST_NAME - 8] or "image"

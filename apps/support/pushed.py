"""Images that calls from outside bring, in base64 or as a data URL."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from apps.core.errors import InvalidRequest
from apps.support.errors import FileNotTaken
from apps.support.services.files import LONGEST_NAME, Upload, inspected
from apps.support.sniffing import is_what_it_says

ENDINGS = (".png", ".jpg", ".gif", ".webp")


def images_of(inputs: Mapping[str, Any]) -> tuple[Upload, ...]:
    """The image of a call, as a file that a message may have; none where the call brings none.

    Raises InvalidRequest for what is not base64, and FileNotTaken for what is no PNG, JPEG, GIF or WebP. Nothing is
    fetched from anywhere: other calls would wait for it.
    """
    given = inputs.get("image")
    if given is None or given == "":
        return ()
    data = _decoded(str(given).strip())
    ending = next((each for each in ENDINGS if is_what_it_says(each, data)), None)
    if ending is None:
        raise FileNotTaken("This is no image: PNG, JPEG, GIF and WebP are taken.", param="image")
    return tuple(inspected([Upload(_name(inputs) + ending, data)]))


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
        raise InvalidRequest("An image is base64, or a data URL.", param="image")
    return found


def _name(inputs: Mapping[str, Any]) -> str:
    """Without an ending, which its bytes say."""
    wanted = PurePath(str(inputs.get("image_name") or "").replace("\\", "/")).stem
    return "".join(each for each in wanted if each.isprintable()).strip(" .")[: LONGEST_NAME - 8] or "image"

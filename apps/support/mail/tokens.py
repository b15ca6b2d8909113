"""Signed names of conversations, which stand in Message-IDs and addresses of what leaves, and come back in answers."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

SALT = "apps.support.mail.tokens"
# Eighty bits in small letters: nobody keeps the case of what stands before an @.
_TOKEN = re.compile(r"c(\d{1,12})\.([a-z2-7]{16})", re.I)


def token_of(inbox: UUID, number: int) -> str:
    """`c12.abcdefghijklmnop` for the conversation with this number in this inbox."""
    return f"c{number}.{_signed(inbox, number, settings.SECRET_KEY)}"


def _signed(inbox: UUID, number: int, key: str | bytes) -> str:
    digest = salted_hmac(SALT, f"{inbox}:{number}", secret=key, algorithm="sha256").digest()
    return base64.b32encode(digest[:10]).decode().lower()


def number_in(inbox: UUID, texts: Iterable[str]) -> int | None:
    """The number of the conversation that one of the texts names with a right signature."""
    for text in texts:
        for number, signature in _TOKEN.findall(text):
            for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
                if constant_time_compare(_signed(inbox, int(number), key), signature.lower()):
                    return int(number)
    return None


def new_message_id(inbox: UUID, number: int, address: str) -> str:
    """A Message-ID that nobody can guess, with the conversation's token in it."""
    return f"<{token_of(inbox, number)}.{secrets.token_hex(12)}@{address.rpartition('@')[2]}>"


def answer_address(address: str, inbox: UUID, number: int) -> str:
    """`support+c12.…@example.com`: what is written to it belongs to this conversation."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{token_of(inbox, number)}@{domain}"

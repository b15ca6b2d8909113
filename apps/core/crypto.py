"""Secrets at rest: AES-256-GCM envelopes that open only in the organization, table, column and row they were made for.

Each value has a key of its own, derived from the master key by HKDF-SHA256 with 16 random bytes as salt and the
organization as context (RFC 5869), so that no number of values comes near the limits of random nonces, and nothing but
the master keys has to be kept (docs/decisions/0020-sealed-fields.md).
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from apps.core.errors import SealedValueUnreadable, UnknownFieldKey
from apps.core.keyring import KEY_BYTES, Keyring, kept_locally, parse

VERSION = "v1"
SALT_BYTES, NONCE_BYTES, TAG_BYTES = 16, 12, 16
_ENVELOPE = re.compile(rf"{VERSION}\.([a-z0-9][a-z0-9-]*)\.([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an envelope belongs; opening it anywhere else fails.

    `organization` is None for rows of people, which belong to no organization.
    """

    organization: UUID | None
    table: str
    column: str
    row: str


def keyring() -> Keyring:
    """The master keys that the settings name; in local mode without them, the one kept in var/."""
    return _parsed(settings.FIELD_KEYS or _local_keys())


@lru_cache(maxsize=1)
def _local_keys() -> str:
    return kept_locally(settings.VAR / "field_keys")


@lru_cache(maxsize=4)
def _parsed(text: str) -> Keyring:
    return parse(text)


def seal(secret: str, place: Place, ring: Keyring | None = None) -> str:
    """The envelope of `secret` for this place, with the current key's id in clear: `v1.KEY.base64url`."""
    ring = ring or keyring()
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    key = _derived(ring.keys[ring.current], salt, place)
    sealed = AESGCM(key).encrypt(nonce, secret.encode(), _bound(ring.current, place))
    return f"{VERSION}.{ring.current}.{_text(salt + nonce + sealed)}"


def unseal(envelope: str, place: Place) -> str:
    """The secret in an envelope of this place.

    Raises UnknownFieldKey when its master key is not among FIELD_KEYS, and SealedValueUnreadable when it was altered or
    comes from another place: the two cannot be told apart.
    """
    id = key_id(envelope)
    master = keyring().keys.get(id)
    if master is None:
        raise UnknownFieldKey(f"FIELD_KEYS has no key {id!r}, with which a stored value was sealed.")
    content = _bytes(envelope.rpartition(".")[2])
    salt, nonce, sealed = (
        content[:SALT_BYTES],
        content[SALT_BYTES : SALT_BYTES + NONCE_BYTES],
        content[SALT_BYTES + NONCE_BYTES :],
    )
    try:
        return AESGCM(_derived(master, salt, place)).decrypt(nonce, sealed, _bound(id, place)).decode()
    except (InvalidTag, UnicodeDecodeError):
        raise _unreadable() from None


def key_id(envelope: str) -> str:
    """Which master key an envelope needs; raises SealedValueUnreadable for what is no envelope."""
    found = _ENVELOPE.fullmatch(envelope)
    if not found:
        raise _unreadable()
    return found[1]


def reseal(envelope: str, place: Place) -> str:
    """The same secret under the current key; the envelope itself if it is under that already."""
    return envelope if key_id(envelope) == keyring().current else seal(unseal(envelope, place), place)


def _unreadable() -> SealedValueUnreadable:
    return SealedValueUnreadable("A stored secret cannot be read: it was altered, or copied from elsewhere.")


def _derived(master: bytes, salt: bytes, place: Place) -> bytes:
    context = _joined(["millrace field key", VERSION, str(place.organization or "")])
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=context).derive(master)


def _bound(key: str, place: Place) -> bytes:
    return _joined([VERSION, key, str(place.organization or ""), place.table, place.column, place.row])


def _joined(parts: Sequence[str]) -> bytes:
    """Parts with their lengths before them, so that no two lists read the same."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise _unreadable() from None
    # The last letter has bits that decoding ignores: only the one spelling that sealing writes is taken.
    if len(content) < SALT_BYTES + NONCE_BYTES + TAG_BYTES or _text(content) != text:
        raise _unreadable()
    return content


# ---------------------------------------------------------------- in a row
if TYPE_CHECKING:
    _TextField = models.TextField[Any, Any]
else:
    _TextField = models.TextField


class SealedText(_TextField):
    """A column of envelopes, or of nothing: a plain text cannot be saved in it by mistake.

    The attribute holds the envelope; `seal_into` and `unseal_from` are the way to the secret, so that no serializer,
    log or page shows it unasked. `manage.py rotate_keys` finds these columns by their type.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        options: dict[str, Any] = {"blank": True, "default": "", "editable": False} | kwargs
        super().__init__(*args, **options)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if isinstance(value, str) and value and not _ENVELOPE.fullmatch(value):
            raise ValidationError(f"{self.name} takes an envelope made by seal_into, not a text.")
        return super().get_db_prep_save(value, connection)


def place_of(row: models.Model, column: str) -> Place:
    """The place of one column of one row; the row needs its primary key, which a UUID has before it is saved.

    A model may name further columns in `sealed_with`: with another value in one of them the envelope does not open.
    """
    field = cast("models.Field[Any, Any]", row._meta.get_field(column))
    if row.pk is None:
        raise ValueError(f"{row._meta.label} must have its primary key before {column} can be sealed.")
    bound = [str(getattr(row, name)) for name in getattr(row, "sealed_with", ())]
    return Place(
        getattr(row, "organization_id", None), row._meta.db_table, field.attname, ":".join([str(row.pk), *bound])
    )


def seal_into(row: models.Model, column: str, secret: str) -> None:
    """Puts the secret's envelope into the row, which the caller then saves; an empty secret empties the column."""
    setattr(row, column, seal(secret, place_of(row, column)) if secret else "")


def unseal_from(row: models.Model, column: str) -> str:
    """The secret of a column, "" when it is empty; raises what `unseal` raises."""
    envelope: str = getattr(row, column)
    return unseal(envelope, place_of(row, column)) if envelope else ""
